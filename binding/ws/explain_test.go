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
