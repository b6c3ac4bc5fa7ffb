// Package cli is the command line: it reads what the user wants, and shows what comes of it.
//
//	gozilla start …    runs a gateway in the foreground
//	gozilla check …    tells what is wrong with a configuration
//	gozilla logs …     asks the gateway that runs in the same directory
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
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
	commands = []*command{startCommand, stopCommand, checkCommand, docsCommand, logsCommand, metricsCommand, versionCommand, helpCommand}
}

// Exit statuses.
const (
	statusOK     = 0
	statusFailed = 1 // the command could not do what it was asked to
	statusUsage  = 2 // the command line is wrong
)

// errShown ends a command whose fault the user has seen already.
var errShown = errors.New("")

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
	case errors.As(err, &wrong):
		fmt.Fprintf(env.Stderr, "gozilla %s: %v\nRun gozilla help %s for its flags.\n", c.name, err, c.name)
		return statusUsage
	case err != errShown:
		fmt.Fprintf(env.Stderr, "gozilla: %v\n", err)
	}
	return statusFailed
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
	for i, arg := range args {
		if arg == "--" {
			return append(out, args[i:]...), nil
		}
		if len(arg) < 3 || arg[0] != '-' || arg[1] == '-' || fs.Lookup(strings.SplitN(arg[1:], "=", 2)[0]) != nil {
			out = append(out, arg)
			continue
		}
		apart, err := spreadOne(fs, arg)
		if err != nil {
			return nil, err
		}
		out = append(out, apart...)
	}
	return out, nil
}

func spreadOne(fs *flag.FlagSet, arg string) ([]string, error) {
	var out []string
	for j := 1; j < len(arg); j++ {
		f := fs.Lookup(arg[j : j+1])
		if f == nil {
			return nil, fmt.Errorf("there is no flag %s%s", arg, didYouMean(strings.TrimLeft(arg, "-"), flagNames(fs)))
		}
		out = append(out, "-"+f.Name)
		if !isBool(f) {
			if rest := strings.TrimPrefix(arg[j+1:], "="); rest != "" {
				out = append(out, rest)
			}
			break
		}
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
		return fmt.Errorf("there is no flag %s%s", dashed(name), didYouMean(name, flagNames(fs)))
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return fmt.Errorf("the flag %s needs a value", dashed(name))
	}
	return err
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}
