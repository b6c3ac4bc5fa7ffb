package web

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/stream"
)

// continueWait is how long a client that asked for a 100 is kept waiting for the server's. answerWait is how long an answer that was
// begun may go on when the request turns out to be half of one.
const (
	continueWait = time.Second
	answerWait   = time.Second
)

// Relay is the turn between an exchange that arrived and one that is sought. A body that is at hand goes up at once; for
// another one there is a goroutine, which ends before Relay does.
func Relay(ctx context.Context, r *Request, x Served, o Opener) error {
	y, err := o.OpenExchange(ctx, r)
	if err != nil {
		return err
	}
	defer y.Close()
	switch {
	case r.Length == 0 && (r.Protocol != "" || r.Tunnel()): // what follows is sent once the other side agrees
		err = y.Flush()
	case r.Length == 0:
		err = y.End(nil)
	case r.Length > 0 && !r.Continue && atHand(x) >= r.Length:
		err = pump(y, x)
	default:
		return relayBeside(ctx, r, x, y)
	}
	if err != nil && !errors.As(err, new(*sendError)) {
		return err
	} // else the server may have answered all the same
	return answer(ctx, r, x, y, nil)
}

// atHand is how much of the body has come already.
func atHand(x Served) int64 {
	if b, ok := x.(interface{ Buffered() int }); ok {
		return int64(b.Buffered())
	}
	return 0
}

// relayBeside is Relay for a body that is yet to come.
func relayBeside(ctx context.Context, r *Request, x Served, y Opened) error {
	u := &upload{x: x, y: y, done: make(chan struct{}), proceed: make(chan struct{}), answered: make(chan struct{})}
	if !r.Continue {
		u.goAhead()
	}
	go u.run(stream.From(ctx))
	err := answer(ctx, r, x, y, u)
	close(u.answered)
	if err == nil {
		u.over()
		<-u.done // the server may go on to take the body; if it does not, that is noticed
		return nil
	}
	y.Close()
	x.StopRead()
	u.goAhead()
	<-u.done
	if from := new(recvError); errors.As(u.err, &from) && from.err != ErrStopped {
		return from.err // the client broke off, which is why the server had nothing to answer
	}
	return err
}

// upload is a body on its way to a server.
type upload struct {
	x       Served
	y       Opened
	once    sync.Once
	proceed chan struct{} // closed when the body may be read
	whole   atomic.Bool   // the response is, before that
	done    chan struct{} // closed at the end
	err     error

	answers  atomic.Bool   // the server does, though it may not have the whole request
	answered chan struct{} // closed when the answer is over
}

func (u *upload) goAhead() { u.once.Do(func() { close(u.proceed) }) }

// over says that the response has ended. A client that still waits to be told to go on is not asked for its body then.
func (u *upload) over() {
	u.once.Do(func() {
		u.whole.Store(true)
		close(u.proceed)
	})
}

// run is the goroutine of the body. It ends with the body, and when either side breaks off.
func (u *upload) run(s *stream.Scope) {
	defer close(u.done)
	u.err = stream.Contained(s, func() error {
		late := time.NewTimer(continueWait)
		defer late.Stop()
		if err := u.y.Flush(); err != nil {
			return err
		}
		select {
		case <-u.proceed:
		case <-late.C:
		}
		if u.whole.Load() {
			return nil
		}
		return pump(u.y, u.x)
	})
	if errors.As(u.err, new(*recvError)) {
		if u.answers.Load() { // clients have been seen to end a request that is not wanted, in the middle of it
			u.afford()
		}
		u.y.StopRead() // no answer comes to half a request
	}
}

// afford gives a server that answers half a request the time to come to an end.
func (u *upload) afford() {
	late := time.NewTimer(answerWait)
	defer late.Stop()
	select {
	case <-u.answered:
	case <-late.C:
	}
}

// answer relays the response. u is the body that is on its way meanwhile, or nil.
func answer(ctx context.Context, r *Request, x Served, y Opened, u *upload) error {
	var resp *Response
	for resp == nil || !resp.Final() {
		var err error
		if resp, err = y.Response(); err != nil {
			return err
		}
		if resp.Status == 100 {
			if u != nil {
				u.goAhead()
			}
			continue
		}
		if u != nil && resp.Final() {
			u.answers.Store(true)
		}
		if err = x.Respond(resp); err != nil {
			return err
		}
		if !resp.Final() {
			if err = x.Flush(); err != nil {
				return err
			}
		}
	}
	if resp.Switches(r) {
		if u != nil {
			u.goAhead()
			<-u.done
		}
		return duplex(stream.From(ctx), x, y)
	}
	if u != nil && r.Continue { // a client that was not asked for its body before need not be any more
		u.over()
	}
	return bare(pump(x, y))
}

// duplex relays raw bytes both ways.
func duplex(s *stream.Scope, x Served, y Opened) error {
	if err := x.Flush(); err != nil {
		return err
	}
	var first error // of either direction: it makes the other one fail too
	var once sync.Once
	fails := func(err error) {
		if !errors.Is(err, ErrStopped) {
			once.Do(func() { first = err })
		}
	}
	up := make(chan struct{})
	go func() { // ends with its direction, or when the other one has failed
		defer close(up)
		if err := stream.Contained(s, func() error { return pump(y, x) }); err != nil {
			fails(err)
			y.StopRead()
		}
	}()
	err := pump(x, y)
	if err != nil {
		fails(err)
		y.Close()
		x.StopRead()
	}
	if <-up; first != nil {
		err = first
	}
	return bare(err)
}

// A recvError is that a body could not be received, a sendError that it could not be sent on.
type (
	recvError struct{ err error }
	sendError struct{ err error }
)

func (e *recvError) Error() string { return e.err.Error() }
func (e *recvError) Unwrap() error { return e.err }
func (e *sendError) Error() string { return e.err.Error() }
func (e *sendError) Unwrap() error { return e.err }

// bare is the error without the side that it came from.
func bare(err error) error {
	switch e := err.(type) {
	case *recvError:
		return e.err
	case *sendError:
		return e.err
	}
	return err
}

// pump moves a body on, as it comes.
func pump(dst, src Stream) error {
	var err error
	if w, ok := src.(io.WriterTo); ok {
		_, err = w.WriteTo(dst)
	} else {
		_, err = copyBody(dst, src)
	}
	if err == nil {
		err = dst.End(src.Trailer())
	}
	if err == nil {
		return nil
	}
	if _, lost := src.Read(nil); lost != nil && lost != io.EOF {
		return &recvError{lost}
	}
	return &sendError{err}
}

var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// A flusher is where a body goes.
type flusher interface {
	io.Writer
	Flush() error
}

// copyBody is WriteTo for a stream that has none.
func copyBody(dst flusher, src io.Reader) (moved int64, err error) {
	b := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(b)
	for {
		if err := dst.Flush(); err != nil {
			return moved, err
		}
		n, err := src.Read(b[:])
		if n > 0 {
			if _, err := dst.Write(b[:n]); err != nil {
				return moved, err
			}
			moved += int64(n)
		}
		if err == io.EOF {
			return moved, nil
		}
		if err != nil {
			return moved, err
		}
	}
}
