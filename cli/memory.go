package cli

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// quietEvery is how often it is looked whether a burst is over.
	quietEvery = 2 * time.Second
	// quietBytes is what is allocated at most in that time while nothing much happens.
	quietBytes = 2 << 20
	// busyCycles collections within busyTime are too many. A small heap is soon full again, and each collection looks at
	// everything that lives: at 60,000 requests a second that is a twentieth of the work.
	busyCycles = 8
	busyTime   = time.Second
	// busyHeap is how large the heap may be at least, while it is busy, before it is collected.
	busyHeap = 64 << 20
)

// A heap fits the collector to what the process does. Under a steady load it lets the heap grow larger than Go would. Once
// a burst is over it gives memory back to the system, which the runtime does minutes later: an idle connection then costs
// what it holds, not what its beginning took.
type heap struct {
	mu     sync.Mutex
	cycles [busyCycles]time.Time // when the last collections were
	next   int
	large  bool // busyHeap holds
	over   bool
}

// watchHeap is the goroutine that looks whether a burst is over. It ends with ctx.
func watchHeap(ctx context.Context) {
	h := &heap{}
	if os.Getenv("GOGC") == "" {
		h.await()
	}
	defer h.end()
	tick := time.NewTicker(quietEvery)
	defer tick.Stop()
	last, busy := allocated(), true
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := allocated()
		if now-last > quietBytes {
			busy = true
		} else if busy {
			busy = false
			h.restore()
			runtime.GC() // each collection halves the stacks that have become too large
			debug.FreeOSMemory()
		}
		last = now
	}
}

// await has collected called after the next collection.
func (h *heap) await() {
	sentinel := new(*heap) // of some size, so that it is not part of something that lives on
	runtime.SetFinalizer(sentinel, func(**heap) { h.collected() })
}

// collected lets the heap grow when it was collected too often.
func (h *heap) collected() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return
	}
	defer h.await()
	now := time.Now()
	first := h.cycles[h.next]
	h.cycles[h.next] = now
	h.next = (h.next + 1) % len(h.cycles)
	if h.large || now.Sub(first) > busyTime {
		return
	}
	if percent := busyHeap / max(live(), 1) * 100; percent > 100 {
		h.large = true
		debug.SetGCPercent(int(percent))
	}
}

// restore undoes what collected has done.
func (h *heap) restore() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.large {
		h.large = false
		debug.SetGCPercent(100)
	}
}

func (h *heap) end() {
	h.restore()
	h.mu.Lock()
	h.over = true
	h.mu.Unlock()
}

// allocated is how many bytes were ever allocated, live how many were alive after the last collection.
func allocated() uint64 { return read("/gc/heap/allocs:bytes") }
func live() uint64      { return read("/gc/heap/live:bytes") }

func read(name string) uint64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
