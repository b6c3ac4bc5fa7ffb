package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"

	"gozilla/config"
)

var helpCommand = &command{
	name: "help", args: "[COMMAND]", short: "tell how a command is used",
	long: "Shows the commands, or what one of them does, its flags and examples.",
	flags: func(*flag.FlagSet) func(context.Context, *Env, []string) error {
		return func(_ context.Context, env *Env, args []string) error {
			switch len(args) {
			case 0:
				overview(env.Stdout)
				return nil
			case 1:
				if c := find(args[0]); c != nil {
					c.help(env.Stdout)
					return nil
				}
				return usagef("there is no command %q%s", args[0], didYouMean(args[0], names()))
			}
			return usagef("one command at a time")
		}
	},
	examples: []string{"gozilla help start"},
}

var versionCommand = &command{
	name: "version", short: "print the version",
	long: "Prints the version of the program.",
	flags: func(*flag.FlagSet) func(context.Context, *Env, []string) error {
		return func(_ context.Context, env *Env, args []string) error {
			if len(args) > 0 {
				return usagef("it takes no arguments")
			}
			fmt.Fprintf(env.Stdout, "gozilla version %s\n", Version)
			return nil
		}
	},
	examples: []string{"gozilla version"},
}

func overview(w io.Writer) {
	fmt.Fprint(w, "gozilla is a gateway that runs a zilla.yaml.\n\nUsage: gozilla COMMAND [FLAGS]\n\nCommands:\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-11s  %s\n", c.name, c.short)
	}
	fmt.Fprint(w, "\nExamples:\n  gozilla start -c zilla.yaml -v\n  gozilla check -c zilla.yaml\n  gozilla docs tcp\n\nRun gozilla help COMMAND for its flags and examples.\n")
}

func (c *command) help(w io.Writer) {
	fs, _ := c.flagSet()
	line := "Usage: gozilla " + c.name
	flags := flagLines(fs)
	if len(flags) > 0 {
		line += " [FLAGS]"
	}
	if c.args != "" {
		line += " " + c.args
	}
	fmt.Fprintf(w, "%s\n\n%s\n", line, fold(c.long, "", 80))
	if len(flags) > 0 {
		fmt.Fprintf(w, "\nFlags:\n%s", strings.Join(flags, ""))
	}
	fmt.Fprint(w, "\nExamples:\n")
	for _, e := range c.examples {
		fmt.Fprintf(w, "  %s\n", e)
	}
}

// flagLines shows each flag, the long name beside the short one that stands for the same.
func flagLines(fs *flag.FlagSet) []string {
	short := map[string]string{} // by usage text, which both share
	fs.VisitAll(func(f *flag.Flag) {
		if len(f.Name) == 1 {
			short[f.Usage] = f.Name
		}
	})
	var lines []string
	fs.VisitAll(func(f *flag.Flag) {
		if len(f.Name) == 1 {
			return
		}
		name := "    --" + f.Name
		if s := short[f.Usage]; s != "" {
			name = "-" + s + ", --" + f.Name
		}
		value, text := flag.UnquoteUsage(f)
		if value != "" && !isBool(f) {
			name += " " + value
		}
		lines = append(lines, fmt.Sprintf("  %s\n%s\n", name, fold(text, "        ", 80)))
	})
	return lines
}

// fold breaks text into lines of at most width characters, each behind indent.
func fold(text, indent string, width int) string {
	var b strings.Builder
	for i, paragraph := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		line := indent
		for _, word := range strings.Fields(paragraph) {
			if len(line) > len(indent) && len(line)+1+len(word) > width {
				b.WriteString(line + "\n")
				line = indent
			}
			if len(line) > len(indent) {
				line += " "
			}
			line += word
		}
		b.WriteString(line)
	}
	return b.String()
}

func didYouMean(word string, names []string) string {
	if like, ok := config.Like(word, names); ok {
		return fmt.Sprintf(", did you mean %s?", like)
	}
	return ""
}
