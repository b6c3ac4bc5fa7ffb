package h2

import (
	"io"
	"sync"
	"time"

	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/telemetry"
	wire "gozilla/wire/h2"
)

// What arrives on a lane.

// receiving is the body that arrives.
type receiving struct {
	wake        sync.Cond
	first, last *chunk
	queued      int // bytes that wait to be read

	window  int       // what the peer may send
	size    int       // of the window
	credit  int       // bytes to be given back to the window
	widened time.Time // when they were

	early   bool  // the head is yet to come
	left    int64 // of what was said; -1: nothing was
	ended   bool  // by the peer
	trailer web.Header
	err     error // it was broken off
	stopped bool  // nobody wants to read
	over    bool  // nobody will

	since    time.Duration // by the sweeper, when Read began to wait; 0: it does not
	patience time.Duration // for which it may; 0: for ever
	ready    func() error  // called before waiting, without the lock; may be nil
}

// chunk is a part of a body that waits to be read.
type chunk struct {
	next *chunk
	r, w int
	b    [16 << 10]byte
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

// receive takes a frame of the body. The lock is held.
func (l *lane) receive(f *wire.Frame) error {
	c, in := l.c, &l.in
	in.window -= f.Size
	p := f.Payload
	if in.early {
		c.giveBack(f.Size)
		return &wire.Fault{Stream: l.id, Code: wire.ProtocolError, Text: "DATA comes before the head"}
	}
	if in.left >= 0 {
		if in.left -= int64(len(p)); in.left < 0 {
			c.giveBack(f.Size)
			return &wire.Fault{Stream: l.id, Code: wire.ProtocolError, Text: "there is more of a body than the head allows"}
		}
	}
	ended := f.Flags&wire.EndStream != 0
	if len(p) == 0 && !ended {
		if err := c.chatter(4); err != nil {
			return err
		}
	}
	if padding := f.Size - len(p); padding > 0 {
		c.giveBack(padding)
		in.credit += padding
	}
	if len(p) > 0 {
		if in.stopped {
			c.giveBack(len(p))
			in.credit += len(p)
		} else {
			in.put(p)
			if err := c.keeps(len(p)); err != nil {
				return err
			}
		}
		l.received.Add(int64(len(p)))
	}
	if ended {
		return l.endReceiving(nil)
	}
	if len(p) > 0 {
		in.wake.Signal()
	}
	return nil
}

// put queues a copy of p.
func (in *receiving) put(p []byte) {
	in.queued += len(p)
	for len(p) > 0 {
		if in.last == nil || in.last.w == len(in.last.b) {
			k := chunks.Get().(*chunk)
			k.next, k.r, k.w = nil, 0, 0
			if in.last == nil {
				in.first = k
			} else {
				in.last.next = k
			}
			in.last = k
		}
		n := copy(in.last.b[in.last.w:], p)
		in.last.w += n
		p = p[n:]
	}
}

// endReceiving is the end of the body, with the trailer in b if that is not nil. The lock is held.
func (l *lane) endReceiving(b *block) error {
	in := &l.in
	switch {
	case in.left > 0 && l.out.begun && l.c.peer == telemetry.Client: // some end a request of which the answer says that it is not wanted
		in.err = &stream.Cut{By: telemetry.Client, Why: "truncated"}
	case in.left > 0:
		return &wire.Fault{Stream: l.id, Code: wire.ProtocolError, Text: "the body is shorter than content-length"}
	}
	if b != nil && len(b.fields) > 0 {
		in.trailer = append(web.Header(nil), b.fields...)
	}
	in.ended = true
	if l.out.ended && l.c.peer == telemetry.Client {
		l.c.nod()
	}
	l.closes()
	in.wake.Signal()
	return nil
}

// discard drops what waits to be read. The lock is held, and nobody reads.
func (l *lane) discard() {
	for k := l.in.first; k != nil; {
		next := k.next
		chunks.Put(k)
		k = next
	}
	l.in.first, l.in.last = nil, nil
	if l.in.queued > 0 {
		l.c.gives(l.in.queued)
		l.in.queued = 0
		l.c.flushSoon()
	}
}

// state is why nothing is to be read, nil if something is or will be.
func (in *receiving) state() error {
	switch {
	case in.stopped:
		return web.ErrStopped
	case in.queued > 0:
		return nil
	case in.err != nil:
		return in.err
	case in.ended:
		return io.EOF
	}
	return nil
}

// piece waits for the next piece of the body. The lock is held. Without wait, no piece and no error is that none has come.
func (l *lane) piece(wait bool) ([]byte, error) {
	in := &l.in
	defer func() { in.since = 0 }()
	for {
		if err := in.state(); err != nil {
			return nil, err
		}
		if in.queued > 0 {
			return in.first.b[in.first.r:in.first.w], nil
		}
		if !wait {
			return nil, nil
		}
		if in.ready != nil {
			l.c.mu.Unlock()
			err := in.ready()
			l.c.mu.Lock()
			if err != nil {
				return nil, err
			}
			if in.queued > 0 || in.state() != nil {
				continue
			}
		}
		if in.since == 0 {
			in.since = l.now()
		}
		in.wake.Wait()
	}
}

// took takes n bytes of the piece. The lock is held.
func (l *lane) took(n int) {
	in := &l.in
	k := in.first
	k.r += n
	in.queued -= n
	if k.r == k.w {
		if in.first = k.next; in.first == nil {
			in.last = nil
		}
		chunks.Put(k)
	}
	l.c.wasRead(l, n)
}

// Read is part of web.Stream.
func (l *lane) Read(p []byte) (n int, err error) {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(p) == 0 {
		if l.in.queued > 0 && !l.in.stopped {
			return 0, nil
		}
		return 0, l.in.state()
	}
	if _, err = l.piece(true); err != nil {
		return 0, err
	}
	for n < len(p) && l.in.queued > 0 {
		k := l.in.first
		m := copy(p[n:], k.b[k.r:k.w])
		n += m
		l.took(m)
	}
	c.flush()
	return n, nil
}

// WriteTo is io.WriterTo: the pieces go on as they come, and w is flushed before each wait.
func (l *lane) WriteTo(w io.Writer) (n int64, err error) {
	f, _ := w.(interface{ Flush() error })
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		b, err := l.piece(false)
		if b == nil && err == nil {
			c.flush()
			if f != nil {
				c.mu.Unlock()
				err = f.Flush()
				c.mu.Lock()
				if err != nil {
					return n, err
				}
			}
			b, err = l.piece(true)
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		c.mu.Unlock()
		_, err = w.Write(b)
		c.mu.Lock()
		l.took(len(b))
		if err != nil {
			return n, err
		}
		n += int64(len(b))
	}
}

// StopRead is part of web.Stream.
func (l *lane) StopRead() {
	l.c.mu.Lock()
	l.in.stopped = true
	l.in.wake.Signal()
	l.c.mu.Unlock()
}

// Trailer is part of web.Stream.
func (l *lane) Trailer() web.Header {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.in.trailer
}

// Buffered is how much of the body is at hand.
func (l *lane) Buffered() int {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.in.queued
}
