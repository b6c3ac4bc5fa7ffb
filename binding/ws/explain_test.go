package ws_test

import (
	"strings"
	"testing"

	"gozilla/config"
	"gozilla/engine"
	"gozilla/stream"
)

// TestExplain has requests for sockets explained.
func TestExplain(t *testing.T) {
	const yaml = `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: web }
  web: { type: http, kind: server, exit: sockets }
  sockets: { type: ws, kind: server, routes: [ { when: [ { path: /mine } ], exit: echo } ] }
  echo: { type: echo, kind: server }
`
	x := engine.Load(t.Context(), config.Source{Name: "zilla.yaml", Text: []byte(yaml)}, engine.Options{}).Explainer()
	f := func(served bool, path, version, want, reason string) {
		t.Helper()
		q := &engine.Query{Header: []stream.Field{{Name: ":path", Value: path}, {Name: "connection", Value: "upgrade"},
			{Name: "upgrade", Value: "websocket"}, {Name: "sec-websocket-version", Value: version}}}
		e := x.Explain(t.Context(), q)
		if len(e.Steps) < 3 {
			t.Fatalf("%s %s", e.Reason, e.Details)
		}
		var steps []string
		for _, s := range e.Steps[2:] {
			steps = append(steps, strings.TrimSpace(s.Binding+" "+s.Took+" "+strings.Join(s.Notes, ", ")))
		}
		if got := strings.Join(steps, "; "); got != want || e.Served != served || string(e.Reason) != reason {
			t.Errorf("%s: %v %q, %s", path, e.Served, e.Reason, got)
		}
	}
	f(true, "/mine", "13", "sockets routes[0]; echo", "")
	f(false, "/yours", "13", "sockets  answers with status 404", "no route")
	f(false, "/mine", "12", "sockets  answers with status 426", "invalid")
}

// TestExplainClient is what explain says of what a ws client asks for, and of what bindings behind it make of that: they know no
// more of the request that has come than the client says.
func TestExplainClient(t *testing.T) {
	const yaml = `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 80 }, exit: web }
  web: { type: http, kind: server, exit: sockets }
  sockets: { type: ws, kind: server, routes: [ { when: [ { protocol: "b*" }, { path: /any } ], exit: group } ] }
  group: { type: fan, kind: server, exit: client }
  bytes: { type: fan, kind: server, exit: raw }
  plain: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 81 }, exit: bytes }
  raw: { type: ws, kind: client, options: { defaults: { protocol: d, scheme: https, authority: given, path: /given } }, exit: out }
  client:
    type: ws
    kind: client
    options: { defaults: { protocol: d } }
    routes: [ { when: [ { protocol: b1 } ], exit: out }, { when: [ { protocol: "*", path: /any } ], exit: out } ]
  out:
    type: http
    kind: client
    routes:
      - { when: [ { headers: { x-mine: "*" } } ], exit: south }
      - { when: [ { headers: { sec-websocket-protocol: b1, ":path": /, upgrade: websocket } } ], exit: south }
      - { when: [ { headers: { sec-websocket-protocol: d, ":authority": "given*", ":scheme": https, ":path": /given } } ], exit: south }
      - { when: [ { headers: { sec-websocket-protocol: "a, b2" } } ], exit: south }
      - { when: [ { headers: { sec-websocket-protocol: d } } ], exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: 9 } }
`
	x := engine.Load(t.Context(), config.Source{Name: "zilla.yaml", Text: []byte(yaml)}, engine.Options{}).Explainer()
	f := func(port uint16, path, protocols, want string) {
		t.Helper()
		q := &engine.Query{Port: port, Header: []stream.Field{{Name: ":path", Value: path}, {Name: "connection", Value: "upgrade"},
			{Name: "upgrade", Value: "websocket"}, {Name: "x-mine", Value: "yes"}}}
		for p := range strings.SplitSeq(protocols, "; ") {
			q.Header = append(q.Header, stream.Field{Name: "sec-websocket-protocol", Value: p})
		}
		e := x.Explain(t.Context(), q)
		var steps []string
		for _, s := range e.Steps {
			if len(s.Routes) > 1 {
				steps = append(steps, strings.TrimSpace(s.Binding+" "+s.Took))
			}
		}
		if got := strings.Join(steps, "; "); got != want || !e.Served {
			t.Errorf("%d %s %q: %s, %s %s", port, path, protocols, got, e.Reason, e.Details)
		}
	}
	f(80, "/", "b1", "client routes[0]; out routes[1]")
	f(80, "/", "a, b1", "client routes[0]; out routes[1]") // a is none of those that the route has left
	f(80, "/", "a; b1", "client routes[0]; out routes[1]")
	f(80, "/any", "a, b2", "client routes[1]; out routes[3]")
	f(80, "/any", "", "client routes[1]; out routes[4]")
	f(81, "/", "b1", "out routes[2]")
}
