package engine_test

import (
	"context"
	"encoding/json"
	"regexp"
	"testing"

	"gozilla/internal/gwtest"
)

// TestGraph has one stream say hello, and looks at the graph when it is over.
func TestGraph(t *testing.T) {
	gwtest.RunArchives(t, "testdata/graph/*.txtar", func(t *testing.T, a *gwtest.Archive) {
		g := gwtest.Start(t, a.Text("zilla.yaml"))
		c := g.Dial("north")
		gwtest.Send(t, c, "hello")
		gwtest.Receive(t, c, "hello")
		c.CloseWrite()
		g.Record()
		text, err := json.MarshalIndent(g.Graph(), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		got := regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(string(text), "127.0.0.1:PORT")
		a.Expect(t, "graph.json", regexp.MustCompile(`"digest": "[0-9a-f]+"`).ReplaceAllString(got, `"digest": "DIGEST"`)+"\n")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		g.Drain(ctx)
		if left := g.Graph().Bindings; len(left) != 0 {
			t.Errorf("after the end there are %v", left)
		}
	})
}
