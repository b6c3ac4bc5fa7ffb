package cli

import (
	"context"
	"flag"
	"fmt"
	"log/slog"

	"gozilla/admin"
)

var logLevelCommand = &command{
	name: "log-level", args: "[LEVEL]", short: "tell or change what the running gateway writes to its log",
	long: "Shows the least level of what the gateway that runs in this directory writes to its log: debug, info, warn or error. With a LEVEL, " +
		"changes it, until the process ends.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		p := &propertyFlags{}
		asJSON := fs.Bool("json", false, "Show a JSON object.")
		p.declare(fs)
		return func(ctx context.Context, env *Env, args []string) error {
			if len(args) > 1 {
				return usagef("one level at a time")
			}
			if len(args) == 1 && new(slog.LevelVar).UnmarshalText([]byte(args[0])) != nil {
				return usagef("the level must be debug, info, warn or error, not %q", args[0])
			}
			dir, err := directoryOf(p)
			if err != nil {
				return err
			}
			return runLogLevel(ctx, env, dir, args, *asJSON)
		}
	},
	examples: []string{"gozilla log-level", "gozilla log-level debug"},
}

// runLogLevel shows the level of the log of the gateway in dir, which it changes first if there is one in to.
func runLogLevel(ctx context.Context, env *Env, dir string, to []string, asJSON bool) error {
	client := admin.Dial(dir)
	ask := client.LogLevel
	if len(to) > 0 {
		ask = func(ctx context.Context) (string, error) { return client.SetLogLevel(ctx, to[0]) }
	}
	level, err := ask(ctx)
	switch {
	case err != nil:
		return err
	case asJSON:
		return writeJSON(env, map[string]string{"level": level})
	}
	_, err = fmt.Fprintln(env.Stdout, level)
	return err
}
