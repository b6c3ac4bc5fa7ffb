package h2_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	wire "gozilla/wire/h2"
)

// both runs f with a backend by TCP, and with one by pipes.
func both(t *testing.T, f func(t *testing.T, b *backend)) {
	for _, tcp := range []bool{true, false} {
		name := "pipe"
		if tcp {
			name = "tcp"
		}
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.Rests()
			f(t, r.backend(tcp))
		})
	}
}

// TestRetried is requests that were not looked at, or can be repeated: they are made on another connection.
func TestRetried(t *testing.T) {
	body, long := request("POST", "/"), request("POST", "/")
	body.Length, long.Length = 4, 8<<10+1
	for _, c := range []struct {
		name  string
		q     *web.Request
		ends  func(h *hand)
		come  string // "": it is retried
		stays bool   // the connection
	}{
		{"refused", request("GET", "/"), func(h *hand) { h.say(wire.AppendGoAway(nil, 1, wire.NoError, ""), reset(1, wire.RefusedStream)) }, "", true},
		{"refused, POST without a body", request("POST", "/"), func(h *hand) { h.say(wire.AppendGoAway(nil, 1, wire.NoError, ""), reset(1, wire.RefusedStream)) }, "", true},
		{"refused, with a body", body, func(h *hand) { h.say(wire.AppendGoAway(nil, 1, wire.NoError, ""), reset(1, wire.RefusedStream)) }, "", true},
		{"goaway", request("GET", "/"), func(h *hand) { h.say(wire.AppendGoAway(nil, 0, wire.NoError, "")) }, "", false},
		{"goaway, POST without a body", request("POST", "/"), func(h *hand) { h.say(wire.AppendGoAway(nil, 0, wire.NoError, "")) }, "", false},
		{"goaway, with a body", body, func(h *hand) { h.say(wire.AppendGoAway(nil, 0, wire.NoError, "")) }, "", false},
		{"goaway, with a long body", long, func(h *hand) { h.say(wire.AppendGoAway(nil, 0, wire.NoError, "")) }, "refused: unavailable", false},
		{"goaway for a reason", request("GET", "/"), func(h *hand) { h.say(wire.AppendGoAway(nil, 0, wire.EnhanceYourCalm, "too much")) }, "", false},
		{"warned, then goaway", request("GET", "/"), func(h *hand) {
			h.say(wire.AppendGoAway(nil, 1<<31-1, wire.NoError, ""), ping("12345678"), wire.AppendGoAway(nil, 0, wire.NoError, ""))
		}, "", false},
		{"closed", request("GET", "/"), func(h *hand) { h.Close() }, "", false},
		{"aborted", request("GET", "/"), func(h *hand) { conn.Abort(h.Conn) }, "", false},
		{"ended", request("GET", "/"), func(h *hand) { h.CloseWrite() }, "", false},
		{"closed, PUT without a body", request("PUT", "/"), func(h *hand) { h.Close() }, "", false},
		{"closed, POST without a body", request("POST", "/"), func(h *hand) { h.Close() }, "refused: unavailable", false},
		{"closed, with a body", body, func(h *hand) { h.Close() }, "refused: unavailable", false},
		{"goaway and closed, looked at", request("POST", "/"), func(h *hand) { h.say(wire.AppendGoAway(nil, 1, wire.NoError, "")); h.Close() }, "refused: unavailable", false},
		{"closed in the head", request("GET", "/"), func(h *hand) { h.say(answer("200")[:9]); h.Close() }, "", false},
		{"an interim head, and closed", request("GET", "/"), func(h *hand) { h.say(answer("103")); h.Close() }, "refused: unavailable", false},
		{"reset for another reason", request("GET", "/"), func(h *hand) { h.say(wire.AppendGoAway(nil, 1, wire.NoError, ""), reset(1, wire.Cancel)) }, "refused: unavailable", true},
		{"a fault, and closed", request("GET", "/"), func(h *hand) { h.say(data(0, "x")) }, "502", false},
	} {
		for _, tcp := range []bool{true, false} {
			t.Run(c.name, func(t *testing.T) {
				r := newRig(t)
				r.Rests()
				b := r.backend(tcp)
				sent, heard := "", ""
				if c.q.Length > 0 {
					sent = strings.Repeat("body ", int(c.q.Length))[:c.q.Length]
					heard = " content-length=" + itoa(len(sent)) + "|" + sent
				} else if c.q.Method != "GET" {
					heard = " content-length=0"
				}
				came := b.asks(c.q, sent)
				h := b.accept()
				h.hear(asked(1, c.q.Method, "/") + heard)
				c.ends(h)
				if c.come != "" {
					r.comes(came, c.come)
				} else {
					h = b.accept()
					h.hear(asked(1, c.q.Method, "/") + heard)
					h.say(whole("204"))
					r.comes(came, "204")
				}
			})
		}
	}
}

// TestGoAway is that what the server looks at goes on, and the rest is asked for elsewhere.
func TestGoAway(t *testing.T) {
	both(t, func(t *testing.T, b *backend) {
		one := b.asks(request("GET", "/1"), "")
		h := b.accept()
		h.hear(asked(1, "GET", "/1"))
		h.say(answer("200"), data(1, "bo"))
		three := b.asks(request("GET", "/3"), "")
		h.hear(asked(3, "GET", "/3"))
		five := b.asks(request("GET", "/5"), "")
		h.hear(asked(5, "GET", "/5"))
		h.say(wire.AppendGoAway(nil, 3, wire.NoError, ""))
		other := b.accept()
		other.hear(asked(1, "GET", "/5"))
		other.say(whole("204"))
		b.comes(five, "204")
		seven := b.asks(request("GET", "/7"), "")
		other.answers(3, "/7")
		b.comes(seven, "204")
		h.say(last(1, "dy"))
		b.comes(one, "200|body")
		h.say(heads(3, wire.EndStream, fields(":status", "204")))
		b.comes(three, "204")
		h.hear("goaway 0 NO_ERROR")
		h.ends("fin")
	})
}

// TestGoAwayAndGone is a connection that is closed behind a GOAWAY, in the middle of a body.
func TestGoAwayAndGone(t *testing.T) {
	both(t, func(t *testing.T, b *backend) {
		came := b.asks(request("GET", "/"), "")
		h := b.accept()
		h.hear(asked(1, "GET", "/"))
		h.say(answer("200"), data(1, "half"), wire.AppendGoAway(nil, 1, wire.NoError, ""))
		h.CloseWrite()
		b.comes(came, "200|half, then cut: gone")
	})
}

// TestMostStreams is how many requests a server wants at a time, which it changes.
func TestMostStreams(t *testing.T) {
	both(t, func(t *testing.T, b *backend) {
		most := func(n uint32) wire.Setting { return wire.Setting{ID: wire.MaxStreams, Value: n} }
		one := b.asks(request("GET", "/1"), "")
		h := b.accept(most(2))
		h.hear(asked(1, "GET", "/1"))
		h.settled()
		three := b.asks(request("GET", "/3"), "")
		h.hear(asked(3, "GET", "/3"))
		elsewhere := b.asks(request("GET", "/5"), "")
		other := b.accept()
		other.answers(1, "/5")
		b.comes(elsewhere, "204")
		h.say(whole("204"))
		b.comes(one, "204")
		again := b.asks(request("GET", "/7"), "") // there is a place again
		h.hear(asked(5, "GET", "/7"))
		h.say(settings(most(0)))
		h.settled()
		h.say(heads(3, wire.EndStream, fields(":status", "204")), heads(5, wire.EndStream, fields(":status", "204")))
		b.comes(three, "204")
		b.comes(again, "204")
		elsewhere = b.asks(request("GET", "/9"), "")
		other.answers(3, "/9")
		b.comes(elsewhere, "204")
		h.say(settings(most(1)))
		h.settled()
		again = b.asks(request("GET", "/11"), "")
		h.answers(7, "/11")
		b.comes(again, "204")
	})
}

// settled waits until all that was said has been handled.
func (h *hand) settled() {
	h.Helper()
	h.say(ping("settled?"))
	h.hear("pong settled?")
}

// TestConnect is requests for another protocol, with servers that take them and others.
func TestConnect(t *testing.T) {
	enable := func(n uint32) wire.Setting { return wire.Setting{ID: wire.EnableConnect, Value: n} }
	both(t, func(t *testing.T, b *backend) {
		q := request("GET", "/chat")
		q.Protocol, q.Header = "websocket", web.Fields("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version", "13")
		s := b.rig.begin()
		opened := make(chan web.Opened, 1)
		go func() { // ends when the settings have come
			y, err := b.OpenExchange(s, q)
			if err != nil {
				t.Error(err)
			}
			opened <- y
			y.Flush()
		}()
		h := b.silent()
		h.say(settings(enable(1)))
		y := <-opened
		for h.said[1] == nil || h.said[1].Len() == 0 {
			f, err := h.next()
			if err != nil {
				t.Fatal(err)
			}
			h.line(&f)
		}
		if got := h.said[1].String(); got != " :method=CONNECT :scheme=http :authority=x :path=/chat :protocol=websocket sec-websocket-version=13" {
			t.Errorf("the server heard %q", got)
		}
		h.say(answer("200", "a", "b"), data(1, "hello"))
		resp, err := y.Response()
		if err != nil || resp.Status != 101 || resp.Protocol != "websocket" || resp.Header.Get("sec-websocket-accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || resp.Header.Get("a") != "b" {
			t.Errorf("there came %+v, %v", resp, err)
		}
		io.WriteString(y, "raw")
		y.End(nil)
		got, err := h.event()
		if !strings.HasSuffix(got, "13|raw") {
			t.Errorf("the server heard %q, %v", got, err)
		}
		h.say(last(1, " there"))
		if body, err := io.ReadAll(y); string(body) != "hello there" || err != nil {
			t.Errorf("there came %q, %v", body, err)
		}
		y.Close()
		s.End(nil)
	})
	t.Run("refused", func(t *testing.T) {
		r := newRig(t)
		r.Rests()
		for _, said := range [][]byte{settings(), settings(enable(0))} {
			b := r.backend(false)
			q := request("GET", "/")
			q.Protocol = "websocket"
			came := b.asks(q, "")
			h := b.silent()
			h.Close() // the next one says something
			h = b.silent()
			h.say(said)
			r.comes(came, "open refused: unavailable")
			h.Close()
		}
		b := r.backend(false)
		q := request("GET", "/")
		q.Protocol = "websocket"
		came := b.asks(q, "")
		h := b.silent()
		h.say(settings(enable(1)))
		for f, err := h.next(); f.Type != wire.Headers; f, err = h.next() {
			if err != nil {
				t.Fatal(err)
			}
		}
		h.say(answer("404"), last(1, "no"))
		r.comes(came, "404|no")
	})
}

// TestTunnel is a CONNECT.
func TestTunnel(t *testing.T) {
	both(t, func(t *testing.T, b *backend) {
		came := b.asks(&web.Request{Method: "CONNECT", Authority: "x:1"}, "")
		h := b.accept()
		h.await(wire.Headers)
		h.say(answer("200"), last(1, "raw"))
		b.comes(came, "200|raw")
		h.hear("1 !CANCEL") // whose other direction was not ended
	})
}

// TestClose is exchanges that are given up, in each state.
func TestClose(t *testing.T) {
	both(t, func(t *testing.T, b *backend) {
		s := b.rig.begin()
		defer s.End(nil)
		body := request("POST", "/")
		body.Length = -1
		open := func(q *web.Request) web.Opened {
			y, err := b.OpenExchange(s, q)
			if err != nil {
				t.Fatal(err)
			}
			y.Flush()
			return y
		}
		y := open(body)
		h := b.accept()
		h.settled()
		y.Close()
		y.Close()
		h.hear("1 :method=POST :scheme=http :authority=x :path=/ !CANCEL")
		h.say(answer("200"), data(1, "late"), window(1, 1), heads(1, wire.EndStream, literal("a", "b")))

		y = open(request("GET", "/"))
		h.hear(asked(3, "GET", "/"))
		y.Close()
		h.hear("3 !CANCEL")

		y = open(request("GET", "/"))
		h.hear(asked(5, "GET", "/"))
		h.say(heads(5, 0, fields(":status", "200")), data(5, "half"))
		if resp, err := y.Response(); err != nil || resp.Status != 200 {
			t.Errorf("there came %v, %v", resp, err)
		}
		y.Close()
		h.hear("5 !CANCEL")

		y = open(body)
		io.WriteString(y, "body")
		y.Flush()
		h.say(heads(7, wire.EndStream, fields(":status", "204")))
		if resp, err := y.Response(); err != nil || resp.Status != 204 {
			t.Errorf("there came %v, %v", resp, err)
		}
		y.Close()
		h.hear("7 :method=POST :scheme=http :authority=x :path=/|body !CANCEL")

		y = open(body)
		y.End(nil)
		h.hear("9 :method=POST :scheme=http :authority=x :path=/")
		h.say(heads(9, wire.EndStream, append(fields(":status", "204"), number62))) // which is in step
		if resp, err := y.Response(); err != nil || resp.Header.Get("a") != "b" {
			t.Errorf("there came %v, %v", resp, err)
		}
		y.Close()
		h.settled()
	})
}

// TestCancelled is a request whose context ends.
func TestCancelled(t *testing.T) {
	both(t, func(t *testing.T, b *backend) {
		cause := errors.New("the test says so")
		s := b.rig.begin()
		y, err := b.OpenExchange(s, request("GET", "/"))
		if err != nil {
			t.Fatal(err)
		}
		y.Flush()
		h := b.accept()
		h.hear(asked(1, "GET", "/"))
		s.Cancel(cause)
		if _, err := y.Response(); !errors.Is(err, cause) {
			t.Errorf("there came %v", err)
		}
		h.hear("1 !CANCEL")
		y.Close()
		s.End(nil)
		came := b.asks(request("GET", "/"), "")
		h.answers(3, "/")
		b.comes(came, "204")
	})
}

// TestEarlyAnswer is a server that answers before it has the request, and wants no more of it.
func TestEarlyAnswer(t *testing.T) {
	both(t, func(t *testing.T, b *backend) {
		s := b.rig.begin()
		defer s.End(nil)
		q := request("POST", "/")
		q.Length = -1
		y, err := b.OpenExchange(s, q)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(y, "some")
		y.Flush()
		h := b.accept()
		h.await(wire.Data)
		h.say(answer("200"), last(1, "ok"), reset(1, wire.NoError))
		resp, err := y.Response()
		if err != nil || resp.Status != 200 {
			t.Fatalf("there came %v, %v", resp, err)
		}
		if body, err := io.ReadAll(y); string(body) != "ok" || err != nil {
			t.Errorf("there came %q, %v", body, err)
		}
		for range 1000 { // of which the server wants nothing, whether that is known yet or not
			if _, err := io.WriteString(y, "more"); err != nil {
				t.Fatal(err)
			}
		}
		if err := y.End(nil); err != nil {
			t.Error(err)
		}
		y.Close()
	})
}

// TestBusyCancels is exchanges that are given up on a busy connection, whose answers come long after.
func TestBusyCancels(t *testing.T) {
	both(t, func(t *testing.T, b *backend) {
		s := b.rig.begin()
		defer s.End(nil)
		y, err := b.OpenExchange(s, request("GET", "/"))
		if err != nil {
			t.Fatal(err)
		}
		y.Flush()
		h := b.accept()
		h.hear(asked(1, "GET", "/"))
		y.Close()
		h.hear("1 !CANCEL")
		for i := range 100 {
			came := b.asks(request("GET", "/"), "")
			h.answers(3+2*i, "/")
			b.comes(came, "204")
		}
		h.say(answer("200"), data(1, "late"), heads(1, wire.EndStream, nil))
		h.settledButFor("1 !STREAM_CLOSED")
	})
}

// settledButFor is settled, and may hear that before.
func (h *hand) settledButFor(line string) {
	h.Helper()
	h.say(ping("settled?"))
	for {
		got, err := h.event()
		if got == "pong settled?" {
			return
		}
		if got != line {
			h.Fatalf("heard %q, %v", got, err)
		}
	}
}

// TestBegun is what is asked of a client that takes no more requests, or that cannot be asked.
func TestBegun(t *testing.T) {
	both(t, func(t *testing.T, b *backend) {
		s := b.rig.begin()
		defer s.End(nil)
		for _, q := range []*web.Request{
			{Method: "G T", Scheme: "http", Authority: "x", Path: "/"},
			{Method: "GET", Scheme: "http", Authority: "x y", Path: "/"},
			{Method: "GET", Scheme: "http", Authority: "x", Path: "/a b"},
			{Method: "GET", Scheme: "http", Authority: "x", Path: "/", Protocol: "a b"},
			{Method: "GET", Scheme: "http", Authority: "x", Path: "/", Header: web.Header{{Name: "A", Value: "b"}}},
			{Method: "GET", Scheme: "http", Authority: "x", Path: "/", Header: web.Header{{Name: "a", Value: "b\nc"}}},
		} {
			y, err := b.OpenExchange(s, q)
			var refused *stream.Refused
			if !errors.As(err, &refused) || refused.Reason != stream.Invalid {
				t.Errorf("%+v: there came %v, %v", q, y, err)
			}
		}
		c, err := b.Another(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.accept()
		c.Retire("test")
		if c.Take() {
			t.Error("there is a place where there is to be none")
		}
		y, err := c.Begin(s, request("GET", "/")) // at the place that was taken
		if err != nil {
			t.Errorf("the place that was taken is of no use: %v", err)
		} else {
			y.Close()
		}
		if b.dials() != 1 {
			t.Errorf("there were %d connections", b.dials())
		}
	})
}
