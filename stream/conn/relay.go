package conn

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"gozilla/stream"
	"gozilla/telemetry"
)

// Relay moves bytes between a, which arrived, and b, which was opened for it, until both directions have ended or one
// end was aborted; it ends with ctx, the stream's scope. It closes neither: after an error the caller aborts b. While
// nothing moves it holds two goroutines and no buffer.
func Relay(ctx context.Context, a, b Conn) error {
	r := newRelay(ctx, a)
	r.b.init(b)
	return r.run()
}

// relaying is a relay at work.
type relaying struct {
	ctx   context.Context
	scope *stream.Scope
	flow  stream.Flow
	a, b  End
	owned bool // b is the relay's to close
	wg    sync.WaitGroup

	mu     sync.Mutex
	ends   int   // directions that have ended in order
	passed int   // those whose end was passed on
	err    error // the first that went wrong
}

// newRelay makes a relay whose bytes count for the bindings that the stream has come through by now.
func newRelay(ctx context.Context, a Conn) *relaying {
	s := stream.From(ctx)
	r := &relaying{ctx: ctx, scope: s, flow: s.Flow()}
	r.a.init(a)
	r.a.Side, r.b.Side = telemetry.Client, telemetry.Server
	return r
}

func (r *relaying) run() error {
	r.wg.Add(1)
	disarm := stream.AfterFunc(r.ctx, r.stop)
	go r.forth()
	r.pump(&r.b, &r.a, r.flow.Sent)
	r.wg.Wait()
	disarm()
	return r.over()
}

// over is how the relay ended, with b closed accordingly.
func (r *relaying) over() error {
	r.a.Leave()
	r.b.Leave()
	err := stream.Ended(r.ctx, r.err)
	switch {
	case !r.owned:
	case err != nil:
		Abort(r.b.Conn)
	default:
		r.b.Close()
	}
	return err
}

// forth is the goroutine from a to b; the other direction has the one that runs the relay. Each ends with its direction,
// or when the other one found that the whole is over.
func (r *relaying) forth() {
	defer r.wg.Done()
	r.pump(&r.a, &r.b, r.flow.Received)
}

func (r *relaying) pump(from, to *End, count func(int)) {
	full := 0
	for {
		b, err := from.Recv()
		if err != nil {
			r.ended(from, to, err)
			return
		}
		n := len(b)
		err = to.send(b, from)
		from.Release()
		if err != nil {
			r.fail(err)
			return
		}
		count(n)
		if full++; n < bufferSize {
			full = 0
		}
		if full == spliceAfter {
			full = 0
			if err := splice(from, to, count); err != nil {
				r.ended(from, to, err)
				return
			}
		}
	}
}

// ended passes the end of a direction on. After an orderly one it stays until the whole is over, since an abort may
// follow.
func (r *relaying) ended(from, to *End, err error) {
	if err != io.EOF {
		if errors.Is(err, os.ErrDeadlineExceeded) && from.dead() {
			// It was stopped because it has died, which was noticed by who sends: see look.
			err = &stream.Cut{By: from.Side, Why: "rst"}
		}
		r.fail(err)
		return
	}
	r.scope.Closes(from.Side, "fin")
	r.mu.Lock()
	r.ends++ // before the FIN is sent: what its answer tells who awaits a death must count for nothing
	r.mu.Unlock()
	if err := to.Finish(); err != nil {
		r.mu.Lock()
		r.ends = 0 // not in order, then
		r.mu.Unlock()
		r.fail(err)
		return
	}
	r.mu.Lock()
	r.passed++
	over := r.passed == 2
	r.mu.Unlock()
	if over { // not before: a layer writes when it ends
		r.stop()
		return
	}
	if err := from.awaitDeath(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		r.fail(err)
	}
}

// fail ends both directions. The first error is the relay's, except where both directions have ended in order, and
// where it only tells that an end was stopped.
func (r *relaying) fail(err error) {
	r.mu.Lock()
	if r.ends < 2 && (r.err == nil || errors.Is(r.err, os.ErrDeadlineExceeded)) {
		r.err = err
	}
	r.mu.Unlock()
	r.stop()
}

func (r *relaying) stop() {
	r.a.Stop()
	r.b.Stop()
}
