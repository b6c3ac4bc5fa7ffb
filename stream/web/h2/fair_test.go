package h2_test

import (
	"context"
	"math"
	"testing"

	"gozilla/stream/web"
	"gozilla/stream/web/webtest"
	wire "gozilla/wire/h2"
)

// endless answers without end, but for what app answers.
func endless(ctx context.Context, q *web.Request, x web.Served) error {
	if q.Path != "/endless" {
		return app(ctx, q, x)
	}
	x.Respond(&web.Response{Status: 200, Length: -1})
	for b := make([]byte, 20_000); ; {
		if _, err := x.Write(b); err != nil {
			return err
		}
	}
}

var wide = wire.Setting{ID: wire.InitialWindow, Value: 1<<31 - 1}

// TestTurns is streams that share the window of the connection, as it opens.
func TestTurns(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		h := r.greeted(o.Of(r.Rig, server(endless)), wide)
		const streams, frames = 3, 300
		for i := range uint32(streams) {
			h.say(get(2*i+1, "/endless"))
		}
		h.takes(65535, 16384)
		shares := map[uint32]int{}
		turn := func() {
			h.say(window(0, 10_000))
			for n := 10_000; n > 0; {
				f := h.await(wire.Data)
				n -= len(f.Payload)
				shares[f.Stream] += len(f.Payload)
			}
		}
		for len(shares) < streams { // not all have begun yet
			turn()
		}
		clear(shares)
		for range frames {
			turn()
		}
		for id, n := range shares {
			if fair := 10_000 * frames / streams; n < fair/4 || n > fair*2 { // who sends for others misses turns
				t.Errorf("%s: stream %d has got %d bytes of %d", o.Name, id, n, 10_000*frames)
			}
		}
		h.say(get(1001, "/204"))
		h.hear("1001 204 server=S")
		h.Close()
	}
}

// TestProgress is big answers side by side, with all windows wide open.
func TestProgress(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		h := r.greeted(o.Of(r.Rig, server(endless)), wide)
		h.say(window(0, 1<<30), get(1, "/endless"))
		h.await(wire.Data)
		h.say(get(3, "/endless"))
		for h.await(wire.Data).Stream != 3 { // it has come, and from then on both have their turns
		}
		got := map[uint32]int{}
		for all := 0; all < 8<<20; {
			f := h.await(wire.Data)
			got[f.Stream] += len(f.Payload)
			all += len(f.Payload)
		}
		if got[1] < 1<<20 || got[3] < 1<<20 { // of 8, however the goroutines are scheduled
			t.Errorf("%s: there came %v", o.Name, got)
		}
		h.Close()
	}
}

// TestOvertaking is a small answer next to big ones that are not read: it waits for no more than what was gathered. More comes
// while its goroutine is not given a processor, so the best of some counts.
func TestOvertaking(t *testing.T) {
	r := newRig(t)
	r.Rests()
	h := r.greeted(r.Pipes(server(endless)), wide)
	h.say(window(0, 1<<30), get(1, "/endless"), get(3, "/endless"))
	h.await(wire.Data)
	least := math.MaxInt
	for id := uint32(5); id < 15 && least > 1<<20; id += 2 {
		h.say(get(id, "/"))
		n := 0
		for {
			f, err := h.next()
			if err != nil {
				t.Fatal(err)
			}
			if f.Stream == id && f.Flags&wire.EndStream != 0 {
				break
			}
			n += f.Size
		}
		least = min(least, n)
	}
	if least > 1<<20 {
		t.Errorf("%d bytes came before it", least)
	}
	h.Close()
}

// TestStalled is streams whose windows are closed: they are in nobody's way.
func TestStalled(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		h := r.greeted(o.Of(r.Rig, server(endless)), wire.Setting{ID: wire.InitialWindow, Value: 1000})
		for i := range uint32(50) {
			h.say(get(2*i+1, "/endless"))
		}
		h.takes(50*1000, 1000)
		h.say(window(0, 1<<20), get(1001, "/big"), window(1001, 1<<20))
		h.takes(40_000, 16384)
		h.works(1003)
		h.Close()
	}
}
