package conn

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
)

// bufferSize is what is read at once. At 32 KiB a copy in and out is cheaper than two more system calls.
const bufferSize = 32 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// An End is one end of a byte stream in the hands of a relay or an echo. Where the system allows, it reads and writes
// the socket itself: it waits until the socket is readable before it takes a buffer, so that an idle stream holds none,
// and spares the calls what the runtime does around those that may block. See socket_linux.go; elsewhere, and for what is
// not a socket, it calls Read and Write.
//
// One goroutine may receive while another sends.
type End struct {
	Conn
	Side  telemetry.Side // who is at the other end, for the errors
	Stall time.Duration  // how long Send may wait without any progress; 0: for ever

	head  []byte // what was read ahead
	sock  socket
	layer Layer // the Conn, if it is one
	giver Giver // likewise
	below *End  // of the layer
	life  life  // tells whether the peer has aborted; nil: nothing does

	buf      *[bufferSize]byte // what Recv has read; nil while it waits
	finished atomic.Bool       // what is sent has ended

	mu    sync.Mutex  // guards what follows against the deadlines that Send sets
	over  bool        // everything has to return
	left  bool        // it is nobody's any more
	timer *time.Timer // looks while write waits; nil until then
	from  *End        // what it looks at, nil while write does not wait
}

// Take takes c in hand. What was read ahead of it is received first.
func Take(c Conn, side telemetry.Side) *End {
	e := &End{Side: side}
	e.init(c)
	return e
}

func (e *End) init(c Conn) {
	for {
		a, ok := c.(*ahead)
		if !ok {
			break
		}
		e.head = append(e.head, a.head...)
		a.head, c = nil, a.Conn
	}
	e.Conn = c
	e.sock.init(c)
	if e.layer, _ = c.(Layer); e.layer != nil {
		e.below = e.layer.Below()
	}
	e.giver, _ = c.(Giver)
	e.life = lifeOf(c)
}

// raw reports whether the end reads and writes its socket itself.
func (e *End) raw() bool { return e.sock.rc != nil }

// Recv waits for bytes, which are valid until Release. The error is io.EOF for an orderly end, and a *stream.Cut for an
// abort.
func (e *End) Recv() ([]byte, error) {
	if len(e.head) > 0 {
		b := e.head
		e.head = nil
		return b, nil
	}
	var n int
	var err error
	switch {
	case e.raw():
		n, err = e.sock.recv(&e.buf)
	case e.layer != nil:
		for n == 0 && err == nil {
			e.Release()
			if !e.layer.Ready() {
				e.layer.Feed(e.below.Recv())
			}
			e.buf = buffers.Get().(*[bufferSize]byte)
			n, err = e.layer.Open(e.buf[:])
		}
	case e.giver != nil:
		b, err := e.giver.Next()
		return b, e.cut(err)
	default:
		e.buf = buffers.Get().(*[bufferSize]byte)
		n, err = e.Read(e.buf[:])
	}
	if n > 0 {
		return e.buf[:n], nil
	}
	e.Release()
	if err == nil {
		err = io.EOF
	}
	return nil, e.cut(e.truly(err))
}

// truly tells an orderly end from one that only looks like it: the system gives the error of an abort once, and if a
// send took it, who reads finds nothing but the end.
func (e *End) truly(err error) error {
	if err == io.EOF && e.life != nil && e.life.gone() && !e.finished.Load() { // in this order: finished comes first
		return errAborted
	}
	return err
}

// Release gives the buffer of Recv back.
func (e *End) Release() {
	if e.buf != nil {
		buffers.Put(e.buf)
		e.buf = nil
	}
}

// Write writes all of p, and waits for as long as the write deadline of the Conn allows. Unlike Send it leaves that
// deadline alone.
func (e *End) Write(p []byte) (int, error) {
	if !e.raw() {
		return e.Conn.Write(p)
	}
	n, err := e.sock.sendWait(p)
	return n, e.cut(err)
}

// Send writes all of b.
func (e *End) Send(b []byte) error { return e.send(b, nil) }

// send writes all of b. While it waits for its peer, it looks after from, whose peer could abort unseen meanwhile. What it
// does when it need not wait is kept shallow, see serve: so what a layer has sealed is sent here too.
func (e *End) send(b []byte, from *End) (err error) {
	to, out, n := e, b, len(b)
	if e.layer != nil {
		to, e.below.Stall = e.below, e.Stall
		if out, n, err = e.layer.Seal(b); err != nil {
			return e.layer.Sealed(nil, err)
		}
	}
	if to.raw() {
		var sent int
		if sent, err = to.sock.send(out); err != nil {
			err = to.sendRest(out[sent:], sent, err, from)
		}
	} else {
		err = to.cut(to.write(out, from))
	}
	if e.layer != nil {
		if err = e.layer.Sealed(out, err); err == nil && n < len(b) {
			return e.send(b[n:], from)
		}
	}
	return err
}

// sendRest goes on where the socket has taken some bytes before and then said err.
func (e *End) sendRest(b []byte, sent int, err error, from *End) error {
	var waiting time.Time
	queued := -1
	for err == errWouldBlock {
		q := -1
		if e.Stall > 0 {
			q = e.sock.queued() // which the peer may take from for long before the socket takes more
		}
		if sent > 0 || waiting.IsZero() || q != queued {
			waiting, queued = time.Now(), q
		} else if e.Stall > 0 && time.Since(waiting) > e.Stall {
			return errStalled
		}
		sent, err = e.sendSlowly(b, from)
		b = b[sent:]
	}
	return e.cut(err)
}

// SendAll writes all of the batch, small pieces together.
func (e *End) SendAll(batch [][]byte) error {
	if len(batch) == 1 {
		return e.Send(batch[0])
	}
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	joined := buf[:0]
	for _, b := range batch {
		if len(joined)+len(b) > bufferSize && len(joined) > 0 {
			if err := e.Send(joined); err != nil {
				return err
			}
			joined = buf[:0]
		}
		if len(b) >= bufferSize {
			if err := e.Send(b); err != nil {
				return err
			}
			continue
		}
		joined = append(joined, b...)
	}
	if len(joined) == 0 {
		return nil
	}
	return e.Send(joined)
}

// write is send for what is not a socket.
func (e *End) write(b []byte, from *End) error {
	if e.Stall > 0 && !e.deadline(time.Now().Add(e.Stall)) {
		return os.ErrDeadlineExceeded
	}
	if from != nil && from.life != nil {
		e.lookAt(from)
		defer e.lookAt(nil)
	}
	_, err := e.Conn.Write(b)
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case from != nil && from.dead():
		return &stream.Cut{By: from.Side, Why: "rst"}
	case e.Stall > 0 && e.deadline(time.Time{}):
		return errStalled
	}
	return err
}

// lookAt makes a write that waits return once from was aborted; nil ends that.
func (e *End) lookAt(from *End) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.from = from
	switch {
	case from == nil:
		e.timer.Stop()
	case e.timer == nil:
		e.timer = time.AfterFunc(lookEvery, e.look)
	default:
		e.timer.Reset(lookEvery)
	}
}

// look is what the timer does.
func (e *End) look() {
	e.mu.Lock()
	from := e.from
	if from != nil {
		e.timer.Reset(lookEvery)
	}
	e.mu.Unlock()
	if from != nil && from.dead() {
		e.Stop()
	}
}

// errStalled is that an end took nothing for as long as Stall allows.
var errStalled = &stream.Cut{By: telemetry.Gateway, Why: "slow reader"}

// sendSlowly waits until b can be sent, for a while.
func (e *End) sendSlowly(b []byte, from *End) (sent int, err error) {
	if !e.deadline(time.Now().Add(lookEvery)) {
		return 0, os.ErrDeadlineExceeded
	}
	sent, err = e.sock.sendWait(b)
	if !e.deadline(time.Time{}) {
		return sent, os.ErrDeadlineExceeded
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return sent, err
	}
	if from != nil && from.dead() {
		return sent, &stream.Cut{By: from.Side, Why: "rst"}
	}
	return sent, errWouldBlock
}

// deadline sets when send has to return, unless it has to anyway.
func (e *End) deadline(t time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.over {
		e.SetWriteDeadline(t)
	}
	return !e.over
}

// Leave ends what Take began: a Stop that comes late does nothing. If the end was stopped, it can be written to again for
// a while, so that a protocol above can say why it ends.
func (e *End) Leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left = true
	if e.over {
		e.SetWriteDeadline(time.Now().Add(grace))
	}
}

// Stop makes every Recv and Send return, now and later.
func (e *End) Stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.left {
		return
	}
	e.over = true
	if e.below != nil {
		e.below.Stop()
	}
	e.SetDeadline(past)
}

func (e *End) stopped() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.over
}

// StopRecv makes every Recv return, now and later, and lets Send go on.
func (e *End) StopRecv() { e.SetReadDeadline(past) }

// awaitDeath returns once the peer has aborted after it had ended its direction, or with os.ErrDeadlineExceeded once
// the end was stopped. It is nil if that can no longer happen, or cannot be known.
func (e *End) awaitDeath() error {
	if e.life == nil {
		return nil
	}
	return e.cut(e.life.awaitDeath())
}

// dead reports whether the peer has aborted, without reading.
func (e *End) dead() bool { return e.life != nil && e.life.dead() }

// Finish ends what is sent in order.
func (e *End) Finish() error {
	e.finished.Store(true)
	if err := e.CloseWrite(); err != nil {
		return e.cut(err)
	}
	return nil
}

// Finished reports whether what is sent has ended.
func (e *End) Finished() bool { return e.finished.Load() }

// cut says in the words of records how the end failed.
func (e *End) cut(err error) error {
	var cut *stream.Cut
	switch {
	case err == nil, err == io.EOF, errors.As(err, &cut), errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ENOTCONN),
		errors.Is(err, io.ErrClosedPipe), err == errAborted:
		return &stream.Cut{By: e.Side, Why: "rst"}
	case errors.Is(err, syscall.ETIMEDOUT):
		return &stream.Cut{By: e.Side, Why: "keep-alive timeout"}
	}
	return &stream.Cut{By: e.Side, Why: "error", Err: err}
}
