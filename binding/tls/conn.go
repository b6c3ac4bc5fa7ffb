package tls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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
	opened piece
	more   bool  // tls has decrypted more than was asked for
	late   error // of a deadline
	err    error // ended the reading, after bytes that were read before

	// Of who writes:
	sealed piece

	parted atomic.Bool // the peer has ended what it sends, in order
	end    sync.Once   // of what is sent
	endErr error
	broke  func(error) // is told when the peer breaks off, or the rules of TLS
}

// A piece is what a job works on, and what comes of it.
type piece struct {
	p   []byte
	n   int
	err error
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
	if alert := c.transport.alert; err != nil && alert != 0 {
		err = fmt.Errorf("remote error: %w", tls.AlertError(alert))
	}
	c.below.SetDeadline(time.Time{})
	if ctx.Err() != nil { // the line above may have undone what the end of ctx did
		c.below.SetDeadline(past)
		return context.Cause(ctx)
	}
	return err
}

// Below is part of conn.Layer, so are the methods that follow.
func (c *Conn) Below() *conn.End { return c.transport.end }

// Ready reports whether something was decrypted, or received, that was not read.
func (c *Conn) Ready() bool {
	return c.more || c.err != nil || len(c.in) > 0 || c.over != nil
}

// Feed takes what was received.
func (c *Conn) Feed(b []byte, err error) {
	if err == nil {
		c.count.read(len(b))
		c.in = b
		return
	}
	if c.ended(err); c.over == nil {
		c.late = err
	}
}

// Open decrypts all records that have come, as far as there is room in p.
func (c *Conn) Open(p []byte) (n int, err error) {
	if err = c.late; err == nil {
		err = c.err
	}
	if c.late = nil; err != nil {
		return 0, err
	}
	c.opened.p = p
	deeps.Do((*opening)(c))
	n, err = c.opened.n, c.opened.err
	c.opened.p, c.opened.err = nil, nil
	if err == nil || err == (later{}) {
		return n, nil
	}
	if err = c.readError(err); n > 0 {
		c.err, err = err, nil
	}
	return n, err
}

// opening is the job of Open. It does not wait for anything, nor does sealing.
type opening Conn

func (c *opening) Do() {
	r, t := &c.opened, &c.transport
	t.now = true
	for r.n = 0; ; {
		var m int
		m, r.err = c.tls.Read(r.p[r.n:])
		r.n += m
		c.more = r.n == len(r.p)
		if r.err != nil || c.more || len(t.in) == 0 {
			break
		}
	}
	t.now = false
}

// Seal encrypts a batch.
func (c *Conn) Seal(b []byte) (sealed []byte, n int, err error) {
	c.sealed.p = b[:min(len(b), batch)]
	c.hold()
	deeps.Do((*sealing)(c))
	n, err = c.sealed.n, c.sealed.err
	c.sealed.p, c.sealed.err = nil, nil
	if err != nil && isOurAlert(err) { // which answers what was read, and is told there
		err = c.fault(err)
	}
	return c.held(), n, err
}

// sealing is the job of Seal.
type sealing Conn

func (c *sealing) Do() { c.sealed.n, c.sealed.err = c.tls.Write(c.sealed.p) }

// Read is part of net.Conn.
func (c *Conn) Read(p []byte) (n int, err error) {
	for n == 0 && err == nil && len(p) > 0 {
		if !c.Ready() {
			c.Feed(c.transport.end.Recv())
		}
		n, err = c.Open(p)
	}
	return n, err
}

// Write is part of net.Conn. What fits in a batch goes out in one system call.
func (c *Conn) Write(p []byte) (n int, err error) {
	for n < len(p) {
		sealed, m, err := c.Seal(p[n:])
		if err == nil {
			_, err = c.transport.end.Write(sealed)
		}
		if err = c.Sealed(sealed, err); err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
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
	c.broke(err)
	return c.fault(err)
}

// fault is how a stream ends whose peer breaks the rules of TLS, or breaks off by an alert.
func (c *Conn) fault(err error) error {
	cut := &stream.Cut{By: c.transport.end.Side, Why: faultOf(err).reason, Err: err}
	if cut.By == telemetry.Client {
		return &stream.Told{Err: cut} // by the alert that tls.Conn has sent, if it was not the client's own
	}
	return cut
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
