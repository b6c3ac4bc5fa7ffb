package conn

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"

	"gozilla/stream"
)

// tapped is the port of a tapped edge: it records the streams that somebody wants to know of, and leaves the others alone.
type tapped struct {
	port Port
	by   *stream.Recorder
}

// ServeConn is part of Port.
func (t tapped) ServeConn(ctx context.Context, c Conn, about *stream.Info) (err error) {
	rec := t.by.Record(ctx, about, nil)
	if rec == nil {
		return t.port.ServeConn(ctx, c, about)
	}
	err = stream.ErrFault // unless it returns
	defer func() { rec.Over(err) }()
	err = t.port.ServeConn(ctx, record(c, &tape{rec: rec}), about)
	return err
}

// DialConn is part of Port.
func (t tapped) DialConn(ctx context.Context, about *stream.Info) (Conn, *stream.Info, error) {
	c, reached, err := t.port.DialConn(ctx, about)
	rec := t.by.Record(ctx, about, reached)
	switch {
	case rec == nil:
	case err != nil:
		rec.Over(err)
	default:
		c = record(c, &tape{rec: rec, sought: true})
	}
	return c, reached, err
}

// A tape is the recording of a Conn. Of one that was sought, what is written is received from who has opened it.
type tape struct {
	rec    *stream.Recording
	sought bool

	mu  sync.Mutex
	err error // the first that tells how the stream has failed
}

func (t *tape) read(p []byte, err error) {
	t.rec.Data(t.sought, p)
	if err == io.EOF {
		t.rec.Finish(t.sought)
	} else {
		t.failed(err)
	}
}

func (t *tape) writes(p []byte) { t.rec.Data(!t.sought, p) }

func (t *tape) failed(err error) {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
}

// over is for a Conn that was sought, which nobody else says to be over. One that arrived is when it was served.
func (t *tape) over(err error) {
	if !t.sought {
		return
	}
	t.mu.Lock()
	if t.err != nil {
		err = t.err
	}
	t.mu.Unlock()
	t.rec.Over(err)
}

// errOurAbort is how a stream is over that was aborted on this side of the edge.
var errOurAbort = errors.New("aborted")

// recorded is a Conn whose bytes are recorded. It is no socket to a relay, so that nothing goes past it, and what knows
// of the peer is found below it.
type recorded struct {
	Conn
	tape *tape
}

// record makes a Conn that records what is read from c and written to it. What was read ahead of c stays ahead, and a
// layer stays one.
func record(c Conn, t *tape) Conn {
	switch c := c.(type) {
	case *ahead:
		t.read(c.head, nil)
		return &ahead{record(c.Conn, t), c.head}
	case Layer:
		return &recordedLayer{recorded{c, t}, c}
	}
	return &recorded{c, t}
}

func (r *recorded) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.tape.read(p[:n], err)
	return n, err
}

func (r *recorded) Write(p []byte) (int, error) {
	r.tape.writes(p)
	n, err := r.Conn.Write(p)
	r.tape.failed(err)
	return n, err
}

func (r *recorded) CloseWrite() error {
	err := r.Conn.CloseWrite()
	if err == nil {
		r.tape.rec.Finish(!r.tape.sought)
	}
	r.tape.failed(err)
	return err
}

func (r *recorded) Close() error {
	err := r.Conn.Close()
	r.tape.over(nil)
	return err
}

// Abort makes [Abort] what it is without the tap.
func (r *recorded) Abort() {
	Abort(r.Conn)
	r.tape.over(errOurAbort)
}

// NetConn is the connection below.
func (r *recorded) NetConn() net.Conn { return r.Conn }

// recordedLayer is recorded for a layer, which an End opens and seals itself.
type recordedLayer struct {
	recorded
	layer Layer
}

// Below is part of Layer, so are the methods that follow.
func (r *recordedLayer) Below() *End { return r.layer.Below() }

func (r *recordedLayer) Ready() bool { return r.layer.Ready() }

func (r *recordedLayer) Feed(b []byte, err error) { r.layer.Feed(b, err) }

func (r *recordedLayer) Open(p []byte) (int, error) {
	n, err := r.layer.Open(p)
	r.tape.read(p[:n], err)
	return n, err
}

func (r *recordedLayer) Seal(b []byte) (sealed []byte, n int, err error) {
	sealed, n, err = r.layer.Seal(b)
	if err == nil {
		r.tape.writes(b[:n])
	}
	return sealed, n, err
}

func (r *recordedLayer) Sealed(sealed []byte, err error) error {
	err = r.layer.Sealed(sealed, err)
	r.tape.failed(err)
	return err
}
