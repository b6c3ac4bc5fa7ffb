package ssetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/sse"
	"gozilla/telemetry"
)

// Patience bounds everything that must happen, however slow the machine.
const Patience = 30 * time.Second

// A Source is a port, and what happens behind it.
type Source struct {
	Port sse.Port
	Emit func(...sse.Event) // to all streams that are open
	End  func()             // of all of them, in order; nil: they have none
	Cut  func()             // of all of them, for good, behind what was emitted; nil: they cannot be
}

// Of is the source that a fake is.
func Of(f *Fake) Source {
	return Source{f, f.Emit, f.End, func() { f.Cut(errors.New("cut off")) }}
}

// Run wants of a port what the protocol says. begin makes one with nothing behind it yet.
func Run(t *testing.T, begin func(t *testing.T) Source) {
	for _, c := range []struct {
		name string
		run  func(*rig)
	}{
		{"in order", (*rig).order},
		{"payloads", (*rig).payloads},
		{"an id alone", (*rig).idAlone},
		{"many readers", (*rig).many},
		{"end", (*rig).end},
		{"cut off", (*rig).cut},
		{"stop", (*rig).stop},
		{"stopped before", (*rig).stopped},
		{"cancel", (*rig).cancel},
		{"cancelled before", (*rig).cancelled},
		{"close", (*rig).close},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), Patience)
			defer cancel()
			c.run(&rig{T: t, ctx: NewScope(t, ctx), Source: begin(t)})
		})
	}
}

// NewScope is a scope in which streams can be opened. It ends with the test.
func NewScope(t testing.TB, ctx context.Context) *stream.Scope {
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 10, false))
	scope := stream.Begin(stream.WithHost(ctx, host), &stream.Node{Name: "client"})
	t.Cleanup(func() { scope.End(nil) })
	return scope
}

type rig struct {
	*testing.T
	Source
	ctx *stream.Scope
}

func (r *rig) open(ctx context.Context) sse.Events {
	r.Helper()
	e, err := r.Port.OpenEvents(ctx, &sse.Request{Scheme: "http", Authority: "localhost:8080", Path: "/events"})
	if err != nil {
		r.Fatalf("cannot open: %v", err)
	}
	r.Cleanup(func() { e.Close() })
	return e
}

// Show is an event in a line.
func Show(e *sse.Event) string {
	var b strings.Builder
	if e.HasID {
		fmt.Fprintf(&b, "id=%q ", e.ID)
	}
	if e.Type != "" {
		fmt.Fprintf(&b, "type=%q ", e.Type)
	}
	if e.Retry != 0 {
		fmt.Fprintf(&b, "retry=%v ", e.Retry)
	}
	if e.HasData {
		fmt.Fprintf(&b, "data=%q", e.Data)
	}
	return strings.TrimRight(b.String(), " ")
}

// Data is an event with nothing else.
func Data(text string) sse.Event { return sse.Event{Data: []byte(text), HasData: true} }

// wants reads events until those are there.
func (r *rig) wants(e sse.Events, want ...sse.Event) {
	r.Helper()
	var got []string
	for len(got) < len(want) {
		b, err := e.Next()
		if err != nil {
			r.Fatalf("after %q: %v", got, err)
		}
		if len(b.Events) == 0 {
			r.Fatal("there is a batch without events")
		}
		for i := range b.Events {
			got = append(got, Show(&b.Events[i]))
		}
	}
	for i := range got {
		if i >= len(want) || got[i] != Show(&want[i]) {
			r.Fatalf("got %q, not %v", got, want)
		}
	}
}

// ends wants the stream to be over, and to stay so.
func (r *rig) ends(e sse.Events, as func(error) bool) {
	r.Helper()
	for range 3 {
		if _, err := e.Next(); err == nil || !as(err) {
			r.Fatalf("it ends with %v", err)
		}
	}
}

func (r *rig) order() {
	e := r.open(r.ctx)
	var want []sse.Event
	for i := range 50 {
		ev := sse.Event{ID: fmt.Sprint(i), HasID: true, Type: "tick", Data: []byte(strings.Repeat("x", i)), HasData: true}
		r.Emit(ev)
		want = append(want, ev)
	}
	r.wants(e, want...)
}

func (r *rig) payloads() {
	e := r.open(r.ctx)
	var want []sse.Event
	for _, text := range []string{"", " ", "\n", "a\nb", "a\n", "  two spaces", ":", "data:x", "\xff\xfe", "\x00", strings.Repeat("long ", 20_000)} {
		want = append(want, Data(text))
	}
	r.Emit(want...)
	r.wants(e, want...)
}

func (r *rig) idAlone() {
	e := r.open(r.ctx)
	want := []sse.Event{{ID: "1", HasID: true}, Data("x"), {HasID: true}, {HasID: true, HasData: true}}
	r.Emit(want...)
	r.wants(e, want...)
}

func (r *rig) many() {
	var all []sse.Events
	for range 10 {
		all = append(all, r.open(r.ctx))
	}
	want := []sse.Event{{ID: "1", HasID: true, Data: []byte("one"), HasData: true}, Data("two")}
	r.Emit(want...)
	for _, e := range all {
		r.wants(e, want...)
	}
}

func (r *rig) end() {
	if r.End == nil {
		r.Skip("there is no end")
	}
	e := r.open(r.ctx)
	r.Emit(Data("last"))
	r.Source.End()
	r.wants(e, Data("last"))
	r.ends(e, func(err error) bool { return errors.Is(err, io.EOF) })
}

func (r *rig) cut() {
	if r.Cut == nil {
		r.Skip("nothing can be cut off")
	}
	e := r.open(r.ctx)
	r.Emit(Data("last"))
	r.Cut()
	r.wants(e, Data("last"))
	r.ends(e, func(err error) bool { return !errors.Is(err, io.EOF) && !errors.Is(err, sse.ErrStopped) })
}

func isStopped(err error) bool { return errors.Is(err, sse.ErrStopped) }

func (r *rig) stop() {
	e := r.open(r.ctx)
	waits := make(chan error, 1)
	go func() { _, err := e.Next(); waits <- err }() // ends with Stop
	e.Stop()
	if err := <-waits; !isStopped(err) {
		r.Errorf("who waited got %v", err)
	}
	e.Stop()
	r.ends(e, isStopped)
}

func (r *rig) stopped() {
	e := r.open(r.ctx)
	e.Stop()
	r.ends(e, isStopped)
}

func (r *rig) cancel() {
	ctx, cancel := context.WithCancelCause(r.ctx)
	e := r.open(ctx)
	waits := make(chan error, 1)
	go func() { _, err := e.Next(); waits <- err }() // ends with ctx
	cancel(errors.New("enough"))
	if err := <-waits; err == nil || errors.Is(err, io.EOF) || isStopped(err) {
		r.Errorf("who waited got %v", err)
	}
}

func (r *rig) cancelled() {
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	e, err := r.Port.OpenEvents(ctx, &sse.Request{Scheme: "http", Authority: "localhost:8080", Path: "/events"})
	if err == nil {
		defer e.Close()
		_, err = e.Next()
	}
	if err == nil || errors.Is(err, io.EOF) {
		r.Errorf("who was cancelled before got %v", err)
	}
}

// close gives a stream up; what happens then concerns others.
func (r *rig) close() {
	e, other := r.open(r.ctx), r.open(r.ctx)
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		r.Error(err)
	}
	r.Emit(Data("x"))
	r.wants(other, Data("x"))
}
