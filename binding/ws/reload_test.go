package ws_test

import (
	"strings"
	"testing"

	"gozilla/internal/gwtest"
)

// TestReload is another file that takes a socket's way from it: the client is told to come again, or cut off, as the binding says.
func TestReload(t *testing.T) {
	for _, c := range []struct {
		streams string
		code    int // 0: the socket goes on
	}{{"keep", 0}, {"drain", 1012}, {"close", 1012}} {
		t.Run(c.streams, func(t *testing.T) {
			yaml := strings.Replace(echoing, "type: ws, kind: server,", "type: ws, kind: server, streams: "+c.streams+",", 1)
			g := gwtest.Start(t, yaml)
			p := opens(t, g, "/")
			p.say(0, frame{op: text, data: "hello"})
			p.wants(int(text), "hello")
			if _, err := g.Take("zilla.yaml", strings.Replace(yaml, "exit: echo }", "exit: other }\n  other: { type: echo, kind: server }", 1)); err != nil {
				t.Fatal(err)
			}
			if c.code == 0 {
				p.say(0, frame{op: text, data: "again"})
				p.wants(int(text), "again")
				p.say(0, frame{op: bye, data: closing(1000, "")})
				p.leaves(1000)
				p.ends()
				return
			}
			p.leaves(c.code)
			p.say(0, frame{op: bye, data: closing(1000, "")})
			p.finish()
		})
	}
}
