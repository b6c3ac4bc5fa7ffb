package h1

import (
	"errors"
	"sync"
	"sync/atomic"

	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/wire/http1"
)

// sendingSize is how much of a message is gathered before it is sent. What is larger than gatherMost is not copied.
const (
	sendingSize = 16 << 10
	gatherMost  = 8 << 10
)

var sendingBuffers = sync.Pool{New: func() any { b := make([]byte, 0, sendingSize); return &b }}

// sending is a message that leaves on a connection: its head, then its body.
type sending struct {
	t     *conn.Transport
	bytes atomic.Int64 // of the body that nobody was told of
	frame framing
	left  int64   // of length
	buf   *[]byte // what was not sent yet; nil while that is nothing
	begun bool    // something of the message was sent
	ended bool
	err   error
	sent  atomic.Int64 // how often something was sent, for who looks from outside
}

// begin makes out ready for the next message. What was not flushed stays.
func (out *sending) begin() {
	out.frame, out.left, out.begun, out.ended, out.err = absent, 0, false, false, nil
	out.sent.Store(0)
}

// head is where to append to; set takes it back.
func (out *sending) head() []byte {
	if out.buf == nil {
		out.buf = sendingBuffers.Get().(*[]byte)
	}
	return *out.buf
}

func (out *sending) set(b []byte) { *out.buf = b }

// body says how the body is framed that follows.
func (out *sending) body(f framing, n int64) { out.frame, out.left = f, n }

var (
	errLong  = errors.New("the body is longer than was said")
	errShort = errors.New("the body is shorter than was said")
	crlf     = []byte("\r\n")
)

// Write is part of web.Stream.
func (out *sending) Write(p []byte) (int, error) {
	switch {
	case out.err != nil:
		return 0, out.err
	case len(p) == 0 || out.frame == absent: // in answer to HEAD, or a 304
		return len(p), nil
	case out.ended:
		return 0, errLong
	}
	b := out.head()
	var tail []byte
	switch out.frame {
	case length:
		if out.left -= int64(len(p)); out.left < 0 {
			out.err = errLong
			return 0, out.err
		}
	case chunked:
		b, tail = http1.AppendChunk(b, len(p)), crlf
	}
	if len(b)+len(p)+len(tail) <= gatherMost {
		out.set(append(append(b, p...), tail...))
	} else {
		out.set(b)
		if out.put(p, tail); out.err != nil {
			return 0, out.err
		}
	}
	out.bytes.Add(int64(len(p)))
	return len(p), nil
}

// put sends what was gathered, p and tail.
func (out *sending) put(p, tail []byte) {
	var b []byte
	if out.buf != nil {
		b = *out.buf
	}
	out.begun = true
	out.sent.Add(1)
	out.err = out.t.Put(b, p, tail)
	out.free()
}

// free forgets what was gathered, and gives the buffer back unless it has grown.
func (out *sending) free() {
	if out.buf == nil {
		return
	}
	if cap(*out.buf) == sendingSize {
		*out.buf = (*out.buf)[:0]
		sendingBuffers.Put(out.buf)
	}
	out.buf = nil
}

// Flush is part of web.Stream.
func (out *sending) Flush() error {
	if out.err == nil && out.buf != nil && len(*out.buf) > 0 {
		out.put(nil, nil)
	}
	return out.err
}

// End is part of web.Stream.
func (out *sending) End(trailer web.Header) error {
	if err := out.finish(trailer); err != nil {
		return err
	}
	return out.Flush()
}

// finish gathers the end of the body.
func (out *sending) finish(trailer web.Header) error {
	if out.ended || out.err != nil {
		return out.err
	}
	out.ended = true
	switch out.frame {
	case length:
		if out.left != 0 {
			out.err = errShort
		}
	case chunked:
		var b []byte
		if b, out.err = http1.AppendEnd(out.head(), trailer); out.err == nil {
			out.set(b)
		}
	case raw:
		if out.err = out.Flush(); out.err == nil {
			out.err = out.t.Finish()
		}
	}
	return out.err
}

// progress rises whenever something is sent, from 0.
func (out *sending) progress() int64 { return out.sent.Load() }

// ask sends what was gathered, which is the whole message, and waits for an answer.
func (out *sending) ask() error {
	out.begun = true
	out.sent.Add(1)
	err := out.t.Ask(*out.buf)
	out.free()
	return err
}
