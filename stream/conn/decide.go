package conn

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
)

// A Decider sends a stream on by its facts and first bytes. It is pure: it does no IO and knows no clock, so it is a
// table in tests and a function to fuzz.
type Decider interface {
	// Decide says where a stream goes whose first bytes are head; a Decision without To asks for more of them. ctx is
	// only handed to a route table's Pick. An error is a *stream.Refused.
	Decide(ctx context.Context, about *stream.Info, head []byte) (Decision, error)
}

// A Witness is a Decider that wants to know of streams that could not be decided: how many bytes were seen, and why.
type Witness interface {
	Undecided(ctx context.Context, about *stream.Info, seen int, err error)
}

// Decision is where a stream goes.
type Decision struct {
	To    Port         // nil: more bytes are needed
	About *stream.Info // the facts to pass on
	Used  int          // bytes of head that are not part of what is passed on
}

// Deciding is the port of a binding that decides. The bytes that it has seen are passed on unread, and the bound on
// their number and time are the limits Head and HeadTime: a stream that exceeds one is closed in order.
func Deciding(d Decider) Port { return deciding{d} }

type deciding struct{ Decider }

// ServeConn is part of Port.
func (p deciding) ServeConn(ctx context.Context, c Conn, about *stream.Info) error {
	how, head, err := p.readHead(ctx, c, about)
	if err != nil {
		if err == errSilent {
			return nil
		}
		flow := stream.From(ctx).Flow() // nobody else will count what was read
		flow.Received(len(head))
		if w, ok := p.Decider.(Witness); ok && ctx.Err() == nil {
			w.Undecided(ctx, about, len(head), err)
		}
		return err
	}
	if rest := head[how.Used:]; len(rest) > 0 {
		c = &ahead{c, rest}
	}
	return how.To.ServeConn(ctx, c, how.About)
}

// Decided is what Deciding would come to for a stream that begins with head, all of it.
func Decided(ctx context.Context, d Decider, about *stream.Info, head []byte) (Decision, error) {
	how, err := d.Decide(ctx, about, nil)
	if err != nil || how.To != nil {
		return how, err
	}
	if how, err = d.Decide(ctx, about, head); err == nil && how.To == nil {
		err = stream.Refuse(stream.Invalid, "the stream ended after %d bytes, undecided", len(head))
	}
	return how, err
}

// readHead reads until it is decided. The bytes stand in an array of their own, which grows with what the peer sends,
// not with what it could send.
func (p deciding) readHead(ctx context.Context, c Conn, about *stream.Info) (how Decision, head []byte, err error) {
	limits := stream.From(ctx).Limits()
	// Decided without a byte, the stream is not touched: a protocol in which the server speaks first must not wait.
	if how, err = p.Decide(ctx, about, nil); err != nil || how.To != nil {
		return how, nil, err
	}
	c.SetReadDeadline(time.Now().Add(limits.HeadTime))
	if ctx.Err() != nil { // the line above may have undone what the end of ctx did
		return how, nil, context.Cause(ctx)
	}
	defer func() {
		if c.SetReadDeadline(time.Time{}); ctx.Err() != nil {
			c.SetReadDeadline(past) // as above
		}
	}()
	for {
		if len(head) == int(limits.Head) {
			return how, head, &stream.Told{Err: stream.Refuse(stream.Invalid, "undecided after %d bytes", len(head))}
		}
		if head, err = readMore(c, head, int(limits.Head)); err != nil {
			return how, head, headError(ctx, err, len(head))
		}
		if how, err = p.Decide(ctx, about, head); err != nil || how.To != nil {
			return how, head, err
		}
	}
}

func readMore(c Conn, head []byte, limit int) ([]byte, error) {
	if len(head) == cap(head) {
		grown := make([]byte, len(head), min(limit, max(512, 4*cap(head))))
		copy(grown, head)
		head = grown
	}
	n, err := c.Read(head[len(head):cap(head)])
	if n > 0 {
		err = nil // an error after bytes comes again
	}
	return head[:len(head)+n], err
}

// errSilent is that a stream has ended in order without a byte, as those of probes do: there is nothing to decide.
var errSilent = errors.New("the stream ended without a byte")

func headError(ctx context.Context, err error, n int) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &stream.Told{Err: stream.Refuse(stream.Timeout, "undecided after %d bytes and %v", n, stream.From(ctx).Limits().HeadTime)}
	case errors.Is(err, io.EOF) && n == 0:
		return errSilent
	case errors.Is(err, io.EOF):
		return &stream.Told{Err: stream.Refuse(stream.Invalid, "the stream ended after %d bytes, undecided", n)}
	case errors.Is(err, syscall.ECONNRESET), err == errAborted:
		return &stream.Cut{By: telemetry.Client, Why: "rst"}
	}
	return err
}

// DialConn decides without bytes, or, if it takes some, by those that come through a pipe.
func (p deciding) DialConn(ctx context.Context, about *stream.Info) (Conn, *stream.Info, error) {
	how, err := p.Decide(ctx, about, nil)
	switch {
	case err != nil:
		return nil, nil, err
	case how.To == nil:
		return serving{p}.DialConn(ctx, about)
	}
	return how.To.DialConn(ctx, how.About)
}

// ahead is a Conn of which some bytes were read already. It removes itself: a relay sends what was read ahead and goes
// on with the Conn below.
type ahead struct {
	Conn
	head []byte
}

func (a *ahead) Read(p []byte) (int, error) {
	if len(a.head) > 0 {
		n := copy(p, a.head)
		a.head = a.head[n:]
		return n, nil
	}
	return a.Conn.Read(p)
}

func (a *ahead) Abort() { Abort(a.Conn) }
