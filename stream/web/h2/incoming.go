package h2

import (
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
	wire "gozilla/wire/h2"
)

// incoming bounds what a connection receives. A stream can always have its first window; windows of streams that are read
// as fast as they come grow, within what is left. The window of the connection is given back as bytes come, so that
// streams that nobody reads hold up no other one, unless too much waits to be read: then as they are read.
type incoming struct {
	initial int  // the window of a stream at its beginning
	target  int  // the window of the connection
	window  int  // what of it the peer has left
	credit  int  // bytes to be given back to the window that the peer was not told of
	owed    int  // bytes that are given back when as many were read
	held    int  // bytes that are charged for, see charge
	grown   int  // of the windows of streams, beyond initial
	most    int  // of grown
	known   bool // the peer knows how large initial is
}

const (
	connectionWindow = 1 << 20
	streamWindow     = 4 << 20 // that a window of a stream grows to
	growTime         = 50 * time.Millisecond
)

func (in *incoming) begin(l *stream.Limits) {
	in.initial = min(wire.WindowSize, max(1, int(l.Window)/int(l.Streams)))
	in.most = max(0, int(l.Window)-int(l.Streams)*in.initial)
	in.window, in.target = wire.WindowSize, max(wire.WindowSize, min(connectionWindow, int(l.Window)))
}

// now is the window that streams begin with now: until a peer has seen our settings, it takes it to be that of RFC 9113.
func (in *incoming) now() int {
	if in.known {
		return in.initial
	}
	return max(in.initial, wire.WindowSize)
}

// agreed takes note that the peer has seen our settings: the windows of streams that have begun are others from now on (section
// 6.9.2).
func (c *connection) agreed() {
	by := c.in.now() - c.in.initial
	c.in.known = true
	for _, l := range c.lanes {
		l.in.window -= by
		l.in.size -= by
		c.in.grown -= by
	}
}

// data handles a frame of a body.
func (c *connection) data(f *wire.Frame) error {
	if c.in.window -= f.Size; c.in.window < 0 {
		return &wire.Fault{Code: wire.FlowControlError, Text: "more comes than the window of the connection allows"}
	}
	l := c.lanes[f.Stream]
	switch {
	case l == nil && c.isIdle(f.Stream):
		return &wire.Fault{Code: wire.ProtocolError, Text: "DATA comes on a stream that nobody has begun"}
	case l == nil || l.in.err != nil || l.in.over:
		c.giveBack(f.Size)
		if f.Flags&wire.EndStream != 0 && c.lingered(f.Stream) {
			c.nod()
		}
		if l == nil && c.past.forgot(f.Stream) {
			return c.late(f.Stream)
		}
		if l == nil && !c.past.wasReset(f.Stream) || l != nil && l.left {
			return &wire.Fault{Stream: f.Stream, Code: wire.StreamClosed, Text: "DATA comes on a stream that is over"}
		}
		return c.chatter(1)
	case l.in.ended:
		c.giveBack(f.Size)
		return &wire.Fault{Stream: f.Stream, Code: wire.StreamClosed, Text: "DATA comes on a stream that the peer has ended"}
	case l.in.window < f.Size && f.Size > 0: // it may be negative
		c.giveBack(f.Size)
		return &wire.Fault{Stream: f.Stream, Code: wire.FlowControlError, Text: "more comes than the window of the stream allows"}
	}
	return l.receive(f)
}

// charge takes note of n bytes that are held on behalf of the peer. All that is held is bounded for the process; beyond, a client
// that holds more than a little is let go. A server has to wait, see keeps: many share its connection.
func (c *connection) charge(n int) error {
	c.in.held += n
	if c.scope.Host().Bodies.Add(int64(n)) > int64(c.limits.Bodies) && c.in.held > wire.WindowSize && c.peer == telemetry.Client {
		return &wire.Fault{Code: wire.EnhanceYourCalm, Text: "too much is held, in all"}
	}
	return nil
}

// release takes note of n bytes that are not held any more.
func (c *connection) release(n int) {
	c.in.held -= n
	c.scope.Host().Bodies.Add(-int64(n))
}

// keeps takes note of n bytes that wait to be read.
func (c *connection) keeps(n int) error {
	err := c.charge(n)
	if c.in.held <= int(c.limits.Window) && c.scope.Host().Bodies.Load() <= int64(c.limits.Bodies) {
		c.giveBack(n)
	} else {
		c.in.owed += n
	}
	return err
}

// gives takes note of n bytes that do not wait any more.
func (c *connection) gives(n int) {
	c.release(n)
	if back := min(n, c.in.owed); back > 0 {
		c.in.owed -= back
		c.giveBack(back)
	}
}

// giveBack gives n bytes back to the window of the connection. The peer is told when they are worth a frame.
func (c *connection) giveBack(n int) {
	if c.in.credit += n; c.in.credit >= c.in.target/2 && c.fault == nil {
		c.offer(c.in.credit)
	}
}

// offer tells the peer of n bytes of the connection's window.
func (c *connection) offer(n int) {
	c.out = wire.AppendWindow(c.room(), 0, uint32(n))
	c.in.window += n
	c.in.credit -= n
}

// wasRead takes note of n bytes of a lane that were read, and widens its window again.
func (c *connection) wasRead(l *lane, n int) {
	c.gives(n)
	in := &l.in
	if in.credit += n; in.ended || in.credit < in.size/2 || c.fault != nil || in.over {
		return
	}
	now := time.Now()
	more := 0
	if now.Sub(in.widened) < growTime && c.scope.Host().Bodies.Load() < int64(c.limits.Bodies)/2 {
		more = min(in.size, streamWindow-in.size, c.in.most-c.in.grown)
		more = max(more, 0)
	}
	in.widened = now
	c.in.grown += more
	in.size += more
	by := in.credit + more
	in.window += by
	in.credit = 0
	c.out = wire.AppendWindow(c.room(), l.id, uint32(by))
}
