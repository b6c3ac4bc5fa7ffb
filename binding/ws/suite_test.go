package ws_test

import (
	"context"
	"net"
	"testing"

	wsbinding "gozilla/binding/ws"
	"gozilla/internal/gwtest"
	"gozilla/stream/ws"
	"gozilla/stream/ws/wstest"
)

// TestSuite is the conformance suite, with a client and a server and HTTP between them.
func TestSuite(t *testing.T) {
	for _, c := range []struct{ name, version, compression string }{
		{"http11", "http/1.1", "none"}, {"h2", "h2", "none"}, {"deflate", "http/1.1", "permessage-deflate"},
	} {
		if raceEnabled && c.compression != "none" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			back := gwtest.Start(t, `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: http }
  http: { type: http, kind: server, exit: server }
  server: { type: ws, kind: server, options: { compression: `+c.compression+` }, exit: served }
  served: { type: hook, kind: server }
`)
			_, port, _ := net.SplitHostPort(back.Addr("north"))
			front := gwtest.Start(t, `name: test
bindings:
  client: { type: ws-of-tests, kind: client, options: { compression: `+c.compression+` }, exit: http }
  http: { type: http, kind: client, options: { versions: [ "`+c.version+`" ] }, exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: `+port+` } }
`)
			opener, _ := wsbinding.Clients.Load("test:client")
			wstest.Run(t, func(t *testing.T, h ws.Handler) *wstest.Gateway {
				hooks.Store("test:served", func(r *ws.Request, x ws.Served) error { return h.ServeSocket(context.Background(), r, x) })
				return &wstest.Gateway{Host: front.Host, Opener: opener.(ws.Opener), Holds: 12 << 20, Few: c.compression != "none" || raceEnabled && c.version == "h2"}
			})
		})
	}
}
