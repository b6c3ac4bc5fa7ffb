// Package cli is the command line: it reads what the user wants, and shows what comes of it.
//
//	gozilla start …    runs a gateway in the foreground
//	gozilla check …    tells what is wrong with a configuration
//	gozilla explain …  tells where a stream would go
//	gozilla logs …     asks the gateway that runs in the same directory
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"gozilla/config"
)

// Version is that of the program, set when it is linked.
var Version = "develop"

// A command is one verb of the command line.
type command struct {
	name  string
	args  string // what it takes, for the first line of its help
	short string // what it does, in a few words
	long  string // what it does, and how it ends
	// flags declares the command's flags and gives what runs it with the arguments that are left.
	flags    func(*flag.FlagSet) func(context.Context, *Env, []string) error
	examples []string
}

// commands are in the order of the help.
var commands []*command

func init() {
	commands = []*command{startCommand, stopCommand, checkCommand, explainCommand, testCommand, planCommand, reloadCommand, certsCommand, docsCommand, statusCommand, connectionsCommand, logsCommand, metricsCommand, dumpCommand, logLevelCommand, versionCommand, helpCommand}
}

// Exit statuses.
const (
	statusOK      = 0
	statusFailed  = 1 // the command could not do what it was asked to
	statusUsage   = 2 // the command line is wrong
	statusRefused = 3 // what was asked about would not be served
)

// errShown ends a command whose fault the user has seen already.
var errShown = errors.New("")

// errRefused ends a command whose answer, which the user has seen, is no.
var errRefused = errors.New("refused")

// usage is an error in the command line.
type usage struct{ error }

func usagef(format string, a ...any) error { return usage{fmt.Errorf(format, a...)} }

// Run runs the command that args name, without the program's own name, and returns its exit status.
func Run(ctx context.Context, env *Env, args []string) int {
	if len(args) == 0 {
		args = []string{"help"}
	}
	switch args[0] {
	case "-h", "-help", "--help":
		args[0] = "help"
	case "--version":
		args[0] = "version"
	}
	c := find(args[0])
	if c == nil {
		fmt.Fprintf(env.Stderr, "gozilla: there is no command %q%s\nRun gozilla help for a list.\n", args[0], didYouMean(args[0], names()))
		return statusUsage
	}
	err := c.run(ctx, env, args[1:])
	var wrong usage
	switch {
	case err == nil:
		return statusOK
	case err == errRefused:
		return statusRefused
	case errors.As(err, &wrong):
		fmt.Fprintf(env.Stderr, "gozilla %s: %v\nRun gozilla help%s\n", c.name, err, c.more())
		return statusUsage
	case err != errShown:
		fmt.Fprintf(env.Stderr, "gozilla: %v\n", err)
	}
	return statusFailed
}

// more is what to ask help for after a mistake.
func (c *command) more() string {
	if c == helpCommand {
		return " for a list."
	}
	return " " + c.name + " for its flags."
}

func find(name string) *command {
	for _, c := range commands {
		if c.name == name {
			return c
		}
	}
	return nil
}

func names() []string {
	var all []string
	for _, c := range commands {
		all = append(all, c.name)
	}
	return all
}

func (c *command) run(ctx context.Context, env *Env, args []string) error {
	fs, run := c.flagSet()
	args, err := spread(fs, args)
	if err != nil {
		return usage{err}
	}
	var rest []string
	for { // flags may stand behind arguments
		if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
			c.help(env.Stdout)
			return nil
		} else if err != nil {
			return usage{plainFlagError(err, fs)}
		}
		if fs.NArg() == 0 {
			return run(ctx, env, rest)
		}
		if parsed := len(args) - fs.NArg(); parsed > 0 && args[parsed-1] == "--" {
			return run(ctx, env, append(rest, fs.Args()...))
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
}

func (c *command) flagSet() (*flag.FlagSet, func(context.Context, *Env, []string) error) {
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	return fs, c.flags(fs)
}

// spread takes short flags apart that zilla lets stand together: -ve is -v -e, -Pname=value is -P name=value.
func spread(fs *flag.FlagSet, args []string) ([]string, error) {
	var out []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(out, args[i:]...), nil
		}
		apart := []string{arg}
		if len(arg) > 2 && arg[0] == '-' && arg[1] != '-' && fs.Lookup(strings.SplitN(arg[1:], "=", 2)[0]) == nil {
			var err error
			if apart, err = spreadOne(fs, arg); err != nil {
				return nil, err
			}
		}
		out = append(out, apart...)
		if i+1 < len(args) && wantsValue(fs, apart[len(apart)-1]) {
			i++
			out = append(out, args[i]) // whatever it looks like
		}
	}
	return out, nil
}

// wantsValue reports whether arg is a flag whose value is the argument behind it.
func wantsValue(fs *flag.FlagSet, arg string) bool {
	name, ok := strings.CutPrefix(arg, "-")
	if !ok {
		return false
	}
	f := fs.Lookup(strings.TrimPrefix(name, "-"))
	return f != nil && !isBool(f)
}

func spreadOne(fs *flag.FlagSet, arg string) ([]string, error) {
	var out []string
	for j := 1; j < len(arg); j++ {
		f := fs.Lookup(arg[j : j+1])
		if f == nil {
			return nil, noFlag(arg, fs)
		}
		if isBool(f) {
			out = append(out, "-"+f.Name)
			continue
		}
		rest, given := strings.CutPrefix(arg[j+1:], "=")
		if given || rest != "" {
			return append(out, "-"+f.Name+"="+rest), nil
		}
		out = append(out, "-"+f.Name)
	}
	return out, nil
}

func isBool(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

func flagNames(fs *flag.FlagSet) []string {
	var all []string
	fs.VisitAll(func(f *flag.Flag) { all = append(all, f.Name) })
	return all
}

// plainFlagError says what is wrong with a flag in our words.
func plainFlagError(err error, fs *flag.FlagSet) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return noFlag(dashed(name), fs)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return fmt.Errorf("the flag %s needs a value", dashed(name))
	}
	if m := wrongValue.FindStringSubmatch(text); m != nil {
		if f := fs.Lookup(m[2]); f != nil {
			return fmt.Errorf("the flag %s must be %s, not %s", dashed(m[2]), flagForm(f), m[1])
		}
	}
	return err
}

// wrongValue is what the library says of a value that does not fit.
var wrongValue = regexp.MustCompile(`(?s)^invalid (?:boolean )?value (".*") for (?:flag )?-([-a-zA-Z]+): `)

// flagForm says what the value of a flag must be.
func flagForm(f *flag.Flag) string {
	g, _ := f.Value.(flag.Getter)
	if g == nil {
		return "something else"
	}
	switch g.Get().(type) {
	case bool:
		return "true or false"
	case int:
		return "a whole number"
	case time.Duration:
		return "a duration like 30s"
	case *slog.LevelVar:
		return "debug, info, warn or error"
	}
	return "something else"
}

func noFlag(arg string, fs *flag.FlagSet) error {
	name := strings.TrimLeft(arg, "-")
	if like, ok := config.Like(name, flagNames(fs)); ok {
		return fmt.Errorf("there is no flag %s, did you mean %s?", arg, dashed(like))
	}
	return fmt.Errorf("there is no flag %s", arg)
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}
