package sse

import (
	"context"
	"errors"

	"gozilla/stream"
	"gozilla/wire/eventstream"
	"gozilla/wire/http1"
)

// Request says which events are wanted. It is lent until OpenEvents returns, its strings are yours.
type Request struct {
	Scheme, Authority string // as http has them
	Path              string // without a query
	// LastID is the id of the last event that is known; Resumes, that one is given, which may be "".
	LastID  string
	Resumes bool
	// Trail is lines for the header of a request by http that asks for the events: what the gateway says of the way that this
	// one has come. It is yours.
	Trail []http1.Field
	About *stream.Info // facts of the connection it came over; nil if it came over none
}

// Event is one event.
type Event = eventstream.Event

// Events is a stream of events that was opened, in the hands of who has. One goroutine asks for the next.
type Events interface {
	// Next waits for events, and gives all that are at hand, at least one. The error is io.EOF once the stream has ended in
	// order, [ErrStopped] after Stop, else what has cut it off; it stays.
	Next() (*Batch, error)
	// Stop makes a Next that waits return ErrStopped, and all later ones. Any goroutine may call it.
	Stop()
	// Close gives the stream up. It is always called, by who calls Next; once is enough.
	Close() error
}

// ErrStopped is what Next gives after Stop.
var ErrStopped = errors.New("no more events are wanted")

// An Opener opens streams of events.
type Opener interface {
	// OpenEvents begins a stream, and returns once it is known that there is one. The end of ctx breaks it off. An error is
	// a *stream.Refused.
	OpenEvents(ctx context.Context, r *Request) (Events, error)
}

// Port is a binding's face for streams of events.
type Port = Opener

// Protocol is streams of events.
var Protocol = stream.Protocol[Port]{
	Name:    "sse",
	Through: func(e *stream.Edge[Port]) Port { return through{e} },
	Tap:     func(to Port, by *stream.Recorder) Port { return tapped{to, by} },
}

type through struct{ edge *stream.Edge[Port] }

func (t through) OpenEvents(ctx context.Context, r *Request) (Events, error) {
	to := t.edge.To()
	stream.From(ctx).Enter(to.Node)
	return to.Port.OpenEvents(ctx, r)
}
