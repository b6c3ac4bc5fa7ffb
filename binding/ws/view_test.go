package ws_test

import (
	"bytes"
	"io"
	"sync"
	"testing"
	"time"

	"gozilla/internal/gwtest"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

// bytesTo is a gateway whose sockets are bytes to a server.
const bytesTo = `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: http }
  http: { type: http, kind: server, exit: ws }
  ws: { type: ws, kind: server, options: { compression: permessage-deflate }, exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: "${{env.BACK}}" } }
`

// TestBytes is a socket that goes on as a stream of bytes, and how either ends.
func TestBytes(t *testing.T) {
	back := gwtest.Listen(t, "")
	g := gwtest.Start(t, bytesTo, gwtest.Env("BACK", back.Port()))
	for _, c := range []struct {
		name  string
		end   func(p *peer, far conn.Conn)
		code  int // that the client gets; 0: none
		sees  string
		by    telemetry.Side
		whole bool
	}{
		{"the server ends", func(p *peer, far conn.Conn) { far.CloseWrite() }, 1000, "fin", telemetry.Server, true},
		{"the server aborts", func(p *peer, far conn.Conn) { conn.Abort(far) }, 1011, "", telemetry.Server, false},
		{"the client ends", func(p *peer, far conn.Conn) {
			p.say(0, frame{op: bye, data: closing(3000, "")})
			gwtest.Sees(p.t, far, "fin")
			far.Close()
		}, 3000, "", telemetry.Client, true},
		{"the client breaks the rules", func(p *peer, far conn.Conn) {
			p.say(0, frame{op: 3})
			gwtest.Sees(p.t, far, "rst")
		}, 1002, "", telemetry.Client, false},
		{"the client aborts", func(p *peer, far conn.Conn) {
			conn.Abort(p.rw.(tcpEnd).Conn)
			gwtest.Sees(p.t, far, "rst")
		}, 0, "", telemetry.Client, false},
		{"the client ends without a goodbye", func(p *peer, far conn.Conn) {
			p.finish()
			gwtest.Sees(p.t, far, "rst")
		}, 0, "", telemetry.Client, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := opens(t, g, "/")
			far := back.Next()
			p.say(0, frame{op: text, data: "hello, "}, frame{op: binary, more: true, data: "wor"}, frame{op: ping}, frame{op: cont, data: "ld"})
			gwtest.Receive(t, far, "hello, world")
			p.wants(int(pong), "")
			gwtest.Send(t, far, "answer")
			p.wants(int(binary), "answer")
			c.end(p, far)
			if c.code != 0 {
				p.leaves(c.code)
				p.say(0, frame{op: bye, data: closing(1000, "")})
				if c.sees != "" {
					gwtest.Sees(t, far, c.sees)
				}
				p.ends()
			}
			r := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Path == "/" })
			if r.By != c.by || (r.Reason == "fin") != c.whole || r.WS.Received != 2 || r.WS.Sent != 1 || int(r.WS.Code) != c.code {
				t.Errorf("%v", r.Text())
			}
			left := map[int]telemetry.Side{1000: telemetry.Server, 3000: telemetry.Client, 1002: telemetry.Gateway, 1011: telemetry.Gateway}[c.code]
			if r.WS.By != left {
				t.Errorf("%v, but who took leave is %q", r.Text(), left)
			}
		})
	}
}

// TestBytesBothWays moves much in both directions, against who does not read for a while.
func TestBytesBothWays(t *testing.T) {
	total := 16 << 20
	if raceEnabled {
		total = 1 << 20
	}
	back := gwtest.Listen(t, "").ServeEcho()
	g := gwtest.Start(t, bytesTo, gwtest.Env("BACK", back.Port()))
	for _, deflate := range []bool{false, true} {
		p := opens(t, g, "/", offers(deflate)...)
		sent := []byte(noise(total))
		var sending sync.WaitGroup
		sending.Go(func() {
			for i := 0; i < total; i += 1 << 16 {
				p.say(0, frame{op: binary, data: string(sent[i : i+1<<16])})
			}
		})
		time.Sleep(50 * time.Millisecond) // who sends is stuck by then, or not: it is all the same
		var got bytes.Buffer
		for got.Len() < total {
			m, err := p.next()
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(&got, m.data)
		}
		sending.Wait()
		if !bytes.Equal(got.Bytes(), sent) {
			t.Error("other bytes come back")
		}
		p.say(0, frame{op: bye, data: closing(1000, "")})
		p.leaves(1000)
		p.ends()
	}
}

// TestRecord is what a record says of a socket, and what is counted.
func TestRecord(t *testing.T) {
	back := gwtest.Start(t, echoing)
	g := gwtest.Start(t, leading, gwtest.Env("BACK", back.Addr("north")[len("127.0.0.1:"):]))
	p := opens(t, g, "/")
	hello := frame{op: text, data: "hello"}
	p.say(0, hello, frame{op: ping}, hello, frame{op: text, more: true, data: "never whole"})
	for range 3 {
		if _, err := p.next(); err != nil {
			t.Fatal(err)
		}
	}
	p.say(0, frame{op: bye, data: closing(4000, "that is all")})
	p.leaves(4000)
	p.ends()
	for _, g := range []*gwtest.Gateway{g, back} {
		r := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Path == "/" })
		if want := (telemetry.WS{Received: 2, Sent: 2, By: telemetry.Client, Code: 4000, Reason: "that is all"}); r.WS != want || r.By != telemetry.Client || r.Reason != "fin" {
			t.Error(r.Text())
		}
	}
	for _, c := range []struct {
		g       *gwtest.Gateway
		binding string
	}{{g, "ws"}, {g, "plain"}, {back, "ws"}} {
		if received, sent := c.g.Metric(c.binding, "ws.messages.received"), c.g.Metric(c.binding, "ws.messages.sent"); received != 2 || sent != 2 {
			t.Errorf("%s has received %d and sent %d", c.binding, received, sent)
		}
	}
}
