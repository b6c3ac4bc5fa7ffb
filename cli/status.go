package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"gozilla/admin"
	"gozilla/engine"
	"gozilla/telemetry"
)

var statusCommand = &command{
	name: "status", short: "tell how the running gateway does",
	long: "Shows who the gateway is that runs in this directory, which configuration it runs, the last one that it did not take, " +
		"and what its bindings have counted. It changes nothing in the gateway.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		p := &propertyFlags{}
		asJSON := fs.Bool("json", false, "Show a JSON object.")
		p.declare(fs)
		return func(ctx context.Context, env *Env, args []string) error {
			if len(args) > 0 {
				return usagef("it takes no arguments")
			}
			dir, err := directoryOf(p)
			if err != nil {
				return err
			}
			return runStatus(ctx, env, dir, *asJSON)
		}
	},
	examples: []string{"gozilla status", "gozilla status --json | jq .generation"},
}

// overall is what gozilla status shows.
type overall struct {
	admin.Status
	engine.Graph
}

// runStatus shows how the gateway in dir does.
func runStatus(ctx context.Context, env *Env, dir string, asJSON bool) error {
	client := admin.Dial(dir)
	var o overall
	var err error
	if o.Status, err = client.Status(ctx); err != nil {
		return err
	}
	if o.Graph, err = client.Graph(ctx); err != nil {
		return err
	}
	if asJSON {
		err = writeJSON(env, o)
	} else {
		err = o.write(env.Stdout, time.Now())
	}
	if err != nil {
		return fmt.Errorf("cannot write the status: %w", err)
	}
	return nil
}

func (o *overall) write(w io.Writer, now time.Time) error {
	if err := o.facts(now).write(w); err != nil || len(o.Bindings) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return bindingsTable(o.Bindings).write(w)
}

// facts are those about the process, a line each.
func (o *overall) facts(now time.Time) *table {
	t := &table{columns: []column{{}, {}}}
	t.add("pid", strconv.Itoa(o.PID))
	t.add("version", o.Version)
	t.add("config", o.Config)
	if o.Generation > 0 {
		t.add("generation", fmt.Sprintf("%d, since %s", o.Generation, moment(o.Loaded, now)))
	}
	t.add("started", moment(o.Started, now))
	t.add("state", o.State())
	connections := fmt.Sprintf("%d of %d", o.Connections, o.Capacity)
	if o.TurnedAway > 0 {
		connections += fmt.Sprintf(", %d turned away", o.TurnedAway)
	}
	t.add("connections", connections)
	if r := o.Refused; r != nil {
		t.add("refused", fmt.Sprintf("%s, %s since the start; of the last one:", moment(r.Time, now), times(r.Times)))
		for _, fault := range r.Faults {
			t.add("", fault)
		}
	}
	return t
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// moment is a time for people, and how long ago that is.
func moment(at, now time.Time) string {
	return fmt.Sprintf("%s (%s ago)", at.Local().Format(time.DateTime), age(now.Sub(at)))
}

// lately is moment without the day, if that is today.
func lately(at, now time.Time) string {
	text := moment(at, now)
	if day, ok := strings.CutPrefix(text, now.Local().Format(time.DateOnly)+" "); ok {
		return day
	}
	return text
}

// age is a duration in its two largest units.
func age(d time.Duration) string {
	d = max(d, 0).Truncate(time.Second)
	days := d / (24 * time.Hour)
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, (d-days*24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return d.String()
}

func bindingsTable(all []engine.GraphBinding) *table {
	t := &table{columns: []column{
		{title: "binding"}, {title: "type"}, {title: "kind"}, {title: "listens on"}, {title: "open", right: true},
		{title: "opened", right: true}, {title: "errors", right: true}, {title: "received", right: true}, {title: "sent", right: true},
	}}
	for i := range all {
		b := &all[i]
		s := b.Streams
		t.add(b.Qualified(), b.Type, b.Kind, listeners(b.Listeners), strconv.FormatInt(s.Open, 10), strconv.FormatInt(s.Opened, 10),
			strconv.FormatInt(s.Errors, 10), amount(telemetry.UnitBytes, float64(s.Received)), amount(telemetry.UnitBytes, float64(s.Sent)))
	}
	return t
}

// listeners are addresses in one word: of many, the first two.
func listeners(all []string) string {
	if len(all) > 3 {
		return fmt.Sprintf("%s,%s,+%d", all[0], all[1], len(all)-2)
	}
	return orDash(strings.Join(all, ","))
}
