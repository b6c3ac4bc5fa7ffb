package stream_test

import (
	"errors"
	"testing"
)

// TestAChildIsNoStreamOfItsOwn at the binding it began at: it counts what it enters.
func TestAChildIsNoStreamOfItsOwn(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	c, exit := s.Child(r.node, nil), node("exit")
	if c.ID() == s.ID() || c.Host() != s.Host() {
		t.Error("the child has the wrong id or host")
	}
	c.Enter(exit)
	c.End(nil)
	if got := pathText(r.last(t)); got != "test:north > test:exit" {
		t.Errorf("the child's record has the path %s", got)
	}
	if s.Err() != nil || r.Open() != 1 {
		t.Error("the end of a child is the end of its parent")
	}
	s.End(nil)
	expectStreams(t, r.node, 1, 1, 0)
	expectStreams(t, exit, 1, 1, 0)
}

// TestAChildOfTheCancelled wants a child that comes too late to be over from the first.
func TestAChildOfTheCancelled(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	s.Cancel(errEnough)
	c := s.Child(r.node, nil)
	if !errors.Is(c.Err(), errEnough) {
		t.Errorf("the child goes on: %v", c.Err())
	}
	c.End(nil)
	s.End(nil)
}

// waker tells that it was woken.
type waker chan bool

func (w waker) Wake() { w <- true }

// TestAChildIsWoken is what waits on behalf of a child when its parent is cancelled, before or afterwards.
func TestAChildIsWoken(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	w := make(waker)
	one, two := s.Child(r.node, nil), s.Child(r.node, nil)
	one.Wakes(w)
	s.Cancel(errEnough)
	<-w
	two.Wakes(w)
	<-w
	two.Wakes(nil)
	one.End(nil)
	two.End(nil)
	s.End(nil)
}
