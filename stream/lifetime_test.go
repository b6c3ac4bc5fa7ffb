package stream_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
)

var errEnough = errors.New("enough")

func TestCancelGivesItsCause(t *testing.T) {
	s := newRig(t).arrive()
	derived, cancel := context.WithTimeout(context.WithValue(s, ctxKey{}, 1), time.Hour)
	defer cancel()
	if s.Err() != nil || context.Cause(s) != nil {
		t.Fatal("cancelled from the beginning")
	}
	s.Cancel(errEnough)
	s.Cancel(errors.New("late"))
	<-derived.Done()
	for name, err := range map[string]error{
		"Err": s.Err(), "Cause": context.Cause(s), "derived Err": derived.Err(), "derived Cause": context.Cause(derived),
	} {
		if !errors.Is(err, errEnough) || !errors.Is(err, context.Canceled) || err.Error() != "enough" {
			t.Errorf("%s is %v", name, err)
		}
	}
	s.End(nil)
}

// TestCancelForNoReason is what context.WithCancelCause takes too.
func TestCancelForNoReason(t *testing.T) {
	s := newRig(t).arrive()
	s.Cancel(nil)
	if err := s.Err(); err == nil || err.Error() != context.Canceled.Error() {
		t.Errorf("the error is %v", err)
	}
	s.End(s.Err())
}

func TestDone(t *testing.T) {
	r := newRig(t)
	before := r.arrive()
	done := before.Done()
	select {
	case <-done:
		t.Fatal("done from the beginning")
	default:
	}
	before.Cancel(errEnough)
	<-done
	if before.Done() != done {
		t.Error("Done gives another channel each time")
	}
	after := r.arrive()
	after.Cancel(errEnough)
	<-after.Done()
	if _, ok := after.Deadline(); ok {
		t.Error("a scope has a deadline")
	}
	before.End(nil)
	after.End(nil)
}

func TestAfterFunc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRig(t).arrive()
		var mu sync.Mutex
		ran := map[string]int{}
		note := func(name string) func() {
			return func() { mu.Lock(); ran[name]++; mu.Unlock() }
		}
		stopStd := context.AfterFunc(s, note("std"))
		stopOwn := stream.AfterFunc(s, note("own"))
		stopped := stream.AfterFunc(s, note("stopped"))
		stopDerived := stream.AfterFunc(context.WithValue(s, ctxKey{}, 1), note("derived"))
		if !stopped() || stopped() {
			t.Error("stop does not report whether it stopped the call")
		}
		s.Cancel(errEnough)
		synctest.Wait()
		late := stream.AfterFunc(s, note("late"))
		synctest.Wait()
		for _, stop := range []func() bool{stopStd, stopOwn, stopDerived, late} {
			if stop() {
				t.Error("stop says that it stopped what has run")
			}
		}
		for _, name := range []string{"std", "own", "derived", "late"} {
			if ran[name] != 1 {
				t.Errorf("%s ran %d times", name, ran[name])
			}
		}
		if ran["stopped"] != 0 {
			t.Error("what was stopped ran")
		}
		s.End(nil)
	})
}

// TestAfterFuncAndCancelAtOnce wants each function to run or to be stopped, never both.
func TestAfterFuncAndCancelAtOnce(t *testing.T) {
	r := newRig(t)
	for range 200 {
		s := r.arrive()
		ran := make(chan struct{}, 1)
		stop := s.AfterFunc(func() { ran <- struct{}{} })
		var wg sync.WaitGroup
		wg.Go(func() { s.Cancel(errEnough) })
		stopped := stop()
		wg.Wait()
		if !stopped {
			<-ran
		} else if len(ran) != 0 {
			t.Fatal("it was stopped and ran")
		}
		s.End(nil)
	}
}

func TestTheBaseEnds(t *testing.T) {
	r := newRig(t)
	base, cancel := context.WithCancelCause(r.ctx)
	s := r.Arrive(base, r.node)
	cancel(errEnough)
	<-s.Done()
	if !errors.Is(s.Err(), errEnough) || !errors.Is(context.Cause(s), errEnough) {
		t.Errorf("the error is %v, the cause %v", s.Err(), context.Cause(s))
	}
	s.End(nil)
}

// TestTheBaseEndsLater wants the cause to stay what it was when the scope was cancelled.
func TestTheBaseEndsLater(t *testing.T) {
	r := newRig(t)
	base, cancel := context.WithCancelCause(r.ctx)
	s := r.Arrive(base, r.node)
	c := s.Child(r.node, nil)
	s.Cancel(errEnough)
	<-c.Done()
	cancel(errors.New("the binding leaves"))
	for _, ctx := range []context.Context{s, c} {
		if !errors.Is(context.Cause(ctx), errEnough) {
			t.Errorf("the cause became %v", context.Cause(ctx))
		}
	}
	c.End(nil)
	s.End(nil)
}

// TestTheBaseForgetsWhoEnded wants nothing of a scope to stay with its base.
func TestTheBaseForgetsWhoEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		base, cancel := context.WithCancelCause(r.ctx)
		s := r.Arrive(base, r.node)
		s.End(nil)
		over := s.Err()
		cancel(errEnough)
		synctest.Wait()
		if s.Err() != over {
			t.Errorf("the error became %v", s.Err())
		}
	})
}

func TestTheEndCancels(t *testing.T) {
	s := newRig(t).arrive()
	derived, cancel := context.WithCancel(s)
	defer cancel()
	s.End(nil)
	<-derived.Done()
	if s.Err() == nil {
		t.Error("what was begun for a scope goes on after its end")
	}
}

func TestValues(t *testing.T) {
	r := newRig(t)
	s := r.Arrive(context.WithValue(r.ctx, ctxKey{}, "value"), r.node)
	defer s.End(nil)
	if s.Value(ctxKey{}) != "value" {
		t.Error("the values of the base are lost")
	}
	if stream.From(context.WithoutCancel(s)) != s {
		t.Error("a derived context does not lead to the scope")
	}
	if stream.From(r.ctx) != nil {
		t.Error("there is a scope where none was begun")
	}
	begun := stream.Begin(s, r.node) // a pool's connection, made on behalf of a stream
	if begun.Host() != r.Host {
		t.Error("a scope does not lead to its host")
	}
	begun.End(nil)
}

// TestWhile waits for what has begun, and has nothing begin afterwards.
func TestWhile(t *testing.T) {
	for range 1000 {
		ctx, cancel := context.WithCancel(t.Context())
		var running, ran atomic.Bool
		end := stream.While(ctx, func() {
			running.Store(true)
			ran.Store(true)
			runtime.Gosched()
			running.Store(false)
		})
		go cancel()
		end()
		was := ran.Load()
		if running.Load() {
			t.Fatal("it runs still")
		}
		<-ctx.Done()
		if runtime.Gosched(); ran.Load() != was {
			t.Fatal("it was begun afterwards")
		}
	}
}
