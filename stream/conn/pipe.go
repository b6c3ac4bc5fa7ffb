package conn

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeSize is how many bytes one direction of a pipe holds.
const pipeSize = 64 << 10

// errAborted is what is read from a pipe whose other end was aborted.
var errAborted = errors.New("the other end was aborted")

// Pipe makes the two ends of a byte stream inside the process. Each direction holds up to 64 KiB, ends separately, and
// can be aborted. It needs no descriptor, and its deadlines follow the clock of testing/synctest.
func Pipe() (*PipeConn, *PipeConn) {
	x, y := newHalf(), newHalf()
	return &PipeConn{in: x, out: y}, &PipeConn{in: y, out: x}
}

// PipeConn is one end of a pipe.
type PipeConn struct{ in, out *half }

// half is one direction of a pipe: a ring of bytes, allocated when the first byte is written.
type half struct {
	mu       sync.Mutex
	changed  sync.Cond
	buf      []byte
	r, n     int   // where the first byte stands, and how many there are
	eof      bool  // the writer has ended its direction
	broken   error // the direction was aborted, or its reader has left
	aborted  bool  // the pipe was aborted, by either end
	readEnd  deadline
	writeEnd deadline
}

// deadline is over or not; a timer tells the half when that changes.
type deadline struct {
	timer *time.Timer
	over  bool
}

func newHalf() *half {
	h := &half{}
	h.changed.L = &h.mu
	return h
}

// Read is part of net.Conn.
func (p *PipeConn) Read(b []byte) (int, error) {
	h := p.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.broken != nil:
			return 0, h.broken
		case h.readEnd.over:
			return 0, os.ErrDeadlineExceeded
		case h.n > 0:
			return h.take(b), nil
		case h.eof:
			return 0, io.EOF
		case len(b) == 0:
			return 0, nil
		}
		h.changed.Wait()
	}
}

func (h *half) take(b []byte) int {
	taken := 0
	for taken < len(b) && h.n > 0 {
		m := copy(b[taken:], h.buf[h.r:min(h.r+h.n, len(h.buf))])
		taken, h.n, h.r = taken+m, h.n-m, (h.r+m)%len(h.buf)
	}
	h.changed.Broadcast()
	return taken
}

// Write is part of net.Conn.
func (p *PipeConn) Write(b []byte) (int, error) {
	h := p.out
	h.mu.Lock()
	defer h.mu.Unlock()
	written := 0
	for {
		switch {
		case h.eof:
			return written, net.ErrClosed
		case h.broken == net.ErrClosed:
			return written, io.ErrClosedPipe // the other end was
		case h.broken != nil:
			return written, h.broken
		case h.writeEnd.over:
			return written, os.ErrDeadlineExceeded
		}
		written += h.put(b[written:])
		if written == len(b) {
			return written, nil
		}
		h.changed.Wait()
	}
}

func (h *half) put(b []byte) int {
	if h.buf == nil && len(b) > 0 {
		h.buf = make([]byte, pipeSize)
	}
	put := 0
	for put < len(b) && h.n < len(h.buf) {
		w := (h.r + h.n) % len(h.buf)
		m := copy(h.buf[w:min(len(h.buf), w+len(h.buf)-h.n)], b[put:])
		put, h.n = put+m, h.n+m
	}
	if put > 0 {
		h.changed.Broadcast()
	}
	return put
}

// CloseWrite ends the direction that is written to: the other end reads what is left, then io.EOF.
func (p *PipeConn) CloseWrite() error {
	p.out.set(func(h *half) { h.eof = true })
	return nil
}

// Close ends what is written in order, and lets writes of the other end fail.
func (p *PipeConn) Close() error {
	p.CloseWrite()
	p.in.end(net.ErrClosed)
	return nil
}

// Abort ends both directions at once; the other end sees that they are not whole.
func (p *PipeConn) Abort() {
	for _, h := range []*half{p.out, p.in} {
		h.end(errAborted)
		h.set(func(h *half) { h.aborted = true })
	}
}

// dead is part of life.
func (p *PipeConn) dead() bool {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	return p.in.aborted
}

// gone is part of life. A pipe tells an abort as often as it is asked.
func (p *PipeConn) gone() bool { return false }

// parted is part of life.
func (p *PipeConn) parted() bool {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	return p.in.eof
}

// stirs is part of life.
func (p *PipeConn) stirs() bool {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	return p.in.n > 0 || p.in.eof || p.in.aborted || p.in.broken != nil
}

// awaitDeath is part of life.
func (p *PipeConn) awaitDeath() error {
	h := p.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.readEnd.over:
			return os.ErrDeadlineExceeded
		case h.aborted:
			return errAborted
		}
		h.changed.Wait()
	}
}

func (h *half) end(err error) {
	h.set(func(h *half) {
		if h.broken == nil && !(h.eof && h.n == 0) {
			h.broken = err
		}
	})
}

func (h *half) set(f func(*half)) {
	h.mu.Lock()
	f(h)
	h.changed.Broadcast()
	h.mu.Unlock()
}

// SetReadDeadline is part of net.Conn.
func (p *PipeConn) SetReadDeadline(t time.Time) error { return p.in.until(&p.in.readEnd, t) }

// SetWriteDeadline is part of net.Conn.
func (p *PipeConn) SetWriteDeadline(t time.Time) error { return p.out.until(&p.out.writeEnd, t) }

// SetDeadline is part of net.Conn.
func (p *PipeConn) SetDeadline(t time.Time) error {
	p.SetReadDeadline(t)
	return p.SetWriteDeadline(t)
}

func (h *half) until(d *deadline, t time.Time) error {
	h.set(func(h *half) {
		if d.timer != nil {
			d.timer.Stop()
			d.timer = nil
		}
		d.over = false
		switch wait := time.Until(t); {
		case t.IsZero():
		case wait <= 0:
			d.over = true
		default:
			var timer *time.Timer
			timer = time.AfterFunc(wait, func() {
				h.set(func(*half) { d.over = d.over || d.timer == timer })
			})
			d.timer = timer
		}
	})
	return nil
}

// LocalAddr is part of net.Conn.
func (p *PipeConn) LocalAddr() net.Addr { return pipeAddr{} }

// RemoteAddr is part of net.Conn.
func (p *PipeConn) RemoteAddr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
