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

// A Layer is a Conn whose bytes are others on the way, as those of TLS are. An End that has one in hand waits and sends
// below it: so it holds no buffer while nothing moves, and the calls between a relay and the socket stay few.
type Layer interface {
	Conn
	// Below is what the layer stands on.
	Below() *End
	// Ready reports whether Open has something to look at.
	Ready() bool
	// Feed gives the layer what Below has received, its error too. The bytes are released by the layer.
	Feed(b []byte, err error)
	// Open turns what was fed into what is read, as much as p has room for. It does not wait: no bytes and no error
	// is that what has come is not complete yet.
	Open(p []byte) (int, error)
	// Seal turns some of b, n bytes, into what Below is to send, which is valid until Sealed.
	Seal(b []byte) (sealed []byte, n int, err error)
	// Sealed takes back what Seal gave, and is told whether all of it was sent.
	Sealed(sealed []byte, err error) error
}

// A Giver is a Conn that has the bytes somewhere already when it reads them.
type Giver interface {
	Conn
	// Next is Read that gives bytes in place of copying them. They are lent until the next call.
	Next() ([]byte, error)
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
var Protocol = stream.Protocol[Port]{
	Name:    "bytes",
	Through: func(e *stream.Edge[Port]) Port { return through{e} },
	Tap:     func(to Port, by *stream.Recorder) Port { return tapped{to, by} },
}

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
