package cli

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// leanEvery is how often it is looked whether a burst is over.
	leanEvery = time.Second
	// quietBytes is what is allocated at most in that time while nothing much happens.
	quietBytes = 1 << 20
)

// keepLean is the goroutine that gives memory back to the system once a burst of connections is over, which the runtime
// does minutes later: an idle connection then costs what it holds, not what its beginning took. While there is work it
// does nothing. It ends with ctx.
func keepLean(ctx context.Context) {
	tick := time.NewTicker(leanEvery)
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
			debug.FreeOSMemory()
		}
		last = now
	}
}

// allocated is how many bytes were ever allocated.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
