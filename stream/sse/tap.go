package sse

import (
	"context"
	"errors"
	"io"

	"gozilla/stream"
	"gozilla/wire/eventstream"
)

// tapped is the port of a tapped edge: it records the streams that somebody wants to know of, and leaves the others alone.
type tapped struct {
	port Port
	by   *stream.Recorder
}

// OpenEvents is part of Port.
func (t tapped) OpenEvents(ctx context.Context, r *Request) (Events, error) {
	rec := t.by.Record(ctx, r.About, nil)
	if rec == nil {
		return t.port.OpenEvents(ctx, r)
	}
	rec.Head(false, requestLines(r))
	rec.Finish(false)
	events, err := t.port.OpenEvents(ctx, r)
	if err != nil {
		rec.Over(err)
		return nil, err
	}
	return &recorded{Events: events, rec: rec}, nil
}

func requestLines(r *Request) []string {
	lines := []string{"events " + r.Scheme + "://" + r.Authority + r.Path}
	if r.Resumes {
		lines = append(lines, "last-event-id: "+r.LastID)
	}
	return lines
}

// recorded records what happens, an event a chunk.
type recorded struct {
	Events
	rec *stream.Recording
}

// Next is part of Events.
func (e *recorded) Next() (*Batch, error) {
	b, err := e.Events.Next()
	switch {
	case err == nil:
		for i := range b.Events {
			e.rec.Message(true, "event", eventstream.AppendEvent(nil, &b.Events[i], true))
		}
	case errors.Is(err, io.EOF):
		e.rec.Finish(true)
		e.rec.Over(nil)
	default:
		e.rec.Over(err)
	}
	return b, err
}

// Close is part of Events.
func (e *recorded) Close() error {
	e.rec.Over(errGivenUp)
	return e.Events.Close()
}

// errGivenUp is how a stream is over that was not read to its end.
var errGivenUp = errors.New("given up")
