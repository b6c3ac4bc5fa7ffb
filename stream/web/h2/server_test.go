package h2_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"gozilla/stream/web"
	"gozilla/stream/web/h2"
	"gozilla/stream/web/webtest"
	wire "gozilla/wire/h2"
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
	case "/error":
		return errors.New("an error")
	case "/head":
		x.Respond(&web.Response{Status: 200, Length: 10})
		return errors.New("an error")
	case "/cut":
		x.Respond(&web.Response{Status: 200, Length: 10})
		io.WriteString(x, "half")
		x.Flush()
		return errors.New("an error")
	case "/short":
		x.Respond(&web.Response{Status: 200, Length: 10})
		io.WriteString(x, "half")
		x.Flush()
		return nil
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
	case "/big":
		return web.Reply(x, 200, nil, make([]byte, 40_000))
	case "/cookie":
		var all []string
		for _, f := range r.Header {
			if f.Name != "traceparent" {
				all = append(all, f.Name+"="+f.Value)
			}
		}
		return web.Reply(x, 200, nil, []byte(strings.Join(all, ",")))
	case "/bad":
		return x.Respond(&web.Response{Status: 200, Header: web.Header{{Name: "x", Value: "a\r\nb: c"}}})
	case "/badanswer":
		return &web.Error{Status: 404, Header: web.Header{{Name: "a b", Value: ""}}}
	}
	return web.Reply(x, 200, nil, []byte(r.Method+" "+r.Scheme+" "+r.Authority+" "+r.Path))
}

// server is one whose name is S.
func server(h webtest.Func) *h2.Server {
	return &h2.Server{Node: node("server"), Handler: h, Name: "S"}
}

// ok is an answer.
func ok(body string) string {
	return " 200 content-length=" + itoa(len(body)) + " server=S" + behind(body)
}

func behind(body string) string {
	if body == "" {
		return ""
	}
	return "|" + body
}

// literal is a field that goes into the dynamic table, where the last one is number 62.
func literal(name, value string) []byte {
	b := append([]byte{0x40, byte(len(name))}, name...)
	return append(append(b, byte(len(value))), value...)
}

const number62 = 0x80 | 62

var conversations = []struct {
	name string
	say  []byte
	hear []string
}{
	{"a request", get(1, "/a?b"), []string{"1" + ok("GET http x /a?b")}},
	{"numbers are left out", get(7, "/"), []string{"7" + ok("GET http x /")}},
	{"a body", cat(post(1, "/echo"), data(1, "bo"), last(1, "dy")), []string{"1" + ok("body")}},
	{"a body of that length", cat(post(1, "/echo", "content-length", "4"), data(1, "bo"), last(1, "dy")), []string{"1" + ok("body")}},
	{"the same length twice", cat(post(1, "/echo", "content-length", "4", "content-length", "4"), last(1, "body")), []string{"1" + ok("body")}},
	{"an end of its own", cat(post(1, "/echo", "content-length", "4"), data(1, "body"), last(1, "")), []string{"1" + ok("body")}},
	{"a trailer", cat(post(1, "/echo", "content-length", "4"), data(1, "body"), heads(1, wire.EndStream, fields("x-sum", "4"))),
		[]string{"1 200 x-sum=4 content-length=4 server=S|body"}},
	{"a trailer and no body", cat(post(1, "/echo"), heads(1, wire.EndStream, fields("x-sum", "4"))), []string{"1 200 x-sum=4 content-length=0 server=S"}},
	{"an empty trailer", cat(post(1, "/echo"), data(1, "body"), heads(1, wire.EndStream, nil)), []string{"1" + ok("body")}},
	{"padding", cat(frame(wire.Headers, wire.Padded|wire.EndHeaders, 1, cat([]byte{3}, ask("POST", "/echo"), []byte{0, 0, 0})),
		frame(wire.Data, wire.Padded, 1, []byte{2, 'b', 'o', 0, 0}), frame(wire.Data, wire.Padded|wire.EndStream, 1, []byte{0, 'd', 'y'})), []string{"1" + ok("body")}},
	{"padding only", cat(post(1, "/echo", "content-length", "4"), frame(wire.Data, wire.Padded, 1, make([]byte, 256)[:1:1]), frame(wire.Data, wire.Padded, 1, append([]byte{255}, make([]byte, 255)...)),
		last(1, "body")), []string{"1" + ok("body")}},
	{"priority", cat(frame(wire.Headers, wire.Prioritied|wire.EndHeaders|wire.EndStream, 3, cat([]byte{0x80, 0, 0, 1, 15}, ask("GET", "/"))),
		wire.AppendPriority(nil, 1, 3, 1, true), wire.AppendPriority(nil, 3, 5, 1, true), wire.AppendPriority(nil, 99, 5, 1, false)), []string{"3" + ok("GET http x /")}},
	{"unknown frames", cat(frame(0x42, 0xff, 0, []byte("what?")), frame(0x42, 0xff, 1, []byte("what?")), frame(0x10, 0, 3, nil), get(1, "/")), []string{"1" + ok("GET http x /")}},
	{"unknown flags, and a bit that is reserved", frame(wire.Headers, wire.EndHeaders|wire.EndStream|0xd2&^0x20, 1<<31|1, ask("GET", "/")), []string{"1" + ok("GET http x /")}},
	{"unknown settings", cat(settings(wire.Setting{ID: 0x99, Value: 1}, wire.Setting{ID: 0, Value: 1}), get(1, "/")), []string{"1" + ok("GET http x /")}},
	{"continuations", cat(frame(wire.Headers, wire.EndStream, 1, ask("GET", "/")[:3]), frame(wire.Continuation, 0, 1, nil), frame(wire.Continuation, 0, 1, ask("GET", "/")[3:5]),
		frame(wire.Continuation, wire.EndHeaders, 1, ask("GET", "/")[5:])), []string{"1" + ok("GET http x /")}},
	{"ping", ping("12345678"), []string{"pong 12345678"}},
	{"a ping that was not asked for", cat(pong("12345678"), get(1, "/")), []string{"1" + ok("GET http x /")}},
	{"windows", cat(window(0, 1), get(1, "/"), window(1, 1), window(0, 1<<30)), []string{"1" + ok("GET http x /")}},
	{"goaway", cat(wire.AppendGoAway(nil, 0, wire.NoError, "bye"), get(1, "/")), []string{"1" + ok("GET http x /")}},
	{"an interim head", get(1, "/hints"), []string{"1 103 link=a 102 200 content-length=0 server=S"}},
	{"a body in parts, with a trailer", get(1, "/stream"), []string{"1 200 server=S|onetwotwotwotwo|x-sum=4"}},
	{"HEAD", heads(1, wire.EndStream, ask("HEAD", "/")), []string{"1 200 content-length=13 server=S"}},
	{"HEAD of parts", heads(1, wire.EndStream, ask("HEAD", "/stream")), []string{"1 200 server=S x-sum=4"}},
	{"204", get(1, "/204"), []string{"1 204 server=S"}},
	{"304", get(1, "/304"), []string{"1 304 content-length=12 server=S"}},
	{"crumbs", get(1, "/cookie", "cookie", "a=1", "x", "y", "cookie", "b=2", "cookie", "c=3"), []string{"1" + ok("cookie=a=1; b=2; c=3,x=y")}},
	{"te", get(1, "/", "te", "trailers"), []string{"1" + ok("GET http x /")}},
	{"host agrees", get(1, "/", "host", "X"), []string{"1" + ok("GET http x /")}},
	{"host agrees but for the port of the scheme", get(1, "/", "host", "x:80"), []string{"1" + ok("GET http x /")}},
	{"host differs by the port", get(1, "/", "host", "x:443"), []string{"1 400 content-length=0 server=S"}},
	{"host alone", heads(1, wire.EndStream, fields(":method", "GET", ":scheme", "http", ":path", "/", "host", "y")), []string{"1" + ok("GET http y /")}},
	{"any order", heads(1, wire.EndStream, fields(":path", "/", ":authority", "y", ":scheme", "HTTP", ":method", "GET")), []string{"1" + ok("GET http y /")}},
	{"OPTIONS *", heads(1, wire.EndStream, ask("OPTIONS", "*")), []string{"1" + ok("OPTIONS http x *")}},
	{"CONNECT", cat(heads(1, 0, fields(":method", "CONNECT", ":authority", "x:1")), last(1, "")), []string{"1 200 server=S|CONNECT  x:1 "}},
	{"CONNECT for a protocol", cat(heads(1, 0, fields(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/up", ":authority", "x")), data(1, "raw "), last(1, "bytes")),
		[]string{"1 200 server=S|raw bytes"}},
	{"CONNECT for a protocol that is refused", cat(heads(1, 0, fields(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/304", ":authority", "x")), last(1, "")),
		[]string{"1 304 content-length=12 server=S"}},
	{"CONNECT for a protocol, answered as if it were none", cat(heads(1, 0, fields(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/", ":authority", "x")), last(1, "")),
		[]string{"1 502 content-length=0 server=S"}},
	{"the dynamic table", heads(1, wire.EndStream, cat(ask("GET", "/cookie"), literal("a", "b"), []byte{number62})), []string{"1" + ok("a=b,a=b")}},

	{"an error", get(1, "/error"), []string{"1 502 content-length=0 server=S"}},
	{"an error before anything was sent", get(1, "/head"), []string{"1 502 content-length=0 server=S"}},
	{"an error in the body", get(1, "/cut"), []string{"1 200 content-length=10 server=S|half !INTERNAL_ERROR"}},
	{"a body that is too short", get(1, "/short"), []string{"1 200 content-length=10 server=S|half !INTERNAL_ERROR"}},
	{"a header that cannot be written", get(1, "/bad"), []string{"1 502 content-length=0 server=S"}},
	{"an answer that cannot be written", get(1, "/badanswer"), []string{"1 404 content-length=0 server=S"}},
	{"an answer before the body", post(1, "/unread"), []string{"1" + ok("unread"), "1 !NO_ERROR"}},
	{"an error before the body", post(1, "/error"), []string{"1 502 content-length=0 server=S", "1 !NO_ERROR"}},

	{"host differs", get(1, "/", "host", "y"), []string{"1 400 content-length=0 server=S"}},
	{"nobody is asked", heads(1, wire.EndStream, fields(":method", "GET", ":scheme", "http", ":path", "/")), []string{"1 400 content-length=0 server=S"}},
	{"an empty authority", heads(1, wire.EndStream, fields(":method", "GET", ":scheme", "http", ":path", "/", ":authority", "")), []string{"1 400 content-length=0 server=S"}},
	{"an authority with a user", heads(1, wire.EndStream, fields(":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a@b")), []string{"1 400 content-length=0 server=S"}},
	{"a path without a slash", get(1, "x"), []string{"1 400 content-length=0 server=S"}},
	{"a path with a space", get(1, "/a b"), []string{"1 400 content-length=0 server=S"}},
	{"*, but not OPTIONS", get(1, "*"), []string{"1 400 content-length=0 server=S"}},
	{"a bad scheme", heads(1, wire.EndStream, fields(":method", "GET", ":scheme", "1", ":path", "/", ":authority", "x")), []string{"1 400 content-length=0 server=S"}},
	{"an unknown expectation", post(1, "/", "expect", "200-maybe"), []string{"1 417 content-length=0 server=S", "1 !NO_ERROR"}},
}

func TestConversations(t *testing.T) {
	for _, o := range webtest.Over {
		for _, split := range []bool{false, true} {
			r := newRig(t)
			r.Rests()
			d := o.Of(r.Rig, server(app))
			for _, c := range conversations {
				name := o.Name + "/" + c.name
				if split {
					name += " byte by byte"
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel() // some wait for a sweeper
					c2 := (&rig{&webtest.Rig{TB: t, Host: r.Host}}).greeted(d)
					if split {
						for i := range c.say {
							c2.say(c.say[i : i+1])
						}
					} else {
						c2.say(c.say)
					}
					c2.hear(c.hear...)
					c2.works(1001)
					c2.Close()
				})
			}
		}
	}
}

// works wants a request on that stream to be answered, whatever is answered before.
func (h *hand) works(stream uint32) {
	h.Helper()
	h.say(get(stream, "/works"))
	want := itoa(int(stream)) + ok("GET http x /works")
	for {
		got, err := h.event()
		if err != nil {
			h.Fatalf("after that, nothing works: %v", err)
		}
		if got == want {
			return
		}
		if strings.HasPrefix(got, "goaway") {
			h.Fatalf("heard %q", got)
		}
	}
}

// TestAsked is a client that waits for a 100.
func TestAsked(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		c := r.greeted(o.Of(r.Rig, server(app)))
		c.say(post(1, "/echo", "expect", "100-continue", "content-length", "4"))
		for c.said[1] == nil || c.said[1].String() != " 100" {
			f, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			c.line(&f)
		}
		c.say(last(1, "body"))
		c.hear("1 100" + ok("body"))
		c.say(post(3, "/unread", "expect", "100-continue", "content-length", "4"))
		c.hear("3"+ok("unread"), "3 !NO_ERROR")
		c.say(data(3, "body")) // before it knew
		c.works(5)
		c.Close()
	}
}

// TestTunnels is raw bytes both ways, which each side ends.
func TestTunnels(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		ended := make(chan struct{})
		c := r.greeted(o.Of(r.Rig, server(func(ctx context.Context, q *web.Request, x web.Served) error {
			if q.Path == "/works" {
				return app(ctx, q, x)
			}
			if q.Method != "GET" || q.Protocol != "websocket" || q.Length != 0 {
				t.Errorf("the request is %+v", q)
			}
			x.Respond(&web.Response{Status: 101, Length: -1, Header: web.Fields("sec-websocket-accept", "x")})
			io.WriteString(x, "hello")
			x.End(nil) // half of it
			b, err := io.ReadAll(x)
			if string(b) != "still here" || err != nil {
				t.Errorf("read %q, %v", b, err)
			}
			close(ended)
			return nil
		})))
		c.say(heads(1, 0, fields(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/", ":authority", "x")))
		c.hear("1 200 server=S|hello")
		c.say(data(1, "still "))
		c.say(last(1, "here"))
		<-ended
		c.works(3)
		c.Close()
	}
}

// TestBrokenOff is how a client is told that what it had is broken off: in the words for connections where it was to be one.
func TestBrokenOff(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		c := r.greeted(o.Of(r.Rig, server(func(ctx context.Context, q *web.Request, x web.Served) error {
			switch {
			case q.Path == "/works":
				return app(ctx, q, x)
			case q.Protocol != "":
				x.Respond(&web.Response{Status: 101, Length: -1})
			default:
				x.Respond(&web.Response{Status: 200, Length: -1})
			}
			io.WriteString(x, "half")
			x.Flush()
			_, err := io.ReadAll(x)
			return cmp.Or(err, io.ErrUnexpectedEOF) // there should have been more
		})))
		c.say(heads(1, 0, fields(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/", ":authority", "x")), last(1, ""))
		c.hear("1 200 server=S|half !CANCEL")
		c.say(heads(3, 0, fields(":method", "CONNECT", ":authority", "x:1")), last(3, ""))
		c.hear("3 200 server=S|half !CONNECT_ERROR")
		c.say(get(5, "/"))
		c.hear("5 200 server=S|half !INTERNAL_ERROR")
		c.works(7)
		c.Close()
	}
}

// TestClientResets is a handler whose client has lost interest, or is gone.
func TestClientResets(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		began, causes := make(chan struct{}), make(chan error, 1)
		d := o.Of(r.Rig, server(func(ctx context.Context, q *web.Request, x web.Served) error {
			if q.Path == "/works" {
				return app(ctx, q, x)
			}
			began <- struct{}{}
			if q.Path == "/read" {
				_, err := io.ReadAll(x)
				causes <- err
				return err
			}
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return context.Cause(ctx)
		}))
		for _, c := range []struct {
			path string
			how  func(*hand)
			want string
		}{
			{"/", func(h *hand) { h.say(reset(1, wire.Cancel)) }, "cut by the client: rst: the stream was reset with CANCEL"},
			{"/read", func(h *hand) { h.say(data(1, "x"), reset(1, wire.InternalError)) }, "cut by the client: rst: the stream was reset with INTERNAL_ERROR"},
			{"/", func(h *hand) { h.CloseWrite(); h.drain() }, "cut by the client: gone"},
			{"/read", func(h *hand) { h.CloseWrite(); h.drain() }, "cut by the client: gone"},
		} {
			h := r.greeted(d)
			h.say(post(1, c.path))
			<-began
			c.how(h)
			if got := (<-causes).Error(); got != c.want {
				t.Errorf("%s: it ended with %q, not %q", o.Name, got, c.want)
			}
			if c.want != "cut by the client: gone" {
				h.works(3)
			}
			h.Close()
		}
	}
}

// waits is app, and waits for the client to reset what is to.
func waits(ctx context.Context, r *web.Request, x web.Served) error {
	if r.Path == "/wait" {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return app(ctx, r, x)
}

// TestHalfBehindTheAnswer has a client stop in the middle of a request that is being refused: the answer comes to its end all the
// same, also by way of a relay.
func TestHalfBehindTheAnswer(t *testing.T) {
	half := make(chan struct{}, 1)
	refuses := func(ctx context.Context, q *web.Request, x web.Served) error {
		if q.Method == "GET" {
			return app(ctx, q, x)
		}
		x.Respond(&web.Response{Status: 413, Length: -1})
		io.WriteString(x, "no, ")
		if err := x.Flush(); err != nil {
			return err
		}
		<-half
		io.WriteString(x, "thanks")
		return x.End(nil)
	}
	r := newRig(t)
	direct := r.Pipes(server(refuses))
	behind := r.pool(direct)
	relayed := r.Pipes(server(func(ctx context.Context, q *web.Request, x web.Served) error { return web.Relay(ctx, q, x, behind) }))
	for _, d := range []dial{direct, relayed} {
		h := r.greeted(d)
		h.say(post(1, "/", "content-length", "10"), data(1, "bo"))
		for h.said[1] == nil || !strings.Contains(h.said[1].String(), "no, ") {
			f, err := h.next()
			if err != nil {
				t.Fatal(err)
			}
			h.line(&f)
		}
		h.say(last(1, "dy"), ping("12345678"))
		h.hear("pong 12345678") // it has come
		half <- struct{}{}
		h.hear("1 413 server=S|no, thanks")
	}
}
