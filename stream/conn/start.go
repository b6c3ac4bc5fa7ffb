package conn

import (
	"context"
	"fmt"
	"net"
	"runtime/debug"
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
)

// past is a deadline that is over, grace how long a stream that was cancelled may go on writing, so that a protocol
// can say why it ends.
var past = time.Unix(1, 0)

const grace = time.Second

// Start hands a new connection to the graph and returns; the scope's End is called when it is over. It is the only way
// in: this one place decides what a connection costs while nothing happens on it.
func Start(s *stream.Scope, c Conn, about *stream.Info, to Port) {
	go serve(s, c, about, to)
}

// serve is the goroutine of an arrived connection. It ends when the exit has served it, at the latest when the scope is
// cancelled.
func serve(s *stream.Scope, c Conn, about *stream.Info, to Port) {
	disarm := arm(s, c)
	err := guarded(s, c, about, to)
	disarm()
	s.End(verdict(s, err))
}

// guarded serves c, and survives a fault of ours: one stream is lost then, not all.
func guarded(s *stream.Scope, c Conn, about *stream.Info, to Port) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			cause := fmt.Errorf("%v", fault)
			if s.Host().Traces {
				cause = fmt.Errorf("%v\n%s", fault, debug.Stack())
			}
			err = &stream.Cut{By: telemetry.Gateway, Why: "internal error", Err: cause}
			s.Host().Log.Event(&telemetry.Event{
				Time: time.Now(), Namespace: "engine", Name: "events", ID: "engine.stream.failed",
				Message: err.Error(), Scope: s.ID(), Warning: true,
			})
		}
	}()
	return to.ServeConn(s, c, about)
}

// arm makes the end of ctx end what is read from and written to c.
func arm(ctx context.Context, c net.Conn) (disarm func() bool) {
	return context.AfterFunc(ctx, func() {
		c.SetReadDeadline(past)
		c.SetWriteDeadline(time.Now().Add(grace))
	})
}

// verdict is how a stream ended: if it was cancelled, then for the reason that was given, not for the deadline that
// brought it about.
func verdict(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
