package ws

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
	"gozilla/wire/websocket"
)

// view is sockets as bytes.
var view = &stream.View[Port]{
	As: conn.Protocol.Name,
	Port: func(n *stream.Node) (Port, bool) {
		to, ok := stream.TargetOf(conn.Protocol, n)
		return viewed{to.Port}, ok
	},
}

// viewed is the port of a binding that takes bytes.
type viewed struct{ to conn.Port }

// ServeSocket is part of Handler. The client is told that the socket is open once the binding reads or writes.
func (v viewed) ServeSocket(ctx context.Context, r *Request, x Served) error {
	s := stream.From(ctx)
	s.Below()
	c := Bytes(x, r.About)
	c.overdue = func() { s.Cancel(&stream.Cut{By: telemetry.Server, Why: "no goodbye"}) }
	defer c.stop()
	return v.to.ServeConn(ctx, c, r.about())
}

// answerWithin is how long the binding has to end what it writes once the client has taken its leave. Then the client is
// answered all the same, and that is the end.
const answerWithin = 5 * time.Second

// about is what is known of who asks.
func (r *Request) about() *stream.Info {
	if r.About != nil {
		return r.About
	}
	return &stream.Info{}
}

// OpenSocket is part of Opener. What is received are messages of bytes, as they come.
func (v viewed) OpenSocket(ctx context.Context, r *Request) (Opened, error) {
	c, _, err := v.to.DialConn(ctx, r.about())
	if err != nil {
		return nil, err
	}
	d := &dialled{end: conn.Take(c, telemetry.Server), protocol: r.Protocol()}
	d.unfollow = stream.While(ctx, d.end.Stop)
	return d, nil
}

// dialled is a stream of bytes as a socket.
type dialled struct {
	end      *conn.End
	unfollow func()
	protocol string
	whole    bool // all was received
	left     atomic.Bool
	closing  sync.Once
}

var _ Opened = (*dialled)(nil)

// Protocol is part of Opened.
func (d *dialled) Protocol() string { return d.protocol }

// Receive is part of Socket, so are the methods that follow.
func (d *dialled) Receive() (Piece, error) {
	d.end.Release()
	b, err := d.end.Recv()
	switch {
	case err == io.EOF:
		d.whole = true
		err = &Closed{Code: websocket.Normal}
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = ErrStopped
	}
	return Piece{Kind: Binary, Last: true, Data: b}, err
}

func (d *dialled) Pending() bool { return false }

func (d *dialled) StopReceive() { d.end.StopRecv() }

func (d *dialled) Send(p Piece) error {
	if d.left.Load() {
		return ErrLeft
	}
	return d.end.Send(p.Data)
}

func (d *dialled) Flush() error { return nil }

func (d *dialled) SendClose(websocket.Code, string) error {
	if d.left.Swap(true) {
		return nil
	}
	return d.end.Finish()
}

// Close is part of Opened.
func (d *dialled) Close() error {
	d.closing.Do(func() {
		d.unfollow()
		d.end.Release()
		if d.whole && d.left.Load() {
			d.end.Close()
			return
		}
		conn.Abort(d.end.Conn)
	})
	return nil
}

// Bytes is a socket as a stream of bytes: what it receives, messages of text too, one after the other. What is written goes
// out as messages of bytes, one for each Write. The end of what is written is a goodbye, and that of the peer is the end of
// what is read. A read deadline that has passed stays.
func Bytes(x Socket, about *stream.Info) *BytesConn { return &BytesConn{x: x, about: about} }

// BytesConn is a [conn.Conn], and gives its bytes without copying them: see [conn.Giver].
type BytesConn struct {
	x     Socket
	about *stream.Info
	rest  []byte // of the piece that Read has given some of

	answer  atomic.Uint32 // the code of the peer's goodbye; 0: it has not taken leave
	overdue func()        // is called if that is not answered in time; nil: nobody minds

	mu      sync.Mutex // guards what follows
	timer   *time.Timer
	left    bool
	due     *time.Timer   // of the answer; nil before the goodbye
	dueDone chan struct{} // closed when what that has done is
}

var _ conn.Giver = (*BytesConn)(nil)

// DialledBytes is Bytes for a socket that was sought: who closes it, closes that.
func DialledBytes(y Opened, about *stream.Info) conn.Conn { return &dialledBytes{Bytes(y, about), y} }

type dialledBytes struct {
	*BytesConn
	y Opened
}

// Close is part of net.Conn.
func (d *dialledBytes) Close() error {
	err := d.CloseWrite()
	d.stop()
	d.y.Close()
	return err
}

// Abort lets the peer know that what it gets is not whole.
func (d *dialledBytes) Abort() {
	d.leave(websocket.InternalError)
	d.stop()
	d.y.Close()
}

// Next is part of conn.Giver.
func (c *BytesConn) Next() ([]byte, error) {
	for {
		p, err := c.x.Receive()
		switch closed := (*Closed)(nil); {
		case errors.As(err, &closed):
			c.answer.Store(uint32(closed.Code))
			c.expect()
			return nil, io.EOF
		case errors.Is(err, ErrStopped):
			return nil, os.ErrDeadlineExceeded
		case err != nil:
			return nil, err
		case len(p.Data) > 0:
			return p.Data, nil
		}
	}
}

// Read is part of net.Conn, so are the methods that follow.
func (c *BytesConn) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		var err error
		if c.rest, err = c.Next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *BytesConn) Write(b []byte) (int, error) {
	err := c.x.Send(Piece{Kind: Binary, Last: true, Data: b})
	if err == nil {
		err = c.x.Flush()
	}
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// CloseWrite takes leave, by the code of the peer if that was first.
func (c *BytesConn) CloseWrite() error {
	return c.leave(cmp.Or(websocket.Code(c.answer.Load()), websocket.Normal))
}

// Close ends both directions.
func (c *BytesConn) Close() error {
	err := c.CloseWrite()
	c.x.StopReceive()
	return err
}

// Abort ends both directions, and lets the peer know that they are not whole.
func (c *BytesConn) Abort() {
	c.leave(websocket.InternalError)
	c.x.StopReceive()
}

func (c *BytesConn) leave(code websocket.Code) error {
	c.mu.Lock()
	first := !c.left
	c.left = true
	c.mu.Unlock()
	if !first {
		return nil
	}
	return c.x.SendClose(code, "")
}

// expect answers the peer's goodbye in time.
func (c *BytesConn) expect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.overdue == nil || c.due != nil {
		return
	}
	c.dueDone = make(chan struct{})
	c.due = time.AfterFunc(answerWithin, func() {
		defer close(c.dueDone)
		c.CloseWrite()
		c.overdue()
	})
}

// stop ends what goes by the clock.
func (c *BytesConn) stop() {
	c.SetReadDeadline(time.Time{})
	c.mu.Lock()
	due := c.due
	c.mu.Unlock()
	if due != nil && !due.Stop() {
		<-c.dueDone
	}
}

// SetDeadline sets the read deadline: writing ends with the socket.
func (c *BytesConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline does nothing: who does not read for long enough is given up by the engine.
func (c *BytesConn) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline makes reading end then.
func (c *BytesConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait <= 0:
		c.x.StopReceive()
	default:
		c.timer = time.AfterFunc(wait, c.x.StopReceive)
	}
	return nil
}

// LocalAddr is part of net.Conn, so is RemoteAddr.
func (c *BytesConn) LocalAddr() net.Addr {
	return c.addr(func(i *stream.Info) stream.Addr { return i.Dest })
}
func (c *BytesConn) RemoteAddr() net.Addr {
	return c.addr(func(i *stream.Info) stream.Addr { return i.Source })
}

func (c *BytesConn) addr(of func(*stream.Info) stream.Addr) net.Addr {
	if c.about == nil {
		return &net.TCPAddr{}
	}
	a := of(c.about)
	return &net.TCPAddr{IP: a.IP.AsSlice(), Port: int(a.Port)}
}
