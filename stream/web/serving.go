package web

import (
	"context"
	"errors"
	"io"
	"sync"

	"gozilla/stream"
)

// Serving is the port of a binding that serves. What opens an exchange with it gets one side of a pipe, whose other side
// is served on a goroutine that has ended when Close returns.
func Serving(h Handler) Port { return serving{h} }

type serving struct{ Handler }

func (s serving) OpenExchange(ctx context.Context, r *Request) (Opened, error) {
	p := newPipe(r)
	p.ctx = ctx
	served, cancel := context.WithCancelCause(ctx)
	p.cancel = cancel
	p.unfollow = stream.AfterFunc(ctx, func() { p.breakOff(context.Cause(ctx)) })
	go p.serve(served, s.Handler, r.Clone())
	return opened{p}, nil
}

// pipe is an exchange inside the process: one direction each for the bodies, and the heads of the response.
type pipe struct {
	ctx      context.Context // of who has opened it
	cancel   context.CancelCauseFunc
	unfollow func() bool
	served   chan struct{} // closed when the handler has returned

	method   string
	protocol string // or CONNECT: who responds may make raw bytes of both directions
	interim  bool

	mu      sync.Mutex // guards what follows
	up      pipeBody
	down    pipeBody
	asks    bool        // the request's body waits for a 100
	heads   []*Response // that were sent and not taken
	shown   int         // of them, that have gone out
	changed sync.Cond   // heads and shown have
	status  int         // of the final head; 0 before that
	out     bool        // the final head has gone out
	current *Response   // what Response has given last
	failed  error       // there is no head
	closed  bool
}

// mostHeads bounds the interim heads that wait to be taken.
const mostHeads = 16

func newPipe(r *Request) *pipe {
	p := &pipe{
		served: make(chan struct{}), method: r.Method, protocol: r.Protocol, interim: r.Interim, asks: r.Continue && r.Length != 0,
	}
	p.changed.L, p.up.changed.L, p.down.changed.L = &p.mu, &p.mu, &p.mu
	p.up.left, p.up.bounded = r.Length, r.Length >= 0
	p.up.ended = r.Length == 0
	return p
}

// serve is the goroutine of the handler. It ends with the exchange, which Close ends at the latest.
func (p *pipe) serve(ctx context.Context, h Handler, r *Request) {
	defer close(p.served)
	err := stream.Contained(stream.From(ctx), func() error { return h.ServeExchange(ctx, r, served{p}) })
	p.finish(err)
	p.cancel(stream.ErrOver)
}

var (
	errUnanswered = errors.New("the exchange was not answered")
	errTwice      = errors.New("the exchange was answered twice")
	errStatus     = errors.New("the exchange cannot be answered with that status")
	errNoHead     = errors.New("the exchange has no head yet")
	errLong       = errors.New("the body is longer than was said")
	errShort      = errors.New("the body is shorter than was said")
)

// finish settles what the handler has left.
func (p *pipe) finish(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && p.status == 0 {
		err = errUnanswered
	}
	if err == nil {
		p.show()
		err = p.down.end(nil)
	}
	if err == io.EOF { // which it is not for who reads
		err = io.ErrUnexpectedEOF
	}
	switch {
	case err == nil:
	case p.out:
		p.down.fail(err)
	default:
		p.heads, p.shown, p.failed = nil, 0, err
		p.down.fail(err)
		p.changed.Broadcast()
	}
	p.up.discard()
}

// breakOff makes everything that waits return.
func (p *pipe) breakOff(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		p.failed = cause
	}
	p.changed.Broadcast()
	p.up.fail(cause)
	p.down.fail(cause)
}

// show lets out what was said. The lock is held.
func (p *pipe) show() {
	if p.shown == len(p.heads) {
		return
	}
	p.shown, p.out = len(p.heads), p.status != 0
	p.changed.Broadcast()
}

// served is the side of the handler.
type served struct{ p *pipe }

var (
	_ Served      = served{}
	_ io.WriterTo = served{}
)

// ask lets a client go on with its body. The lock is held.
func (p *pipe) ask() {
	if !p.asks {
		return
	}
	p.asks = false
	if p.status == 0 {
		p.heads = append(p.heads, &Response{Status: 100})
		p.show()
	}
}

func (x served) Read(b []byte) (int, error) {
	x.p.mu.Lock()
	defer x.p.mu.Unlock()
	if len(b) > 0 && x.p.up.n == 0 {
		x.p.ask()
	}
	return x.p.up.read(b)
}

func (x served) WriteTo(w io.Writer) (int64, error) {
	x.p.mu.Lock()
	if x.p.up.n == 0 {
		x.p.ask()
	}
	x.p.mu.Unlock()
	return x.p.up.writeTo(w)
}

func (x served) StopRead() { x.p.up.stop() }

func (x served) Trailer() Header {
	x.p.mu.Lock()
	defer x.p.mu.Unlock()
	return x.p.up.trailer
}

// Buffered is how much of the body is at hand.
func (x served) Buffered() int {
	x.p.mu.Lock()
	defer x.p.mu.Unlock()
	return x.p.up.n
}

func (x served) Respond(r *Response) error {
	p := x.p
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.status != 0:
		return errTwice
	case r.Status < 100 || r.Status > 999 || r.Status == 101 && p.protocol == "":
		return errStatus
	case !r.Final() && !p.interim:
		return nil
	}
	for !r.Final() && len(p.heads) >= mostHeads && p.failed == nil {
		p.show()
		p.changed.Wait()
	}
	if p.failed != nil {
		return p.failed
	}
	r = r.Clone()
	p.heads = append(p.heads, r)
	if !r.Final() {
		return nil
	}
	p.status = r.Status
	switch {
	case r.Switches(&Request{Method: p.method, Protocol: p.protocol}):
		r.Length = -1
		p.up.ended, p.up.bounded = false, false
	case r.Status == 204, r.Status == 304, p.method == "HEAD":
		p.down.absent = true
	default:
		p.down.bounded, p.down.left = r.Length >= 0, r.Length
	}
	return nil
}

func (x served) Write(b []byte) (int, error) {
	x.p.mu.Lock()
	defer x.p.mu.Unlock()
	if x.p.status == 0 {
		return 0, errNoHead
	}
	x.p.show()
	return x.p.down.write(b)
}

func (x served) Flush() error {
	x.p.mu.Lock()
	defer x.p.mu.Unlock()
	x.p.show()
	return x.p.down.err
}

func (x served) End(trailer Header) error {
	x.p.mu.Lock()
	defer x.p.mu.Unlock()
	if x.p.status == 0 {
		return errNoHead
	}
	x.p.show()
	return x.p.down.end(trailer)
}

// opened is the side of who has opened the exchange.
type opened struct{ p *pipe }

var (
	_ Opened      = opened{}
	_ io.WriterTo = opened{}
)

func (y opened) Response() (*Response, error) {
	p := y.p
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.shown == 0 || p.ctx.Err() != nil {
		switch {
		case p.current != nil && p.current.Final():
			return p.current, nil
		case p.ctx.Err() != nil:
			return nil, context.Cause(p.ctx)
		case p.failed != nil:
			return nil, p.failed
		case p.down.stopped:
			return nil, ErrStopped
		}
		p.changed.Wait()
	}
	p.current = p.heads[0]
	p.heads = p.heads[1:]
	p.shown--
	p.changed.Broadcast()
	return p.current, nil
}

func (y opened) Read(b []byte) (int, error) {
	y.p.mu.Lock()
	defer y.p.mu.Unlock()
	return y.p.down.read(b)
}

func (y opened) WriteTo(w io.Writer) (int64, error) { return y.p.down.writeTo(w) }

func (y opened) StopRead() {
	y.p.down.stop()
	y.p.mu.Lock()
	y.p.changed.Broadcast()
	y.p.mu.Unlock()
}

func (y opened) Trailer() Header {
	y.p.mu.Lock()
	defer y.p.mu.Unlock()
	return y.p.down.trailer
}

func (y opened) Write(b []byte) (int, error) {
	y.p.mu.Lock()
	defer y.p.mu.Unlock()
	return y.p.up.write(b)
}

func (y opened) Flush() error {
	y.p.mu.Lock()
	defer y.p.mu.Unlock()
	return y.p.up.err
}

func (y opened) End(trailer Header) error {
	y.p.mu.Lock()
	defer y.p.mu.Unlock()
	return y.p.up.end(trailer)
}

func (y opened) Close() error {
	p := y.p
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	if !first {
		<-p.served
		return nil
	}
	p.cancel(stream.ErrOver)
	p.breakOff(stream.ErrOver)
	<-p.served
	p.unfollow()
	p.mu.Lock()
	p.up.free()
	p.down.free()
	p.mu.Unlock()
	return nil
}
