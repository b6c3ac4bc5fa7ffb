package stream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// A lifetime is the part of a Scope that makes it a context. It does what context.WithCancelCause does, with half a
// kilobyte less for each connection, since it keeps callbacks in a list and makes the channel only for those who ask.
type lifetime struct {
	base context.Context // what the scope began in

	life     sync.Mutex // guards what follows
	cause    error      // not nil once cancelled
	done     chan struct{}
	after    []*func()
	unfollow func() bool
}

// cancelled is the error of a context that was cancelled. It tells why, and is context.Canceled for those who ask.
type cancelled struct{ cause error }

func (c *cancelled) Error() string        { return c.cause.Error() }
func (c *cancelled) Unwrap() error        { return c.cause }
func (c *cancelled) Is(target error) bool { return target == context.Canceled }

// ErrOver cancels what was begun for a scope and is still going on when the scope ends.
var ErrOver = errors.New("the stream is over")

// follow makes ctx the base, whose end is the lifetime's too.
func (l *lifetime) follow(ctx context.Context) {
	l.base = ctx
	if _, ok := ctx.(*Scope); !ok {
		if ctx.Done() == nil {
			return
		}
		l.base = context.WithoutCancel(ctx) // else context.Cause would find the cause of ctx in place of ours
	}
	if ctx.Err() != nil {
		l.Cancel(context.Cause(ctx))
		return
	}
	l.unfollow = AfterFunc(ctx, func() { l.Cancel(context.Cause(ctx)) })
}

// end is the end of the lifetime: nobody waits for it any longer.
func (l *lifetime) end() {
	if l.unfollow != nil {
		l.unfollow()
	}
	l.Cancel(ErrOver)
}

// Cancel ends the stream now: reads, writes and dials on its behalf return cause, context.Canceled if that is nil. Only
// the first call counts.
func (l *lifetime) Cancel(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	l.life.Lock()
	defer l.life.Unlock()
	if l.cause != nil {
		return
	}
	l.cause = &cancelled{cause}
	if l.done != nil {
		close(l.done)
	}
	for _, f := range l.after {
		go (*f)()
	}
	l.after = nil
}

// Done is part of context.Context.
func (l *lifetime) Done() <-chan struct{} {
	l.life.Lock()
	defer l.life.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.cause != nil {
			close(l.done)
		}
	}
	return l.done
}

// Err is part of context.Context. The error is, or wraps, the cause that Cancel was given.
func (l *lifetime) Err() error {
	l.life.Lock()
	defer l.life.Unlock()
	return l.cause
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

// AfterFunc calls f in a goroutine of its own once the scope is cancelled, as context.AfterFunc does, which finds this
// method.
func (l *lifetime) AfterFunc(f func()) (stop func() bool) {
	l.life.Lock()
	defer l.life.Unlock()
	if l.cause != nil {
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
