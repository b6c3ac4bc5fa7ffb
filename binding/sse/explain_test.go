package sse_test

import (
	"strings"
	"testing"

	"gozilla/config"
	"gozilla/engine"
	"gozilla/stream"
)

// TestExplain has requests for events explained, through both kinds.
func TestExplain(t *testing.T) {
	const yaml = `name: test
guards:
  who: { type: inline }
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: web }
  web: { type: http, kind: server, exit: events }
  events: { type: sse, kind: server, routes: [ { when: [ { path: /events/* } ], exit: source }, { when: [ { path: /closed } ], guarded: { who: [ a ] }, exit: source } ] }
  source: { type: sse, kind: client, routes: [ { when: [ { path: /events/mine* }, { path: /*/all } ], exit: out } ] }
  out: { type: http, kind: client, routes: [ { when: [ { headers: { accept: text/event-stream, last-event-id: "7" } } ], exit: south } ] }
  south: { type: tcp, kind: client, options: { host: localhost, port: 80 } }
`
	x := engine.Load(t.Context(), config.Source{Name: "zilla.yaml", Text: []byte(yaml)}, engine.Options{}).Explainer()
	f := func(served bool, method, path, want, reason string) {
		t.Helper()
		q := &engine.Query{Header: []stream.Field{{Name: ":method", Value: method}, {Name: ":path", Value: path}}}
		e := x.Explain(t.Context(), q)
		if len(e.Steps) < 2 {
			t.Fatalf("%s %s", e.Reason, e.Details)
		}
		var steps []string
		for _, s := range e.Steps[2:] {
			steps = append(steps, strings.TrimSpace(s.Binding+" "+s.Took+" "+strings.Join(s.Notes, ", ")))
		}
		if got := strings.Join(steps, "; "); got != want || e.Served != served || string(e.Reason) != reason {
			t.Errorf("%s %s: %v %q, %s", method, path, e.Served, e.Reason, got)
		}
	}
	const first = "events routes[0] asks for the events of "
	f(true, "GET", "/events/mine?lastEventId=7", first+"/events/mine; source routes[0] asks 127.0.0.1:0 for the events of /events/mine; out routes[0] asks 127.0.0.1:0 for /events/mine, speaks HTTP/1.1; south  dials localhost:80", "")
	f(false, "GET", "/events/all", first+"/events/all; source routes[0] asks 127.0.0.1:0 for the events of /events/all; out", "no route")
	f(false, "GET", "/events/none", first+"/events/none; source", "no route")
	f(false, "GET", "/event", "events  answers with status 404", "no route")
	f(false, "GET", "/closed", "events", "unauthenticated")
	f(false, "POST", "/events/all", "events  answers with status 405", "invalid")
	f(false, "GET", "/events/all?lastEventId="+strings.Repeat("x", 255), "events  answers with status 400", "invalid")
}
