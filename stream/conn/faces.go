package conn

import (
	"context"
	"time"

	"gozilla/stream"
)

// Serving is the port of a binding that serves. What dials it gets one end of a pipe, whose other end is served.
func Serving(s Server) Port { return serving{s} }

type serving struct{ Server }

func (p serving) DialConn(ctx context.Context, about *stream.Info) (Conn, *stream.Info, error) {
	near, far := Pipe()
	served := make(chan struct{})
	s := stream.From(ctx)
	s.OnEnd(func(error) { // the scope must not end before what is done on its behalf
		near.Abort()
		s.Cancel(stream.ErrOver)
		<-served
	})
	go serveFar(s, far, about, p.Server, served)
	return &nearEnd{near, served}, about, nil
}

// nearEnd is the end of a pipe whose other end is served on behalf of the same scope, which must not end before that
// has: it may not have read everything yet.
type nearEnd struct {
	*PipeConn
	served chan struct{}
}

// Close ends both directions in order and waits until the other end was served.
func (n *nearEnd) Close() error {
	n.PipeConn.Close()
	<-n.served
	return nil
}

// serveFar serves the far end of a pipe. It ends when the near end is closed and all is served, at the latest with the
// scope.
func serveFar(s *stream.Scope, far *PipeConn, about *stream.Info, to Server, served chan struct{}) {
	defer close(served)
	disarm := arm(s, far)
	defer disarm()
	if err := stream.Contained(s, func() error { return to.ServeConn(s, far, about) }); err != nil {
		far.Abort()
		return
	}
	far.Close()
}

// Dialing is the port of a binding that dials. What arrives at it is relayed to what it dials: the turn of the path.
func Dialing(d Dialer) Port { return dialing{d} }

type dialing struct{ Dialer }

func (p dialing) ServeConn(ctx context.Context, c Conn, about *stream.Info) error {
	r := newRelay(ctx, c) // before the dial, which may lead to other layers
	if err := r.reach(p.Dialer, about); err != nil {
		return err
	}
	return r.run()
}

// reach waits for the dial.
//
//go:noinline
func (r *relaying) reach(d Dialer, about *stream.Info) error {
	done := make(chan error, 1)
	Briefly(func() { r.dial(d, about, done) })
	return <-done
}

// dial dials the other end on behalf of the one that has arrived, and gives up when that is aborted meanwhile. It runs on
// a goroutine of its own because dialling needs a large stack, which the relay would keep for as long as the connection
// lives.
func (r *relaying) dial(d Dialer, about *stream.Info, done chan<- error) {
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	defer watch(&r.a, func() { cancel(&stream.Cut{By: r.a.Side, Why: "rst"}) })()
	var to Conn
	err := stream.Contained(r.scope, func() (err error) {
		to, _, err = d.DialConn(ctx, about)
		return err
	})
	switch {
	case err == nil:
		r.b.init(to)
		r.owned = true
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	done <- err
}

// lookEvery is how often an end that nobody reads from is looked at. An abort is passed on within a second.
const lookEvery = 250 * time.Millisecond

// watch calls gone once if e was aborted by its peer, until stop is called.
func watch(e *End, gone func()) (stop func()) {
	if e.life == nil {
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
