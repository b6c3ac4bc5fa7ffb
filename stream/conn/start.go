package conn

import (
	"context"
	"net"
	"time"

	"gozilla/stream"
)

// past is a deadline that is over, grace how long a stream that was cancelled may go on writing, so that a protocol
// can say why it ends.
var past = time.Unix(1, 0)

const grace = time.Second

// Start hands a new connection to the graph and returns; the scope's End is called when it is over. It is the only way
// in: this one place decides what a connection costs while nothing happens on it.
func Start(s *stream.Scope, c Conn, about *stream.Info, to Port) {
	s.Mark(stream.Accepted)
	go serve(s, c, about, to)
}

// serve is the goroutine of an arrived connection. It ends when the exit has served it, at the latest when the scope is
// cancelled. What it calls is kept shallow, so that a relay fits in the smallest stack while it waits.
func serve(s *stream.Scope, c Conn, about *stream.Info, to Port) {
	e := newEnding(s, c)
	defer e.finish()
	e.err = to.ServeConn(s, c, about)
}

// ending is what is left to do when a connection was served.
type ending struct {
	scope  *stream.Scope
	disarm func() bool
	err    error
}

//go:noinline
func newEnding(s *stream.Scope, c Conn) *ending { return &ending{scope: s, disarm: arm(s, c)} }

// finish ends the scope. It survives a fault of ours: one stream is lost then, not all.
func (e *ending) finish() {
	if fault := recover(); fault != nil {
		e.err = e.scope.Fault(fault)
	}
	e.disarm()
	e.scope.End(stream.Ended(e.scope, e.err))
}

// arm makes the end of ctx end what is read from and written to c.
func arm(ctx context.Context, c net.Conn) (disarm func() bool) {
	return stream.AfterFunc(ctx, func() {
		c.SetReadDeadline(past)
		c.SetWriteDeadline(time.Now().Add(grace))
	})
}
