package h1

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/wire/http1"
)

// framing is how the end of a body is known.
type framing uint8

const (
	absent  framing = iota // there is no body
	length                 // by its length
	chunked                // by the last chunk
	raw                    // by the end of the connection
)

// receiving is the body that arrives on a connection.
type receiving struct {
	t       *conn.Transport
	bytes   atomic.Int64 // of the body that nobody was told of
	frame   framing
	left    int64 // of length
	chunks  http1.Chunks
	limits  *http1.Limits
	done    bool        // it has ended in order
	whole   atomic.Bool // the same, for who looks from outside
	err     error
	stopped atomic.Bool
	nudged  *atomic.Bool // see nudge
	ready   func() error // called before waiting; may be nil

	patience time.Duration // for which the body may stand still; 0: for ever
}

// begin makes in ready for the body of a message.
func (in *receiving) begin(f framing, n int64, patience time.Duration) {
	in.frame, in.left, in.err, in.patience = f, n, nil, patience
	in.done = f == absent || f == length && n == 0
	if in.whole.Load() != in.done {
		in.whole.Store(in.done)
	}
	if f == chunked {
		in.chunks.Reset()
	}
	if in.stopped.Load() {
		in.stopped.Store(false)
	}
}

// next is the next piece of the body, at most most bytes of the connection's buffer, valid until the next call. The
// error is io.EOF at the end. Without wait, no piece and no error is that none has come.
func (in *receiving) next(most int, wait bool) ([]byte, error) {
	for {
		switch {
		case in.err != nil:
			return nil, in.err
		case in.done:
			return nil, io.EOF
		case in.stopped.Load():
			return nil, in.fail(web.ErrStopped)
		}
		if b := in.t.Buffered(); len(b) > 0 {
			p, n, err := in.piece(b, most)
			in.t.Skip(n)
			if err != nil {
				return nil, in.fail(&stream.Cut{By: in.t.Side, Why: "invalid", Err: err})
			}
			if len(p) > 0 {
				in.bytes.Add(int64(len(p)))
				return p, nil
			}
			if n > 0 {
				continue
			}
		}
		if !wait {
			return nil, nil
		}
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
}

// piece takes a piece of the body from b, and n bytes of b with it.
func (in *receiving) piece(b []byte, most int) (p []byte, n int, err error) {
	switch in.frame {
	case chunked:
		p, n, err = in.chunks.Next(b, most, in.limits)
		in.done = in.chunks.Done()
	case length:
		n = int(min(in.left, int64(len(b)), int64(most)))
		p, in.left = b[:n], in.left-int64(n)
		in.done = in.left == 0
	default:
		n = min(len(b), most)
		p = b[:n]
	}
	if in.done {
		in.whole.Store(true)
	}
	return p, n, err
}

// nudge makes a wait for bytes return, for once, so that it is looked whether the end has come: if that came together with
// bytes, nobody was told of it.
func nudge(t *conn.Transport, nudged *atomic.Bool) {
	nudged.Store(true)
	t.StopRecv()
}

// again reports whether a wait that has failed is to be repeated, because it was nudged. over says that it is over
// indeed.
func again(t *conn.Transport, nudged *atomic.Bool, err error, over func() bool) bool {
	if !nudged.Load() || !errors.Is(err, os.ErrDeadlineExceeded) || over() {
		return false
	}
	nudged.Store(false)
	t.SetReadDeadline(time.Time{})
	if over() { // meanwhile
		t.StopRecv()
	}
	return true
}

// over reports whether nothing more is to come, whatever the connection says.
func (in *receiving) over() bool { return in.stopped.Load() || in.t.Late() || in.t.Broken() }

// fill waits for more of the body.
func (in *receiving) fill() error {
	if in.ready != nil {
		if err := in.ready(); err != nil {
			return in.fail(err)
		}
	}
	in.t.Expect(in.patience)
	err := in.t.Fill()
	for err != nil && again(in.t, in.nudged, err, in.over) {
		err = in.t.Fill()
	}
	in.t.Expect(0)
	switch {
	case err == nil:
		return nil
	case in.frame == raw && (err == io.EOF || in.replies(err)):
		in.done = true
		return nil
	case err == io.EOF:
		err = &stream.Cut{By: in.t.Side, Why: "truncated"}
	case in.stopped.Load():
		err = web.ErrStopped
	case in.t.Late():
		err = &stream.Cut{By: in.t.Side, Why: "slow body"}
	}
	return in.fail(err)
}

// replies reports whether a peer has ended a tunnel in reply to our end, though err is that it has not said so: over TLS many,
// such as nginx, answer a close_notify by none of their own. What is spoken in a tunnel knows by itself when it is whole.
func (in *receiving) replies(err error) bool {
	cut := (*stream.Cut)(nil)
	return in.t.Finished() && errors.As(err, &cut) && cut.Why == "truncated"
}

// fail keeps the error: nothing more comes.
func (in *receiving) fail(err error) error {
	in.err = err
	return err
}

// Read is part of web.Stream.
func (in *receiving) Read(p []byte) (int, error) {
	if len(p) == 0 {
		if in.done && in.err == nil {
			return 0, io.EOF
		}
		return 0, in.err
	}
	b, err := in.next(len(p), true)
	return copy(p, b), err
}

// WriteTo is io.WriterTo: the pieces go on as they come, and w is flushed before each wait.
func (in *receiving) WriteTo(w io.Writer) (n int64, err error) {
	f, _ := w.(interface{ Flush() error })
	for {
		b, err := in.next(conn.BufferSize, false)
		if b == nil && err == nil {
			if f != nil {
				if err := f.Flush(); err != nil {
					return n, err
				}
			}
			in.t.Free()
			b, err = in.next(conn.BufferSize, true)
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if _, err = w.Write(b); err != nil {
			return n, err
		}
		n += int64(len(b))
	}
}

// StopRead is part of web.Stream.
func (in *receiving) StopRead() {
	in.stopped.Store(true)
	in.t.StopRecv()
}

// Trailer is part of web.Stream.
func (in *receiving) Trailer() web.Header {
	if in.frame != chunked || !in.done {
		return nil
	}
	return in.chunks.Trailer()
}

// Buffered is how much of the body is at hand: as much as one Read gives without waiting. What is around chunks does not
// count, or who reads on while there is some would wait with what has come for the next chunk.
func (in *receiving) Buffered() int {
	b := in.t.Buffered()
	if in.frame != chunked || len(b) == 0 {
		return len(b)
	}
	ahead := in.chunks
	data, _, _ := ahead.Next(b, len(b), in.limits)
	return len(data)
}
