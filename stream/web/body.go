package web

import (
	"io"
	"sync"
)

// pipeBody is one direction of a pipe: a ring of bytes, which is there while there is something in it. The lock of the
// pipe is held by its methods' callers, but for stop and writeTo, which take it.
type pipeBody struct {
	changed sync.Cond
	buf     *[16 << 10]byte
	r, n    int // where the first byte stands, and how many there are
	lent    bool

	left    int64 // of what was said, if bounded
	bounded bool
	absent  bool // in answer to HEAD, or a 304
	ended   bool // by who writes
	trailer Header
	err     error // it was broken off
	stopped bool  // nobody reads
	over    bool  // nobody will ever read
}

// state is why there is nothing to read, nil if there will be.
func (h *pipeBody) state() error {
	switch {
	case h.stopped:
		return ErrStopped
	case h.n > 0:
		return nil
	case h.err != nil:
		return h.err
	case h.ended:
		return io.EOF
	}
	return nil
}

// piece is what can be read at once.
func (h *pipeBody) piece() []byte {
	if h.n == 0 {
		return nil
	}
	return h.buf[h.r:min(h.r+h.n, len(h.buf))]
}

// await waits for a piece.
func (h *pipeBody) await() ([]byte, error) {
	for {
		if err := h.state(); err != nil {
			return nil, err
		}
		if h.n > 0 {
			return h.piece(), nil
		}
		h.changed.Wait()
	}
}

// took takes n bytes.
func (h *pipeBody) took(n int) {
	h.n -= n
	h.r = (h.r + n) % len(h.buf)
	if h.n == 0 {
		h.free()
	}
	h.changed.Broadcast()
}

// free gives the ring back, unless somebody looks at it.
func (h *pipeBody) free() {
	if h.buf != nil && !h.lent {
		buffers.Put(h.buf)
		h.buf, h.r, h.n = nil, 0, 0
	}
}

func (h *pipeBody) read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, h.state()
	}
	if _, err := h.await(); err != nil {
		return 0, err
	}
	for n < len(b) && h.n > 0 {
		m := copy(b[n:], h.piece())
		n += m
		h.took(m)
	}
	return n, nil
}

func (h *pipeBody) writeTo(w io.Writer) (n int64, err error) {
	f, _ := w.(interface{ Flush() error })
	l := h.changed.L
	l.Lock()
	defer l.Unlock()
	for {
		if h.n == 0 && h.state() == nil && f != nil {
			l.Unlock()
			err = f.Flush()
			l.Lock()
			if err != nil {
				return n, err
			}
		}
		b, err := h.await()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		h.lent = true
		l.Unlock()
		_, err = w.Write(b)
		l.Lock()
		h.lent = false
		if h.n == 0 { // it was broken off meanwhile
			h.free()
		} else {
			h.took(len(b))
		}
		if err != nil {
			return n, err
		}
		n += int64(len(b))
	}
}

func (h *pipeBody) stop() {
	h.changed.L.Lock()
	h.stopped = true
	h.changed.Broadcast()
	h.changed.L.Unlock()
}

func (h *pipeBody) write(b []byte) (n int, err error) {
	switch {
	case h.err != nil:
		return 0, h.err
	case len(b) == 0, h.absent:
		return len(b), nil
	case h.ended, h.bounded && h.left < int64(len(b)):
		h.fail(errLong)
		return 0, errLong
	}
	if h.bounded {
		h.left -= int64(len(b))
	}
	for {
		switch {
		case h.err != nil:
			return n, h.err
		case h.over:
			return len(b), nil
		}
		if n += h.put(b[n:]); n == len(b) {
			return n, nil
		}
		h.changed.Wait()
	}
}

func (h *pipeBody) put(b []byte) (n int) {
	if h.buf == nil {
		h.buf = buffers.Get().(*[16 << 10]byte)
		h.r = 0
	}
	for n < len(b) && h.n < len(h.buf) {
		w := (h.r + h.n) % len(h.buf)
		m := copy(h.buf[w:min(len(h.buf), w+len(h.buf)-h.n)], b[n:])
		n, h.n = n+m, h.n+m
	}
	if n > 0 {
		h.changed.Broadcast()
	}
	return n
}

func (h *pipeBody) end(trailer Header) error {
	switch {
	case h.err != nil:
		return h.err
	case h.ended:
		return nil
	case h.bounded && h.left > 0 && !h.absent:
		h.fail(errShort)
		return errShort
	}
	h.ended = true
	if len(trailer) > 0 {
		h.trailer = append(Header(nil), trailer...)
	}
	h.changed.Broadcast()
	return nil
}

// fail breaks the body off, unless it has ended.
func (h *pipeBody) fail(err error) {
	if h.err == nil && !h.ended {
		h.err = err
	}
	h.changed.Broadcast()
}

// discard is that what is written from now on is of no interest.
func (h *pipeBody) discard() {
	h.over, h.n = true, 0
	h.free()
	h.changed.Broadcast()
}
