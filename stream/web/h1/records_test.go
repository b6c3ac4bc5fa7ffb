package h1_test

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/webtest"
	"gozilla/telemetry"
)

// record waits for the record of an exchange.
func (r *rig) record() telemetry.Record {
	r.Helper()
	return r.RecordOf(func(rec *telemetry.Record) bool { return rec.Connection != 0 })
}

// connection waits for the record of a connection that began at the node of that name.
func (r *rig) connection(at string) telemetry.Record {
	r.Helper()
	return r.RecordOf(func(rec *telemetry.Record) bool {
		counted := rec.Sent > 0 // at the server behind, nobody does
		return counted && rec.Connection == 0 && rec.Path[0].Binding == node(at).String()
	})
}

// TestRecords is what is known of an exchange in the end.
func TestRecords(t *testing.T) {
	for _, c := range []struct {
		say    string
		status int
		by     telemetry.Side
		reason string
		sent   int64
		got    int64
	}{
		{"GET / HTTP/1.1\n" + host + "user-agent: me\nreferer: you\n\n", 200, telemetry.Client, "fin", 12, 0},
		{"POST /echo HTTP/1.1\n" + host + "user-agent: me\nreferer: you\ntransfer-encoding: chunked\n\n4\nbody\n0\n\n", 200, telemetry.Client, "fin", 4, 4},
		{"GET /error HTTP/1.1\n" + host + "user-agent: me\nreferer: you\n\n", 502, telemetry.Gateway, "error", 0, 0},
		{"GET /cut HTTP/1.1\n" + host + "user-agent: me\nreferer: you\n\n", 200, telemetry.Gateway, "error", 4, 0},
		{"POST /echo HTTP/1.1\n" + host + "user-agent: me\nreferer: you\ncontent-length: 10\n\nbody", 400, telemetry.Client, "truncated", 0, 4},
		{"POST /echo HTTP/1.1\n" + host + "user-agent: me\nreferer: you\ntransfer-encoding: chunked\n\nx", 400, telemetry.Client, "invalid", 0, 0},
	} {
		r := newRig(t)
		cl := r.client(r.Pipes(&h1.Server{Node: node("server"), Handler: webtest.Func(func(ctx context.Context, q *web.Request, x web.Served) error {
			if q.Path == "/cut" {
				x.Respond(&web.Response{Status: 200, Length: 10})
				io.WriteString(x, "half")
				x.Flush()
				return io.ErrNoProgress
			}
			return app(ctx, q, x)
		})}))
		cl.say(c.say)
		cl.CloseWrite()
		io.Copy(io.Discard, cl.Conn)
		cl.Close()
		got := r.record()
		if got.HTTP.Status != c.status || got.By != c.by || got.Reason != c.reason || got.Sent != c.sent || got.Received != c.got {
			t.Errorf("%.30q: got %d, %q %q (%s), %d sent, %d received", c.say, got.HTTP.Status, got.By, got.Reason, got.Err, got.Sent, got.Received)
		}
		if h := got.HTTP; got.Authority != "x" || h.Agent != "me" || h.Referer != "you" || h.Version != "HTTP/1.1" || h.Scheme != "http" || len(h.Trace) != 55 ||
			!strings.HasPrefix(c.say, h.Method+" "+h.Path+" ") {
			t.Errorf("got %+v", got)
		}
		r.done()
	}
}

// TestRecordsOfBackends is the same where it was the server.
func TestRecordsOfBackends(t *testing.T) {
	for _, c := range []struct {
		say    string
		status int
		reason string
	}{
		{"", 503, "truncated"}, {"garbage\n\n", 502, "invalid"}, {"HTTP/1.1 200 OK\ncontent-length: 10\n\nhalf", 200, "truncated"},
	} {
		r := newRig(t)
		d, back := r.relay((*webtest.Rig).Pipes, func(c2 conn.Conn, in *bufio.Reader, _ int) { request(in); say(c2, c.say) })
		cl := r.client(d)
		cl.say("GET / HTTP/1.1\n" + host + "\n")
		cl.CloseWrite()
		io.Copy(io.Discard, cl.Conn)
		if got := r.record(); got.HTTP.Status != c.status || got.By != telemetry.Server || got.Reason != c.reason || got.Target != "target" {
			t.Errorf("%q: got %d, %q %q (%s)", c.say, got.HTTP.Status, got.By, got.Reason, got.Err)
		}
		cl.Close()
		back.close()
		r.done()
	}
}

// TestFirstByte is when connections were answered on: not when somebody looked at them afterwards.
func TestFirstByte(t *testing.T) {
	const asks, thinks, stays = 300 * time.Millisecond, 70 * time.Millisecond, 5 * time.Second
	inBubble(t, func(t *testing.T, r *rig) {
		d, back := r.relay((*webtest.Rig).Pipes, func(c conn.Conn, in *bufio.Reader, _ int) {
			for request(in) != "" {
				time.Sleep(thinks)
				say(c, "HTTP/1.1 200 OK\ncontent-length: 2\n\nok")
			}
		})
		c := r.bubbleClient(d)
		for range 2 {
			time.Sleep(asks)
			c.say("GET / HTTP/1.1\n" + host + "\n")
			c.hear(ok("ok"))
		}
		time.Sleep(stays)
		c.Close()
		back.close()
		if got := r.connection("listener").FirstByte; got != asks+thinks {
			t.Errorf("the client's first byte is said to have come after %v, not %v", got, asks+thinks)
		}
		if got := r.connection("pool").FirstByte; got != thinks {
			t.Errorf("the server's first byte is said to have come after %v, not %v", got, thinks)
		}
	})
}

// TestFirstByteAtOnce is that it is known as soon as it was sent.
func TestFirstByteAtOnce(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		c := r.client(o.Of(r.Rig, &h1.Server{Node: node("server"), Handler: webtest.Func(app), Name: "S"}))
		known := func() (first time.Duration) {
			r.Host.Scopes(func(s *stream.Scope) { first = s.Record().FirstByte })
			return first
		}
		if got := known(); got != 0 {
			t.Errorf("%s: before it was asked, %v", o.Name, got)
		}
		c.ask(1)
		first := known()
		if first == 0 {
			t.Errorf("%s: it is not known", o.Name)
		}
		c.ask(busy)
		c.Close()
		if got := r.connection("listener").FirstByte; got != first {
			t.Errorf("%s: it was %v, then %v", o.Name, first, got)
		}
		r.done()
	}
}
