package cli

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func percent() int {
	p := debug.SetGCPercent(100)
	debug.SetGCPercent(p)
	return p
}

func TestHeapGrowsWhileItIsBusy(t *testing.T) {
	h := &heap{}
	defer h.end()
	h.await()
	for limit := time.Now().Add(10 * time.Second); percent() == 100 && time.Now().Before(limit); {
		runtime.GC() // the finalizer runs on a goroutine of its own
	}
	if p := percent(); p <= 100 {
		t.Fatalf("after many collections the heap is collected at %d %%", p)
	}
	h.restore()
	if p := percent(); p != 100 {
		t.Errorf("once it is quiet the heap is collected at %d %%", p)
	}
}

func TestWatchHeapEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { watchHeap(ctx); close(ended) }()
	cancel()
	<-ended
	if p := percent(); p != 100 {
		t.Errorf("afterwards the heap is collected at %d %%", p)
	}
}
