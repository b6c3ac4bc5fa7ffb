package cli

import (
	"encoding/json"
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"gozilla/admin"
	"gozilla/engine"
	"gozilla/stream"
	"gozilla/telemetry"
)

// asked is a gateway's whole status at a moment.
func asked() (overall, time.Time) {
	now := time.Date(2026, 8, 3, 14, 5, 6, 0, time.Local)
	return overall{
		Status: admin.Status{
			PID: 4711, Version: "1.2.3", Config: "zilla.yaml", Started: now.Add(-49 * time.Hour), Generation: 3, Loaded: now.Add(-61 * time.Minute),
			Ready: true, Connections: 3, Capacity: 10_000, TurnedAway: 7,
			Refused: &admin.Refusal{Time: now.Add(-5 * time.Second), Times: 2, Faults: []string{"zilla.yaml:7:11: there is no binding sout", "zilla.yaml:9:3: x\ny"}},
		},
		Graph: engine.Graph{Bindings: []engine.GraphBinding{
			{Namespace: "example", Name: "north", Type: "tcp", Kind: "server", Listeners: []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4"},
				Streams: engine.GraphStreams{Open: 3, Opened: 1200, Errors: 1, Received: 5 << 20, Sent: 12}},
			{Namespace: "example", Name: "south_of_it", Type: "echo", Kind: "server"},
		}},
	}, now
}

func TestStatus(t *testing.T) {
	o, now := asked()
	var b strings.Builder
	if err := o.write(&b, now); err != nil {
		t.Fatal(err)
	}
	const want = `pid           4711
version       1.2.3
config        zilla.yaml
generation    3, since 2026-08-03 13:04:06 (1h1m ago)
started       2026-08-01 13:05:06 (2d1h ago)
state         ready
connections   3 of 10000, 7 turned away
refused       2026-08-03 14:05:01 (5s ago), 2 times since the start; of the last one:
              zilla.yaml:7:11: there is no binding sout
              zilla.yaml:9:3: x\ny

binding               type   kind     listens on                   open   opened   errors   received   sent
example:north         tcp    server   127.0.0.1:1,127.0.0.1:2,+2      3     1200        1     5.0MiB    12B
example:south_of_it   echo   server   -                               0        0        0         0B     0B
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	o.Empty = true
	if got := o.State(); got != "ready, serves nothing: the configuration is missing or empty" {
		t.Errorf("without a configuration it is %s", got)
	}
	b.Reset()
	o = overall{Status: admin.Status{PID: 1, Version: "x", Config: "none.yaml", Started: now, Draining: true, Ready: true, Capacity: 1}}
	if err := o.write(&b, now); err != nil || strings.Contains(b.String(), "refused") || strings.Contains(b.String(), "generation") ||
		!strings.HasSuffix(b.String(), "state         draining\nconnections   0 of 1\n") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestLately(t *testing.T) {
	now := time.Date(2026, 8, 3, 14, 5, 6, 0, time.Local)
	if got := lately(now.Add(-2*time.Second), now); got != "14:05:04 (2s ago)" {
		t.Errorf("today it was %s", got)
	}
	if got := lately(now.Add(-24*time.Hour), now); got != "2026-08-02 14:05:06 (1d0h ago)" {
		t.Errorf("yesterday it was %s", got)
	}
}

func TestStatusOfAGateway(t *testing.T) {
	g, dir := runGateway(t)
	o, _ := asked()
	g.status, g.graph = o.Status, o.Graph
	env := newShown(false)
	if err := runStatus(t.Context(), &env.Env, dir, false); err != nil || !strings.Contains(env.take(), "pid           4711\n") {
		t.Error(err)
	}
	if err := runStatus(t.Context(), &env.Env, dir, true); err != nil {
		t.Error(err)
	}
	var got struct {
		PID, Generation int
		Refused         admin.Refusal
		Bindings        []engine.GraphBinding
	}
	if err := json.Unmarshal([]byte(env.take()), &got); err != nil || got.PID != 4711 || got.Generation != 3 || got.Refused.Times != 2 ||
		len(got.Bindings) != 2 || got.Bindings[0].Streams.Opened != 1200 {
		t.Errorf("%v: %+v", err, got)
	}
}

func TestConnectionsOfAGateway(t *testing.T) {
	g, dir := runGateway(t)
	north := &stream.Node{Namespace: "example", Name: "north"}
	south := &stream.Node{Namespace: "example", Name: "south"}
	show := func(o connectionsOptions) string {
		t.Helper()
		env := newShown(false)
		if err := o.check(); err != nil {
			t.Fatal(err)
		}
		err := runConnections(t.Context(), &env.Env, dir, o)
		if o.close != "" {
			err = closeConnection(t.Context(), &env.Env, dir, o)
		}
		return regexp.MustCompile(`(?m)^( *\d+) +\d+s `).ReplaceAllString(env.take(), "$1    0s ") + env.err.String() + textOf(err)
	}
	if got := show(connectionsOptions{}); got != "id   age   source   dest   target   received   sent   path\n" {
		t.Errorf("of none:\n%s", got)
	}
	first := g.host.Arrive(t.Context(), north)
	first.Took(north, stream.RouteExit)
	first.Enter(south)
	first.SetRecord(func(r *telemetry.Record) {
		r.Source, r.Dest = netip.MustParseAddrPort("10.0.0.1:50000"), netip.MustParseAddrPort("10.0.0.2:80")
	})
	g.host.Arrive(t.Context(), north).SetRecord(func(r *telemetry.Record) { r.Identity, r.Target = "alice", "10.0.0.3:81" })
	const want = `id   age   source           dest          target        received   sent   identity   path
 1    0s   10.0.0.1:50000   10.0.0.2:80   -                   0B     0B   -          example:north exit > example:south
 2    0s   -                -             10.0.0.3:81         0B     0B   alice      example:north
`
	if got := show(connectionsOptions{}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, test := range []struct {
		o    connectionsOptions
		want string
	}{
		{connectionsOptions{filter: admin.Filter{Binding: "south"}}, "example:south\n"},
		{connectionsOptions{filter: admin.Filter{Limit: 1}}, "alice      example:north\ngozilla: these are the newest 1 of 2\n"},
		{connectionsOptions{json: true, filter: admin.Filter{Source: "10.0.0.1"}}, "\"total\": 1,\n"},
		{connectionsOptions{close: "2"}, "connection 2 is closed\n"},
		{connectionsOptions{close: "1", json: true}, "{\n  \"closed\": 1\n}\n"},
		{connectionsOptions{close: "3"}, "there is no connection 3"},
	} {
		if got := show(test.o); !strings.Contains(got, test.want) {
			t.Errorf("%+v: got\n%s\nwant\n%s", test.o, got, test.want)
		}
	}
	if first.Err() == nil {
		t.Error("the connection was not closed")
	}
}

func TestLogLevelOfAGateway(t *testing.T) {
	_, dir := runGateway(t)
	for _, test := range []struct {
		to   []string
		json bool
		want string
	}{
		{nil, false, "info\n"},
		{[]string{"DEBUG"}, false, "debug\n"},
		{nil, true, "{\n  \"level\": \"debug\"\n}\n"},
		{[]string{"loud"}, false, `the level must be debug, info, warn or error, not "loud"`},
		{nil, false, "debug\n"},
	} {
		env := newShown(false)
		err := runLogLevel(t.Context(), &env.Env, dir, test.to, test.json)
		if got := env.take() + textOf(err); got != test.want {
			t.Errorf("%v: got %s, want %s", test.to, got, test.want)
		}
	}
}

func TestAskingNobody(t *testing.T) {
	env, dir := newShown(false), t.TempDir()
	for name, err := range map[string]error{
		"status":              runStatus(t.Context(), &env.Env, dir, false),
		"connections":         runConnections(t.Context(), &env.Env, dir, connectionsOptions{}),
		"connections --close": closeConnection(t.Context(), &env.Env, dir, connectionsOptions{id: 1}),
		"log-level":           runLogLevel(t.Context(), &env.Env, dir, nil, false),
		"log-level debug":     runLogLevel(t.Context(), &env.Env, dir, []string{"debug"}, false),
	} {
		if gone := (*admin.NotRunning)(nil); !errors.As(err, &gone) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
