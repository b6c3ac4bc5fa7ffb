package ws_test

import (
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/wire/websocket"
)

// TestBombs are peers that announce much, or send little that becomes much. What the gateway holds meanwhile is bounded.
func TestBombs(t *testing.T) {
	const most = 256 << 10
	count := 20
	if raceEnabled {
		count = 4
	}
	g := gwtest.Start(t, echoing, gwtest.Limits(func(l *stream.Limits) { l.Message = most }))
	small := packed(strings.Repeat("\x00", 16*most))
	for _, c := range []struct {
		name    string
		deflate bool
		sends   []frame
		code    websocket.Code // 0: they wait for more
	}{
		{"a frame that never comes", false, []frame{{op: binary, form: 8, says: most}}, 0},
		{"a frame that begins", false, []frame{{op: binary, form: 8, says: most, data: "x"}}, 0},
		{"a compressed frame that never comes", true, []frame{{op: binary, rsv: 4, form: 8, says: most}}, 0},
		{"half a header", false, []frame{{op: binary, more: true}, {op: ping}}, 0},
		{"a frame that is too long", false, []frame{{op: binary, form: 8, says: most + 1}}, websocket.TooBig},
		{"fragments that are too long together", false, pieces(binary, noise(most+1), every(most, 1<<16)...), websocket.TooBig},
		{"a bomb", true, []frame{{op: binary, rsv: 4, data: small}}, websocket.TooBig},
		{"a bomb of text", true, []frame{{op: text, rsv: 4, data: small}}, websocket.TooBig},
		{"a bomb in fragments", true, begun(pieces(binary, small, every(len(small), 100)...)), websocket.TooBig},
		{"a bomb of last blocks", true, []frame{{op: binary, rsv: 4, data: strings.Repeat("\x03\x00", 1<<14)}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := heap()
			var all sync.WaitGroup
			for range count {
				p := opens(t, g, "/", offers(c.deflate)...)
				if c.code == 0 {
					p.say(0, c.sends...)
					t.Cleanup(func() { p.finish() })
					continue
				}
				all.Go(func() { p.say(0, c.sends...) })
				all.Go(func() {
					defer p.finish()
					for {
						h, payload, err := p.frame()
						if err != nil {
							t.Error(err)
							return
						}
						if h.Opcode != bye {
							continue
						}
						if code, _, _ := websocket.ParseClose(payload); code != c.code {
							t.Errorf("the code is %d", code)
						}
						return
					}
				})
			}
			all.Wait()
			if c.code == 0 {
				time.Sleep(20 * time.Millisecond) // all has been looked at, mostly
			}
			if after := heap(); after > before+uint64(count)*200<<10+4<<20 {
				t.Errorf("the heap has grown by %d KiB", (after-before)>>10)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // for what pools have kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestHalfOpen is a client that is gone without a goodbye, in each state: the gateway forgets it.
func TestHalfOpen(t *testing.T) {
	g := gwtest.Start(t, echoing)
	for _, sends := range [][]frame{nil, {{op: text, data: "hello"}}, {{op: text, more: true, data: "hello"}}, {{op: binary, form: 8, says: 1 << 20, data: noise(50000)}}} {
		for _, reset := range []bool{false, true} {
			p := opens(t, g, "/")
			p.say(0, sends...)
			if c := p.rw.(tcpEnd).Conn; reset {
				c.Close() // with what was not read, if anything was
			} else {
				p.finish()
				io.Copy(io.Discard, c)
			}
		}
	}
	g.AwaitIdle()
}
