package ws_test

import (
	"errors"
	"testing"

	wsbinding "gozilla/binding/ws"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

// bytesFrom is a gateway whose clients speak bytes, and whose server speaks WebSocket.
const bytesFrom = `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: ws }
  ws: { type: ws, kind: client, options: { defaults: { protocol: x, authority: a.example, path: /bytes } }, exit: http }
  http: { type: http, kind: client, options: { versions: [ http/1.1 ] }, exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: "${{env.BACK}}" } }
`

// TestDial is bytes that go on by a WebSocket, and how either side ends.
func TestDial(t *testing.T) {
	back := gwtest.Listen(t, "")
	g := gwtest.Start(t, bytesFrom, gwtest.Env("BACK", back.Port()))
	for _, c := range []struct {
		name  string
		end   func(near conn.Conn, far *peer)
		by    telemetry.Side
		whole bool
		ws    telemetry.WS
	}{
		{"the client ends", func(near conn.Conn, far *peer) {
			near.CloseWrite()
			far.leaves(1000)
			far.say(0, frame{op: binary, data: "last"}, frame{op: bye, data: closing(1000, "")})
			gwtest.Receive(far.t, near, "last")
			gwtest.Sees(far.t, near, "fin")
		}, telemetry.Client, true, telemetry.WS{Received: 1, Sent: 3, By: telemetry.Client, Code: 1000}},
		{"the server ends", func(near conn.Conn, far *peer) {
			far.say(0, frame{op: bye, data: closing(1001, "")})
			gwtest.Sees(far.t, near, "fin")
			near.Close()
			far.leaves(1001)
		}, telemetry.Server, true, telemetry.WS{Received: 1, Sent: 2, By: telemetry.Server, Code: 1001}},
		{"the client aborts", func(near conn.Conn, far *peer) {
			conn.Abort(near)
			far.leaves(1011)
		}, telemetry.Client, false, telemetry.WS{Received: 1, Sent: 2}},
		{"the server aborts", func(near conn.Conn, far *peer) {
			conn.Abort(far.rw.(tcpEnd).Conn)
			gwtest.Sees(far.t, near, "rst")
		}, telemetry.Server, false, telemetry.WS{Received: 1, Sent: 2}},
		{"the server breaks the rules", func(near conn.Conn, far *peer) {
			far.say(0, frame{op: 3})
			far.leaves(1002)
			gwtest.Sees(far.t, near, "rst")
		}, telemetry.Server, false, telemetry.WS{Received: 1, Sent: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			near := g.Dial("north")
			gwtest.Send(t, near, "hello")
			far, r := accepts(t, back.Next(), "Sec-WebSocket-Protocol: x")
			if r.Host != "a.example" || r.URL.Path != "/bytes" || r.Header.Get("Sec-WebSocket-Protocol") != "x" {
				t.Errorf("it is asked for %s%s, %v", r.Host, r.URL, r.Header)
			}
			far.wants(int(binary), "hello")
			far.say(0, frame{op: text, data: "ans"}, frame{op: binary, more: true, data: "w"}, frame{op: cont, data: "er"})
			gwtest.Receive(t, near, "answer")
			c.end(near, far)
			rec := g.RecordOf(func(r *telemetry.Record) bool { return len(r.Path) > 1 && r.Path[1].Binding == "test:ws" })
			if rec.By != c.by || (rec.Reason == "fin") != c.whole || rec.WS != c.ws {
				t.Errorf("%v", rec.Text())
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		near := g.Dial("north")
		gwtest.Send(t, near, "hello")
		far := back.Next()
		gwtest.Receive(t, far, "GET ")
		gwtest.Send(t, far, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
		gwtest.Sees(t, near, "rst")
	})
}

// TestDialNowhere is a client that is asked to carry bytes, and does not know where.
func TestDialNowhere(t *testing.T) {
	inBubble(t, func(r *rig) {
		client, _ := wsbinding.Clients.Load("test:client")
		refused := (*stream.Refused)(nil)
		if _, _, err := client.(conn.Dialer).DialConn(t.Context(), &stream.Info{}); !errors.As(err, &refused) || refused.Reason != stream.Invalid {
			t.Error(err)
		}
	})
}
