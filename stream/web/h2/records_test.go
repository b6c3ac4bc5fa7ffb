package h2_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/stream/web/h2"
	"gozilla/stream/web/webtest"
	"gozilla/telemetry"
	wire "gozilla/wire/h2"
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
		return rec.Connection == 0 && rec.Path[0].Binding == node(at).String()
	})
}

// TestRecords is what is known of an exchange in the end.
func TestRecords(t *testing.T) {
	me := []string{"user-agent", "me", "referer", "you"}
	for _, c := range []struct {
		method, path string
		say          []byte
		hear         string // "" for nothing
		status       int
		by           telemetry.Side
		reason       string
		sent, got    int64
	}{
		{"GET", "/", get(1, "/", me...), "1" + ok("GET http x /"), 200, telemetry.Client, "fin", 12, 0},
		{"POST", "/echo", cat(post(1, "/echo", me...), last(1, "body")), "1" + ok("body"), 200, telemetry.Client, "fin", 4, 4},
		{"POST", "/unread", cat(post(1, "/unread", me...), data(1, "body")), "1" + ok("unread"), 200, telemetry.Client, "fin", 6, -1},
		{"GET", "/stream", get(1, "/stream", me...), "1 200 server=S|onetwotwotwotwo|x-sum=4", 200, telemetry.Client, "fin", 15, 0},
		{"GET", "/error", get(1, "/error", me...), "1 502 content-length=0 server=S", 502, telemetry.Gateway, "error", 0, 0},
		{"GET", "/cut", get(1, "/cut", me...), "1 200 content-length=10 server=S|half !INTERNAL_ERROR", 200, telemetry.Gateway, "error", 4, 0},
		{"GET", "/short", get(1, "/short", me...), "1 200 content-length=10 server=S|half !INTERNAL_ERROR", 200, telemetry.Gateway, "error", 4, 0},
		{"GET", "/wait", cat(get(1, "/wait", me...), reset(1, wire.Cancel)), "", 0, telemetry.Client, "rst", 0, 0},
		{"POST", "/echo", cat(post(1, "/echo", me...), data(1, "bo"), reset(1, wire.Cancel)), "", 0, telemetry.Client, "rst", 0, 2},
		{"POST", "/echo", cat(post(1, "/echo", append(me, "content-length", "4")...), last(1, "bo")), "1 !PROTOCOL_ERROR", 0, telemetry.Client, "invalid", 0, 2},
		{"GET", "x", get(1, "x", me...), "1 400 content-length=0 server=S", 400, telemetry.Client, "invalid", 0, 0},
	} {
		r := newRig(t)
		r.Rests()
		h := r.greeted(r.Pipes(server(waits)))
		h.say(c.say)
		if c.hear != "" {
			h.hear(c.hear)
		}
		got := r.record()
		if got.HTTP.Status != c.status || got.By != c.by || got.Reason != c.reason || got.Sent != c.sent || c.got >= 0 && got.Received != c.got {
			t.Errorf("%s: got %d, %q %q (%s), %d sent, %d received", c.path, got.HTTP.Status, got.By, got.Reason, got.Err, got.Sent, got.Received)
		}
		if h := got.HTTP; got.Authority != "x" || h.Agent != "me" || h.Referer != "you" || h.Version != "HTTP/2" || h.Scheme != "http" || len(h.Trace) != 55 ||
			h.Method != c.method || h.Path != c.path {
			t.Errorf("%s: got %+v", c.path, got)
		}
		h.Close()
	}
}

// TestRecordsOfNone is the record of what is no request: nothing of it is told but whose fault that was. Whoever is to know
// is told.
func TestRecordsOfNone(t *testing.T) {
	r := newRig(t)
	r.Rests()
	broken := make(chan error, 1)
	s := server(app)
	s.Broken = func(_ *stream.Scope, err error) { broken <- err }
	d := r.Pipes(s)
	h := r.greeted(d)
	h.say(heads(1, wire.EndStream, ask("GET", "/", "A", "b")))
	h.hear("1 !PROTOCOL_ERROR")
	if got := r.record(); got.By != telemetry.Client || got.Reason != "invalid" || got.HTTP.Method != "" || got.HTTP.Status != 0 {
		t.Errorf("got %+v", got)
	}
	if err := <-broken; !strings.Contains(err.Error(), "lower case") {
		t.Errorf("what is told is %v", err)
	}
	h.say(get(3, "x"))
	h.hear("3 400 content-length=0 server=S")
	if err := <-broken; !strings.Contains(err.Error(), ":path") {
		t.Errorf("what is told is %v", err)
	}
	h.say(long(5, wire.EndStream, fields(":scheme", "http"))) // of a request that is too long, nothing of others is told
	h.hear("5 431 content-length=0 server=S")
	<-broken
	got := r.RecordOf(func(rec *telemetry.Record) bool { return rec.HTTP.Status == 431 })
	if got.HTTP.Path != "" || got.Authority != "" {
		t.Errorf("got %+v", got)
	}
	h.say(data(7, "x"))
	h.hear("goaway 5 PROTOCOL_ERROR")
	if err := <-broken; !strings.Contains(err.Error(), "nobody has begun") {
		t.Errorf("what is told is %v", err)
	}
	h.ends("fin")
	if got := r.connection("listener"); got.By != telemetry.Client || got.Reason != "invalid" || !strings.Contains(got.Err, "nobody has begun") {
		t.Errorf("got %+v", got)
	}
}

// TestRecordsOfConnections is what is known of a connection in the end: how it ended, and the bytes of it.
func TestRecordsOfConnections(t *testing.T) {
	for _, o := range webtest.Over {
		for _, c := range []struct {
			name string
			ends func(h *hand)
			by   telemetry.Side
			why  string
		}{
			{"ended", func(h *hand) { h.CloseWrite() }, telemetry.Client, "fin"},
			{"with a goaway", func(h *hand) { h.say(wire.AppendGoAway(nil, 0, wire.NoError, "")); h.CloseWrite() }, telemetry.Client, "fin"},
			{"at work", func(h *hand) { h.say(get(9, "/wait")); h.settled(); h.CloseWrite() }, telemetry.Client, "gone"},
		} {
			t.Run(o.Name+" "+c.name, func(t *testing.T) {
				r := newRig(t)
				r.Rests()
				h := r.greeted(o.Of(r.Rig, server(waits)))
				h.works(1)
				c.ends(h)
				got, err := h.event()
				for err == nil {
					got, err = h.event()
				}
				h.Close()
				rec := r.connection("listener")
				if rec.By != c.by || rec.Reason != c.why {
					t.Errorf("got %q %q (%s), and heard %q", rec.By, rec.Reason, rec.Err, got)
				}
				if rec.Received != h.told || rec.Sent != h.heard {
					t.Errorf("%d bytes were received of %d, %d sent of %d", rec.Received, h.told, rec.Sent, h.heard)
				}
			})
		}
	}
}

// TestRecordsOfBackends is the record of an exchange whose server did not do as it should.
func TestRecordsOfBackends(t *testing.T) {
	for _, c := range []struct {
		say    []byte
		status int
		by     telemetry.Side
		reason string
	}{
		{whole("204"), 204, telemetry.Client, "fin"},
		{reset(1, wire.InternalError), 503, telemetry.Server, "rst"},
		{heads(1, wire.EndStream, nil), 502, telemetry.Server, "invalid"},
		{cat(answer("200", "content-length", "10"), data(1, "half"), reset(1, wire.InternalError)), 200, telemetry.Server, "rst"},
		{cat(answer("200", "content-length", "10"), last(1, "half")), 200, telemetry.Server, "invalid"},
		{cat(answer("200", "content-length", "10"), data(1, "half"), data(0, "")), 200, telemetry.Server, "invalid"},
	} {
		r := newRig(t)
		r.Rests()
		b := r.backend(false)
		h := r.greeted(r.Pipes(&h2.Server{Node: node("front"), Handler: web.Dialing(b), Name: "S"}))
		h.say(get(1, "/"))
		far := b.accept()
		far.await(wire.Headers)
		far.say(c.say)
		if _, err := h.event(); err != nil {
			t.Fatal(err)
		}
		if got := r.record(); got.HTTP.Status != c.status || got.By != c.by || got.Reason != c.reason || got.Target != "target" {
			t.Errorf("got %d, %q %q (%s) of %q", got.HTTP.Status, got.By, got.Reason, got.Err, got.Target)
		}
		far.Close()
		h.Close()
	}
}

// TestFirstByte is when exchanges and their connections were answered.
func TestFirstByte(t *testing.T) {
	const asks, thinks, stays = 300 * time.Millisecond, 70 * time.Millisecond, 5 * time.Second
	inBubble(t, func(t *testing.T, r *rig) {
		h := r.patient(r.Pipes(server(func(_ context.Context, _ *web.Request, x web.Served) error {
			time.Sleep(thinks)
			x.Respond(&web.Response{Status: 200, Length: -1})
			io.WriteString(x, "one")
			x.Flush()
			time.Sleep(stays)
			return nil
		})))
		time.Sleep(asks)
		h.say(get(1, "/"))
		h.hear("1 200 server=S|one")
		if got := r.record(); got.FirstByte != thinks || got.Duration != thinks+stays {
			t.Errorf("the first byte is said to have come after %v, all after %v", got.FirstByte, got.Duration)
		}
		h.Close()
	})
}
