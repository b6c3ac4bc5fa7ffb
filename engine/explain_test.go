package engine_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"gozilla/engine"
	"gozilla/stream"
)

// TestExplainFindsTheListener asks who would take a connection, as the system would.
func TestExplainFindsTheListener(t *testing.T) {
	x := load(`name: test
bindings:
  every4: { type: tcp, kind: server, options: { host: 0.0.0.0, port: [ 80, 81, 90 ] }, exit: echo }
  every: { type: tcp, kind: server, options: { host: "::0", port: [ 82, 83 ] }, exit: echo }
  inside: { type: tcp, kind: server, options: { host: 10.0.0.1, port: [ 80, 82, 84, 85 ] }, exit: echo }
  other: { type: tcp, kind: server, options: { host: 10.0.0.2, port: 85 }, exit: echo }
  six: { type: tcp, kind: server, options: { host: "fd00::1", port: 84 }, exit: echo }
  local: { type: tcp, kind: server, options: { host: localhost, port: 86 }, exit: echo }
  named: { type: tcp, kind: server, options: { host: gateway.example, port: 87 }, exit: echo }
  echo: { type: echo, kind: server }
`, engine.Options{}).Explainer()
	f := func(port uint16, dest, source, want string) {
		t.Helper()
		q := &engine.Query{Port: port}
		if dest != "" {
			q.Dest = netip.MustParseAddr(dest)
		}
		if source != "" {
			q.Source = netip.AddrPortFrom(netip.MustParseAddr(source), 0)
		}
		e := x.Explain(t.Context(), q)
		got := e.Details
		if len(e.Steps) > 0 {
			got = e.Steps[0].Binding + ": from " + e.Steps[0].Facts[0].Value + " to " + e.Steps[0].Facts[1].Value
		}
		if got != want || e.Served != (e.Reason == "") || e.Served != (len(e.Path) == 2) {
			t.Errorf("port %d of %q: %s, not %s (%s)", port, dest, got, want, e.Reason)
		}
	}
	f(81, "", "", "every4: from 127.0.0.1 to 127.0.0.1:81")
	f(81, "10.0.0.9", "192.0.2.1", "every4: from 192.0.2.1 to 10.0.0.9:81")
	f(81, "::1", "", "nobody listens on [::1]:81, port 81 is listened on at 0.0.0.0")
	f(83, "", "", "every: from 127.0.0.1 to 127.0.0.1:83")
	f(83, "", "fd00::9", "every: from fd00::9 to [::1]:83")
	f(83, "::1", "", "every: from ::1 to [::1]:83")
	f(80, "10.0.0.1", "", "inside: from 127.0.0.1 to 10.0.0.1:80")
	f(80, "10.0.0.9", "", "every4: from 127.0.0.1 to 10.0.0.9:80")
	f(80, "", "", "port 80 is listened on at 0.0.0.0 and 10.0.0.1: the destination says which")
	f(82, "10.0.0.1", "", "inside: from 127.0.0.1 to 10.0.0.1:82")
	f(84, "", "", "port 84 is listened on at 10.0.0.1 and fd00::1: the destination says which")
	f(84, "fd00::1", "", "six: from ::1 to [fd00::1]:84")
	f(85, "10.0.0.3", "", "nobody listens on 10.0.0.3:85, port 85 is listened on at 10.0.0.1 and 10.0.0.2")
	f(86, "", "", "local: from 127.0.0.1 to 127.0.0.1:86")
	f(86, "::1", "", "local: from ::1 to [::1]:86")
	f(86, "10.0.0.1", "", "nobody listens on 10.0.0.1:86, port 86 is listened on at localhost")
	f(87, "", "", "named: from 127.0.0.1 to 127.0.0.1:87")
	f(87, "10.0.0.1", "", "named: from 127.0.0.1 to 10.0.0.1:87")
	f(99, "", "", "nobody listens on port 99, but on 80, 81, 90, 82, 83, 84, 85, 86 and 1 more")
	none := load("name: test\nbindings: { echo: { type: echo, kind: server } }\n", engine.Options{}).Explainer()
	if e := none.Explain(t.Context(), &engine.Query{Port: 1}); e.Served || e.Reason != engine.NobodyListens || e.Details != "there is nothing that listens" {
		t.Errorf("it is explained as %+v", e)
	}
}

const twoSpaces = `name: one
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 80 }, exit: "two:middle" }
---
name: two
bindings:
  middle: { type: fan, kind: server, exit: south }
  south: { type: tcp, kind: client, options: { host: 10.0.0.1, port: 80 } }
`

// TestExplainNames tells bindings of several namespaces apart, and takes their names with and without them.
func TestExplainNames(t *testing.T) {
	x := load(twoSpaces, engine.Options{}).Explainer()
	if got := x.Names(); !slices.Equal(got, []string{"one:north", "two:middle", "two:south"}) {
		t.Errorf("the names are %v", got)
	}
	e := x.Explain(t.Context(), &engine.Query{Port: 80})
	if got := strings.Join(e.Path, " "); !e.Served || got != "one:north two:middle two:south" {
		t.Errorf("it goes %s", got)
	}
	f := func(want bool, path ...string) {
		t.Helper()
		if got := e.Passes(path); got != want {
			t.Errorf("it comes to %v: %v", path, got)
		}
	}
	f(true)
	f(true, "one:north", "two:middle", "two:south")
	f(true, "north", "south")
	f(true, "two:middle")
	f(false, "south", "north")
	f(false, "one:middle")
	f(false, "north", "north")
	for name, want := range map[string]bool{"north": true, "two:south": true, "one:south": false, "": false} {
		if got := x.Knows(name); got != want {
			t.Errorf("it knows %q: %v", name, got)
		}
	}
}

// TestExplainLeavesNothing has no stream open, and nothing told twice.
func TestExplainLeavesNothing(t *testing.T) {
	p := load(`name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 80 }, exit: inside }
  inside: { type: http, kind: server, exit: outside }
  outside: { type: http, kind: client, routes: [ { when: [ { headers: { ":scheme": https } } ], exit: sys:tls_client } ], exit: sys:tcp_client }
`, engine.Options{})
	faults := len(p.Report.Faults())
	x := p.Explainer()
	for range 3 {
		e := x.Explain(t.Context(), &engine.Query{Port: 80, Header: []stream.Field{{Name: ":authority", Value: "api.example"}}})
		if got := strings.Join(e.Path, " "); !e.Served || got != "north inside outside sys:tcp_client" {
			t.Errorf("it goes %s: %s %s", got, e.Reason, e.Details)
		}
		last := e.Steps[len(e.Steps)-1]
		if len(last.Notes) != 1 || last.Notes[0] != "dials api.example:80" {
			t.Errorf("at the end it %v", last.Notes)
		}
	}
	if n := len(p.Report.Faults()); n != faults {
		t.Errorf("there are %d faults, not %d", n, faults)
	}
}
