package ws_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
	"gozilla/wire/websocket"
)

// TestGoodbyes is what a record says of how a socket ended: what its client was told, and by whom, or what it has said.
func TestGoodbyes(t *testing.T) {
	back := gwtest.Listen(t, "")
	g := gwtest.Start(t, leading, gwtest.Env("BACK", back.Port()))
	client := func(frames ...frame) func(p, far *peer) { return func(p, _ *peer) { p.say(0, frames...) } }
	server := func(frames ...frame) func(p, far *peer) { return func(_, far *peer) { far.say(0, frames...) } }
	leaves := func(data string) func(p, far *peer) {
		return func(p, far *peer) {
			p.say(0, frame{op: bye, data: data})
			far.hears()
			far.say(0, frame{op: bye, data: data})
		}
	}
	for _, c := range []struct {
		name string
		does func(p, far *peer)
		want telemetry.WS
		by   telemetry.Side
		how  string
	}{
		{"the client leaves", leaves(closing(4000, "enough")), telemetry.WS{By: telemetry.Client, Code: 4000, Reason: "enough"}, telemetry.Client, "fin"},
		{"the client leaves without a code", leaves(""), telemetry.WS{By: telemetry.Client}, telemetry.Client, "fin"},
		{"the server leaves", server(frame{op: bye, data: closing(4000, "enough")}), telemetry.WS{By: telemetry.Server, Code: 4000, Reason: "enough"}, telemetry.Server, "fin"},
		{"the server says 1011", server(frame{op: bye, data: closing(1011, "oh")}), telemetry.WS{By: telemetry.Server, Code: 1011, Reason: "oh"}, telemetry.Server, "fin"},
		{"a frame of the client is wrong", client(frame{op: 3}),
			telemetry.WS{By: telemetry.Gateway, Code: 1002, Reason: "the opcode of a frame is not known"}, telemetry.Client, "invalid"},
		{"text of the client is wrong", client(frame{op: text, data: "\xff"}),
			telemetry.WS{By: telemetry.Gateway, Code: 1007, Reason: "a message of text is not UTF-8"}, telemetry.Client, "invalid"},
		{"a message of the client is too long", client(frame{op: text, form: 8, says: 1 << 40}),
			telemetry.WS{By: telemetry.Gateway, Code: 1009, Reason: "a message is longer than the limit message allows"}, telemetry.Client, "message too large"},
		{"a frame of the server is wrong", server(frame{op: 3}), telemetry.WS{By: telemetry.Gateway, Code: 1011}, telemetry.Server, "invalid"},
		{"a message of the server is too long", server(frame{op: text, form: 8, says: 1 << 40}), telemetry.WS{By: telemetry.Gateway, Code: 1011}, telemetry.Server, "message too large"},
		{"the server aborts", func(_, far *peer) { conn.Abort(far.rw.(tcpEnd).Conn) }, telemetry.WS{By: telemetry.Gateway, Code: 1011}, telemetry.Server, "rst"},
		{"the server ends without a goodbye", func(_, far *peer) { far.finish() }, telemetry.WS{By: telemetry.Gateway, Code: 1011}, telemetry.Server, "truncated"},
		{"the client aborts", func(p, _ *peer) { conn.Abort(p.rw.(tcpEnd).Conn) }, telemetry.WS{}, telemetry.Client, "rst"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := g.Dial("north")
			asks(t, conn, "/")
			far, _ := accepts(t, back.Next())
			p := answered(t, conn)
			c.does(p, far)
			if c.want.By != "" {
				p.hears()
				p.say(0, frame{op: bye, data: closing(1000, "")})
				p.finish()
				far.finish()
			}
			r := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Path == "/" })
			if r.WS != c.want || r.By != c.by || r.Reason != c.how {
				t.Errorf("%s; not %+v", r.Text(), c.want)
			}
		})
	}
}

// fanned is a gateway whose sockets are members of a fan.
var fanned = strings.Replace(echoing, "exit: echo }", "exit: fan }\n  fan: { type: fan, kind: server, exit: echo }", 1)

// TestGoodbyeOfFans is a member that a fan does not go on with.
func TestGoodbyeOfFans(t *testing.T) {
	g := gwtest.Start(t, fanned)
	p := opens(t, g, "/")
	p.say(0, frame{op: text, data: long(300 << 10)})
	p.leaves(1009)
	p.say(0, frame{op: bye, data: closing(1009, "")})
	p.finish()
	r := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Path == "/" })
	if r.WS.By != telemetry.Gateway || r.WS.Code != 1009 || r.WS.Reason != "a message is longer than the limit queue allows" || r.Reason != "message too large" {
		t.Error(r.Text())
	}
}

// TestGoodbyesOfGroups is the socket that the members of a fan share, which nobody has opened by a WebSocket of its own: what has
// moved, and who has ended it.
func TestGoodbyesOfGroups(t *testing.T) {
	for name, c := range map[string]struct {
		ends func(g *gwtest.Gateway, p, far *peer)
		want telemetry.WS
		how  string
	}{
		"the server": {func(_ *gwtest.Gateway, p, far *peer) {
			far.say(0, frame{op: bye, data: closing(4000, "enough")})
			p.leaves(4000)
			p.say(0, frame{op: bye, data: closing(4000, "")})
			far.leaves(4000)
		}, telemetry.WS{Received: 1, Sent: 2, By: telemetry.Server, Code: 4000, Reason: "enough"}, "fin"},
		"the gateway": {func(g *gwtest.Gateway, p, far *peer) {
			stopped := make(chan struct{})
			go func() { g.Drain(t.Context()); close(stopped) }()
			p.leaves(1001)
			p.say(0, frame{op: bye, data: closing(1001, "")})
			far.leaves(1000)
			far.say(0, frame{op: bye, data: closing(1000, "")})
			<-stopped
		}, telemetry.WS{Received: 1, Sent: 2, By: telemetry.Gateway, Code: 1000}, "drain"},
	} {
		t.Run(name, func(t *testing.T) {
			back := gwtest.Listen(t, "")
			g := gwtest.Start(t, strings.Replace(leading, "exit: plain\n", "exit: fan\n  fan: { type: fan, kind: server, exit: plain }\n", 1), gwtest.Env("BACK", back.Port()))
			conn := g.Dial("north")
			asks(t, conn, "/")
			far, _ := accepts(t, back.Next())
			p := answered(t, conn)
			p.say(0, frame{op: text, data: "hello"})
			far.wants(int(text), "hello")
			far.say(0, frame{op: text, data: "for"}, frame{op: text, data: "all"})
			p.wants(int(text), "for")
			p.wants(int(text), "all")
			c.ends(g, p, far)
			r := g.RecordOf(func(r *telemetry.Record) bool { return len(r.Path) > 0 && r.Path[0].Binding == "test:fan" })
			if r.WS != c.want || r.By != c.want.By || r.Reason != c.how {
				t.Errorf("%s; not %+v", r.Text(), c.want)
			}
		})
	}
}

// TestSlowServer is a server that does not read: its client, which is not slow, is told that it was lost.
func TestSlowServer(t *testing.T) {
	back := gwtest.Listen(t, "")
	g := gwtest.Start(t, leading, gwtest.Env("BACK", back.Port()), gwtest.Limits(func(l *stream.Limits) { l.Body = time.Second }))
	for _, path := range []string{"/", "/deflate"} {
		conn := g.Dial("north")
		asks(t, conn, path)
		far := back.Next()
		accepts(t, far)
		p := answered(t, conn)
		var sending sync.WaitGroup
		sending.Go(func() { // ends when the connection does
			message := (&frame{op: binary, data: noise(1 << 20)}).append(nil, true)
			for err := error(nil); err == nil; {
				_, err = p.rw.Write(message)
			}
		})
		if _, code := p.hears(); code != websocket.InternalError {
			t.Errorf("%s: the client is told %d", path, code)
		}
		conn.Close()
		sending.Wait()
		r := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Path == path })
		if r.By != telemetry.Server || r.Reason != "slow reader" || r.WS.By != telemetry.Gateway || r.WS.Code != 1011 {
			t.Error(r.Text())
		}
		far.Close()
	}
}

// TestStatus is the status of a socket in its record: what the client was answered in the version of HTTP that it speaks.
func TestStatus(t *testing.T) {
	g := gwtest.Start(t, echoing)
	for status, open := range map[int]func() *peer{
		101: func() *peer { return opens(t, g, "/") },
		200: func() *peer { return opensH2(t, g, "/", false) },
	} {
		p := open()
		p.say(0, frame{op: bye, data: closing(1000, "")})
		p.leaves(1000)
		p.finish()
		if r := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Path == "/" }); r.HTTP.Status != status || r.HTTP.Method == "" {
			t.Error(r.Text())
		}
	}
}

// TestWhoCounts is that messages are counted by ws bindings, and that others do not say 0.
func TestWhoCounts(t *testing.T) {
	g := gwtest.Start(t, fanned)
	p := opens(t, g, "/")
	p.say(0, frame{op: text, data: "hello"})
	p.wants(int(text), "hello")
	p.say(0, frame{op: bye, data: closing(1000, "")})
	p.leaves(1000)
	p.finish()
	g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Path == "/" })
	counts := 0
	for _, s := range g.Metrics.Snapshot() {
		if strings.HasPrefix(s.Name, "ws.") {
			if counts++; s.Binding != "ws" || s.Value != 1 {
				t.Errorf("%s of %s is %d", s.Name, s.Binding, s.Value)
			}
		}
	}
	if counts != 2 {
		t.Errorf("%d metrics count messages", counts)
	}
}
