package stream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A lifetime is the part of a Scope that makes it a context. It does what context.WithCancelCause does, with half a
// kilobyte less for each connection, since it keeps callbacks in a list and makes the channel only for those who ask.
type lifetime struct {
	base context.Context // what the scope began in

	cause   atomic.Pointer[cancelled] // not nil once cancelled
	watched atomic.Bool               // somebody waits for that: set before cause is looked at, or never

	life     sync.Mutex // guards what follows
	waker    Waker
	done     chan struct{}
	closed   bool // done is
	after    []*func()
	unfollow func() bool
	attached bool // to the parent
	kept     bool // by somebody who may cancel it later
}

// cancelled is the error of a context that was cancelled. It tells why, and is context.Canceled for those who ask.
type cancelled struct{ cause error }

func (c *cancelled) Error() string        { return c.cause.Error() }
func (c *cancelled) Unwrap() error        { return c.cause }
func (c *cancelled) Is(target error) bool { return target == context.Canceled }

// ErrOver cancels what was begun for a scope and is still going on when the scope ends.
var ErrOver = errors.New("the stream is over")

// over is what an ended lifetime was cancelled with.
var over = &cancelled{ErrOver}

// follow makes ctx the base, whose end is the lifetime's too.
func (l *lifetime) follow(ctx context.Context) {
	if l.base = ctx; l.parent() != nil {
		return // see attach
	}
	if ctx.Done() == nil {
		return
	}
	l.base = context.WithoutCancel(ctx) // else context.Cause would find the cause of ctx in place of ours
	if ctx.Err() != nil {
		l.Cancel(context.Cause(ctx))
		return
	}
	l.watched.Store(true)
	l.unfollow = AfterFunc(ctx, func() { l.Cancel(context.Cause(ctx)) })
}

// parent is the scope that the lifetime is part of, nil if it follows another context.
func (l *lifetime) parent() *Scope {
	p, _ := l.base.(*Scope)
	return p
}

// attach makes the end of the parent reach those who wait for it. A child of which nobody asks more than Err costs its
// parent nothing. The lock of the lifetime is not held.
func (l *lifetime) attach() {
	p := l.parent()
	if p == nil {
		return
	}
	l.life.Lock()
	l.watched.Store(true)
	first := l.cause.Load() == nil && !l.attached
	l.attached = true
	l.life.Unlock()
	if !first {
		return
	}
	unfollow := p.AfterFunc(func() { l.Cancel(context.Cause(p)) })
	l.life.Lock()
	l.unfollow = unfollow
	l.life.Unlock()
}

// end is the end of the lifetime: nobody waits for it any longer.
func (l *lifetime) end() {
	l.cancel(over)
	if !l.watched.Load() {
		return
	}
	l.life.Lock()
	unfollow := l.unfollow
	l.life.Unlock()
	if unfollow != nil {
		unfollow()
	}
}

// again makes a lifetime that has ended one that has not begun. It reports false if it was cancelled before it ended, or
// if somebody may still hold what waits for its end. Nobody else knows the lifetime, so it needs no lock.
func (l *lifetime) again() bool {
	if l.cause.Load() != over || l.watched.Load() || l.kept {
		return false
	}
	l.cause.Store(nil)
	return true
}

// keep says that somebody may cancel the lifetime after its end.
func (l *lifetime) keep() {
	l.life.Lock()
	l.kept = true
	l.life.Unlock()
}

// Cancel ends the stream now: reads, writes and dials on its behalf return cause, context.Canceled if that is nil. Only
// the first call counts.
func (l *lifetime) Cancel(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	l.cancel(&cancelled{cause})
}

func (l *lifetime) cancel(cause *cancelled) {
	if !l.cause.CompareAndSwap(nil, cause) {
		return
	}
	if cause != over {
		l.wake()
	}
	if !l.watched.Load() {
		return
	}
	l.life.Lock()
	defer l.life.Unlock()
	l.close()
	for _, f := range l.after {
		go (*f)()
	}
	l.after = nil
}

// A Waker is something that waits on behalf of a scope, and can be told that it need not.
type Waker interface {
	// Wake is called, on a goroutine of its own, when the scope was cancelled. It may come after Wakes was called again.
	Wake()
}

// Wakes has w told of the end of the scope, in place of who was to be told before; nil is nobody. Unlike AfterFunc it costs
// next to nothing, but there is one at a time.
func (l *lifetime) Wakes(w Waker) {
	l.life.Lock()
	l.waker = w
	l.life.Unlock()
	if w != nil && l.Err() != nil {
		l.wake()
	}
}

func (l *lifetime) wake() {
	l.life.Lock()
	w := l.waker
	l.waker = nil
	l.life.Unlock()
	if w != nil {
		go w.Wake()
	}
}

// close closes the channel, if there is one and its time has come. The lock is held.
func (l *lifetime) close() {
	if l.done != nil && !l.closed && l.cause.Load() != nil {
		l.closed = true
		close(l.done)
	}
}

// Done is part of context.Context.
func (l *lifetime) Done() <-chan struct{} {
	l.attach()
	l.life.Lock()
	defer l.life.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		l.watched.Store(true)
		l.close()
	}
	return l.done
}

// Err is part of context.Context. The error is, or wraps, the cause that Cancel was given.
func (l *lifetime) Err() error {
	if cause := l.cause.Load(); cause != nil {
		return cause
	}
	if p := l.parent(); p != nil {
		return p.Err()
	}
	return nil
}

// Deadline is part of context.Context: there is none.
func (l *lifetime) Deadline() (time.Time, bool) { return time.Time{}, false }

// AfterFunc is context.AfterFunc, at less cost for a Scope.
func AfterFunc(ctx context.Context, f func()) (stop func() bool) {
	if s, ok := ctx.(*Scope); ok {
		return s.AfterFunc(f)
	}
	return context.AfterFunc(ctx, f)
}

// While is AfterFunc for an f that uses what is there only for a while: when end returns, f is not running, nor will it be.
func While(ctx context.Context, f func()) (end func()) {
	done := make(chan struct{})
	stop := AfterFunc(ctx, func() {
		defer close(done)
		f()
	})
	return sync.OnceFunc(func() {
		if !stop() {
			<-done
		}
	})
}

// AfterFunc calls f in a goroutine of its own once the scope is cancelled, as context.AfterFunc does, which finds this
// method.
func (l *lifetime) AfterFunc(f func()) (stop func() bool) {
	l.attach()
	l.life.Lock()
	defer l.life.Unlock()
	l.watched.Store(true)
	if l.cause.Load() != nil {
		go f()
		return func() bool { return false }
	}
	l.after = append(l.after, &f)
	return func() bool {
		l.life.Lock()
		defer l.life.Unlock()
		i := slices.Index(l.after, &f)
		if i < 0 {
			return false
		}
		l.after = slices.Delete(l.after, i, i+1)
		return true
	}
}
