package stream_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// TestOnEndComesBeforeTheEnd wants who is told of the end to be given its error, while the context still goes on.
func TestOnEndComesBeforeTheEnd(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	var said []string
	for _, name := range []string{"first", "second"} {
		s.OnEnd(func(err error) { said = append(said, fmt.Sprint(name, ": ", err, ", ", s.Err(), ", ", r.Open())) })
	}
	s.End(errEnough)
	if want := []string{"second: enough, <nil>, 1", "first: enough, <nil>, 1"}; !slices.Equal(said, want) {
		t.Errorf("got %q, want %q", said, want)
	}
	expectStreams(t, r.node, 1, 0, 1)
}

// TestTheFirstEndCounts wants an End that comes too late to change nothing.
func TestTheFirstEndCounts(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	s.End(nil)
	s.End(errEnough)
	expectStreams(t, r.node, 1, 1, 0)
	if rec := r.last(t); rec.Reason != "fin" {
		t.Errorf("the record says %s", rec.Reason)
	}
}

func TestLeaveAsksWhoComesLate(t *testing.T) {
	s := newRig(t).arrive()
	defer s.End(nil)
	s.Leave()
	asked := 0
	undo := s.OnLeave(func() { asked++ })
	if asked != 1 {
		t.Error("the first who registers after Leave is not asked")
	}
	undo()
	s.Leave()
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// TestLeaveAndOnLeaveAtOnce wants who registers while the gateway begins to drain to be asked, by one of both.
func TestLeaveAndOnLeaveAtOnce(t *testing.T) {
	r := newRig(t)
	for range 200 {
		s := r.arrive()
		asked := make(chan struct{}, 2)
		var wg sync.WaitGroup
		wg.Go(s.Leave)
		wg.Go(func() { s.OnLeave(func() { asked <- struct{}{} }) })
		wg.Wait()
		if len(asked) != 1 {
			t.Fatalf("asked %d times", len(asked))
		}
		s.End(nil)
	}
}
