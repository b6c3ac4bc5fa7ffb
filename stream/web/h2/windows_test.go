package h2_test

import (
	"strings"
	"testing"

	"gozilla/stream/web/webtest"
	wire "gozilla/wire/h2"
)

// takes counts what comes of bodies until there is n of them, in frames that are no longer than most, and nothing more until a
// PING is answered.
func (h *hand) takes(n, most int) (of map[uint32]int) {
	h.Helper()
	of = map[uint32]int{}
	asked := false
	for all := 0; ; {
		if all == n && !asked {
			h.say(ping("nothing?"))
			asked = true
		}
		f, err := h.next()
		switch {
		case err != nil:
			h.Fatalf("%d bytes have come of %d: %v", all, n, err)
		case f.Type == wire.Ping && asked:
			return of
		case f.Type == wire.Data:
			all += len(f.Payload)
			of[f.Stream] += len(f.Payload)
			if all > n || len(f.Payload) > most {
				h.Fatalf("%d bytes have come, %d in a frame", all, len(f.Payload))
			}
		}
	}
}

// TestWindows has windows opened and closed by the client while bodies are sent.
func TestWindows(t *testing.T) {
	const size = 40_000 // of /big
	initial := func(n uint32) wire.Setting { return wire.Setting{ID: wire.InitialWindow, Value: n} }
	for _, o := range webtest.Over {
		t.Run(o.Name, func(t *testing.T) {
			r := newRig(t)
			r.Rests()
			d := o.Of(r.Rig, server(app))

			h := r.greeted(d, initial(0))
			h.say(get(1, "/big"))
			h.takes(0, 0)
			h.say(window(1, 1))
			h.takes(1, 1)
			h.say(settings(initial(10_000)))
			h.takes(10_000, 16384)
			h.say(settings(initial(5_000))) // it is -5,000 now
			h.takes(0, 0)
			h.say(window(1, 5_000)) // 0
			h.takes(0, 0)
			h.say(window(1, 1))
			h.takes(1, 1)
			h.say(settings(initial(0)), window(1, 4_999)) // -1
			h.takes(0, 0)
			h.say(settings(initial(1))) // 0
			h.takes(0, 0)
			h.say(settings(initial(1000))) // 999
			h.takes(999, 16384)
			h.say(window(1, 1<<30))
			h.takes(size-10_002-999, 16384)
			h.works(3)
			h.Close()

			h = r.greeted(d, initial(1<<31-1)) // that of the connection is the bottleneck
			h.say(get(1, "/big"), get(3, "/big"))
			got := h.takes(65535, 16384)
			if got[1] == 0 || got[3] == 0 {
				t.Errorf("of the streams there came %v", got)
			}
			h.say(get(5, "/204")) // needs none
			h.hear("5 204 server=S")
			h.say(window(0, 1))
			h.takes(1, 1)
			h.say(window(0, 1<<20))
			h.takes(2*size-65536, 16384)
			h.works(7)
			h.Close()

			h = r.greeted(d, wire.Setting{ID: wire.MaxFrameSize, Value: 1 << 20})
			h.say(get(1, "/big"))
			h.takes(size, 32<<10)
			h.Close()
		})
	}
}

// TestLastWindow is a window that is opened in the same moment as the stream is reset, and one of a stream that has nothing left to send.
func TestLastWindow(t *testing.T) {
	r := newRig(t)
	r.Rests()
	h := r.greeted(r.Pipes(server(app)), wire.Setting{ID: wire.InitialWindow, Value: 0})
	h.say(get(1, "/big"))
	h.takes(0, 0)
	h.say(window(1, 1000), reset(1, wire.Cancel))
	h.say(get(3, "/204"), window(3, 1))
	h.hear("3 204 server=S")
	h.say(window(1, 1), window(3, 1), settings(wire.Setting{ID: wire.InitialWindow, Value: 65535}))
	h.works(5)
	h.Close()
}

// TestLongHeads is heads that do not fit into a frame.
func TestLongHeads(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		h := r.greeted(o.Of(r.Rig, server(app)))
		value := strings.Repeat("v", 40_000)
		h.say(wire.EndBlock(append(wire.BeginBlock(nil), ask("POST", "/echo")...), 0, 1, 0, wire.FrameSize), data(1, "body"),
			wire.EndBlock(append(wire.BeginBlock(nil), fields("x", value)...), 0, 1, wire.EndStream, wire.FrameSize))
		h.hear("1 200 x=" + value + " content-length=4 server=S|body")
		h.works(3)
		h.Close()
	}
}
