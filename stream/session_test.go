package stream_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
)

// guest is a session that counts how often it is released.
type guest struct {
	name     string
	expires  time.Time
	released atomic.Int64
}

func (s *guest) Identity() string                { return s.name }
func (s *guest) Attribute(string) (string, bool) { return "", false }
func (s *guest) Verify([]string) bool            { return true }
func (s *guest) Expires() time.Time              { return s.expires }
func (s *guest) Release()                        { s.released.Add(1) }

func expectReleased(t *testing.T, want int64, sessions ...*guest) {
	t.Helper()
	for _, s := range sessions {
		if n := s.released.Load(); n != want {
			t.Errorf("%s was released %d times, not %d", s.name, n, want)
		}
	}
}

func TestSessionsAreReleasedAtTheEnd(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	a, b := &guest{name: "a"}, &guest{name: "b"}
	s.Admit("test:first", a)
	s.Admit("test:second", b)
	if s.Session("test:first") != a || s.Session("test:second") != b || s.Session("test:third") != nil {
		t.Error("a guard is given the session of another one")
	}
	s.OnEnd(func(error) { expectReleased(t, 0, a, b) })
	s.End(nil)
	s.End(nil)
	expectReleased(t, 1, a, b)
}

func TestAChildAsksItsParent(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	outer, inner := &guest{name: "outer"}, &guest{name: "inner"}
	s.Admit("test:guard", outer)
	c := s.Child(r.node, nil)
	if c.Session("test:guard") != outer {
		t.Error("the child does not know what its parent admitted")
	}
	c.Admit("test:guard", inner)
	if c.Session("test:guard") != inner || s.Session("test:guard") != outer {
		t.Error("what a child admits is not its own")
	}
	c.End(nil)
	expectReleased(t, 1, inner)
	expectReleased(t, 0, outer)
	s.End(nil)
	expectReleased(t, 1, inner, outer)
}

func TestAnExpiryCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := r.arrive()
		s.Admit("test:never", &guest{})
		s.Admit("test:guard", &guest{expires: time.Now().Add(time.Minute)})
		c := s.Child(r.node, nil)
		began := time.Now()
		<-c.Done()
		if took := time.Since(began); took != time.Minute {
			t.Errorf("cancelled after %v", took)
		}
		c.End(context.Cause(c))
		if rec := r.last(t); rec.Reason != "session expired" {
			t.Errorf("the child's record says %s", rec.Reason)
		}
		s.End(context.Cause(s))
		if rec := r.last(t); rec.Reason != "session expired" {
			t.Errorf("the record says %s", rec.Reason)
		}
	})
}

func TestAnExpiryOfAChildIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := r.arrive()
		c := s.Child(r.node, nil)
		c.Admit("test:guard", &guest{expires: time.Now().Add(time.Minute)})
		<-c.Done()
		synctest.Wait()
		if s.Err() != nil {
			t.Errorf("the parent was cancelled: %v", s.Err())
		}
		c.End(context.Cause(c))
		s.End(nil)
	})
}

func TestASessionThatHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRig(t).arrive()
		old := &guest{name: "old", expires: time.Now().Add(-time.Minute)}
		s.Admit("test:guard", old)
		<-s.Done()
		s.End(context.Cause(s))
		expectReleased(t, 1, old)
	})
}

func TestTheEndForgetsExpiries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRig(t).arrive()
		s.Admit("test:guard", &guest{expires: time.Now().Add(time.Minute)})
		s.End(nil)
		over := s.Err()
		time.Sleep(time.Hour)
		if s.Err() != over || errors.Is(over, errEnough) {
			t.Errorf("the error became %v", s.Err())
		}
	})
}

// TestAdmitAndEndAtOnce wants a session to be released that a guard gives while the stream ends.
func TestAdmitAndEndAtOnce(t *testing.T) {
	r := newRig(t)
	for range 200 {
		s := r.arrive()
		late := &guest{name: "late"}
		var wg sync.WaitGroup
		wg.Go(func() { s.Admit("test:guard", late) })
		wg.Go(func() { s.End(nil) })
		wg.Wait()
		expectReleased(t, 1, late)
	}
}

var _ stream.Session = (*guest)(nil)
