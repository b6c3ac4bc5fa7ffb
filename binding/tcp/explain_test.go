package tcp_test

import (
	"net/netip"
	"strings"
	"testing"

	"gozilla/binding/tcp"
	"gozilla/config"
	"gozilla/engine"
	"gozilla/stream"
)

// TestExplainDials tells what a client would dial, without asking for an address: names are shown as they are.
func TestExplainDials(t *testing.T) {
	tcp.Resolver.Set(map[string][]string{"blue.internal": {"10.0.0.9"}, "api.example": {"10.0.0.8"}}, map[string][]string{"127.0.0.1": {"inside.example."}})
	f := func(client, authority, want string) {
		t.Helper()
		x := engine.Load(t.Context(), config.Source{Name: "zilla.yaml", Text: []byte(`name: test
bindings:
  north: { type: tcp-of-tests, kind: server, options: { host: 0.0.0.0, port: 80 }, exit: inside }
  inside: { type: http, kind: server, exit: outside }
  outside: { type: http, kind: client, exit: south }
  south: { type: tcp-of-tests, kind: client, ` + client + " }\n")}, engine.Options{}).Explainer()
		e := x.Explain(t.Context(), &engine.Query{Port: 80, Header: []stream.Field{{Name: ":authority", Value: authority}}})
		got := e.Reason + ": " + e.Details
		last := e.Steps[len(e.Steps)-1]
		if e.Served {
			got = strings.Join(last.Notes, " ")
		}
		for _, r := range last.Routes {
			switch {
			case r.Taken:
				got += " by " + r.Route
			case r.Why != "":
				got += ", " + r.Route + " no: " + r.Why
			}
		}
		if got != want || last.Binding != "south" {
			t.Errorf("%s for %s: %s\nnot %s", client, authority, got, want)
		}
	}
	const blue = "options: { host: blue.internal, port: [ 8080, 8081 ] }"
	f(blue, "api.example", "dials blue.internal:8080")
	f("options: { host: 10.0.0.1, port: 8080 }", "api.example", "dials 10.0.0.1:8080")
	f("options: { host: '*', port: 8080 }", "api.example", "unavailable: cut by the server: dial failed: there is no such name")
	const any = "routes: [ { when: [ { authority: '*.example', port: 443 } ] }, { when: [ { cidr: 10.0.0.0/8 }, { authority: inside } ] } ]"
	f(any, "api.example:443", "dials api.example:443, if the address of that name is allowed by routes[0]")
	f(any, "api.example", "dials api.example:80, if the address of that name is allowed, routes[0] no: port by routes[1]")
	f(any, "10.0.0.7", "dials 10.0.0.7:80, routes[0] no: port, authority by routes[1]")
	f(any, "192.0.2.7", "no route: no route allows to dial 192.0.2.7:80, routes[0] no: port, authority, routes[1] no: cidr; authority")
	f(blue+", "+any, "api.example", "dials api.example:8080, if the address of that name is allowed, routes[0] no: port by routes[1]")
	const own = "routes: [ { when: [ { port: 1 } ] } ]"
	f(blue+", "+own, "10.0.0.9:8080", "dials 10.0.0.9:8080, routes[0] no: port")
	f("options: { host: 10.0.0.1, port: 8080 }, "+own, "10.0.0.1:8080", "dials 10.0.0.1:8080, routes[0] no: port")
	f("options: { host: 10.0.0.1, port: 8080 }, "+own, "10.0.0.2:8080", "no route: no route allows to dial 10.0.0.2:8080, routes[0] no: port")
}

// TestExplainLoop refuses a stream that would come back to where it came from, as the client does.
func TestExplainLoop(t *testing.T) {
	x := engine.Load(t.Context(), config.Source{Name: "zilla.yaml", Text: []byte(`name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 80 }, exit: south }
  south: { type: tcp, kind: client }
`)}, engine.Options{}).Explainer()
	if e := x.Explain(t.Context(), &engine.Query{Port: 80}); e.Served || e.Reason != string(stream.Invalid) {
		t.Errorf("it is explained as %+v", e)
	}
}

// TestExplainWithoutNames says that an address was not looked up for its name.
func TestExplainWithoutNames(t *testing.T) {
	tcp.Resolver.Set(nil, map[string][]string{"127.0.0.1": {"inside.example."}})
	x := engine.Load(t.Context(), config.Source{Name: "zilla.yaml", Text: []byte(`name: test
bindings:
  north:
    type: tcp-of-tests
    kind: server
    options: { host: 0.0.0.0, port: 80 }
    routes: [ { when: [ { authority: inside.example, port: 80 } ], exit: south }, { when: [ { source: 10.0.0.0/8 } ], exit: south } ]
  south: { type: echo, kind: server }
`)}, engine.Options{}).Explainer()
	e := x.Explain(t.Context(), &engine.Query{Port: 80, Source: netip.MustParseAddrPort("10.0.0.7:4000")})
	if s := e.Steps[0]; s.Took != "routes[1]" || s.Routes[0].Why != "authority" || len(s.Notes) != 1 || !strings.HasPrefix(s.Notes[0], "no name is looked up") {
		t.Errorf("it is explained as %+v", e)
	}
}
