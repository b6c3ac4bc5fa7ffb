package conn

import (
	"context"
	"net"

	"gozilla/stream"
)

// Conn is one end of a byte stream whose two directions end separately. *net.TCPConn, *net.UnixConn and *tls.Conn are
// Conns as they are. Close ends both directions in order if nothing is left to be read, see also [Abort].
type Conn interface {
	net.Conn
	CloseWrite() error
}

// A Waiter is a Conn that can wait for bytes without a buffer to put them in, so that who reads from it needs none while
// nothing moves.
type Waiter interface {
	Conn
	// Await returns once something has come, be it the end. An error is that of a deadline.
	Await() error
	// ReadNow reads what has come, as much as p has room for, and never waits. No bytes and no error is that what has
	// come is not complete yet.
	ReadNow(p []byte) (int, error)
}

// A Server is given byte streams that arrived.
type Server interface {
	// ServeConn serves c and returns when the stream is over; how it ended is the error. ctx is, or belongs to, the
	// stream's Scope, whose end makes reads and writes return. ServeConn does not close c, and leaves no goroutine
	// behind that uses it. What must happen when the stream is over, whoever serves it, is registered with the
	// Scope's OnEnd before it is passed on.
	ServeConn(ctx context.Context, c Conn, about *stream.Info) error
}

// A Dialer opens byte streams.
type Dialer interface {
	// DialConn opens a stream to what about wants to reach, and tells what is known of it. ctx bounds the dial only,
	// all handshakes included. The caller owns the Conn, ends its reads and writes with its own context, and closes
	// or aborts it. An error is a *stream.Refused.
	DialConn(ctx context.Context, about *stream.Info) (Conn, *stream.Info, error)
}

// Port is a binding's face for bytes.
type Port interface {
	Server
	Dialer
}

// Protocol is bytes.
var Protocol = stream.Protocol[Port]{Name: "bytes", Through: func(e *stream.Edge[Port]) Port { return through{e} }}

type through struct{ edge *stream.Edge[Port] }

func (t through) ServeConn(ctx context.Context, c Conn, about *stream.Info) error {
	to := t.edge.To()
	stream.From(ctx).Enter(to.Node)
	return to.Port.ServeConn(ctx, c, about)
}

func (t through) DialConn(ctx context.Context, about *stream.Info) (Conn, *stream.Info, error) {
	to := t.edge.To()
	stream.From(ctx).Enter(to.Node)
	return to.Port.DialConn(ctx, about)
}

// Abort ends both directions of c at once and lets the peer know that they are not whole: a TCP connection is reset.
func Abort(c net.Conn) {
	if a, ok := c.(interface{ Abort() }); ok {
		a.Abort()
		return
	}
	if t, ok := c.(interface{ SetLinger(seconds int) error }); ok {
		t.SetLinger(0) // makes Close send RST; fails only on a socket that is gone already
	}
	c.Close()
}
