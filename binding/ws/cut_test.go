package ws_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/telemetry"
	"gozilla/wire/websocket"
)

// TestCutWhileItSends is a socket that is ended at once while its client sends: it reads why, and an orderly end.
func TestCutWhileItSends(t *testing.T) {
	yaml := strings.Replace(echoing, "type: ws, kind: server,", "type: ws, kind: server, streams: close,", 1)
	open := map[string]func(*testing.T, *gwtest.Gateway) *peer{
		"HTTP/1.1": func(t *testing.T, g *gwtest.Gateway) *peer { return opens(t, g, "/") },
		"HTTP/2":   func(t *testing.T, g *gwtest.Gateway) *peer { return opensH2(t, g, "/", false) },
	}
	for version, open := range open {
		for _, c := range []struct {
			name string
			cut  func(*testing.T, *gwtest.Gateway)
			code websocket.Code
		}{
			{"by a change", func(t *testing.T, g *gwtest.Gateway) {
				if _, err := g.Take("zilla.yaml", strings.Replace(yaml, "exit: echo }", "exit: other }\n  other: { type: echo, kind: server }", 1)); err != nil {
					t.Error(err)
				}
			}, websocket.ServiceRestart},
			{"by an operator", func(_ *testing.T, g *gwtest.Gateway) {
				g.Host.Scopes(func(s *stream.Scope) { s.Cancel(&stream.Cut{By: telemetry.Gateway, Why: "closed by an operator"}) })
			}, websocket.Policy},
		} {
			t.Run(version+" "+c.name, func(t *testing.T) {
				t.Parallel()
				g := gwtest.Start(t, yaml)
				p := open(t, g)
				sent := make(chan struct{})
				go func() { // ends when the connection does
					defer close(sent)
					message := (&frame{op: binary, data: strings.Repeat("x", 1000)}).append(nil, true)
					for err := error(nil); err == nil; {
						_, err = p.rw.Write(message)
					}
				}()
				for n := 0; ; n++ {
					m, err := p.next()
					if err != nil {
						t.Fatalf("after %d messages: %v", n, err)
					}
					if m.op == bye {
						if code := websocket.Code(m.data[0])<<8 | websocket.Code(m.data[1]); code != c.code {
							t.Errorf("it is told %d", code)
						}
						break
					}
					if n == 20 {
						c.cut(t, g)
					}
				}
				if m, err := p.next(); !errors.Is(err, io.EOF) {
					t.Errorf("then there is %v, %v", m, err)
				}
				p.rw.(io.Closer).Close()
				<-sent
			})
		}
	}
}
