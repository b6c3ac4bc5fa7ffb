package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gozilla/config"
	"gozilla/engine"
)

// Generation is part of admin.Gateway.
func (g *testGateway) Generation() int64 { return 3 }

// Compare is part of admin.Gateway.
func (g *testGateway) Compare(_ context.Context, s config.Source, _ engine.Options) *engine.Outcome {
	r := &config.Report{}
	p := &engine.Plan{Report: r}
	switch string(s.Text) {
	case "bad":
		r.Errorf(config.Pos{File: s.Name, Line: 1, Column: 2}, "it is bad")
		return &engine.Outcome{Plan: p, Err: r.Err()}
	case "same":
		return &engine.Outcome{Plan: p, Change: &engine.Change{}}
	}
	c := &engine.Change{
		Components: []engine.ComponentChange{
			{Category: "binding", Namespace: "test", Name: "east", Type: "echo", Kind: "server", Does: engine.Adds, Streams: "keep"},
			{Category: "binding", Namespace: "test", Name: "north", Type: "tcp", Kind: "server", Does: engine.Updates, Why: "its routes or exit differ", Streams: "drain", Connections: 120},
			{Category: "binding", Namespace: "test", Name: "south", Type: "tcp", Kind: "client", Does: engine.Keeps, Streams: "keep", Connections: 7},
		},
		Listeners: []engine.ListenerChange{{Address: "0.0.0.0:7001", Does: "keep", Binding: "test:north"}, {Address: "0.0.0.0:7002", Does: "open", Binding: "test:north"}},
	}
	c.Connections.Keep, c.Connections.Drain, c.Connections.Close = 100, 20, 1
	return &engine.Outcome{Plan: p, Change: c}
}

// Reload is part of admin.Gateway.
func (g *testGateway) Reload(ctx context.Context) *engine.Outcome {
	return g.Compare(ctx, config.Source{Text: []byte("good")}, engine.Options{})
}

// runChange runs a command against a gateway, and gives what it shows and its status.
func runChange(t *testing.T, args ...string) (string, int) {
	t.Helper()
	_, dir := runGateway(t)
	env := newShown(false)
	status := Run(t.Context(), &env.Env, append(args, "-P", "zilla.engine.directory="+dir))
	return env.take() + env.err.String(), status
}

func TestPlanOfAGateway(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) string {
		name := filepath.Join(dir, text+".yaml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	const tables = `change   component            type          connections   streams   why
add      binding test:east    echo server
update   binding test:north   tcp server            120   drain     its routes or exit differ
1 more stay as they are

port   address        binding
open   0.0.0.0:7002   test:north

ports that stay open: 1
connections: 100 stay, 20 drain, 1 are closed
`
	if got, status := runChange(t, "plan", "-c", file("good")); got != tables || status != 0 {
		t.Errorf("status %d, got\n%s\nwant\n%s", status, got, tables)
	}
	if got, status := runChange(t, "reload"); got != tables || status != 0 {
		t.Errorf("status %d, got\n%s\nwant\n%s", status, got, tables)
	}
	if got, status := runChange(t, "plan", "--all", "-c", file("good")); status != 0 ||
		!strings.Contains(got, "\nkeep     binding test:south   tcp client              7   keep\n") || !strings.Contains(got, "\nkeep   0.0.0.0:7001   test:north\n") {
		t.Errorf("status %d, got\n%s", status, got)
	}
	if got, status := runChange(t, "plan", "-c", file("same")); !strings.HasPrefix(got, "nothing changes: configuration 3 is in service since 2001-02-03 14:05:06 (") || status != 0 {
		t.Errorf("status %d, got\n%s", status, got)
	}
	name := file("bad")
	if got, status := runChange(t, "plan", "-c", name); status != 1 ||
		got != name+":1:2: it is bad\ngozilla: this configuration would be refused, number 3 would go on\n" {
		t.Errorf("status %d, got\n%s", status, got)
	}
	if got, status := runChange(t, "plan", "--json", "-c", name); status != 1 || !strings.Contains(got, `"error": "`+name+`:1:2: it is bad"`) || strings.Contains(got, "report") {
		t.Errorf("status %d, got\n%s", status, got)
	}
}
