package h1_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/webtest"
)

// A script is what a server does with its nth connection, by hand.
type script func(c conn.Conn, in *bufio.Reader, n int)

// backend runs s for each connection. The connection is closed in the end, unless that was done.
func (r *rig) backend(s script) conn.Server { return &scripted{s: s} }

type scripted struct {
	s script
	n atomic.Int32
}

func (s *scripted) ServeConn(_ context.Context, c conn.Conn, _ *stream.Info) error {
	s.s(c, bufio.NewReader(c), int(s.n.Add(1)))
	return nil
}

// request reads a request, and gives its head.
func request(in *bufio.Reader) string {
	head := ""
	for {
		line, err := in.ReadString('\n')
		head += line
		if err != nil {
			return ""
		}
		if line == "\r\n" {
			return strings.ReplaceAll(head, "\r\n", "\n")
		}
	}
}

func say(c conn.Conn, s string) { io.WriteString(c, crlf(s)) }

// answers is a script that says the same to every request.
func answers(s string) script {
	return func(c conn.Conn, in *bufio.Reader, _ int) {
		for request(in) != "" {
			say(c, s)
		}
	}
}

// relay is a server in front of a backend.
func (r *rig) relay(of func(*webtest.Rig, conn.Server) dial, s script) (dial, *pool) {
	back := r.pool(of(r.Rig, r.backend(s)))
	return of(r.Rig, &h1.Server{Node: node("front"), Handler: web.Dialing(back), Name: "S"}), back
}

func bad(status int, reason, more string) string {
	return "HTTP/1.1 " + itoa(status) + " " + reason + "\n" + more + "content-length: 0\ndate: D\nserver: S\n\n"
}

// TestBackends is what clients get of servers that do not do as they should.
func TestBackends(t *testing.T) {
	unavailable := bad(503, "Service Unavailable", "retry-after: 0\n")
	gateway := bad(502, "Bad Gateway", "")
	once := func(s string) script {
		return func(c conn.Conn, in *bufio.Reader, _ int) { request(in); say(c, s) }
	}
	abort := func(s string) script {
		return func(c conn.Conn, in *bufio.Reader, _ int) {
			request(in)
			say(c, s)
			if s != "" {
				time.Sleep(10 * time.Millisecond) // an abort takes with it what was not read
			}
			conn.Abort(c)
		}
	}
	for _, c := range []struct {
		name string
		s    script
		hear string
		cut  bool
	}{
		{"it closes before the request", func(conn.Conn, *bufio.Reader, int) {}, unavailable, false},
		{"it aborts before the request", func(c conn.Conn, _ *bufio.Reader, _ int) { conn.Abort(c) }, unavailable, false},
		{"it closes before the head", once(""), unavailable, false},
		{"it aborts before the head", abort(""), unavailable, false},
		{"it closes in the head", once("HTTP/1.1 200 OK\nx: "), unavailable, false},
		{"it aborts in the head", abort("HTTP/1.1 200 OK\nx: "), unavailable, false},
		{"it closes in the body", once("HTTP/1.1 200 OK\ncontent-length: 10\n\nhalf"), "HTTP/1.1 200 OK\ncontent-length: 10\ndate: D\nserver: S\n\nhalf", true},
		{"it closes in a chunk", once("HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\na\nhalf"), "HTTP/1.1 200 OK\ntransfer-encoding: chunked\ndate: D\nserver: S\n\n4\nhalf\n", true},
		{"it sends garbage in place of a chunk", once("HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n4\nhalf\nxyz\n"), gateway, false}, // nothing has gone out yet
		{"garbage", answers("garbage\n\n"), gateway, false},
		{"binary garbage", answers("\x00\x01\x02"), gateway, false},
		{"another version", answers("HTTP/2.0 200 OK\n\n"), gateway, false},
		{"a bad header", answers("HTTP/1.1 200 OK\nbad header\n\n"), gateway, false},
		{"two lengths", answers("HTTP/1.1 200 OK\ncontent-length: 1\ncontent-length: 2\n\nab"), gateway, false},
		{"another coding", answers("HTTP/1.1 200 OK\ntransfer-encoding: gzip\n\nab"), gateway, false},
		{"endless headers", func(c conn.Conn, in *bufio.Reader, _ int) {
			request(in)
			say(c, "HTTP/1.1 200 OK\n")
			for {
				if _, err := io.WriteString(c, "x: y\r\n"); err != nil {
					return
				}
			}
		}, gateway, false},
		{"101 without being asked", answers("HTTP/1.1 101 Switching Protocols\nconnection: upgrade\nupgrade: x\n\n"), gateway, false},
		{"endless interim heads", func(c conn.Conn, in *bufio.Reader, _ int) {
			request(in)
			for {
				if _, err := io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
					return
				}
			}
		}, gateway, false},
		{"100 nobody asked for", answers("HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\ncontent-length: 2\n\nok"), ok("ok"), false},
		{"until the end of the connection", once("HTTP/1.1 200 OK\n\nall of it"),
			"HTTP/1.1 200 OK\ntransfer-encoding: chunked\ndate: D\nserver: S\n\n9\nall of it\n0\n\n", false},
		{"HTTP/1.0", once("HTTP/1.0 200 OK\n\nall of it"),
			"HTTP/1.1 200 OK\ntransfer-encoding: chunked\ndate: D\nserver: S\n\n9\nall of it\n0\n\n", false},
	} {
		for _, o := range webtest.Over {
			t.Run(o.Name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				d, back := r.relay(o.Of, c.s)
				cl := r.client(d)
				cl.say("GET / HTTP/1.1\n" + host + "\n")
				cl.hear(c.hear)
				if c.cut {
					if b, _ := io.ReadAll(cl); len(b) > 0 {
						t.Errorf("then it heard %q", b)
					}
				} else { // the client's connection is as good as before
					cl.say("GET / HTTP/1.1\n" + host + "\n")
					cl.hear(c.hear)
				}
				cl.Close()
				back.close()
				r.done()
			})
		}
	}
}

// TestRefusedDial is a server that cannot be reached.
func TestRefusedDial(t *testing.T) {
	r := newRig(t)
	back := r.pool(func() (conn.Conn, error) { return nil, net.ErrClosed })
	c := r.client(r.Pipes(&h1.Server{Node: node("front"), Handler: web.Dialing(back), Name: "S"}))
	c.say("POST / HTTP/1.1\n" + host + "content-length: 3\n\nabcGET / HTTP/1.1\n" + host + "\n")
	c.hear(bad(503, "Service Unavailable", "retry-after: 0\n") + bad(503, "Service Unavailable", "retry-after: 0\n"))
	c.Close()
	r.done()
}

// TestRequests is what is written to a server.
func TestRequests(t *testing.T) {
	r := newRig(t)
	got := make(chan string, 10)
	p := r.pool(r.Pipes(r.backend(func(c conn.Conn, in *bufio.Reader, _ int) {
		for {
			head := request(in)
			if head == "" {
				return
			}
			got <- head
			say(c, "HTTP/1.1 200 OK\ncontent-length: 0\n\n")
		}
	})))
	s := stream.Begin(r.Context(), node("test"))
	for _, c := range []struct {
		q    web.Request
		want string
	}{
		{web.Request{Method: "GET", Path: "/a?b", Header: web.Fields("x", "1", "X", "2")}, "GET /a?b HTTP/1.1\nhost: a\nx: 1\nx: 2\n\n"},
		{web.Request{Method: "OPTIONS", Path: "*"}, "OPTIONS * HTTP/1.1\nhost: a\n\n"},
		{web.Request{Method: "GET"}, "GET / HTTP/1.1\nhost: a\n\n"},
		{web.Request{Method: "POST", Path: "/"}, "POST / HTTP/1.1\nhost: a\ncontent-length: 0\n\n"},
		{web.Request{Method: "DELETE", Path: "/"}, "DELETE / HTTP/1.1\nhost: a\n\n"},
		{web.Request{Method: "GET", Path: "/", Trailers: true}, "GET / HTTP/1.1\nhost: a\nconnection: te\nte: trailers\n\n"},
		{web.Request{Method: "GET", Path: "/", Protocol: "x/2", Trailers: true}, "GET / HTTP/1.1\nhost: a\nconnection: upgrade, te\nupgrade: x/2\nte: trailers\n\n"},
		{web.Request{Method: "GET", Path: "/", Protocol: "x"}, "GET / HTTP/1.1\nhost: a\nconnection: upgrade\nupgrade: x\n\n"},
	} {
		c.q.Authority = "a"
		y, err := p.OpenExchange(s, &c.q)
		if err != nil {
			t.Fatal(err)
		}
		if c.q.Protocol != "" {
			y.Flush()
		} else {
			y.End(nil)
		}
		if resp, err := y.Response(); err != nil || resp.Status != 200 {
			t.Errorf("got %+v, %v", resp, err)
		}
		y.Close()
		if head := <-got; head != c.want {
			t.Errorf("wrote %q\nnot   %q", head, c.want)
		}
	}
	if n := p.dials(); n != 1 {
		t.Errorf("there were %d connections", n)
	}
	for _, q := range []web.Request{
		{Method: "G T", Path: "/"}, {Method: "GET", Path: "/a b"}, {Method: "GET", Path: "/\r\n"}, {Method: "GET", Path: "/", Authority: "a\nb"},
		{Method: "GET", Path: "/", Header: web.Header{{Name: "a:", Value: ""}}}, {Method: "GET", Path: "/", Header: web.Header{{Name: "a", Value: "\n"}}},
		{Method: "GET", Path: "/", Protocol: "a\r\nb"}, {Method: "CONNECT", Authority: ""},
	} {
		y, err := p.OpenExchange(s, &q)
		var refused *stream.Refused
		if !errors.As(err, &refused) || refused.Reason != stream.Invalid {
			t.Errorf("%+v: got %v", q, err)
		}
		if err == nil {
			y.Close()
		}
	}
	if n := p.dials(); n != 1 {
		t.Errorf("there were %d connections: what cannot be sent does no harm", n)
	}
	s.End(nil)
	p.close()
	r.done()
}

// TestRetry is a connection that the server has closed meanwhile.
func TestRetry(t *testing.T) {
	const fine = "HTTP/1.1 200 OK\ncontent-length: 2\n\nok"
	// stale serves one request on its first connection, then waits for another one and does last.
	stale := func(last func(c conn.Conn), always bool) script {
		return func(c conn.Conn, in *bufio.Reader, n int) {
			if n == 1 || always {
				if n == 1 {
					request(in)
					say(c, fine)
				}
				request(in)
				last(c)
				return
			}
			answers(fine)(c, in, n)
		}
	}
	closes := func(conn.Conn) {}
	for _, c := range []struct {
		name   string
		s      script
		second string
		hear   string
		dials  int
	}{
		{"GET", stale(closes, false), "GET / HTTP/1.1\n" + host + "\n", ok("ok"), 2},
		{"DELETE", stale(closes, false), "DELETE / HTTP/1.1\n" + host + "\n", ok("ok"), 2},
		{"GET that is aborted", stale(func(c conn.Conn) { conn.Abort(c) }, false), "GET / HTTP/1.1\n" + host + "\n", ok("ok"), 2},
		{"GET, but once only", stale(closes, true), "GET / HTTP/1.1\n" + host + "\n", bad(503, "Service Unavailable", "retry-after: 0\n"), 2},
		{"POST", stale(closes, false), "POST / HTTP/1.1\n" + host + "content-length: 0\n\n", bad(503, "Service Unavailable", "retry-after: 0\n"), 1},
		{"PUT with a body", stale(closes, false), "PUT / HTTP/1.1\n" + host + "content-length: 3\n\nabc", bad(503, "Service Unavailable", "retry-after: 0\n"), 1},
		{"after a byte", stale(func(c conn.Conn) { say(c, "H") }, false), "GET / HTTP/1.1\n" + host + "\n", bad(503, "Service Unavailable", "retry-after: 0\n"), 1},
	} {
		for _, o := range webtest.Over {
			t.Run(o.Name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				d, back := r.relay(o.Of, c.s)
				cl := r.client(d)
				cl.say("GET / HTTP/1.1\n" + host + "\n")
				cl.hear(ok("ok"))
				cl.say(c.second)
				cl.hear(c.hear)
				if n := back.dials(); n != c.dials {
					t.Errorf("there were %d connections, not %d", n, c.dials)
				}
				cl.Close()
				back.close()
				r.done()
			})
		}
	}
}

// TestStale is a request that may not be sent twice, and a server that has closed the connection before it comes.
func TestStale(t *testing.T) {
	t.Parallel()
	for _, o := range webtest.Over {
		r := newRig(t)
		closed := make(chan struct{})
		d, back := r.relay(o.Of, func(c conn.Conn, in *bufio.Reader, n int) {
			request(in)
			io.ReadFull(in, make([]byte, 3*(n-1)))
			say(c, "HTTP/1.1 200 OK\ncontent-length: 2\n\nok")
			if n == 1 {
				c.CloseWrite()
				close(closed)
			}
			request(in)
		})
		c := r.client(d)
		c.say("GET / HTTP/1.1\n" + host + "\n")
		c.hear(ok("ok"))
		<-closed
		c.say("POST / HTTP/1.1\n" + host + "content-length: 3\n\nabc")
		c.hear(ok("ok"))
		if n := back.dials(); n != 2 {
			t.Errorf("there were %d connections", n)
		}
		c.Close()
		back.close()
		r.done()
	}
}

// TestHalfClosed is a server that has ended what it sends before it gets another request, which it takes and does not
// answer. Nothing tells of that end, which came together with the answer before.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ second, hear string }{
		{"GET / HTTP/1.1\n" + host + "\n", ok("ok")},
	} {
		r := newRig(t)
		d, back := r.relay((*webtest.Rig).TCP, func(c conn.Conn, in *bufio.Reader, n int) {
			request(in)
			say(c, "HTTP/1.1 200 OK\ncontent-length: 2\n\nok")
			c.CloseWrite()
			io.Copy(io.Discard, in)
		})
		cl := r.client(d)
		cl.say("GET / HTTP/1.1\n" + host + "\n" + c.second)
		cl.hear(ok("ok"))
		began := time.Now()
		if back.dials() == 1 {
			cl.hear(c.hear)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
		cl.Close()
		back.close()
		r.done()
	}
}

// TestReusable is whether a connection carries another exchange after one that ended in some way.
func TestReusable(t *testing.T) {
	read := func(y web.Opened) { io.ReadAll(y) }
	for _, c := range []struct {
		name string
		q    web.Request
		say  string
		do   func(web.Opened)
		want bool
	}{
		{"length", web.Request{Method: "GET"}, "HTTP/1.1 200 OK\ncontent-length: 2\n\nok", read, true},
		{"chunked", web.Request{Method: "GET"}, "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n2\nok\n0\nx: y\n\n", read, true},
		{"empty", web.Request{Method: "GET"}, "HTTP/1.1 200 OK\ncontent-length: 0\n\n", nil, true},
		{"204", web.Request{Method: "GET"}, "HTTP/1.1 204 OK\n\n", nil, true},
		{"304", web.Request{Method: "GET"}, "HTTP/1.1 304 OK\ncontent-length: 5\n\n", nil, true},
		{"HEAD", web.Request{Method: "HEAD"}, "HTTP/1.1 200 OK\ncontent-length: 5\n\n", nil, true},
		{"interim heads", web.Request{Method: "GET"}, "HTTP/1.1 103 Hints\nlink: a\n\nHTTP/1.1 200 OK\ncontent-length: 0\n\n", read, true},
		{"HTTP/1.0 keep-alive", web.Request{Method: "GET"}, "HTTP/1.0 200 OK\nconnection: keep-alive\ncontent-length: 2\n\nok", read, true},
		{"a refused upgrade", web.Request{Method: "GET", Protocol: "x"}, "HTTP/1.1 400 Bad\ncontent-length: 2\n\nok", read, true},
		{"a refused tunnel", web.Request{Method: "CONNECT"}, "HTTP/1.1 403 Bad\ncontent-length: 2\n\nok", read, true},
		{"a body", web.Request{Method: "POST", Length: 3}, "HTTP/1.1 200 OK\ncontent-length: 2\n\nok", read, true},
		{"connection: close", web.Request{Method: "GET"}, "HTTP/1.1 200 OK\nconnection: close\ncontent-length: 2\n\nok", read, false},
		{"HTTP/1.0", web.Request{Method: "GET"}, "HTTP/1.0 200 OK\ncontent-length: 2\n\nok", read, false},
		{"a body that is not read", web.Request{Method: "GET"}, "HTTP/1.1 200 OK\ncontent-length: 2\n\nok", nil, false},
		{"a body that is not read to its end", web.Request{Method: "GET"}, "HTTP/1.1 200 OK\ncontent-length: 2\n\nok", func(y web.Opened) { y.Read(make([]byte, 1)) }, false},
		{"a bad chunk", web.Request{Method: "GET"}, "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\nx", read, false},
		{"more than was asked for", web.Request{Method: "GET"}, "HTTP/1.1 200 OK\ncontent-length: 2\n\nokHTTP/1.1 200 OK\ncontent-length: 2\n\nko", read, false},
		{"an answer before the body", web.Request{Method: "POST", Length: 3}, "HTTP/1.1 413 No\ncontent-length: 2\n\nok", read, false},
		{"StopRead", web.Request{Method: "GET"}, "HTTP/1.1 200 OK\ncontent-length: 2\n\nok", func(y web.Opened) { y.StopRead(); read(y) }, false},
		{"101", web.Request{Method: "GET", Protocol: "x"}, "HTTP/1.1 101 Up\nconnection: upgrade\nupgrade: x\n\n", func(y web.Opened) { y.End(nil) }, false},
		{"garbage", web.Request{Method: "GET"}, "garbage\n\n", nil, false},
		{"length and coding", web.Request{Method: "GET"}, "HTTP/1.1 200 OK\ncontent-length: 2\ntransfer-encoding: chunked\n\n0\n\n", read, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			p := r.pool(r.Pipes(r.backend(func(conn conn.Conn, in *bufio.Reader, n int) {
				for request(in) != "" {
					if c.q.Length > 0 && c.want {
						io.ReadFull(in, make([]byte, c.q.Length))
					}
					say(conn, c.say)
				}
			})))
			s := stream.Begin(r.Context(), node("test"))
			for range 2 {
				q := c.q
				q.Authority = "a:1"
				y, err := p.OpenExchange(s, &q)
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case c.q.Length > 0 && c.want:
					io.WriteString(y, "abc")
					y.End(nil)
				case c.q.Length > 0 || c.q.Protocol != "" || c.q.Method == "CONNECT":
					y.Flush()
				default:
					y.End(nil)
				}
				y.Response()
				if c.do != nil {
					c.do(y)
				}
				y.Close()
			}
			if n := p.dials(); c.want != (n == 1) {
				t.Errorf("there were %d connections", n)
			}
			s.End(nil)
			p.close()
			r.done()
		})
	}
}

// TestLost is an idle connection that the server closes.
func TestLost(t *testing.T) {
	t.Parallel()
	for _, o := range webtest.Over {
		r := newRig(t)
		p := r.pool(o.Of(r.Rig, r.backend(func(c conn.Conn, in *bufio.Reader, _ int) {
			request(in)
			say(c, "HTTP/1.1 200 OK\ncontent-length: 0\n\n")
			c.Close()
		})))
		s := stream.Begin(r.Context(), node("test"))
		y, err := p.OpenExchange(s, &web.Request{Method: "GET", Authority: "a", Path: "/"})
		if err != nil {
			t.Fatal(err)
		}
		y.End(nil)
		y.Response()
		y.Close()
		s.End(nil)
		r.done() // the pool retires it
		p.mu.Lock()
		if len(p.idle) != 0 {
			t.Error("the pool keeps it")
		}
		p.mu.Unlock()
	}
}

// TestContinueRelayed is a server that says 100 before it takes the body, and one that does not want it.
func TestContinueRelayed(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		d, back := r.relay(o.Of, func(c conn.Conn, in *bufio.Reader, n int) {
			for n := 0; ; n++ {
				head := request(in)
				if head == "" {
					return
				}
				if !strings.Contains(head, "expect: 100-continue\n") {
					t.Errorf("it is not asked to say 100: %q", head)
				}
				if n == 1 {
					say(c, "HTTP/1.1 417 No\ncontent-length: 0\n\n")
					return
				}
				say(c, "HTTP/1.1 100 Continue\n\n")
				io.ReadFull(in, make([]byte, 4))
				say(c, "HTTP/1.1 200 OK\ncontent-length: 2\n\nok")
			}
		})
		c := r.client(d)
		c.say("POST / HTTP/1.1\n" + host + "expect: 100-continue\ncontent-length: 4\n\n")
		c.hear("HTTP/1.1 100 Continue\n\n")
		c.say("body")
		c.hear(ok("ok"))
		c.say("POST / HTTP/1.1\n" + host + "expect: 100-continue\ncontent-length: 4\n\n")
		c.hear("HTTP/1.1 417 Expectation Failed\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n")
		c.ends("fin")
		back.close()
		r.done()
	}
}

// TestCutUpload is a client that leaves in the middle of what it sends: the server must not take that for whole.
func TestCutUpload(t *testing.T) {
	for _, o := range webtest.Over {
		for _, framing := range []string{"content-length: 10\n\nhalf", "transfer-encoding: chunked\n\na\nhalf"} {
			r := newRig(t)
			got, began := make(chan error, 1), make(chan struct{})
			d, back := r.relay(o.Of, func(c conn.Conn, in *bufio.Reader, n int) {
				q, err := http.ReadRequest(in)
				if err == nil {
					io.ReadFull(q.Body, make([]byte, 4))
					close(began)
					_, err = io.Copy(io.Discard, q.Body)
				}
				got <- err
			})
			c := r.client(d)
			c.say("POST / HTTP/1.1\n" + host + framing)
			<-began
			c.CloseWrite()
			if err := <-got; err == nil {
				t.Errorf("%s: the server takes %q for whole", o.Name, framing)
			}
			c.hear("HTTP/1.1 400 Bad Request\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n")
			c.ends("fin")
			back.close()
			r.done()
		}
	}
}

// TestUploadRefused is a server that dies while a body goes up to it: the client gets to know, and not that it is the one
// to blame.
func TestUploadRefused(t *testing.T) {
	for _, o := range webtest.Over {
		for _, framing := range []string{"content-length: 10\n\nhalf", "transfer-encoding: chunked\n\na\nhalf"} {
			r := newRig(t)
			d, back := r.relay(o.Of, func(c conn.Conn, in *bufio.Reader, n int) {
				request(in)
				io.ReadFull(in, make([]byte, 4))
			})
			c := r.client(d)
			c.say("POST / HTTP/1.1\n" + host + framing)
			c.hear("HTTP/1.1 503 Service Unavailable\nretry-after: 0\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n")
			c.Close()
			back.close()
			r.done()
		}
	}
}
