package cli

import (
	"context"
	"flag"
)

var logsCommand = &command{
	name: "logs", short: "show what the running gateway has to tell",
	long: "Shows events and the records of connections and exchanges of the gateway that runs in this directory: those that " +
		"it keeps, the last 1024 events and 4096 records, and with --follow those that come. It changes nothing in the gateway.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		var o logsOptions
		var format string
		p := &propertyFlags{}
		const follow = "Go on with what comes, until interrupted."
		fs.BoolVar(&o.follow, "f", false, follow)
		fs.BoolVar(&o.follow, "follow", false, follow)
		fs.BoolVar(&o.json, "json", false, "Show a JSON object a line.")
		fs.StringVar(&format, "format", "text", "Show entries as `FORMAT`: text, json, which is the same as --json, or HTTP exchanges only as web servers log them, common or combined. By default text.")
		fs.BoolVar(&o.events, "events", false, "Show events only.")
		fs.BoolVar(&o.records, "records", false, "Show records only.")
		p.declare(fs)
		return func(ctx context.Context, env *Env, args []string) error {
			if len(args) > 0 {
				return usagef("it takes no arguments")
			}
			switch format {
			case "text":
			case "json":
				o.json = true
			case "common", "combined":
				o.access = format
			default:
				return usagef("the format must be text, json, common or combined, not %q", format)
			}
			dir, err := directoryOf(p)
			if err != nil {
				return err
			}
			ctx, stop := untilInterrupted(ctx)
			defer stop()
			return runLogs(ctx, env, dir, o)
		}
	},
	examples: []string{"gozilla logs", "gozilla logs --follow --records", "gozilla logs --records --json | jq .reason", "gozilla logs --format combined"},
}

var metricsCommand = &command{
	name: "metrics", args: "[BINDING]", short: "show what the running gateway counts",
	long: "Shows the metrics of the gateway that runs in this directory: of every binding, whether its telemetry " +
		"exports them or not. It changes nothing in the gateway.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		var o metricsOptions
		p := &propertyFlags{}
		fs.StringVar(&o.namespace, "namespace", "", "Show only bindings of this `NAMESPACE`.")
		fs.BoolVar(&o.json, "json", false, "Show a JSON array.")
		fs.BoolVar(&o.watch, "watch", false, "Show them again every second with their rates, until interrupted.")
		p.declare(fs)
		return func(ctx context.Context, env *Env, args []string) error {
			switch len(args) {
			case 0:
			case 1:
				o.binding = args[0]
			default:
				return usagef("one binding at a time")
			}
			dir, err := directoryOf(p)
			if err != nil {
				return err
			}
			ctx, stop := untilInterrupted(ctx)
			defer stop()
			return runMetrics(ctx, env, dir, o)
		}
	},
	examples: []string{"gozilla metrics", "gozilla metrics --watch north_tcp_server", "gozilla metrics --json --namespace example"},
}
