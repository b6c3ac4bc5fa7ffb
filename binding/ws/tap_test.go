package ws_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"gozilla/engine"
	"gozilla/internal/gwtest"
)

// TestWatched is what a watcher sees of a socket that ends in order, between the ws bindings and of the connection to the server.
func TestWatched(t *testing.T) {
	back := gwtest.Listen(t, "")
	g := gwtest.Start(t, leading, gwtest.Env("BACK", back.Port()))
	for protocol, open := range map[string]string{"": "head received socket http://a/; head sent is open", "one": "head received socket http://a/ | protocol: one; head sent is open | protocol: one"} {
		t.Run(protocol, func(t *testing.T) {
			w, err := g.Engine.Watch(engine.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			var line []string
			if protocol != "" {
				line = []string{"Sec-WebSocket-Protocol: " + protocol}
			}
			conn := g.Dial("north")
			asks(t, conn, "/", line...)
			far, _ := accepts(t, back.Next(), line...)
			p := answered(t, conn)
			p.say(0, frame{op: text, data: "hello"}, frame{op: bye, data: closing(1000, "")})
			far.wants(int(text), "hello")
			far.leaves(1000)
			far.say(0, frame{op: bye, data: closing(1000, "")})
			far.finish()
			p.leaves(1000)
			p.finish()
			const rest = "; message received text hello; message received close 1000; finish received ; message sent close 1000; finish sent ; end "
			seen := stories(t, w, 5)
			if got := seen["test:ws > test:plain"]; got != "begin ; "+open+rest {
				t.Errorf("of the socket: %s", got)
			}
			if got := seen["test:web > test:out"]; !strings.HasSuffix(got, "; end ") || strings.Count(got, "finish") != 2 {
				t.Errorf("of the connection: %s", got)
			}
			far.rw.(tcpEnd).Close()
		})
	}
}

// stories are what crosses each edge, once that many streams are over. Of bytes there is only their kind.
func stories(t *testing.T, w *engine.Watcher, over int) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), gwtest.Patience)
	defer cancel()
	all := map[string][]string{}
	for over > 0 {
		chunks, _, err := w.Next(ctx)
		if err != nil {
			t.Fatalf("%v, of %q", err, all)
		}
		for _, c := range chunks {
			text := strings.Join(c.Lines, " | ") + c.Error
			if c.Kind == engine.Message {
				text = c.Label + " " + string(c.Data)
			}
			edge := c.From + " > " + c.To
			all[edge] = append(all[edge], strings.Join(slices.DeleteFunc([]string{c.Kind, c.Direction}, func(s string) bool { return s == "" }), " ")+" "+text)
			if c.Kind == engine.End {
				over--
			}
		}
	}
	told := map[string]string{}
	for edge, lines := range all {
		told[edge] = strings.Join(lines, "; ")
	}
	return told
}
