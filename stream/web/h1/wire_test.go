package h1_test

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/conn/conntest"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/webtest"
)

// app is what the conversations are about.
func app(_ context.Context, r *web.Request, x web.Served) error {
	path, _, _ := strings.Cut(r.Path, "?")
	switch path {
	case "/echo":
		b, err := io.ReadAll(x)
		if err != nil {
			return err
		}
		if err := x.Respond(&web.Response{Status: 200, Length: int64(len(b)), Header: x.Trailer()}); err != nil {
			return err
		}
		x.Write(b)
		return nil
	case "/stream":
		if err := x.Respond(&web.Response{Status: 200, Length: -1}); err != nil {
			return err
		}
		io.WriteString(x, "one")
		x.Flush()
		io.WriteString(x, "twotwotwotwo")
		return x.End(web.Fields("x-sum", "4"))
	case "/unread":
		return web.Reply(x, 200, nil, []byte("unread"))
	case "/413":
		if strings.HasSuffix(r.Path, "?read") {
			io.ReadAll(x)
		}
		return web.Reply(x, 413, nil, nil)
	case "/error":
		return errors.New("an error")
	case "/half":
		x.Respond(&web.Response{Status: 200, Length: 10})
		io.WriteString(x, "half")
		return errors.New("an error")
	case "/hints":
		x.Respond(&web.Response{Status: 103, Header: web.Fields("link", "a")})
		x.Respond(&web.Response{Status: 102})
		return web.Reply(x, 200, nil, nil)
	case "/up":
		if err := x.Respond(&web.Response{Status: 101}); err != nil {
			return err
		}
		x.Flush()
		if _, err := io.Copy(x, x); err != nil {
			return err
		}
		return x.End(nil)
	case "/204":
		return x.Respond(&web.Response{Status: 204, Length: -1})
	case "/304":
		return x.Respond(&web.Response{Status: 304, Length: 12})
	case "/late":
		io.ReadAll(x)
		return web.Reply(x, 200, nil, nil)
	case "/bad":
		if err := x.Respond(&web.Response{Status: 200, Header: web.Header{{Name: "x", Value: "a\r\nb: c"}}}); err == nil {
			return nil
		} else {
			return err
		}
	case "/badanswer":
		return &web.Error{Status: 404, Header: web.Header{{Name: "a b", Value: ""}}}
	}
	return web.Reply(x, 200, nil, []byte(r.Method+" "+r.Scheme+" "+r.Authority+" "+r.Path))
}

const host = "host: x\n"

var conversations = []struct {
	name      string
	say, hear string // in which each newline stands for CR LF
	end       string // "fin" if ""
}{
	{"a request", "GET /a?b HTTP/1.1\n" + host + "connection: close\n\n",
		"HTTP/1.1 200 OK\ncontent-length: 15\ndate: D\nserver: S\nconnection: close\n\nGET http x /a?b", ""},
	{"pipelined with bodies between", "GET /1 HTTP/1.1\n" + host + "\nPOST /echo HTTP/1.1\n" + host + "content-length: 4\n\nbody" +
		"POST /echo HTTP/1.1\n" + host + "transfer-encoding: chunked\n\n3;x=y\nabc\n1\nd\n0\nx-sum: 4\n\n" +
		"POST /unread HTTP/1.1\n" + host + "content-length: 4\n\nbodyGET /2 HTTP/1.1\n" + host + "connection: close\n\n",
		ok("GET http x /1") + ok("body") + "HTTP/1.1 200 OK\nx-sum: 4\ncontent-length: 4\ndate: D\nserver: S\n\nabcd" + ok("unread") + closing("GET http x /2"), ""},
	{"empty lines before a request", "\n\nGET /1 HTTP/1.1\n" + host + "\n\n\nGET /2 HTTP/1.1\n" + host + "connection: close\n\n",
		ok("GET http x /1") + closing("GET http x /2"), ""},
	{"absolute form", "GET https://y/p HTTP/1.1\n" + host + "connection: close\n\n", closing("GET https y /p"), ""},
	{"chunks and a trailer", "GET /stream HTTP/1.1\n" + host + "\nGET / HTTP/1.1\n" + host + "connection: close\n\n",
		"HTTP/1.1 200 OK\ntransfer-encoding: chunked\ndate: D\nserver: S\n\n3\none\nc\ntwotwotwotwo\n0\nx-sum: 4\n\n" + closing("GET http x /"), ""},
	{"HTTP/1.0", "GET /1 HTTP/1.0\n\n", closing("GET http  /1"), ""},
	{"HTTP/1.0 keep-alive", "GET /1 HTTP/1.0\nconnection: keep-alive\n\nGET /2 HTTP/1.0\n\n",
		"HTTP/1.1 200 OK\ncontent-length: 12\ndate: D\nserver: S\nconnection: keep-alive\n\nGET http  /1" + closing("GET http  /2"), ""},
	{"HTTP/1.0 without length", "GET /stream HTTP/1.0\nconnection: keep-alive\n\n",
		"HTTP/1.1 200 OK\ndate: D\nserver: S\nconnection: close\n\nonetwotwotwotwo", ""},
	{"HTTP/1.0 without interim heads", "GET /hints HTTP/1.0\n\n", closing(""), ""},
	{"interim heads", "GET /hints HTTP/1.1\n" + host + "connection: close\n\n",
		"HTTP/1.1 103 Early Hints\nlink: a\n\nHTTP/1.1 102 Processing\n\n" + closing(""), ""},
	{"HEAD", "HEAD / HTTP/1.1\n" + host + "\nHEAD /stream HTTP/1.1\n" + host + "connection: close\n\n",
		"HTTP/1.1 200 OK\ncontent-length: 13\ndate: D\nserver: S\n\nHTTP/1.1 200 OK\ndate: D\nserver: S\nconnection: close\n\n", ""},
	{"204 and 304", "GET /204 HTTP/1.1\n" + host + "\nGET /304 HTTP/1.1\n" + host + "connection: close\n\n",
		"HTTP/1.1 204 No Content\ndate: D\nserver: S\n\nHTTP/1.1 304 Not Modified\ncontent-length: 12\ndate: D\nserver: S\nconnection: close\n\n", ""},
	{"an expected body that has come", "POST /echo HTTP/1.1\n" + host + "expect: 100-continue\ncontent-length: 4\n\nbodyGET / HTTP/1.1\n" + host + "connection: close\n\n",
		ok("body") + closing("GET http x /"), ""},
	{"an expected body that has come, unread", "POST /unread HTTP/1.1\n" + host + "expect: 100-continue\ncontent-length: 4\n\nbody",
		closing("unread"), ""},
	{"an expected body is refused", "POST /unread HTTP/1.1\n" + host + "expect: 100-continue\ncontent-length: 4\n\n", closing("unread"), ""},
	{"an expected body is refused by an error", "POST /error HTTP/1.1\n" + host + "expect: 100-continue\ncontent-length: 4\n\n",
		"HTTP/1.1 502 Bad Gateway\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n", ""},
	{"a long body is refused", "POST /413 HTTP/1.1\n" + host + "content-length: 300000\n\nbo", "HTTP/1.1 413 Content Too Large\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n", ""},
	{"a body of any length is refused", "POST /413 HTTP/1.1\n" + host + "transfer-encoding: chunked\n\n4\nbody\n", "HTTP/1.1 413 Content Too Large\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n", ""},
	{"a body is refused, and on", "POST /413 HTTP/1.1\n" + host + "content-length: 4\n\nbodyPOST /413?read HTTP/1.1\n" + host + "transfer-encoding: chunked\n\n4\nbody\n0\n\nGET / HTTP/1.1\n" + host + "connection: close\n\n",
		strings.Repeat("HTTP/1.1 413 Content Too Large\ncontent-length: 0\ndate: D\nserver: S\n\n", 2) + closing("GET http x /"), ""},
	{"an error, and on", "POST /error HTTP/1.1\n" + host + "content-length: 4\n\nbodyGET / HTTP/1.1\n" + host + "connection: close\n\n",
		"HTTP/1.1 502 Bad Gateway\ncontent-length: 0\ndate: D\nserver: S\n\n" + closing("GET http x /"), ""},
	{"an error before anything was sent", "GET /half HTTP/1.1\n" + host + "connection: close\n\n",
		"HTTP/1.1 502 Bad Gateway\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n", ""},
	{"a header that cannot be written", "GET /bad HTTP/1.1\n" + host + "connection: close\n\n",
		"HTTP/1.1 502 Bad Gateway\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n", ""},
	{"an answer that cannot be written", "GET /badanswer HTTP/1.1\n" + host + "connection: close\n\n",
		"HTTP/1.1 404 Not Found\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n", ""},
	{"upgrade", "GET /up HTTP/1.1\n" + host + "connection: upgrade\nupgrade: x/2\n\nraw bytes\n",
		"HTTP/1.1 101 Switching Protocols\nconnection: upgrade\nupgrade: x/2\ndate: D\nserver: S\n\nraw bytes\n", ""},
	{"CONNECT with upgrade is a tunnel", "CONNECT x:1 HTTP/1.1\nhost: x:1\nconnection: upgrade\nupgrade: x\n\nraw",
		"HTTP/1.1 200 OK\ndate: D\nserver: S\n\nCONNECT http x:1 ", ""},

	{"no token", "\x16\x03\x01\x00\x05", refused(400, "Bad Request"), ""},
	{"no version", "GET /\n" + host + "\n", refused(400, "Bad Request"), ""},
	{"no host", "GET / HTTP/1.1\n\n", refused(400, "Bad Request"), ""},
	{"a bad line in a pipeline", "GET /1 HTTP/1.1\n" + host + "\nGET /2 HTTP/1.1\n" + host + "bad line\n\nGET /3 HTTP/1.1\n" + host + "\n",
		ok("GET http x /1") + refused(400, "Bad Request"), ""},
	{"another version", "PRI * HTTP/2.0\n\nSM\n\n", refused(505, "HTTP Version Not Supported"), ""},
	{"length and coding", "POST / HTTP/1.1\n" + host + "content-length: 3\ntransfer-encoding: chunked\n\n0\n\n", refused(400, "Bad Request"), ""},
	{"two lengths", "POST / HTTP/1.1\n" + host + "content-length: 3\ncontent-length: 3\n\nabc", refused(400, "Bad Request"), ""},
	{"another coding", "POST / HTTP/1.1\n" + host + "transfer-encoding: gzip, chunked\n\n", refused(501, "Not Implemented"), ""},
	{"another expectation", "POST / HTTP/1.1\n" + host + "expect: more\ncontent-length: 3\n\nabc", refused(417, "Expectation Failed"), ""},
	{"CONNECT with a body", "CONNECT x:1 HTTP/1.1\nhost: x:1\ncontent-length: 3\n\nabc", refused(400, "Bad Request"), ""},
	{"a long request line", "GET /" + strings.Repeat("a", 20<<10) + " HTTP/1.1\n" + host + "\n", refused(414, "URI Too Long"), ""},
	{"an endless request line", "GET /" + strings.Repeat("a", 100<<10), refused(414, "URI Too Long"), ""},
	{"a long header", "GET / HTTP/1.1\n" + host + "x: " + strings.Repeat("a", 40<<10) + "\n\n", refused(431, "Request Header Fields Too Large"), ""},
	{"endless headers", "GET / HTTP/1.1\n" + host + strings.Repeat("x: y\n", 100<<10), refused(431, "Request Header Fields Too Large"), ""},
	{"many headers", "GET / HTTP/1.1\n" + host + strings.Repeat("x: y\n", 300) + "\n", refused(431, "Request Header Fields Too Large"), ""},
	{"a bad chunk", "POST /echo HTTP/1.1\n" + host + "transfer-encoding: chunked\n\nxyz\n", "HTTP/1.1 400 Bad Request\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n", ""},
	{"a bad chunk that nobody reads", "POST /unread HTTP/1.1\n" + host + "transfer-encoding: chunked\n\nxyz\n", ok("unread"), ""},
	{"a long trailer", "POST /echo HTTP/1.1\n" + host + "transfer-encoding: chunked\n\n0\nx: " + strings.Repeat("y", 20<<10) + "\n\n",
		"HTTP/1.1 431 Request Header Fields Too Large\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n", ""},
	{"a body that ends early", "POST /echo HTTP/1.1\n" + host + "content-length: 10\n\nbody",
		"HTTP/1.1 400 Bad Request\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n", ""},
	{"a chunked body that ends early", "POST /echo HTTP/1.1\n" + host + "transfer-encoding: chunked\n\na\nbody",
		"HTTP/1.1 400 Bad Request\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n", ""},
	{"a head that ends early", "GET / HTTP/1.1\nhos", "", ""},
	{"nothing", "", "", ""},
}

// ok, closing and refused are answers.
func ok(body string) string {
	return "HTTP/1.1 200 OK\ncontent-length: " + itoa(len(body)) + "\ndate: D\nserver: S\n\n" + body
}

func closing(body string) string {
	return "HTTP/1.1 200 OK\ncontent-length: " + itoa(len(body)) + "\ndate: D\nserver: S\nconnection: close\n\n" + body
}

func refused(status int, reason string) string {
	return "HTTP/1.1 " + itoa(status) + " " + reason + "\ndate: D\nserver: S\ncontent-length: 0\nconnection: close\n\n"
}

var aDate = regexp.MustCompile("date: [^\r]*GMT\r")

// normal is what was heard, as conversations have it.
func normal(b []byte) string {
	return strings.ReplaceAll(aDate.ReplaceAllString(string(b), "date: D\r"), "\r\n", "\n")
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func TestConversations(t *testing.T) {
	for _, o := range webtest.Over {
		for _, split := range []bool{false, true} {
			r := newRig(t)
			d := o.Of(r.Rig, &h1.Server{Node: node("server"), Handler: webtest.Func(app), Name: "S"})
			for _, c := range conversations {
				if split && (len(c.say) > 1000 || c.name == "an expected body that has come") {
					continue
				}
				name := o.Name + "/" + c.name
				if split {
					name += " byte by byte"
				}
				t.Run(name, func(t *testing.T) { converse(t, d, c.say, c.hear, c.end, split) })
			}
			if !r.Await() {
				t.Errorf("%s: %d connections are still open", o.Name, r.Host.Open())
			}
		}
	}
}

// converse says something, ends what is said, and wants to hear an answer.
func converse(t *testing.T, d dial, say, hear, end string, split bool) {
	t.Helper()
	c, err := d()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	said := make(chan struct{})
	go func() { // ends with what is said, or with the connection
		defer close(said)
		b := []byte(crlf(say))
		for split && len(b) > 1 {
			if _, err := c.Write(b[:1]); err != nil {
				return
			}
			b = b[1:]
		}
		if _, err := c.Write(b); err == nil {
			c.CloseWrite()
		}
	}()
	b, err := io.ReadAll(c)
	if got := normal(b); got != hear {
		t.Errorf("heard %q\nnot   %q", got, hear)
	}
	if end == "" {
		end = "fin"
	}
	if how := conntest.How(err); how != end {
		t.Errorf("it ended with %s (%v), not %s", how, err, end)
	}
	c.Close()
	<-said
}

// TestAsked is a client that waits for a 100, and one that waits for the answer to half a body.
func TestAsked(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		c := r.client(o.Of(r.Rig, &h1.Server{Node: node("server"), Handler: webtest.Func(app), Name: "S"}))
		c.say("POST /echo HTTP/1.1\n" + host + "expect: 100-continue\ncontent-length: 4\n\n")
		c.hear("HTTP/1.1 100 Continue\n\n")
		c.say("body")
		c.hear(ok("body"))
		c.say("POST /error HTTP/1.1\n" + host + "content-length: 10\n\nbody")
		c.hear("HTTP/1.1 502 Bad Gateway\ncontent-length: 0\ndate: D\nserver: S\n\n")
		c.say("remainGET / HTTP/1.1\n" + host + "\n") // which the server takes, and goes on
		c.hear(ok("GET http x /"))
		c.say("POST /unread HTTP/1.1\n" + host + "transfer-encoding: chunked\n\n4\nbo")
		c.hear(ok("unread"))
		c.say("dy\n0\n\nGET / HTTP/1.1\n" + host + "connection: close\n\n")
		c.hear(closing("GET http x /"))
		c.ends("fin")
		r.done()
	}
}

// TestLeave is a connection that is idle, and one that is at work, when the gateway leaves.
func TestLeave(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		began, proceed := make(chan struct{}), make(chan struct{})
		d := o.Of(r.Rig, &h1.Server{Node: node("server"), Name: "S", Handler: webtest.Func(func(ctx context.Context, q *web.Request, x web.Served) error {
			if q.Path == "/wait" {
				close(began)
				<-proceed
			}
			return app(ctx, q, x)
		})})
		idle, busy := r.client(d), r.client(d)
		idle.say("GET / HTTP/1.1\n" + host + "\n")
		idle.hear(ok("GET http x /"))
		busy.say("GET /wait HTTP/1.1\n" + host + "\n")
		<-began
		r.Host.Leave()
		idle.ends("fin")
		close(proceed)
		busy.hear(closing("GET http x /wait"))
		busy.ends("fin")
		r.done()
	}
}

// client is a connection to a server, by hand.
type client struct {
	*rig
	conn.Conn
}

func (r *rig) client(d dial) *client {
	r.Helper()
	c, err := d()
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { conn.Abort(c) })
	c.SetDeadline(time.Now().Add(patience))
	return &client{r, c}
}

func (c *client) say(s string) {
	c.Helper()
	if _, err := io.WriteString(c.Conn, crlf(s)); err != nil {
		c.Fatalf("cannot say %.100q: %v", s, err)
	}
}

// hear reads exactly want.
func (c *client) hear(want string) {
	c.Helper()
	n := len(crlf(want)) + strings.Count(want, "date: D\n")*(len("Mon, 02 Jan 2006 15:04:05 GMT")-1)
	b := make([]byte, n)
	m, err := io.ReadFull(c.Conn, b)
	if got := normal(b[:m]); got != want {
		c.Fatalf("heard %q (%v)\nnot   %q", got, err, want)
	}
}

// ends wants nothing but that end.
func (c *client) ends(how string) {
	c.Helper()
	b, err := io.ReadAll(c.Conn)
	if len(b) > 0 || conntest.How(err) != how {
		c.Errorf("heard %q, and %s (%v), not %s", b, conntest.How(err), err, how)
	}
	c.Close()
}

// done fails the test if a scope is left.
func (r *rig) done() {
	r.Helper()
	if !r.Await() {
		r.Errorf("%d connections are still open", r.Host.Open())
	}
}

// TestBroken is who is told of clients that break the rules.
func TestBroken(t *testing.T) {
	r := newRig(t)
	told := make(chan error, 1)
	d := r.Pipes(&h1.Server{Node: node("server"), Handler: webtest.Func(app), Name: "S", Broken: func(_ *stream.Scope, err error) { told <- err }})
	converse(t, d, "GET / HTTP/1.1\nbad line\n\n", refused(400, "Bad Request"), "fin", false)
	if err := <-told; err == nil {
		t.Error("nobody is told why")
	}
	converse(t, d, "POST /echo HTTP/1.1\n"+host+"transfer-encoding: chunked\n\nxyz", "HTTP/1.1 400 Bad Request\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n", "fin", false)
	if err := <-told; err == nil {
		t.Error("nobody is told why")
	}
	r.done()
}
