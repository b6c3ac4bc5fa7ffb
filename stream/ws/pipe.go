package ws

import (
	"context"
	"errors"
	"sync"

	"gozilla/stream"
	"gozilla/wire/websocket"
)

// Serving is the port of a binding that serves. What opens a socket with it gets one side of a pipe, whose other side is
// served on a goroutine that has ended when Close returns.
func Serving(h Handler) Port { return serving{h} }

type serving struct{ Handler }

// OpenSocket is part of Opener.
func (s serving) OpenSocket(ctx context.Context, r *Request) (Opened, error) {
	p := newPipe(r)
	served, cancel := context.WithCancelCause(ctx)
	p.cancel = cancel
	p.unfollow = stream.While(ctx, func() { p.breakOff(context.Cause(ctx)) })
	asked := *r
	go p.serve(served, s.Handler, &asked)
	<-p.answered
	if p.refused != nil {
		p.Close()
		return nil, p.refused
	}
	return p, nil
}

// pipe is a socket inside the process, and itself the side of who has opened it.
type pipe struct {
	cancel   context.CancelCauseFunc
	unfollow func()
	up, down line
	first    string        // the protocol, if the handler has no wishes
	served   chan struct{} // closed when the handler has returned
	closing  sync.Once

	accept   sync.Once
	answered chan struct{} // closed when it has accepted, or is over
	protocol string        // valid then
	refused  error         // likewise
}

var (
	_ Opened = (*pipe)(nil)
	_ Served = far{}
)

func newPipe(r *Request) *pipe {
	p := &pipe{first: r.Protocol(), served: make(chan struct{}), answered: make(chan struct{})}
	p.up.init()
	p.down.init()
	return p
}

// answer lets OpenSocket return. The first call counts.
func (p *pipe) answer(protocol string, refused error) {
	p.accept.Do(func() {
		p.protocol, p.refused = protocol, refused
		close(p.answered)
	})
}

// serve is the goroutine of the handler. It ends with the socket, which Close ends at the latest.
func (p *pipe) serve(ctx context.Context, h Handler, r *Request) {
	defer close(p.served)
	err := stream.Contained(stream.From(ctx), func() error { return h.ServeSocket(ctx, r, far{p}) })
	refused := err
	if err == nil {
		p.down.leave(p.up.answer())
	} else {
		p.down.fail(err)
	}
	p.answer(p.first, refused)
	p.up.discard()
}

// breakOff makes everything that waits return.
func (p *pipe) breakOff(cause error) {
	p.answer("", cause)
	p.up.fail(cause)
	p.down.fail(cause)
}

// Protocol is part of Opened.
func (p *pipe) Protocol() string { return p.protocol }

// Close is part of Opened.
func (p *pipe) Close() error {
	p.closing.Do(func() {
		p.cancel(stream.ErrOver)
		p.breakOff(stream.ErrOver)
	})
	<-p.served
	p.unfollow()
	return nil
}

// Receive is part of Socket, so are the methods that follow.
func (p *pipe) Receive() (Piece, error) { return p.down.receive() }
func (p *pipe) Pending() bool           { return p.down.pending() }
func (p *pipe) StopReceive()            { p.down.stop() }
func (p *pipe) Send(m Piece) error      { return p.up.send(m) }
func (p *pipe) Flush() error            { return nil }
func (p *pipe) SendClose(code websocket.Code, reason string) error {
	return p.up.leave(&Closed{code, reason})
}

// far is the side of the handler.
type far struct{ p *pipe }

// Accept is part of Served.
func (x far) Accept(protocol string) error {
	x.p.answer(protocol, nil)
	return nil
}

// Receive is part of Socket, so are the methods that follow.
func (x far) Receive() (Piece, error) {
	x.p.answer(x.p.first, nil)
	return x.p.up.receive()
}
func (x far) Pending() bool { return x.p.up.pending() }
func (x far) StopReceive()  { x.p.up.stop() }
func (x far) Send(m Piece) error {
	x.p.answer(x.p.first, nil)
	return x.p.down.send(m)
}
func (x far) Flush() error {
	x.p.answer(x.p.first, nil)
	return nil
}
func (x far) SendClose(code websocket.Code, reason string) error {
	x.p.answer(x.p.first, nil)
	return x.p.down.leave(&Closed{code, reason})
}

// lineMost is how many bytes may wait in one direction of a pipe, and lineKept what it keeps room for when none do.
const (
	lineMost = 64 << 10
	lineKept = 4 << 10
)

// line is one direction of a pipe. Who receives has one set of pieces, and who sends fills another.
type line struct {
	mu      sync.Mutex
	changed sync.Cond
	in, out pieces // that are sent, and that are received from
	left    *Closed
	within  bool  // a message was begun
	kind    Kind  // of it
	err     error // it was broken off
	stopped bool  // nobody receives
	over    bool  // nobody ever will
}

// pieces are some that wait, their bytes one after the other.
type pieces struct {
	bytes []byte
	all   []waiting
	next  int // of all, to be given
	from  int // of bytes, where that begins
}

type waiting struct {
	kind Kind
	last bool
	size int
}

func (l *line) init() { l.changed.L = &l.mu }

// send copies p, and waits for room.
func (l *line) send(p Piece) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.err != nil:
			return l.err
		case l.left != nil:
			return ErrLeft
		case l.over:
			return nil
		case l.within && p.Kind != l.kind:
			return ErrWithin
		case len(l.in.all) == 0 || len(l.in.bytes)+len(p.Data) <= lineMost && len(l.in.all) < lineMost/64:
			l.in.bytes = append(l.in.bytes, p.Data...)
			l.in.all = append(l.in.all, waiting{p.Kind, p.Last, len(p.Data)})
			l.within, l.kind = !p.Last, p.Kind
			l.changed.Broadcast()
			return nil
		}
		l.changed.Wait()
	}
}

// receive waits for a piece.
func (l *line) receive() (Piece, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.stopped:
			return Piece{}, ErrStopped
		case l.out.next < len(l.out.all):
			return l.out.take(), nil
		}
		l.out.clear()
		switch {
		case len(l.in.all) > 0:
			l.in, l.out = l.out, l.in
			l.changed.Broadcast()
			continue
		case l.err != nil:
			return Piece{}, l.err
		case l.left != nil:
			return Piece{}, l.left
		}
		l.changed.Wait()
	}
}

// take is the next piece.
func (s *pieces) take() Piece {
	w := s.all[s.next]
	data := s.bytes[s.from : s.from+w.size]
	s.next++
	s.from += w.size
	return Piece{Kind: w.kind, Last: w.last, Data: data}
}

// clear forgets the pieces that were given, and the room for them if that is much.
func (s *pieces) clear() {
	if cap(s.bytes) > lineKept {
		*s = pieces{}
		return
	}
	s.bytes, s.all, s.next, s.from = s.bytes[:0], s.all[:0], 0, 0
}

func (l *line) pending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.next < len(l.out.all) || len(l.in.all) > 0 || l.left != nil
}

// leave ends what is sent in order.
func (l *line) leave(c *Closed) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	if l.left == nil {
		l.left = c
		l.changed.Broadcast()
	}
	return nil
}

// answer is the goodbye of who receives to the one that has come, if one has.
func (l *line) answer() *Closed {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left != nil {
		return &Closed{Code: l.left.Code}
	}
	return &Closed{Code: websocket.Normal}
}

// fail breaks the direction off, unless it has ended.
func (l *line) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if closed := (*Closed)(nil); errors.As(err, &closed) { // which it is not for who receives
		err = &stream.Told{Err: err}
	}
	if l.err == nil && l.left == nil {
		l.err = err
	}
	l.changed.Broadcast()
}

func (l *line) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	l.changed.Broadcast()
}

// discard is that what is sent from now on is of no interest.
func (l *line) discard() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over, l.in = true, pieces{}
	l.changed.Broadcast()
}
