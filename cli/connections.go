package cli

import (
	"context"
	"flag"
	"fmt"
	"math"
	"net/netip"
	"strconv"

	"gozilla/admin"
	"gozilla/telemetry"
)

var connectionsCommand = &command{
	name: "connections", short: "show the open connections of the running gateway, or close one",
	long: "Shows the connections that are open in the gateway that runs in this directory, the newest last: where each comes from, what was " +
		"dialled for it, the bytes received from the client and sent to it, and the bindings that it goes through, also those of the exchanges, such as WebSockets, that are going on over it; what an http client " +
		"has dialled to be used by many is a connection of its own. That changes nothing in the gateway. With --close, a connection is closed: its peers see that it was cut off, and its record tells that it was closed by admin.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		var o connectionsOptions
		var limit int
		p := &propertyFlags{}
		fs.StringVar(&o.filter.Binding, "binding", "", "Show only those that go through this `BINDING`, or an exchange of which does, NAME or NAMESPACE:NAME.")
		fs.StringVar(&o.filter.Namespace, "namespace", "", "Show only those that go through a binding of this `NAMESPACE`.")
		fs.StringVar(&o.filter.Source, "source", "", "Show only those that come from this `NETWORK` or address.")
		fs.IntVar(&limit, "limit", anyLimit, "Show at most `N`, the newest. By default 1000.")
		fs.StringVar(&o.close, "close", "", "Close the connection with this `ID`, the number that stands first.")
		fs.BoolVar(&o.json, "json", false, "Show a JSON object.")
		p.declare(fs)
		return func(ctx context.Context, env *Env, args []string) error {
			if len(args) > 0 {
				return usagef("it takes no arguments")
			}
			if limit != anyLimit && (limit < 1 || limit > admin.MaxLimit) {
				return usagef("the limit must be from 1 to %d", admin.MaxLimit)
			} else if limit != anyLimit {
				o.filter.Limit = limit
			}
			if err := o.check(); err != nil {
				return err
			}
			dir, err := directoryOf(p)
			if err != nil {
				return err
			}
			if o.close != "" {
				return closeConnection(ctx, env, dir, o)
			}
			return runConnections(ctx, env, dir, o)
		}
	},
	examples: []string{"gozilla connections", "gozilla connections --binding north_tcp_server --source 10.0.0.0/8", "gozilla connections --close 7",
		"gozilla connections --json | jq '.connections[].source'"},
}

// anyLimit is the limit that no flag has set.
const anyLimit = math.MinInt

// connectionsOptions are the flags of gozilla connections.
type connectionsOptions struct {
	filter admin.Filter
	close  string // the id of the one to be closed; "" to show them
	json   bool

	id uint64 // close as a number
}

func (o *connectionsOptions) check() error {
	if o.filter.Source != "" {
		if _, err := admin.ParseSource(o.filter.Source); err != nil {
			return usagef("the source must be %w", err)
		}
	}
	if o.close == "" {
		return nil
	}
	if o.filter != (admin.Filter{}) {
		return usagef("--close is for one connection, and is not given with what chooses some")
	}
	var err error
	if o.id, err = strconv.ParseUint(o.close, 10, 64); err != nil {
		return usagef("the flag --close must be the number of a connection, not %q", o.close)
	}
	return nil
}

// runConnections shows the connections of the gateway in dir.
func runConnections(ctx context.Context, env *Env, dir string, o connectionsOptions) error {
	all, err := admin.Dial(dir).Connections(ctx, o.filter)
	if err != nil {
		return err
	}
	if o.json {
		err = writeJSON(env, all)
	} else {
		err = connectionsTable(all.Connections).write(env.Stdout)
		if shown := len(all.Connections); err == nil && shown < all.Total {
			_, err = fmt.Fprintf(env.Stderr, "gozilla: these are the newest %d of %d\n", shown, all.Total)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write the connections: %w", err)
	}
	return nil
}

func connectionsTable(all []*telemetry.Record) *table {
	t := &table{columns: []column{{title: "id", right: true}, {title: "age", right: true}, {title: "source"}, {title: "dest"},
		{title: "target"}, {title: "received", right: true}, {title: "sent", right: true}}}
	// What few connections have is only there if one has it.
	facts := []struct {
		title string
		of    func(*telemetry.Record) string
	}{
		{"authority", func(r *telemetry.Record) string { return r.Authority }},
		{"alpn", func(r *telemetry.Record) string { return r.ALPN }},
		{"identity", func(r *telemetry.Record) string { return r.Identity }},
	}
	var shown []func(*telemetry.Record) string
	for _, f := range facts {
		for _, r := range all {
			if f.of(r) != "" {
				t.columns, shown = append(t.columns, column{title: f.title}), append(shown, f.of)
				break
			}
		}
	}
	t.columns = append(t.columns, column{title: "path"})
	for _, r := range all {
		cells := []string{strconv.FormatUint(r.ID, 10), age(r.Duration), endpoint(r.Source), endpoint(r.Dest), orDash(r.Target),
			amount(telemetry.UnitBytes, float64(r.Received)), amount(telemetry.UnitBytes, float64(r.Sent))}
		for _, of := range shown {
			cells = append(cells, orDash(of(r)))
		}
		lines := r.PathLines()
		t.add(append(cells, lines[0])...)
		for _, line := range lines[1:] {
			t.add(append(make([]string, len(cells)), line)...)
		}
	}
	return t
}

// endpoint is an address, - for none.
func endpoint(a netip.AddrPort) string {
	if !a.IsValid() {
		return "-"
	}
	return a.String()
}

// closeConnection closes one.
func closeConnection(ctx context.Context, env *Env, dir string, o connectionsOptions) error {
	if err := admin.Dial(dir).Close(ctx, o.id); err != nil {
		return err
	}
	if o.json {
		return writeJSON(env, map[string]uint64{"closed": o.id})
	}
	_, err := fmt.Fprintf(env.Stdout, "connection %d is closed\n", o.id)
	return err
}
