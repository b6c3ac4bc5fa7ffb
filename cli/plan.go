package cli

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gozilla/admin"
	"gozilla/config"
	"gozilla/engine"
	"gozilla/internal/fetch"
)

var planCommand = &command{
	name: "plan", short: "tell what a configuration would change in the running gateway",
	long: "Asks the gateway that runs in this directory what would change if a configuration were the one in service, and changes nothing: which " +
		"components are kept, updated in place, replaced, added and removed, which ports open and close, and how many of the connections that are " +
		"open would be kept, drained or closed. The status is 0, also when something would change, and 1 for a configuration that would be refused, " +
		"for a port that is in use too.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		o := changeOptions{}
		p := &propertyFlags{}
		const file = "Ask about the configuration at this `URI`: a path, or a file:, http: or https: address. By default zilla.yaml."
		fs.StringVar(&o.config, "c", "", file)
		fs.StringVar(&o.config, "config", "", file)
		o.declare(fs)
		p.declare(fs)
		return func(ctx context.Context, env *Env, args []string) error {
			if len(args) > 0 {
				return usagef("it takes no arguments, but -c %s", args[0])
			}
			s := defaultSettings()
			if err := p.apply(s, func(string, ...any) {}); err != nil {
				return err
			}
			if o.config == "" {
				o.config = s.config
			}
			return o.plan(ctx, env, s)
		}
	},
	examples: []string{"gozilla plan -c new.yaml", "gozilla plan -c new.yaml --all", "gozilla plan -c new.yaml --json | jq .change.connections"},
}

var reloadCommand = &command{
	name: "reload", short: "have the running gateway read its configuration again",
	long: "Has the gateway that runs in this directory read its configuration now, and shows what that has changed. A gateway does so by itself when the " +
		"file changes. The status is 1 if the configuration is refused: then the one before goes on.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		o := changeOptions{}
		p := &propertyFlags{}
		o.declare(fs)
		p.declare(fs)
		return func(ctx context.Context, env *Env, args []string) error {
			if len(args) > 0 {
				return usagef("it takes no arguments")
			}
			dir, err := directoryOf(p)
			if err != nil {
				return err
			}
			changed, err := admin.Dial(dir).Reload(ctx, env.IsTerminal(env.Stderr))
			if err != nil {
				return err
			}
			return o.show(env, &changed, "the configuration was refused, number %d goes on")
		}
	},
	examples: []string{"gozilla reload", "gozilla reload --json"},
}

// changeOptions are the flags of what shows a change.
type changeOptions struct {
	config string
	all    bool
	json   bool
}

func (o *changeOptions) declare(fs *flag.FlagSet) {
	fs.BoolVar(&o.all, "all", false, "Show what stays as it is, too.")
	fs.BoolVar(&o.json, "json", false, "Show a JSON object.")
}

// plan asks the gateway about a configuration.
func (o *changeOptions) plan(ctx context.Context, env *Env, s *settings) error {
	text, err := fetch.Read(ctx, o.config, fetch.Options{Max: config.MaxText, Authorization: s.authorization})
	if err != nil {
		return err
	}
	d := admin.Draft{Name: o.config, Text: string(text), Color: env.IsTerminal(env.Stderr)}
	if path := fetch.Path(o.config); path != "" { // the gateway may run elsewhere
		if d.Folder, err = filepath.Abs(filepath.Dir(path)); err != nil {
			return err
		}
	}
	changed, err := admin.Dial(s.directory).Plan(ctx, d)
	if err != nil {
		return err
	}
	return o.show(env, &changed, "this configuration would be refused, number %d would go on")
}

// show shows what came of a configuration, or would.
func (o *changeOptions) show(env *Env, c *admin.Changed, refused string) error {
	if o.json {
		c.Report = "" // it is for people
		if err := writeJSON(env, c); err != nil {
			return err
		}
	} else if err := o.write(env, c, refused); err != nil {
		return err
	}
	if c.Error != "" {
		return errShown
	}
	return nil
}

func (o *changeOptions) write(env *Env, c *admin.Changed, refused string) error {
	fmt.Fprint(env.Stderr, c.Report)
	if c.Error != "" {
		if c.Report == "" {
			fmt.Fprintf(env.Stderr, "gozilla: %s\n", c.Error)
		}
		fmt.Fprintf(env.Stderr, "gozilla: "+refused+"\n", c.Generation)
		return nil
	}
	if c.Change.Nothing() && !o.all {
		_, err := fmt.Fprintf(env.Stdout, "nothing changes: configuration %d is in service since %s\n", c.Generation, lately(c.Loaded, time.Now()))
		return err
	}
	var b strings.Builder
	if err := o.tables(&b, c.Change); err != nil {
		return err
	}
	_, err := fmt.Fprint(env.Stdout, b.String())
	return err
}

// tables are the components, the ports and the connections.
func (o *changeOptions) tables(b *strings.Builder, c *engine.Change) error {
	components, kept := o.components(c)
	if err := components.write(b); err != nil {
		return err
	}
	if kept > 0 {
		fmt.Fprintf(b, "%d more stay as they are\n", kept)
	}
	ports, stay := o.ports(c)
	if len(ports.rows) > 0 {
		b.WriteByte('\n')
		if err := ports.write(b); err != nil {
			return err
		}
	}
	n := c.Connections
	fmt.Fprintf(b, "\nports that stay open: %d\nconnections: %d stay, %d drain, %d are closed\n", stay, n.Keep, n.Drain, n.Close)
	return nil
}

// components are those that are shown, and how many are not.
func (o *changeOptions) components(c *engine.Change) (t table, kept int) {
	t.columns = []column{{title: "change"}, {title: "component"}, {title: "type"}, {title: "connections", right: true}, {title: "streams"}, {title: "why"}}
	for i := range c.Components {
		x := &c.Components[i]
		if x.Does == engine.Keeps && !o.all {
			kept++
			continue
		}
		connections, streams := "", ""
		if x.Category == "binding" && x.Does != engine.Adds {
			connections, streams = strconv.Itoa(x.Connections), string(x.Streams)
		}
		t.add(string(x.Does), x.Category+" "+x.Namespace+":"+x.Name, strings.TrimSpace(x.Type+" "+x.Kind), connections, streams, x.Why)
	}
	return t, kept
}

// ports are those that are shown, and how many stay open.
func (o *changeOptions) ports(c *engine.Change) (t table, stay int) {
	t.columns = []column{{title: "port"}, {title: "address"}, {title: "binding"}}
	for _, l := range c.Listeners {
		if l.Does == "keep" {
			stay++
		}
		if l.Does != "keep" || o.all {
			t.add(l.Does, l.Address, l.Binding)
		}
	}
	return t, stay
}
