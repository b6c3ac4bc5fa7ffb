package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gozilla/binding"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/conn/conntest"
	"gozilla/wire/proxyproto"
)

const (
	front = `name: test
bindings:
  north:
    type: tcp
    kind: server
    options: { host: 127.0.0.1, port: 0 }
    exit: mid
`
	in   = "  mid: { type: proxy, kind: server, exit: south }\n"
	out  = "  mid: { type: proxy, kind: client, exit: south }\n"
	back = "  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: \"${{env.SERVER}}\" } }\n"
	// chain has a client and a server of the binding in one gateway, so that a header goes through a pipe in between.
	chain = "  mid: { type: proxy, kind: client, exit: turn }\n  turn: { type: proxy, kind: server, exit: south }\n"
)

// header is one of version 2 as a proxy writes it.
func header(t testing.TB) string {
	t.Helper()
	b, err := (&proxyproto.Header{
		Version: 2, Family: proxyproto.Inet4, Transport: proxyproto.Stream,
		Source: netip.MustParseAddrPort("192.0.2.7:40000"), Dest: netip.MustParseAddrPort("198.51.100.1:443"), ALPN: "h2", Checksum: true,
	}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// skipHeader reads the header at the begin of a stream, and no byte more.
func skipHeader(t testing.TB, c net.Conn) proxyproto.Header {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(gwtest.Patience))
	defer c.SetReadDeadline(time.Time{})
	var b []byte
	for {
		h, n, err := proxyproto.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return h
		}
		b = append(b, 0)
		if _, err := io.ReadFull(c, b[len(b)-1:]); err != nil {
			t.Fatalf("after %d bytes of the header: %v", len(b)-1, err)
		}
	}
}

// TestConformance runs the suite of the bytes protocol over sockets and a whole gateway.
func TestConformance(t *testing.T) {
	_, port, _ := net.SplitHostPort(gwtest.Hanging(t, "127.0.0.1"))
	for _, kind := range []struct {
		name, mid string
		in, out   bool // whether the client begins with a header, and the server gets one
	}{
		{"server", in, true, false},
		{"client", out, false, true},
		{"both", chain, false, false},
	} {
		t.Run(kind.name, func(t *testing.T) {
			conntest.Run(t, func(t *testing.T) *conntest.Gateway {
				server := gwtest.Listen(t, "")
				yaml := front + kind.mid + back
				slow := strings.NewReplacer("north", "slow", "mid", "middle", "turn", "turns", "south", "hangs", "SERVER", "HANGING").
					Replace(strings.SplitN(yaml, "bindings:\n", 2)[1])
				g := gwtest.Start(t, yaml+slow, gwtest.Env("SERVER", server.Port()), gwtest.Env("HANGING", port))
				dial := func(t testing.TB, name string) *net.TCPConn {
					c := g.Dial(name)
					if kind.in {
						gwtest.Send(t, c, header(t))
						c.SetWriteDeadline(time.Time{})
					}
					return c
				}
				gateway := &conntest.Gateway{
					Host:  g.Host,
					Holds: 64 << 20,
					Open: func(t testing.TB) (conn.Conn, conn.Conn) {
						c := dial(t, "north")
						s := server.Next()
						if kind.out {
							skipHeader(t, s)
						}
						return c, s
					},
				}
				if kind.in != kind.out { // else the dial is over as soon as the header is in the pipe
					gateway.Hang = func(t testing.TB) conn.Conn { return dial(t, "slow") }
				}
				return gateway
			})
		})
	}
}

// TestFacts is that what a header says holds for routes and in records, and is what a client says again.
func TestFacts(t *testing.T) {
	server := gwtest.Listen(t, "")
	g := gwtest.Start(t, front+`  mid:
    type: proxy
    kind: server
    routes:
      - { when: [ { source: { host: 192.0.2.0/24 }, destination: { port: 443 }, info: { alpn: h2 } } ], exit: told }
      - { when: [ { source: { host: 127.0.0.1 } } ], exit: south }
  told: { type: proxy, kind: client, exit: south }
`+back, gwtest.Env("SERVER", server.Port()))
	c := g.Dial("north")
	gwtest.Send(t, c, header(t)+"hello")
	s := server.Next()
	h := skipHeader(t, s)
	gwtest.Receive(t, s, "hello")
	c.Close()
	gwtest.Sees(t, s, "fin")
	s.Close()
	r := g.Record()
	if r.Source.String() != "192.0.2.7:40000" || r.Dest.String() != "198.51.100.1:443" || r.Received != 5 || r.Path[1].Route != "routes[0]" {
		t.Errorf("the record is %s", r.Text())
	}
	if h.Source != r.Source || h.Dest != r.Dest || h.ALPN != "h2" || h.Checksum {
		t.Errorf("the server was told %+v", h)
	}
	// A proxy that speaks for itself is the client.
	for _, header := range []string{"PROXY UNKNOWN 192.0.2.7 198.51.100.1 40000 443\r\n", "\r\n\r\n\x00\r\nQUIT\n\x20\x11\x00\x00", "\r\n\r\n\x00\r\nQUIT\n\x21\x00\x00\x00"} {
		c = g.Dial("north")
		gwtest.Send(t, c, header)
		s = server.Next()
		c.Close()
		gwtest.Sees(t, s, "fin")
		s.Close()
		if r := g.Record(); r.Source.String() != c.LocalAddr().String() || r.Dest.String() != c.RemoteAddr().String() || r.Path[1].Route != "routes[1]" {
			t.Errorf("%q: the record is %s", header, r.Text())
		}
	}
	if all := g.Events("binding.proxy.header.rejected"); len(all) != 0 {
		t.Errorf("there are %d events", len(all))
	}
}

// TestClientTellsTheSocket has a client write what a tcp server knows, in both versions.
func TestClientTellsTheSocket(t *testing.T) {
	for version := 1; version <= 2; version++ {
		server := gwtest.Listen(t, "")
		g := gwtest.Start(t, front+strings.Replace(out, "exit", fmt.Sprintf("options: { version: %d }, exit", version), 1)+back,
			gwtest.Env("SERVER", server.Port()))
		c := g.Dial("north")
		s := server.Next()
		h := skipHeader(t, s)
		if h.Version != version || h.Source.String() != c.LocalAddr().String() || h.Dest.String() != c.RemoteAddr().String() {
			t.Errorf("version %d: the server was told %+v", version, h)
		}
		gwtest.Send(t, s, "welcome")
		gwtest.Receive(t, c, "welcome")
	}
}

// TestClientIsRefused has clients whose streams no route is for, or whose server is not there.
func TestClientIsRefused(t *testing.T) {
	g := gwtest.Start(t, front+strings.Replace(out, "exit: south", "routes: [ { when: [ { family: inet6 } ], exit: south } ]", 1)+back,
		gwtest.Env("SERVER", gwtest.ClosedPort(t)))
	gwtest.Refused(t, g.Addr("north"))
	if r := g.Record(); r.Reason != "no route" {
		t.Errorf("the record is %s", r.Text())
	}
	g = gwtest.Start(t, front+out+back, gwtest.Env("SERVER", gwtest.ClosedPort(t)))
	gwtest.Refused(t, g.Addr("north"))
	if r := g.Record(); r.Reason != "dial failed" {
		t.Errorf("the record is %s", r.Text())
	}
}

// TestRejected has clients that leave in the middle of a header, at every byte of it, in order and by an abort. Each is
// one record, and one event if it has sent anything.
func TestRejected(t *testing.T) {
	g := gwtest.Start(t, front+in+"  south: { type: echo, kind: server }\n")
	const id = "binding.proxy.header.rejected"
	events := 0
	for _, h := range []string{header(t), "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n", "PROXY UNKNOWN\r\n"} {
		for n := range len(h) {
			c := g.Dial("north")
			gwtest.Send(t, c, h[:n])
			c.CloseWrite()
			gwtest.Sees(t, c, "fin")
			r := g.Record()
			if n == 0 {
				if r.By != "client" || r.Reason != "fin" {
					t.Errorf("after nothing the record is %s", r.Text())
				}
				continue
			}
			want := fmt.Sprintf("the stream ended after %d bytes, undecided", n)
			if r.By != "gateway" || r.Reason != "invalid" || r.Err != want {
				t.Errorf("after %d bytes the record is %s", n, r.Text())
			}
			e := g.Event(id)
			if e.Message != fmt.Sprintf("Rejected the PROXY header of a connection from %s: %s.", c.LocalAddr(), want) || !e.Warning || e.Scope != r.ID || e.Name != "mid" {
				t.Errorf("after %d bytes the event is %+v", n, e)
			}
			events++
		}
	}
	for n := range 20 {
		c := g.Dial("north")
		gwtest.Send(t, c, header(t)[:n])
		conn.Abort(c)
		if r := g.Record(); r.By != "client" || r.Reason != "rst" || r.Err != "" {
			t.Errorf("aborted after %d bytes, the record is %s", n, r.Text())
		}
	}
	// What was sent before an abort may be lost with it, but what is no event was lost.
	for _, e := range g.Events(id)[events:] {
		if !strings.Contains(e.Message, ": it was cut off after ") {
			t.Errorf("the event is %+v", e)
		}
	}
	// A whole header is none of that.
	c := g.Dial("north")
	gwtest.Send(t, c, header(t))
	c.CloseWrite()
	gwtest.Sees(t, c, "fin")
	if r := g.Record(); r.By != "client" || r.Reason != "fin" || len(r.Path) != 3 {
		t.Errorf("the record is %s", r.Text())
	}
	g.AwaitIdle()
}

// TestSlowHeader has clients that send a header too slowly, or nothing at all.
func TestSlowHeader(t *testing.T) {
	g := gwtest.Start(t, front+in+"  south: { type: echo, kind: server }\n", gwtest.Limits(func(l *stream.Limits) { l.HeadTime = 100 * time.Millisecond }))
	for _, sent := range []string{"", "\r\n\r\n", "PROXY TCP4 1"} {
		c := g.Dial("north")
		gwtest.Send(t, c, sent)
		gwtest.Sees(t, c, "fin")
		if r := g.Record(); r.By != "gateway" || r.Reason != "timeout" {
			t.Errorf("after %q the record is %s", sent, r.Text())
		}
		if e, want := g.Event("binding.proxy.header.rejected"), fmt.Sprintf("undecided after %d bytes and 100ms.", len(sent)); !strings.HasSuffix(e.Message, want) {
			t.Errorf("after %q the event is %s", sent, e.Message)
		}
	}
	// The time is that of the header, not of what comes after it.
	c := g.Dial("north")
	gwtest.Send(t, c, "PROXY UNKNOWN\r\n")
	late := time.NewTimer(300 * time.Millisecond)
	<-late.C
	gwtest.Send(t, c, "hello")
	gwtest.Receive(t, c, "hello")
}

// TestLongHeader has a client announce more than may be read before a stream is decided.
func TestLongHeader(t *testing.T) {
	g := gwtest.Start(t, front+in+"  south: { type: echo, kind: server }\n", gwtest.Limits(func(l *stream.Limits) { l.Head = 1000 }))
	c := g.Dial("north")
	gwtest.Send(t, c, "\r\n\r\n\x00\r\nQUIT\n\x20\x00\xff\xff"+strings.Repeat("x", 984))
	gwtest.Sees(t, c, "fin")
	if e := g.Event("binding.proxy.header.rejected"); !strings.HasSuffix(e.Message, "undecided after 1000 bytes.") {
		t.Errorf("the event is %s", e.Message)
	}
}

// TestDrainBeforeHeader is that a connection that has sent nothing yet ends with the gateway, and is no event.
func TestDrainBeforeHeader(t *testing.T) {
	g := gwtest.Start(t, front+in+"  south: { type: echo, kind: server }\n")
	c := g.Dial("north")
	gwtest.Send(t, c, "PROXY ")
	for g.Host.Open() == 0 {
		time.Sleep(time.Millisecond) // the client knows of its connection before the gateway does
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g.Drain(ctx)
	if r := g.Record(); r.Reason != "drain" {
		t.Errorf("the record is %s", r.Text())
	}
	if all := g.Events("binding.proxy.header.rejected"); len(all) != 0 {
		t.Errorf("there are %d events", len(all))
	}
}

// closing is an exit whose streams take nothing.
type closing struct{}

func (closing) DialConn(context.Context, *stream.Info) (conn.Conn, *stream.Info, error) {
	near, far := conn.Pipe()
	far.Close()
	return near, &stream.Info{}, nil
}

type closingConfig struct {
	// The head.
	binding.Head
}

func init() {
	binding.Register(binding.Type{Name: "closing", Kinds: map[binding.Kind]binding.Form{
		binding.Client: binding.In(func(*binding.Builder, *closingConfig) (closing, error) {
			return closing{}, nil
		}, binding.Face(conn.Protocol, func(c closing) conn.Port { return conn.Dialing(c) })),
	}})
}

// TestHeaderIsNotTaken has a server go away before it was told who the client is.
func TestHeaderIsNotTaken(t *testing.T) {
	g := gwtest.Start(t, front+out+"  south: { type: closing, kind: client }\n")
	gwtest.Refused(t, g.Addr("north"))
	if r := g.Record(); r.By != "server" || r.Reason != "dial failed" || !strings.HasPrefix(r.Err, "cannot send the PROXY header: ") {
		t.Errorf("the record is %s", r.Text())
	}
}
