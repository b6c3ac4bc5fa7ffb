package stream_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"gozilla/stream"
)

func TestScopesOfAHost(t *testing.T) {
	r := newRig(t)
	open := map[uint64]*stream.Scope{}
	for range 50 {
		s := r.arrive()
		if open[s.ID()] != nil || s.ID() == 0 {
			t.Fatalf("the id %d was given twice, or says nothing", s.ID())
		}
		open[s.ID()] = s
	}
	for id, s := range open {
		if id%2 == 0 {
			s.End(nil)
			delete(open, id)
		}
	}
	seen := map[uint64]bool{}
	r.Scopes(func(s *stream.Scope) {
		if open[s.ID()] != s || seen[s.ID()] {
			t.Errorf("Scopes gives #%d, which has ended, or twice", s.ID())
		}
		seen[s.ID()] = true
		s.End(nil) // no lock is held
	})
	if len(seen) != len(open) || r.Open() != 0 {
		t.Errorf("Scopes gave %d of %d, and %d are open", len(seen), len(open), r.Open())
	}
}

func TestAwaitIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		if err := r.AwaitIdle(t.Context()); err != nil {
			t.Fatalf("nothing is open: %v", err)
		}
		r.arrive().End(nil) // leaves the news that nothing is open
		a, b := r.arrive(), r.arrive()
		idle := make(chan error, 1)
		go func() { idle <- r.AwaitIdle(t.Context()) }()
		synctest.Wait()
		a.End(nil)
		synctest.Wait()
		if len(idle) != 0 {
			t.Fatal("a scope is open still")
		}
		b.End(nil)
		synctest.Wait()
		if len(idle) != 1 || <-idle != nil {
			t.Error("the last has ended, and nobody noticed")
		}
	})
}

func TestAwaitIdleEndsWithItsContext(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errEnough)
	if err := r.AwaitIdle(ctx); !errors.Is(err, errEnough) {
		t.Errorf("the error is %v", err)
	}
	s.End(nil)
	if err := r.AwaitIdle(ctx); err != nil {
		t.Errorf("nothing is open: %v", err)
	}
}

// TestSeveralAwaitIdle is a stop that is asked for twice.
func TestSeveralAwaitIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := r.arrive()
		var back atomic.Int64
		for range 3 {
			go func() { r.AwaitIdle(context.WithoutCancel(t.Context())); back.Add(1) }()
		}
		synctest.Wait()
		s.End(nil)
		synctest.Wait()
		if n := back.Load(); n != 3 {
			t.Errorf("%d of 3 came back", n)
			for range 3 {
				r.arrive().End(nil) // lets the others go
				synctest.Wait()
			}
		}
	})
}

func TestSlotsAreGivenBack(t *testing.T) {
	slots := slotsOf(3)
	for range 3 {
		if !slots.Take() {
			t.Fatal("there are 3 slots")
		}
	}
	if slots.Take() || slots.Used() != 3 || slots.Refused() != 1 || slots.Max() != 3 {
		t.Errorf("used %d, refused %d, max %d", slots.Used(), slots.Refused(), slots.Max())
	}
	slots.Free()
	if !slots.Take() {
		t.Error("a slot that was given back is not there")
	}
}

// TestSlotsByMany wants never more to be in use than there are, as who holds them counts.
func TestSlotsByMany(t *testing.T) {
	slots := slotsOf(3)
	var held, refused, over atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if !slots.Take() {
					refused.Add(1)
					continue
				}
				if held.Add(1) > 3 {
					over.Add(1)
				}
				runtime.Gosched()
				held.Add(-1)
				slots.Free()
			}
		})
	}
	wg.Wait()
	if n := over.Load(); n > 0 {
		t.Errorf("more were in use than there are, %d times", n)
	}
	if slots.Used() != 0 || slots.Refused() != refused.Load() {
		t.Errorf("used %d, refused %d of %d", slots.Used(), slots.Refused(), refused.Load())
	}
}

// TestSlotsThatAreRefused wants who is refused never to be counted as one who holds a slot: it would keep others away.
func TestSlotsThatAreRefused(t *testing.T) {
	slots := slotsOf(1)
	slots.Take()
	var wg sync.WaitGroup
	over := make(chan struct{})
	wg.Go(func() {
		defer close(over)
		for range 100_000 {
			slots.Take()
		}
	})
	for done := false; !done; {
		select {
		case <-over:
			done = true
		default:
			if n := slots.Used(); n != 1 {
				t.Fatalf("%d slots are in use", n)
			}
		}
	}
	wg.Wait()
}

func slotsOf(n stream.Count) *stream.Slots {
	limits := stream.DefaultLimits()
	limits.Connections = n
	return &stream.NewHost(limits, nil).Connections
}

func TestScopeByID(t *testing.T) {
	r := newRig(t)
	a, b := r.arrive(), r.arrive()
	child := a.Child(&stream.Node{}, nil)
	if r.Scope(a.ID()) != a || r.Scope(b.ID()) != b || r.Scope(child.ID()) != nil || r.Scope(0) != nil {
		t.Error("an id does not lead to its scope")
	}
	child.End(nil)
	a.End(nil)
	b.End(nil)
	if r.Scope(a.ID()) != nil {
		t.Error("a scope is found that has ended")
	}
}
