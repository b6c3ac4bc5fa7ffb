package ws

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/binding"
	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/stream/ws"
	"gozilla/telemetry"
	"gozilla/wire/websocket"
)

// served is a socket that arrived.
type served struct {
	socket
	x       web.Served
	h       handshake
	b       *binding.Builder
	scope   *stream.Scope
	deflate bool // if the client offers it

	ready    atomic.Bool // accepted, without a failure
	mu       sync.Mutex  // guards what follows
	accepted bool
	leaving  bool
	failed   error // to accept
}

var _ ws.Served = (*served)(nil)

// Accept is part of ws.Served.
func (y *served) Accept(protocol string) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.accepted {
		return y.failed
	}
	y.accepted = true
	h := web.Fields("sec-websocket-accept", web.AcceptKey(y.h.key))
	if protocol != "" {
		h.Add("sec-websocket-protocol", protocol)
	}
	deflates := y.deflate && y.h.deflate != ""
	if deflates {
		h.Add("sec-websocket-extensions", y.h.deflate)
	}
	if y.failed = y.x.Respond(&web.Response{Status: 101, Protocol: "websocket", Header: h, Length: -1}); y.failed != nil {
		return y.failed
	}
	if y.failed = y.x.Flush(); y.failed != nil {
		return y.failed
	}
	y.begin(y.scope, y.b.Node, y.x, telemetry.Client, deflates)
	y.ready.Store(true)
	if y.leaving {
		y.start(y.socket.leave)
	}
	return nil
}

// open accepts the socket, if that was not done.
func (y *served) open() error {
	if y.ready.Load() {
		return nil
	}
	return y.Accept(y.h.Protocol())
}

// leave asks the socket to come to an end.
func (y *served) leave() {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.leaving = true; y.ready.Load() {
		y.start(y.socket.leave)
	}
}

// Receive is part of ws.Socket, so are the methods that follow.
func (y *served) Receive() (ws.Piece, error) {
	if err := y.open(); err != nil {
		return ws.Piece{}, err
	}
	return y.receiving.Receive()
}

func (y *served) Pending() bool { return y.ready.Load() && y.receiving.Pending() }

func (y *served) StopReceive() { y.x.StopRead() }

func (y *served) Send(p ws.Piece) error {
	if err := y.open(); err != nil {
		return err
	}
	return y.sending.Send(p)
}

func (y *served) Flush() error {
	if err := y.open(); err != nil {
		return err
	}
	return y.sending.Flush()
}

func (y *served) SendClose(code websocket.Code, reason string) error {
	if err := y.open(); err != nil {
		return err
	}
	return y.sending.SendClose(code, reason)
}

// finish takes leave where the handler has not, and says how the socket has ended. err is what the handler has returned.
func (y *served) finish(ctx context.Context, err error) error {
	if err == nil {
		err = y.open()
	}
	if !y.ready.Load() {
		return err
	}
	defer y.note()
	defer y.end()
	if err != nil {
		y.owns()
	}
	fault := (*websocket.Fault)(nil)
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
		if !y.away() && y.dismiss(err) == nil {
			err = &stream.Told{Err: err}
		}
		return err
	case errors.As(y.receiving.err, &fault): // which the client was told
		err = y.receiving.err
		y.b.Warn(y.scope, "binding.ws.client.rejected", "A client has broken the rules of WebSocket (%v).", fault)
	case err == nil && y.closed() != nil:
		y.leaves(telemetry.Client, y.closed().Code, "")
		return nil
	case err == nil:
		y.sending.SendClose(websocket.Normal, "")
	case y.lost():
		return err
	default:
		y.dismiss(err)
	}
	y.linger(ctx)
	if err != nil {
		err = &stream.Told{Err: err}
	}
	return err
}

// dismiss takes leave of a client because of an error.
func (y *served) dismiss(err error) error {
	code, reason := parting(y.host, err)
	return y.leaves(telemetry.Gateway, code, reason)
}

// parting is the goodbye that tells a client why the gateway ends the socket.
func parting(h *stream.Host, err error) (websocket.Code, string) {
	var cut *stream.Cut
	switch {
	case errors.Is(err, stream.ErrDrained):
		return goodbye(h)
	case errors.As(err, &cut) && cut.By == telemetry.Gateway:
		return websocket.Policy, cut.Why
	}
	return websocket.InternalError, ""
}

// away reports whether the client was given up, or has gone without a goodbye: no more is told then, and that is what its
// scope was cancelled by perhaps.
func (y *served) away() bool {
	cut := (*stream.Cut)(nil)
	gone := errors.As(y.receiving.err, &cut) && cut.By == telemetry.Client && !errors.As(cut, new(*websocket.Fault))
	return gone || y.late.Load() != nil
}

// lost reports whether the client cannot be told anything.
func (y *served) lost() bool {
	cut := (*stream.Cut)(nil)
	return y.late.Load() != nil || errors.As(y.receiving.err, &cut) || y.Flush() != nil
}

// linger waits until the client has answered the goodbye, or has ended the connection.
func (y *served) linger(ctx context.Context) {
	if errors.As(y.receiving.err, new(*websocket.Fault)) { // frames are not looked at any more
		y.drain(byePatience)
		return
	}
	late := time.AfterFunc(byePatience, y.x.StopRead)
	defer late.Stop()
	for n := 0; n < lingerMost && ctx.Err() == nil; {
		p, err := y.receiving.Receive()
		if n += len(p.Data); err != nil {
			return
		}
	}
}

// note adds to the record what has moved, and how the client has taken leave, if nobody was before it.
func (y *served) note() {
	if c := y.closed(); c != nil {
		y.ends(telemetry.Client, c.Code, c.Reason)
	}
	received, sent := y.counts()
	y.scope.SetRecord(func(r *telemetry.Record) { r.WS.Received, r.WS.Sent = received, sent })
}
