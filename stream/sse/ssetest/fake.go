// Package ssetest helps to test what speaks the protocol of streams of events: a [Fake] to ask, and [Run], which wants of
// a port what the protocol says.
package ssetest

import (
	"context"
	"io"
	"slices"
	"sync"

	"gozilla/stream"
	"gozilla/stream/sse"
)

// A Fake is a port whose streams get what the test says. The zero value is ready.
type Fake struct {
	mu       sync.Mutex // guards what follows
	refuse   error
	requests []sse.Request
	streams  []*fakeEvents
	opened   chan struct{} // closed at the next OpenEvents; nil: nobody waits
}

var _ sse.Port = (*Fake)(nil)

// Refuse has streams that are opened from now on refused; nil takes it back.
func (f *Fake) Refuse(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = err
}

// Requests are what streams were opened with.
func (f *Fake) Requests() []sse.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// Await waits until so many streams are open.
func (f *Fake) Await(ctx context.Context, n int) error {
	for {
		f.mu.Lock()
		if len(f.streams) == n {
			f.mu.Unlock()
			return nil
		}
		if f.opened == nil {
			f.opened = make(chan struct{})
		}
		opened := f.opened
		f.mu.Unlock()
		select {
		case <-opened:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// changed tells those who wait for a number of streams. The lock is held.
func (f *Fake) changed() {
	if f.opened != nil {
		close(f.opened)
		f.opened = nil
	}
}

// Emit gives events to all streams that are open, as one batch which they share.
func (f *Fake) Emit(events ...sse.Event) { f.Give(sse.NewBatch(events...)) }

// Give gives a batch to all streams that are open.
func (f *Fake) Give(b *sse.Batch) {
	f.each(func(e *fakeEvents) { e.waiting = append(e.waiting, b) })
}

// End ends all streams that are open, in order.
func (f *Fake) End() { f.Cut(io.EOF) }

// Cut ends all streams that are open with an error, behind what was emitted.
func (f *Fake) Cut(err error) { f.each(func(e *fakeEvents) { e.err = err }) }

func (f *Fake) each(change func(*fakeEvents)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.streams {
		change(e)
		e.ready.Broadcast()
	}
}

// OpenEvents is part of sse.Port.
func (f *Fake) OpenEvents(ctx context.Context, r *sse.Request) (sse.Events, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, *r)
	switch {
	case f.refuse != nil:
		return nil, f.refuse
	case ctx.Err() != nil:
		return nil, stream.Refuse(stream.Unavailable, "%w", context.Cause(ctx))
	}
	e := &fakeEvents{f: f, ready: sync.NewCond(&f.mu)}
	e.undo = stream.AfterFunc(ctx, func() { e.over(context.Cause(ctx)) })
	f.streams = append(f.streams, e)
	f.changed()
	return e, nil
}

// fakeEvents is an sse.Events.
type fakeEvents struct {
	f     *Fake
	undo  func() bool
	ready *sync.Cond // the lock of f guards what follows

	waiting []*sse.Batch
	err     error // behind what waits
	now     error // in place of it
}

// Next is part of sse.Events.
func (e *fakeEvents) Next() (*sse.Batch, error) {
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	for {
		switch {
		case e.now != nil:
			return nil, e.now
		case len(e.waiting) > 0:
			b := e.waiting[0]
			e.waiting = e.waiting[1:]
			return b, nil
		case e.err != nil:
			return nil, e.err
		}
		e.ready.Wait()
	}
}

// Stop is part of sse.Events.
func (e *fakeEvents) Stop() { e.over(sse.ErrStopped) }

func (e *fakeEvents) over(err error) {
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	if e.now == nil {
		e.now = err
	}
	e.ready.Broadcast()
}

// Close is part of sse.Events.
func (e *fakeEvents) Close() error {
	e.undo()
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	e.f.streams = slices.DeleteFunc(e.f.streams, func(x *fakeEvents) bool { return x == e })
	e.f.changed()
	return nil
}
