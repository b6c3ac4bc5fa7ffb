package tls

import (
	"context"
	"crypto/tls"
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
)

// A Conn is a secured connection. One goroutine may read while another writes.
type Conn struct {
	tls *tls.Conn
	transport
	below conn.Conn

	// Of who reads:
	more bool  // tls has decrypted more than was asked for
	err  error // ended the reading, after bytes that were read before

	parted   atomic.Bool // the peer has ended what it sends, in order
	end      sync.Once   // of what is sent
	endErr   error
	protocol func() // is told of a fault of the peer after the handshake
}

var past = time.Unix(1, 0)

// init makes c stand on below, which side is at the other end of. What is read and written counts in flow.
func (c *Conn) init(below conn.Conn, side telemetry.Side, flow stream.Flow) {
	c.below = below
	c.transport.end = conn.Take(below, side)
	if side == telemetry.Client {
		c.count.read, c.count.written = flow.Received, flow.Sent
	} else {
		c.count.read, c.count.written = flow.Sent, flow.Received
	}
}

// handshake agrees with the peer, before ctx ends and within limit.
func (c *Conn) handshake(ctx context.Context, limit time.Duration) error {
	var deadline time.Time
	if limit > 0 {
		deadline = time.Now().Add(limit)
	}
	c.below.SetDeadline(deadline)
	disarm := stream.AfterFunc(ctx, func() { c.below.SetDeadline(past) }) // after the line above, so that it holds
	err := c.tls.Handshake()
	if !disarm() || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c.below.SetDeadline(time.Time{})
	if ctx.Err() != nil { // the line above may have undone what the end of ctx did
		c.below.SetDeadline(past)
		return context.Cause(ctx)
	}
	return err
}

// Await is part of conn.Waiter.
func (c *Conn) Await() error {
	t := &c.transport
	if c.more || c.err != nil || len(t.in) > 0 || t.over != nil {
		return nil
	}
	err := t.fill()
	if err == nil {
		return nil
	}
	if t.ended(err); t.over != nil {
		return nil // ReadNow tells what it means
	}
	return err
}

// ReadNow is part of conn.Waiter. It decrypts all records that have come, as far as there is room in p.
func (c *Conn) ReadNow(p []byte) (n int, err error) {
	if c.err != nil {
		return 0, c.err
	}
	t := &c.transport
	t.now = true
	defer func() { t.now = false }()
	for {
		var m int
		m, err = c.tls.Read(p[n:])
		n += m
		c.more = n == len(p)
		if err != nil || c.more || len(t.in) == 0 {
			break
		}
	}
	if err == nil || err == (later{}) {
		return n, nil
	}
	if err = c.readError(err); n > 0 {
		c.err, err = err, nil
	}
	return n, err
}

// Read is part of net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if err := c.Await(); err != nil {
			return 0, err
		}
		if n, err := c.ReadNow(p); n > 0 || err != nil {
			return n, err
		}
	}
}

// readError is what an error of tls.Conn's Read means: a connection that ends without a close_notify may have been cut
// by anybody, where a record ends too (RFC 8446, section 6.1).
func (c *Conn) readError(err error) error {
	var cut *stream.Cut
	switch {
	case err == io.EOF && !c.transport.cut():
		c.parted.Store(true)
		return io.EOF
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return &stream.Cut{By: c.transport.end.Side, Why: "truncated"}
	case errors.As(err, &cut), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return err
	}
	c.protocol()
	return &stream.Told{Err: &stream.Cut{By: c.transport.end.Side, Why: "tls", Err: err}}
}

// Write is part of net.Conn.
func (c *Conn) Write(p []byte) (n int, err error) {
	for {
		piece := p[n:min(len(p), n+batch)]
		var m int
		if len(piece) > recordMost {
			c.hold()
			m, err = c.tls.Write(piece)
			err = errors.Join(err, c.flush())
		} else {
			m, err = c.tls.Write(piece)
		}
		if err != nil {
			return n, err
		}
		if n += m; n == len(p) {
			return n, nil
		}
	}
}

// CloseWrite ends what is sent: with a close_notify, and then the connection below in that direction. A peer that has
// ended its own direction may not wait for that; to find it gone is in order then.
func (c *Conn) CloseWrite() error {
	c.end.Do(func() {
		if !c.whole() {
			c.endErr = io.ErrClosedPipe
			return
		}
		if c.endErr = c.tls.CloseWrite(); c.endErr == nil {
			c.endErr = c.transport.end.Finish()
		}
		if c.parted.Load() {
			c.endErr = nil
		}
	})
	return c.endErr
}

// Close ends both directions in order.
func (c *Conn) Close() error {
	if err := c.CloseWrite(); err != nil {
		conn.Abort(c.below)
		return err
	}
	return c.below.Close()
}

// Abort ends both directions at once, and without a close_notify.
func (c *Conn) Abort() { conn.Abort(c.below) }

// NetConn is the connection below.
func (c *Conn) NetConn() net.Conn { return c.below }
