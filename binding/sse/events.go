package sse

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"gozilla/stream"
	"gozilla/stream/sse"
	"gozilla/stream/web"
	"gozilla/telemetry"
	"gozilla/wire/eventstream"
)

const (
	// mostWait is how long it is waited at most before a server is asked again, unless it says so itself, and jitter by how
	// much more, as a part of it: so that not all come back in the moment in which a server does.
	mostWait = 30 * time.Second
	// leastWait is how long it is waited at least, whatever the server says.
	leastWait = 100 * time.Millisecond
	jitter    = 0.5
	// mostAsked is how long a server can have it waited.
	mostAsked = time.Hour
	// readSize is what is read at a time, and mostRead what is read for a batch, of what is at hand.
	readSize = 4 << 10
	mostRead = 64 << 10
)

// events is a stream of events from a server. All that it does is done by who calls Next: reading, and when the stream is
// lost, waiting and asking for it again.
type events struct {
	c      *client
	exit   web.Port
	asked  sse.Request     // with what has come since
	ctx    context.Context // ends with Stop and Close
	cancel context.CancelCauseFunc

	parser eventstream.Parser
	buf    []byte
	err    error         // stays
	read   error         // what reading has ended with, behind what was given
	retry  time.Duration // in which the server wants to be asked again
	tries  int           // without an event

	mu sync.Mutex // guards y, against Stop
	y  web.Opened // nil: there is none
}

func newEvents(ctx context.Context, c *client, exit web.Port, r *sse.Request) *events {
	e := &events{c: c, exit: exit, asked: *r, retry: c.retry}
	e.ctx, e.cancel = context.WithCancelCause(ctx)
	return e
}

// open asks the server. The error is a *refusal if it is the server's answer.
func (e *events) open() error {
	y, err := e.exit.OpenExchange(e.ctx, asks(&e.asked))
	if err != nil {
		return err
	}
	r, err := y.Response()
	if err == nil {
		if no := refusalOf(r); no != nil {
			err = no
		}
	}
	if err != nil {
		y.Close()
		return err
	}
	e.parser = eventstream.Parser{Max: int(stream.From(e.ctx).Limits().Message)}
	e.read = nil
	e.mu.Lock()
	defer e.mu.Unlock()
	e.y = y
	if e.ctx.Err() != nil {
		y.StopRead() // Stop has not seen it
	}
	return nil
}

// Next is part of sse.Events.
func (e *events) Next() (*sse.Batch, error) {
	for e.err == nil {
		switch {
		case e.ctx.Err() != nil:
			e.err = context.Cause(e.ctx)
		case e.read == nil:
			if b := e.receive(); b != nil {
				e.c.b.Node.ServerEvents.Pass(len(b.Events))
				return b, nil
			}
		case errors.Is(e.read, io.EOF):
			e.err = io.EOF
		case errors.Is(e.read, eventstream.ErrLarge):
			e.err = &stream.Cut{By: telemetry.Server, Why: "event too large"}
		default:
			e.err = e.again()
		}
	}
	return nil, e.err
}

// receive waits until something has come, and gives what events that and all that is at hand have completed; nil if none.
func (e *events) receive() *sse.Batch {
	if e.buf == nil {
		e.buf = make([]byte, readSize)
	}
	at, _ := e.y.(interface{ Buffered() int })
	var all []sse.Event
	for got := 0; ; {
		n, err := e.y.Read(e.buf)
		got += n
		var wrong error
		all, wrong = e.parser.Append(all, e.buf[:n])
		if e.read = wrong; wrong == nil {
			e.read = err
		}
		if e.read != nil || at == nil || at.Buffered() == 0 || got >= mostRead {
			break
		}
	}
	if len(all) == 0 {
		return nil
	}
	e.tries = 0
	for i := range all {
		if all[i].Retry > 0 {
			e.retry = min(all[i].Retry, mostAsked)
		}
		if all[i].ID = idOf(all[i].ID); len(all[i].ID) > mostID { // nobody could come back with it
			all[i].ID, all[i].HasID = "", false
		}
	}
	b := sse.NewBatch(all...)
	if id, ok := b.Last(); ok {
		e.asked.LastID, e.asked.Resumes = id, true
	}
	return b
}

// again asks for a stream that was lost, until there is one. The error is that there will be none.
func (e *events) again() error {
	e.c.b.Warn(stream.From(e.ctx), "binding.sse.stream.lost", "The events of %s were lost (%v). They are asked for again.", e.asked.Authority, e.read)
	e.drop()
	lost := e.read
	var asked time.Duration // by the server
	for {
		if err := e.wait(max(e.pause(), asked)); err != nil {
			return err
		}
		stream.From(e.ctx).Again(e.c.b.Node, lost)
		err := e.open()
		asked, lost = 0, err
		var no *refusal
		var refused *stream.Refused
		switch {
		case err == nil:
			return nil
		case e.ctx.Err() != nil:
			return context.Cause(e.ctx)
		case errors.As(err, &no) && no.status == 204:
			return io.EOF
		case errors.As(err, &no) && no.again():
			asked = min(no.after, mostAsked)
		case no != nil, errors.As(err, &refused) && isFinal(refused.Reason):
			return &stream.Cut{By: telemetry.Server, Why: "truncated", Err: err}
		}
	}
}

// isFinal reports whether there is no use in asking again.
func isFinal(r stream.Reason) bool {
	switch r {
	case stream.Unavailable, stream.Timeout, stream.Limit, stream.Draining:
		return false
	}
	return true
}

// pause is how long to wait before the next try: twice as long each time.
func (e *events) pause() time.Duration {
	d := max(e.retry, leastWait)
	for range e.tries {
		if d >= mostWait {
			break
		}
		d = min(2*d, mostWait)
	}
	e.tries++
	return d + time.Duration(rand.Float64()*jitter*float64(d))
}

func (e *events) wait(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-e.ctx.Done():
		return context.Cause(e.ctx)
	}
}

// drop lets go of the exchange.
func (e *events) drop() {
	e.mu.Lock()
	y := e.y
	e.y = nil
	e.mu.Unlock()
	if y != nil {
		y.Close()
	}
}

// Stop is part of sse.Events.
func (e *events) Stop() {
	e.cancel(sse.ErrStopped)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.y != nil {
		e.y.StopRead()
	}
}

// Close is part of sse.Events.
func (e *events) Close() error {
	e.drop()
	e.cancel(stream.ErrOver)
	return nil
}

// asRefused is an error as the port has it.
func asRefused(err error) error {
	if r, ok := errors.AsType[*stream.Refused](err); ok {
		return r
	}
	return &stream.Refused{Reason: stream.Unavailable, Err: err}
}

func statusText(status int) string { return strconv.Itoa(status) }

func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// retryAfter is when a server wants to be asked again (RFC 9110, section 10.2.3); 0: it does not say.
func retryAfter(h web.Header) time.Duration {
	said := h.Get("retry-after")
	if n, err := strconv.ParseUint(said, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(said); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}
