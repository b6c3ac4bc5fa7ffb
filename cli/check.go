package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"

	"gozilla/config"
	"gozilla/engine"
	"gozilla/internal/fetch"
)

var checkCommand = &command{
	name: "check", args: "[FILE...]", short: "tell what is wrong with a configuration",
	long: "Reads configurations, and the files that their components name, and shows every fault with its place. Nothing is started, no port is opened and no file " +
		"is written. The status is 0 if there is no fault, warnings aside, and 1 if there is, or if a file is missing or empty.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		c := &checker{}
		const file = "Check the configuration at this `URI`: a path, or a file:, http: or https: address. By default zilla.yaml."
		fs.StringVar(&c.config, "c", "", file)
		fs.StringVar(&c.config, "config", "", file)
		fs.BoolVar(&c.strict, "strict", false, "Refuse what gozilla has beyond zilla, so that the file runs on both.")
		fs.BoolVar(&c.json, "json", false, "Show the faults as a JSON array.")
		c.properties.declare(fs)
		return c.run
	},
	examples: []string{"gozilla check -c zilla.yaml", "gozilla check --strict etc/*.yaml", "gozilla check --json zilla.yaml"},
}

type checker struct {
	properties propertyFlags
	config     string
	strict     bool
	json       bool
}

func (c *checker) run(ctx context.Context, env *Env, args []string) error {
	s := defaultSettings()
	if err := c.properties.apply(s, func(format string, a ...any) { fmt.Fprintf(env.Stderr, "gozilla: "+format+"\n", a...) }); err != nil {
		return err
	}
	if c.config != "" {
		args = append([]string{c.config}, args...)
	}
	if len(args) == 0 {
		args = []string{s.config}
	}
	found := []finding{}
	failed := false
	for _, name := range args {
		plan, ok := c.check(ctx, env, s, name)
		failed = failed || !ok
		if plan != nil {
			found = append(found, findings(plan.Report)...)
		}
	}
	if c.json {
		if err := writeJSON(env, found); err != nil {
			return err
		}
	}
	if failed {
		return errShown
	}
	return nil
}

// check reads one configuration, shows its faults unless they are wanted as JSON, and tells whether it has none.
func (c *checker) check(ctx context.Context, env *Env, s *settings, name string) (*engine.Plan, bool) {
	text, err := fetch.Read(ctx, name, fetch.Options{Max: config.MaxText, Authorization: s.authorization})
	if err != nil {
		fmt.Fprintf(env.Stderr, "gozilla: %v\n", err)
		return nil, false
	}
	plan := engine.Load(ctx, config.Source{Name: name, Text: text, Env: env.LookupEnv}, engine.Options{Strict: c.strict, Authorization: s.authorization})
	if !c.json {
		plan.Report.Write(env.Stderr, env.IsTerminal(env.Stderr))
	}
	switch {
	case plan.Report.Err() != nil:
		return plan, false
	case plan.Empty():
		fmt.Fprintf(env.Stderr, "%s: the configuration is missing or empty\n", name)
		return plan, false
	}
	if !c.json {
		fmt.Fprintf(env.Stdout, "%s: %s\n", name, plan.Summary())
	}
	return plan, true
}

// finding is a fault for scripts.
type finding struct {
	File    string    `json:"file"`
	Line    int       `json:"line"`
	Column  int       `json:"column"`
	Level   string    `json:"level"` // error or warning
	Message string    `json:"message"`
	Hint    string    `json:"hint,omitempty"`
	Notes   []finding `json:"notes,omitempty"`
}

func findings(r *config.Report) []finding {
	all := []finding{}
	for _, f := range r.Faults() {
		found := place(f.Pos, "error", f.Text)
		if f.Warning {
			found.Level = "warning"
		}
		found.Hint = f.Hint
		for _, n := range f.Notes {
			found.Notes = append(found.Notes, place(n.Pos, "note", n.Text))
		}
		all = append(all, found)
	}
	return all
}

func place(at config.Pos, level, text string) finding {
	return finding{File: at.File, Line: at.Line, Column: at.Column, Level: level, Message: text}
}

func writeJSON(env *Env, v any) error {
	e := json.NewEncoder(env.Stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
