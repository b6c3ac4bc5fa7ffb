package ws

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"

	"gozilla/stream"
	"gozilla/wire/websocket"
)

// tapped is the port of a tapped edge: it records the sockets that somebody wants to know of, and leaves the others alone.
type tapped struct {
	port Port
	by   *stream.Recorder
}

// ServeSocket is part of Handler.
func (t tapped) ServeSocket(ctx context.Context, r *Request, x Served) (err error) {
	rec := t.by.Record(ctx, r.About, nil)
	if rec == nil {
		return t.port.ServeSocket(ctx, r, x)
	}
	rec.Head(false, requestLines(r))
	err = stream.ErrFault // unless it returns
	defer func() { rec.Over(err) }()
	err = t.port.ServeSocket(ctx, r, &recordedServed{recorded{socket: x, rec: rec}, x})
	return err
}

// OpenSocket is part of Opener.
func (t tapped) OpenSocket(ctx context.Context, r *Request) (Opened, error) {
	rec := t.by.Record(ctx, r.About, nil)
	if rec == nil {
		return t.port.OpenSocket(ctx, r)
	}
	rec.Head(false, requestLines(r))
	y, err := t.port.OpenSocket(ctx, r)
	if err != nil {
		rec.Over(err)
		return nil, err
	}
	rec.Head(true, openLines(y.Protocol()))
	return &recordedOpened{recorded{socket: y, rec: rec, sought: true}, y}, nil
}

func requestLines(r *Request) []string {
	return append([]string{"socket " + r.Scheme + "://" + r.Authority + r.Path}, protocolLines(strings.Join(r.Protocols, ", "))...)
}

func openLines(protocol string) []string {
	return append([]string{"is open"}, protocolLines(protocol)...)
}

func protocolLines(protocols string) []string {
	if protocols == "" {
		return nil
	}
	return []string{"protocol: " + protocols}
}

// recorded records the messages of a socket, and the goodbyes. What is received on one that was sought was sent back to who
// has opened it.
type recorded struct {
	socket Socket
	rec    *stream.Recording
	sought bool
	within [2]bool // a message that is sent, or received: only its first piece is called by its kind

	mu  sync.Mutex
	err error // what has cut the socket off
}

// Receive is part of Socket, so are the methods that follow.
func (x *recorded) Receive() (Piece, error) {
	p, err := x.socket.Receive()
	switch closed := (*Closed)(nil); {
	case err == nil:
		x.piece(x.sought, &x.within[1], &p)
	case errors.As(err, &closed):
		x.leaves(x.sought, closed.Code, closed.Reason)
	default:
		x.failed(err)
	}
	return p, err
}

func (x *recorded) piece(sent bool, within *bool, p *Piece) {
	label := p.Kind.String()
	if *within {
		label = ""
	}
	*within = !p.Last
	x.rec.Message(sent, label, p.Data)
}

func (x *recorded) leaves(sent bool, code websocket.Code, reason string) {
	x.rec.Message(sent, "close", []byte(strings.TrimSpace(strconv.Itoa(int(code))+" "+reason)))
	x.rec.Finish(sent)
}

func (x *recorded) failed(err error) {
	if err == nil || errors.Is(err, ErrStopped) || errors.Is(err, ErrLeft) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		x.err = err
	}
}

func (x *recorded) Pending() bool { return x.socket.Pending() }

func (x *recorded) StopReceive() { x.socket.StopReceive() }

func (x *recorded) Send(p Piece) error {
	x.piece(!x.sought, &x.within[0], &p)
	err := x.socket.Send(p)
	x.failed(err)
	return err
}

func (x *recorded) Flush() error { return x.socket.Flush() }

func (x *recorded) SendClose(code websocket.Code, reason string) error {
	x.leaves(!x.sought, code, reason)
	return x.socket.SendClose(code, reason)
}

// recordedServed is a socket that arrived.
type recordedServed struct {
	recorded
	served Served
}

// Accept is part of Served.
func (x *recordedServed) Accept(protocol string) error {
	x.rec.Head(true, openLines(protocol))
	return x.served.Accept(protocol)
}

// recordedOpened is a socket that was sought.
type recordedOpened struct {
	recorded
	opened Opened
}

// Protocol is part of Opened, so is Close.
func (y *recordedOpened) Protocol() string { return y.opened.Protocol() }

func (y *recordedOpened) Close() error {
	err := y.opened.Close()
	y.mu.Lock()
	defer y.mu.Unlock()
	y.rec.Over(y.err)
	return err
}
