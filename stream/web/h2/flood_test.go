package h2_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gozilla/stream/conn"
	"gozilla/stream/web"
	wire "gozilla/wire/h2"
)

// pour says the same again and again, until it is told not to or nobody listens any more. It goes on while the answers are
// read, and gives what was heard in the end: the GOAWAY. n is how often it was said, at the most.
func (h *hand) pour(times int, piece func(i int) []byte) (last string) {
	h.Helper()
	poured := make(chan struct{})
	go func() { // ends with what is said, or with the connection
		defer close(poured)
		var b []byte
		for i := range times {
			if b = append(b, piece(i)...); len(b) > 16<<10 || i == times-1 {
				if _, err := h.Write(b); err != nil {
					return
				}
				b = b[:0]
			}
		}
	}()
	for {
		got, err := h.event()
		if strings.HasPrefix(got, "goaway") {
			last = got
			break
		}
		if err != nil {
			h.Fatalf("there is no GOAWAY: %v", err)
		}
	}
	conn.Abort(h.Conn)
	<-poured
	return last
}

// TestFloods is clients that make the server work to no purpose.
func TestFloods(t *testing.T) {
	id := func(i int) uint32 { return uint32(2*i + 3) }
	for _, c := range []struct {
		name  string
		times int // which is enough
		piece func(i int) []byte
	}{
		{"rapid reset", 5000, func(i int) []byte { return cat(get(id(i), "/wait"), reset(id(i), wire.Cancel)) }},
		{"rapid reset of bodies", 5000, func(i int) []byte { return cat(post(id(i), "/echo"), data(id(i), "x"), reset(id(i), wire.Cancel)) }},
		{"malformed requests", 5000, func(i int) []byte { return heads(id(i), wire.EndStream, fields("a", "b")) }},
		{"resets that the server has to make", 5000, func(i int) []byte { return cat(get(id(i), "/wait"), window(id(i), 0)) }},
		{"windows that are too large", 5000, func(i int) []byte { return cat(get(id(i), "/wait"), window(id(i), 1<<31-1)) }},
		{"DATA behind the end", 5000, func(i int) []byte { return cat(get(id(i), "/wait"), data(id(i), "x")) }},
		{"streams beyond the limit", 5000, func(i int) []byte { return post(id(i), "/wait") }},
		{"ping", 50_000, func(i int) []byte { return ping("12345678") }},
		{"pong", 50_000, func(i int) []byte { return pong("12345678") }},
		{"settings", 50_000, func(i int) []byte { return settings() }},
		{"more settings", 50_000, func(i int) []byte {
			return settings(wire.Setting{ID: wire.InitialWindow, Value: uint32(i)}, wire.Setting{ID: 99, Value: 1})
		}},
		{"acknowledgements", 50_000, func(i int) []byte { return wire.AppendSettingsAck(nil) }},
		{"priority", 50_000, func(i int) []byte { return wire.AppendPriority(nil, 1, 5, 1, false) }},
		{"priority of idle streams", 50_000, func(i int) []byte { return wire.AppendPriority(nil, id(i), 1, 1, false) }},
		{"windows of the connection", 50_000, func(i int) []byte { return window(0, 1) }},
		{"windows of a stream", 50_000, func(i int) []byte { return window(1, 1) }},
		{"empty DATA", 50_000, func(i int) []byte { return data(1, "") }},
		{"padding", 50_000, func(i int) []byte { return frame(wire.Data, wire.Padded, 1, []byte{0}) }},
		{"unknown frames", 50_000, func(i int) []byte { return frame(0x42, 0, 1, nil) }},
		{"goaway", 50_000, func(i int) []byte { return wire.AppendGoAway(nil, 0, wire.NoError, "") }},
		{"resets of what is over", 50_000, func(i int) []byte {
			if i == 0 {
				return cat(get(3, "/wait"), reset(3, wire.Cancel))
			}
			return reset(3, wire.Cancel)
		}},
		{"DATA of what is over", 50_000, func(i int) []byte {
			if i == 0 {
				return cat(post(3, "/wait"), reset(3, wire.Cancel))
			}
			return data(3, "")
		}},
		{"empty CONTINUATION", 5000, func(i int) []byte {
			if i == 0 {
				return frame(wire.Headers, 0, 3, nil)
			}
			return frame(wire.Continuation, 0, 3, nil)
		}},
		{"a block without end", 5000, func(i int) []byte {
			if i == 0 {
				return frame(wire.Headers, 0, 3, nil)
			}
			return frame(wire.Continuation, 0, 3, repeat(1000, literal("a", strings.Repeat("b", 10))))
		}},
		{"a string without end", 5000, func(i int) []byte {
			if i == 0 {
				return frame(wire.Headers, 0, 3, []byte{0x40, 1, 'a', 0x7f, 0xff, 0xff, 0xff, 0x7f})
			}
			return frame(wire.Continuation, 0, 3, make([]byte, 1000))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.Rests()
			var running, most atomic.Int64
			d := r.TCP(server(func(ctx context.Context, q *web.Request, x web.Served) error {
				n := running.Add(1)
				defer running.Add(-1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				return waits(ctx, q, x)
			}))
			h := r.greeted(d)
			h.say(post(1, "/wait"))
			if got := h.pour(c.times, c.piece); !strings.HasSuffix(got, "ENHANCE_YOUR_CALM") && !(strings.Contains(c.name, "string") && strings.HasSuffix(got, "COMPRESSION_ERROR")) {
				t.Errorf("heard %q", got)
			}
			if n := most.Load(); n > 3*int64(r.Host.Limits.Streams)+1 {
				t.Errorf("%d handlers ran at a time", n)
			}
			h = r.greeted(d)
			h.works(1)
			h.Close()
		})
	}
}

// TestFloodsOfHandlers is rapid reset of handlers that do not notice: others are refused, and few run.
func TestFloodsOfHandlers(t *testing.T) {
	r := newRig(t)
	r.Rests()
	r.Host.Limits.Streams = 10
	var running, most atomic.Int64
	proceed := make(chan struct{})
	h := r.greeted(r.TCP(server(func(ctx context.Context, q *web.Request, x web.Served) error {
		n := running.Add(1)
		defer running.Add(-1)
		most.Store(max(n, most.Load()))
		<-proceed
		return app(ctx, q, x)
	})))
	for i := range uint32(100) {
		h.say(get(2*i+1, "/"), reset(2*i+1, wire.Cancel))
	}
	for i := range 80 { // not before the server has as many that it looks after as it wants
		if got, err := h.event(); !strings.HasSuffix(got, "!REFUSED_STREAM") {
			t.Fatalf("%d: heard %q, %v", i, got, err)
		}
	}
	close(proceed)
	for i := uint32(0); ; i++ { // until places are free again
		h.say(get(201+2*i, "/"))
		got, err := h.event()
		if err != nil || i > 500 {
			t.Fatalf("heard %q, %v", got, err)
		}
		if strings.Contains(got, " 200 ") {
			break
		}
	}
	if n := most.Load(); n > 30 {
		t.Errorf("%d handlers ran at a time", n)
	}
	h.Close()
}

// TestBomb is blocks of few bytes that stand for many: of most of what is in them nothing is kept, also while windows are closed.
func TestBomb(t *testing.T) {
	r := newRig(t)
	r.Rests()
	h := r.greeted(r.TCP(server(app)), wire.Setting{ID: wire.InitialWindow, Value: 0})
	h.say(heads(1, wire.EndStream, cat(ask("GET", "/204"), []byte{0x40, 1, 'a', 0x7f, 0xa1, 0x1e}, []byte(strings.Repeat("b", 4000)))))
	h.hear("1 204 server=S")
	bomb := cat(ask("GET", "/big"), repeat(10_000, []byte{number62})) // 40 MB
	before := heap()
	for i := range uint32(50) {
		h.say(heads(3+2*i, wire.EndStream, bomb))
		h.hear(itoa(int(3+2*i)) + " 431 content-length=0 server=S")
	}
	small := cat(ask("GET", "/big"), repeat(15, []byte{number62}))
	for i := range uint32(100) {
		h.say(heads(1003+2*i, wire.EndStream, small))
	}
	h.say(ping("12345678"))
	h.hear("pong 12345678")
	if grown := heap() - before; grown > 20<<20 {
		t.Errorf("%d bytes more are in use", grown)
	}
	h.Close()
}

// TestNotReading is a client that makes the server answer and reads nothing: what is kept for it is bounded.
func TestNotReading(t *testing.T) {
	r := newRig(t)
	r.Rests()
	h := r.greeted(r.Pipes(server(app)), wire.Setting{ID: wire.InitialWindow, Value: 1 << 30})
	h.say(window(0, 1<<30))
	before := heap()
	var b []byte
	for i := range uint32(50_000) {
		b = append(b, get(2*i+1, "/")...)
		b = append(b, ping("12345678")...)
		if len(b) > 16<<10 {
			h.SetWriteDeadline(time.Now().Add(2 * time.Second))
			if _, err := h.Write(b); err != nil {
				break
			}
			b = b[:0]
		}
	}
	if grown := heap() - before; grown > 16<<20 {
		t.Errorf("%d bytes more are in use", grown)
	}
	conn.Abort(h.Conn)
}
