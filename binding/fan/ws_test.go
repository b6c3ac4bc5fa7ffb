package fan_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/telemetry"
	"gozilla/wire/websocket"
)

// reflects sends the messages of one to all.
const reflects = `name: test
bindings:
  north:
    type: tcp
    kind: server
    options: { host: 127.0.0.1, port: 0 }
    exit: http
  http: { type: http, kind: server, exit: ws }
  ws:
    type: ws
    kind: server
    options: { compression: permessage-deflate }
    exit: fan
  fan: { type: fan, kind: server, exit: echo }
  echo: { type: echo, kind: server }
`

// sockets are members, each of which has seen a message of its own come back.
func sockets(t *testing.T, g *gwtest.Gateway, n int, lines ...string) []*gwtest.Socket {
	t.Helper()
	all := make([]*gwtest.Socket, n)
	for i := range all {
		all[i] = gwtest.OpenSocket(t, g.Dial("north"), "/", lines...)
		all[i].Text(".")
		for _, s := range all[:i+1] {
			s.Gets("text .")
		}
	}
	return all
}

func TestEveryMemberGetsEveryMessage(t *testing.T) {
	g := gwtest.Start(t, reflects)
	all := sockets(t, g, 5)
	for i, s := range all {
		want := fmt.Sprintf("text message %d", i)
		if i%2 == 0 {
			s.Text(want[5:])
		} else { // in pieces, between which others come
			s.Frame(websocket.Header{Opcode: websocket.Binary}, "mes")
			all[0].Bytes("between")
			for _, s := range all {
				s.Gets("binary between")
			}
			s.Frame(websocket.Header{Fin: true}, want[8:])
			want = "binary" + want[4:]
		}
		for _, s := range all {
			s.Gets(want)
		}
	}
	if n := g.Metric("echo", "stream.opens.received"); n != 1 {
		t.Errorf("the group was opened %d times", n)
	}
	all[0].Leave(websocket.Normal, "")
	all[0].Left(websocket.Normal)
	gwtest.Sees(t, all[0].Conn, "fin")
	all[1].Text("still")
	all[2].Gets("text still")
}

// TestOneIsCompressedForMany compares what members get that agree on compression, which is made once, with what others do.
func TestOneIsCompressedForMany(t *testing.T) {
	g := gwtest.Start(t, reflects)
	plain := sockets(t, g, 1)[0]
	var all []*gwtest.Socket
	for range 2 {
		s := gwtest.OpenSocket(t, g.Dial("north"), "/", "Sec-WebSocket-Extensions: permessage-deflate")
		all = append(all, s)
		s.Text("x")
		for _, s := range append(all, plain) {
			s.Gets("text x")
		}
	}
	text := strings.Repeat("again and ", 100)
	plain.Text(text)
	plain.Gets("text " + text)
	_, first := all[0].Next()
	h, second := all[1].Next()
	if first != second || len(first) > len(text)/5 || !h.Compressed {
		t.Errorf("they got %d and %d bytes", len(first), len(second))
	}
}

// TestLongMessage is that one member cannot fill the memory of all.
func TestLongMessage(t *testing.T) {
	g := gwtest.Start(t, reflects, gwtest.Limits(func(l *stream.Limits) { l.Queue = 64 << 10 }))
	all := sockets(t, g, 2)
	all[0].Bytes(strings.Repeat("x", 64<<10))
	for _, s := range all {
		s.Gets("binary " + strings.Repeat("x", 64<<10))
	}
	all[0].Bytes(strings.Repeat("x", 64<<10+1))
	all[0].Left(websocket.TooBig)
	all[1].Text("unharmed")
	all[1].Gets("text unharmed")
}

// TestMembersAreClosed is members whose connections somebody closes: they are told so, whichever of what returns then is first.
func TestMembersAreClosed(t *testing.T) {
	g := gwtest.Start(t, reflects)
	for i := range 40 {
		s := gwtest.OpenSocket(t, g.Dial("north"), "/")
		s.Text(".")
		s.Gets("text .")
		at := s.LocalAddr().(*net.TCPAddr).AddrPort()
		g.Engine.Host().Scopes(func(c *stream.Scope) {
			if c.Record().Source == at {
				c.Cancel(&stream.Cut{By: telemetry.Gateway, Why: "closed by admin"})
			}
		})
		s.Left(websocket.Policy)
		if r := g.RecordOf(func(r *telemetry.Record) bool { return r.Source == at && r.WS.Code != 0 }); r.Reason != "closed by admin" || r.By != telemetry.Gateway {
			t.Fatalf("%d: the record is %s", i, r.Text())
		}
	}
}

// TestGroupIsRefused is that members are refused in the words of HTTP if there is no group.
func TestGroupIsRefused(t *testing.T) {
	port := gwtest.ClosedPort(t)
	g := gwtest.Start(t, strings.Replace(reflects, "echo: { type: echo, kind: server }", "echo: { type: tcp, kind: client, options: { host: 127.0.0.1, port: "+port+" } }", 1))
	c := g.Dial("north")
	gwtest.Send(t, c, upgrade)
	gwtest.Receive(t, c, "HTTP/1.1 503 ")
	// Once there is one, of bytes here, all is well.
	server := gwtest.Listen(t, "127.0.0.1:"+port)
	s := gwtest.OpenSocket(t, g.Dial("north"), "/")
	group := server.Next()
	s.Text("hello")
	gwtest.Receive(t, group, "hello")
	gwtest.Send(t, group, "there")
	s.Gets("binary there")
	group.Close()
	s.Left(websocket.Normal)
	s.Leave(websocket.Normal, "")
}

// TestNobodyWaits is a group whose server does not answer: it is given up when nobody waits for it any more, and the next member
// opens it anew.
func TestNobodyWaits(t *testing.T) {
	server := gwtest.Listen(t, "127.0.0.1:0")
	g := gwtest.Start(t, strings.Replace(reflects, "echo: { type: echo, kind: server }", `echo: { type: ws, kind: client, exit: south }
  south: { type: http, kind: client, options: { versions: [ http/1.1 ] }, exit: out }
  out: { type: tcp, kind: client, options: { host: 127.0.0.1, port: `+server.Port()+` } }`, 1))
	for range 2 {
		var all []net.Conn
		for range 3 {
			c := g.Dial("north")
			gwtest.Send(t, c, upgrade)
			all = append(all, c)
		}
		group := server.Next()
		for _, c := range all {
			c.Close()
		}
		if _, err := io.Copy(io.Discard, group); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatal(err)
		}
		g.AwaitIdle()
	}
	served := make(chan *http.Request, 1)
	go func() {
		c := server.Next()
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err == nil {
			fmt.Fprintf(c, "HTTP/1.1 101 Up\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", web.AcceptKey(r.Header.Get("Sec-WebSocket-Key")))
			c.Write([]byte("\x81\x05hello"))
		}
		served <- r
	}()
	gwtest.OpenSocket(t, g.Dial("north"), "/").Gets("text hello")
	if r := <-served; r == nil {
		t.Error("the group was not opened again")
	} else if trace := r.Header.Get("Traceparent"); trace != "" {
		t.Errorf("the group has the trace of a member, %s", trace)
	}
}

// upgrade is a request for a WebSocket.
const upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// TestProtocolsOfMembers is that each member speaks a protocol that it has offered.
func TestProtocolsOfMembers(t *testing.T) {
	g := gwtest.Start(t, reflects)
	for _, c := range []struct{ offers, speaks string }{{"", ""}, {"b, a", "b"}, {"a", "a"}, {"", ""}} {
		var lines []string
		if c.offers != "" {
			lines = []string{"Sec-WebSocket-Protocol: " + c.offers}
		}
		s := gwtest.OpenSocket(t, g.Dial("north"), "/", lines...)
		if got := s.Header.Get("sec-websocket-protocol"); got != c.speaks {
			t.Errorf("who offers %q speaks %q", c.offers, got)
		}
	}
}
