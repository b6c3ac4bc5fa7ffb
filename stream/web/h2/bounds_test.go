package h2_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/stream/web/webtest"
	wire "gozilla/wire/h2"
)

// TestUnread is bodies that nobody reads: each stream has its window, and others are served.
func TestUnread(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		proceed := make(chan struct{})
		h := r.greeted(o.Of(r.Rig, server(later(proceed))))
		const streams = 50
		first := h.await(wire.Window) // of the connection
		left := wire.WindowSize + int(first.Number)
		for i := range uint32(streams) {
			id := 2*i + 1
			h.say(post(id, "/later"))
			for n := 65535; n > 0; {
				m := min(n, 16384, left)
				if m == 0 {
					left += int(h.await(wire.Window).Number)
					continue
				}
				h.say(data(id, strings.Repeat("x", m)))
				n, left = n-m, left-m
			}
		}
		h.works(1001)
		if held := r.Host.Bodies.Load(); held < streams*65535 || held > streams*66000 { // heads are held, too
			t.Errorf("%s: %d bytes are held", o.Name, held)
		}
		h.say(data(1, "x")) // which its window does not allow
		h.hear("1 !FLOW_CONTROL_ERROR")
		close(proceed)
		for i := range uint32(streams - 1) {
			h.say(last(2*i+3, ""))
		}
		for range streams - 1 {
			if got, err := h.event(); !strings.HasSuffix(got, "|65535") {
				t.Fatalf("%s: heard %q, %v", o.Name, got, err)
			}
		}
		h.Close()
	}
}

// later reads at /later when it may, and says how much that was.
func later(proceed chan struct{}) webtest.Func {
	return func(ctx context.Context, q *web.Request, x web.Served) error {
		if q.Path != "/later" {
			return app(ctx, q, x)
		}
		select {
		case <-proceed:
		case <-ctx.Done():
		}
		n, err := io.Copy(io.Discard, x)
		if err != nil {
			return err
		}
		return web.Reply(x, 200, nil, []byte(itoa(int(n))))
	}
}

// TestFirstWindows is what streams are said to have at the beginning, by the limits.
func TestFirstWindows(t *testing.T) {
	for _, c := range []struct {
		streams, window int
		initial, grows  uint32 // by which that of the connection grows at once
	}{
		{100, 16 << 20, 65535, 1<<20 - 65535}, {100, 100_000, 1000, 100_000 - 65535}, {4, 65535, 16383, 0}, {10, 1, 1, 0},
	} {
		r := newRig(t)
		r.Rests()
		r.Host.Limits.Streams, r.Host.Limits.Window = stream.Count(c.streams), stream.Count(c.window)
		h := r.greeted(r.Pipes(server(app)))
		f := h.await(wire.Settings)
		for p := f.Payload; len(p) > 0; {
			var s wire.Setting
			s, p, _ = wire.NextSetting(p)
			if s.ID == wire.InitialWindow && s.Value != c.initial {
				t.Errorf("%+v: the window is %d", c, s.Value)
			}
		}
		if c.grows > 0 {
			if f := h.await(wire.Window); f.Stream != 0 || f.Number != c.grows {
				t.Errorf("%+v: that of the connection grows by %d", c, f.Number)
			}
		}
		h.say(post(1, "/echo"))
		h.say(data(1, "x"), last(1, ""))
		h.hear("1" + ok("x"))
		h.Close()
	}
}

// TestBodies is the bound on what all connections hold: one that goes on beyond it is ended, others are not.
func TestBodies(t *testing.T) {
	r := newRig(t)
	r.Rests()
	r.Host.Limits.Bodies = 100_000
	proceed := make(chan struct{})
	d := r.TCP(server(later(proceed)))
	one, two := r.greeted(d), r.greeted(d)
	for _, h := range []*hand{one, two} {
		h.say(post(1, "/later"), bulk(1, 60_000), ping("12345678"))
		h.hear("pong 12345678")
	}
	if held := r.Host.Bodies.Load(); held < 120_000 || held > 121_000 { // heads are held, too
		t.Errorf("%d bytes are held", held)
	}
	two.say(post(3, "/later"), bulk(3, 10_000))
	two.hear("goaway 3 ENHANCE_YOUR_CALM")
	two.ends("fin")
	close(proceed)
	one.say(last(1, ""))
	one.hear("1" + ok("60000"))
	one.Close()
}

// TestGrowth is windows of streams that are read as fast as they come: they grow, within the limits.
func TestGrowth(t *testing.T) {
	for _, c := range []struct {
		window int
		most   int // bytes of both streams that may be on their way
		grows  bool
	}{
		{16 << 20, 8 << 20, true},
		{100*65535 + 500_000, 500_000 + 2*65535, true},
		{100 * 65535, 2 * 65535, false},
	} {
		r := newRig(t)
		r.Rests()
		r.Host.Limits.Window = stream.Count(c.window)
		proceed := make(chan struct{})
		close(proceed)
		h := r.greeted(r.TCP(server(later(proceed))))
		windows := map[uint32]int{0: 65535, 1: 65535, 3: 65535}
		widest := 2 * 65535
		update := func(f wire.Frame) {
			if f.Type == wire.Window {
				windows[f.Stream] += int(f.Number)
				widest = max(widest, windows[1]+windows[3])
			}
		}
		h.say(post(1, "/later"), post(3, "/later"))
		for sent := 0; sent < 30<<20 && (sent < 4<<20 || c.grows && widest == 2*65535); {
			id := uint32(1)
			if windows[3] > windows[1] {
				id = 3
			}
			n := min(windows[id], windows[0], 16384)
			if n == 0 {
				f, err := h.next()
				if err != nil {
					t.Fatal(err)
				}
				update(f)
				continue
			}
			h.say(data(id, strings.Repeat("x", n)))
			windows[0], windows[id], sent = windows[0]-n, windows[id]-n, sent+n
		}
		if widest > c.most || c.grows != (widest > 2*65535) {
			t.Errorf("%+v: the windows were %d wide", c, widest)
		}
		h.say(last(1, ""), last(3, ""))
		for range 2 {
			if got, err := h.event(); !strings.Contains(got, " 200 ") {
				t.Errorf("heard %q, %v", got, err)
			}
		}
		h.Close()
	}
}

// TestGivenBack is that the window of the connection is given back at once when nobody will read what waits.
func TestGivenBack(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.Host.Limits.Window, r.Host.Limits.Streams, r.Host.Limits.Bodies = 65535, 1, 1
		proceed := make(chan struct{})
		h := r.patient(r.Pipes(server(func(ctx context.Context, q *web.Request, x web.Served) error {
			<-proceed
			return app(ctx, q, x)
		})))
		h.say(post(1, "/unread"), bulk(1, 60_000))
		synctest.Wait()
		began := time.Now()
		close(proceed)
		h.hear("1" + ok("unread"))
		if f := h.await(wire.Window); f.Stream != 0 || f.Number != 60_000 {
			t.Errorf("the window of %d is opened by %d", f.Stream, f.Number)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v", took)
		}
		h.Close()
	})
}

// TestHeldByNone is bodies of streams that were reset, of whose handlers nobody has read them: they count, and the window of the
// connection closes over them.
func TestHeldByNone(t *testing.T) {
	r := newRig(t)
	r.Rests()
	r.Host.Limits.Streams, r.Host.Limits.Window = 10, 10*65535
	proceed := make(chan struct{})
	h := r.greeted(r.TCP(server(func(ctx context.Context, q *web.Request, x web.Served) error {
		if q.Path == "/later" {
			<-proceed
			return io.EOF
		}
		return app(ctx, q, x)
	})))
	left, id, asked := 65535, uint32(1), ""
	for closed := false; !closed && id < 1000; { // all that the window of the connection allows
		if left >= 50_000 {
			h.say(post(id, "/later"), bulk(id, 50_000), reset(id, wire.Cancel))
			left, id, asked = left-50_000, id+2, ""
			continue
		}
		if asked == "" {
			asked = "more" + itoa(1000+int(id))
			h.say(ping(asked))
		}
		f, err := h.next()
		if err != nil {
			t.Fatal(err)
		}
		switch f.Type {
		case wire.Window:
			left += int(f.Number)
		case wire.Ping:
			closed = string(f.Payload) == asked
		}
	}
	if held := r.Host.Bodies.Load(); held > 2*10*65535 || held < 10*50_000 {
		t.Errorf("%d bytes are held, of %d streams", held, id/2)
	}
	close(proceed)
	for left < 50_000 {
		left += int(h.await(wire.Window).Number)
	}
	h.works(1001)
	h.Close()
}

// TestUnseenSettings is windows smaller than those of RFC 9113, which count once the client has seen that.
func TestUnseenSettings(t *testing.T) {
	r := newRig(t)
	r.Rests()
	r.Host.Limits.Window, r.Host.Limits.Streams = 100_000, 100
	proceed := make(chan struct{})
	h := r.greeted(r.Pipes(server(later(proceed))))
	h.say(post(1, "/later"), bulk(1, 60_000), ping("12345678"))
	h.hear("pong 12345678")
	h.say(wire.AppendSettingsAck(nil), post(3, "/later"), data(3, strings.Repeat("x", 1001)))
	h.hear("3 !FLOW_CONTROL_ERROR")
	close(proceed)
	h.say(last(1, ""))
	h.hear("1" + ok("60000"))
	h.say(post(5, "/echo"), data(5, strings.Repeat("x", 1000)), last(5, ""))
	h.hear("5" + ok(strings.Repeat("x", 1000)))
	h.Close()
}
