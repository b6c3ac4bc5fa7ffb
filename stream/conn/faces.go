package conn

import (
	"context"
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
)

// Serving is the port of a binding that serves. What dials it gets one end of a pipe, whose other end is served.
func Serving(s Server) Port { return serving{s} }

type serving struct{ Server }

func (p serving) DialConn(ctx context.Context, about *stream.Info) (Conn, *stream.Info, error) {
	near, far := Pipe()
	s := stream.From(ctx)
	go serveFar(s, far, about, p.Server)
	return near, about, nil
}

// serveFar serves the far end of a pipe. It ends when the near end is closed and all is served, at the latest with the
// scope.
func serveFar(ctx context.Context, far *PipeConn, about *stream.Info, to Server) {
	disarm := arm(ctx, far)
	defer disarm()
	if err := to.ServeConn(ctx, far, about); err != nil {
		far.Abort()
		return
	}
	far.Close()
}

// Dialing is the port of a binding that dials. What arrives at it is relayed to what it dials: the turn of the path.
func Dialing(d Dialer) Port { return dialing{d} }

type dialing struct{ Dialer }

func (p dialing) ServeConn(ctx context.Context, c Conn, about *stream.Info) error {
	flow := stream.From(ctx).Flow() // before the dial, which may lead to other layers
	to, err := dialFor(ctx, p.Dialer, c, about)
	if err != nil {
		return err
	}
	if err := relay(ctx, flow, c, to); err != nil {
		Abort(to)
		return err
	}
	to.Close()
	return nil
}

// dialFor dials on behalf of c, and gives up when c is aborted meanwhile.
func dialFor(ctx context.Context, d Dialer, c Conn, about *stream.Info) (Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer watch(c, func() { cancel(&stream.Cut{By: telemetry.Client, Why: "rst"}) })()
	to, _, err := d.DialConn(ctx, about)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return to, err
}

// lookEvery is how often an end that nobody reads from is looked at. An abort is passed on within a second.
const lookEvery = 250 * time.Millisecond

// watch calls gone once if c was aborted by its peer, until stop is called.
func watch(c Conn, gone func()) (stop func()) {
	e := Take(c, telemetry.Client)
	if !e.raw() {
		return func() {}
	}
	done := make(chan struct{})
	var timer *time.Timer
	armed := make(chan struct{})
	timer = time.AfterFunc(lookEvery, func() {
		<-armed
		select {
		case <-done:
		default:
			if e.dead() {
				gone()
				return
			}
			timer.Reset(lookEvery)
		}
	})
	close(armed)
	return func() {
		close(done)
		timer.Stop()
	}
}
