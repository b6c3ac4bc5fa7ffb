package stream_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"gozilla/stream"
)

// through matches streams that have come through n.
func through(n *stream.Node) stream.Match {
	return func(path []*stream.Node) bool { return slices.Contains(path, n) }
}

// TestReach wants what is meant to be reached and nothing else: a connection with all that is on it, or one exchange.
func TestReach(t *testing.T) {
	r := newRig(t)
	elsewhere := &stream.Node{Namespace: "test", Name: "elsewhere"}
	begin := func() (s, here, there *stream.Scope, asked map[*stream.Scope]int) {
		s = r.arrive()
		here, there = s.Child(r.node, nil), s.Child(r.node, nil)
		there.EnterExchange(elsewhere)
		asked = map[*stream.Scope]int{}
		for _, x := range []*stream.Scope{s, here, there} {
			x.OnLeave(func() { asked[x]++ })
		}
		return s, here, there, asked
	}
	end := func(scopes ...*stream.Scope) {
		for _, s := range slices.Backward(scopes) {
			s.End(nil)
		}
	}

	s, here, there, asked := begin()
	s.LeaveWhere(through(elsewhere))
	if asked[s] != 0 || asked[here] != 0 || asked[there] != 1 {
		t.Errorf("to leave elsewhere, %v were asked", asked)
	}
	s.Leave()
	if asked[s] != 1 || asked[here] != 1 || asked[there] != 1 {
		t.Errorf("to leave, %v were asked", asked)
	}
	late := s.Child(r.node, nil)
	if !askedAtOnce(late) {
		t.Error("an exchange that begins on a connection that leaves is not asked")
	}
	late.End(nil)
	end(s, here, there)

	s, here, there, _ = begin()
	if !s.Has(through(elsewhere)) {
		t.Error("an exchange is elsewhere, which nobody sees")
	}
	s.CancelWhere(through(elsewhere), errEnough)
	if s.Err() != nil || here.Err() != nil || !errors.Is(context.Cause(there), errEnough) {
		t.Errorf("cancelled are %v, %v, %v", s.Err(), here.Err(), there.Err())
	}
	there.End(errEnough)
	if s.Has(through(elsewhere)) {
		t.Error("the exchange elsewhere has ended")
	}
	s.CancelWhere(through(r.node), errEnough)
	if s.Err() == nil || here.Err() == nil {
		t.Errorf("cancelled are %v, %v", s.Err(), here.Err())
	}
	end(s, here)
}

func askedAtOnce(s *stream.Scope) (asked bool) {
	s.OnLeave(func() { asked = true })
	return asked
}

// TestReachForWhatIsUsedAgain wants who reaches for exchanges that end all the time to reach none of another connection.
func TestReachForWhatIsUsedAgain(t *testing.T) {
	r := newRig(t)
	a, b := r.arrive(), r.arrive()
	away := &stream.Node{Namespace: "test", Name: "away"}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				a.CancelWhere(through(away), errEnough)
			}
		}
	}()
	var used *stream.Scope
	for range 2000 {
		used = a.Child(r.node, used)
		used.EnterExchange(away)
		used.End(nil)
		used = b.Child(r.node, used)
		used.EnterExchange(away)
		if used.Err() != nil {
			t.Fatal("an exchange of another connection was cancelled")
		}
		used.End(nil)
	}
	close(stop)
	<-done
	a.End(nil)
	b.End(nil)
}
