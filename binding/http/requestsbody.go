package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"gozilla/model"
	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/telemetry"
)

// lookedAt is an exchange whose request's body is looked at when it is read.
type lookedAt struct {
	web.Served
	body
}

// newLookedAt makes it. A model that changes bodies makes the length of the request unknown.
func newLookedAt(ctx context.Context, c model.Coder, r *web.Request, x web.Served) *lookedAt {
	y := &lookedAt{Served: x}
	y.body.begin(ctx, c, x, r.Length)
	if !y.same {
		r.Length = -1
	}
	y.body.wrong = wrongContent
	return y
}

func (x *lookedAt) Read(p []byte) (int, error)               { return x.body.read(p) }
func (x *lookedAt) WriteTo(w io.Writer) (n int64, err error) { return x.body.writeTo(w) }
func (x *lookedAt) StopRead()                                { x.body.stop() }
func (x *lookedAt) ReadFrom(r io.Reader) (int64, error)      { return web.Send(x.Served, r) }
func (x *lookedAt) Parted() bool                             { return web.Parted(x.Served) }

// Buffered is how much of the body is at hand.
func (x *lookedAt) Buffered() int {
	if b, ok := x.Served.(interface{ Buffered() int }); ok && x.same && x.body.err == nil {
		return b.Buffered()
	}
	return 0
}

// opened gives the exchange by which the response to r is looked at, which y brings.
func (all requests) opened(ctx context.Context, r *web.Request, y web.Opened) web.Opened {
	var found captures
	q := all.find(r, &found)
	if q == nil || len(q.answers) == 0 {
		return y
	}
	return &answered{Opened: y, ctx: ctx, q: q, r: r}
}

// answered is an exchange whose response is looked at.
type answered struct {
	web.Opened
	ctx  context.Context
	q    *request
	r    *web.Request // which is lent until Close
	head *web.Response
	err  error // the head is not right
	own  web.Response
	body // if it is looked at
}

// Response is part of web.Opened.
func (y *answered) Response() (*web.Response, error) {
	switch {
	case y.err != nil:
		return nil, y.err
	case y.head != nil:
		return y.head, nil
	}
	resp, err := y.Opened.Response()
	if err != nil || !resp.Final() {
		return resp, err
	}
	if y.head, y.err = y.look(resp); y.err != nil {
		return nil, y.err
	}
	return y.head, nil
}

// look looks at the head of a response, and gives it as it goes on.
func (y *answered) look(resp *web.Response) (*web.Response, error) {
	a := y.q.answer(resp)
	if a == nil {
		return resp, nil
	}
	y.own = *resp
	for i := range a.headers {
		c := &a.headers[i]
		h, err := c.of(y.ctx, y.own.Header, true)
		if err != nil {
			return nil, wrongResponse("the header "+c.name+" of the response", err)
		}
		y.own.Header = h
	}
	bodyless := y.r.Method == "HEAD" || resp.Status == 204 || resp.Status == 304
	switch {
	case a.content == nil, resp.Switches(y.r):
		return &y.own, nil
	case bodyless:
	case resp.Length == 0:
		if _, err := a.content.Value(y.ctx, nil, nil); err != nil {
			return nil, wrongResponse("the content of the response", err)
		}
		return &y.own, nil
	default:
		y.body.begin(y.ctx, a.content, y.Opened, resp.Length)
		y.body.tells = true
		y.body.wrong = cutResponse
	}
	if !a.content.Identity() {
		y.own.Length = -1
	}
	return &y.own, nil
}

// answer is the last entry that a response matches, nil if there is none.
func (q *request) answer(resp *web.Response) *answer {
	for i := len(q.answers) - 1; i >= 0; i-- {
		a := &q.answers[i]
		if (len(a.status) == 0 || slices.Contains(a.status, Status(resp.Status))) && typed(a.types, resp.Header) {
			return a
		}
	}
	return nil
}

// wrongResponse is the error of a response whose head is not right: it is answered by 503.
func wrongResponse(what string, err error) error {
	if !model.IsFault(err) {
		return err
	}
	return stream.Refuse(stream.Unavailable, "%s is %w", what, err)
}

// cutResponse is the error of a response whose body is not right.
func cutResponse(err error) error {
	if !model.IsFault(err) {
		return err
	}
	return &stream.Cut{By: telemetry.Server, Why: "invalid", Err: fmt.Errorf("the content is %w", err)}
}

func (y *answered) Read(p []byte) (int, error) {
	if err := y.await(len(p) > 0); err != nil {
		return 0, err
	}
	if y.src == nil {
		return y.Opened.Read(p)
	}
	return y.body.read(p)
}

// await waits for the head, which says whether the body is looked at.
func (y *answered) await(wait bool) error {
	for wait && y.head == nil && y.err == nil {
		if _, err := y.Response(); err != nil {
			return err
		}
	}
	return y.err
}

func (y *answered) WriteTo(w io.Writer) (int64, error) {
	if err := y.await(true); err != nil {
		return 0, err
	}
	if y.src == nil {
		return writeTo(y.Opened, w)
	}
	return y.body.writeTo(w)
}

func (y *answered) StopRead() {
	y.body.stopped.Store(true)
	y.Opened.StopRead()
}

// body is the body of a message on its way through a model. What the model refuses is cut off: who reads it is never
// given all of a length that was said, or the end of a body without one, before the model has seen its end.
type body struct {
	src     web.Stream // nil: there is no model
	pipe    model.Pipe
	same    bool  // the model changes nothing
	left    int64 // of the length that was said, -1 if none was
	ended   bool  // the model has seen the end
	err     error // nothing more comes, io.EOF included
	wrong   func(error) error
	tells   bool // what stands before the body goes out before the body is broken off
	stopped atomic.Bool

	out  []byte // of a model that changes bodies: what can go on
	rest []byte // of out, that was not read yet
	in   []byte
	w    io.Writer
	n    int64 // what w was given
}

func (b *body) begin(ctx context.Context, c model.Coder, src web.Stream, length int64) {
	b.src, b.pipe, b.same, b.left = src, c.Pipe(ctx), c.Identity(), length
}

func (b *body) stop() {
	b.stopped.Store(true)
	b.src.StopRead()
}

// take puts a piece through the model. What goes on is in b.out, or the piece itself.
func (b *body) take(piece []byte) error {
	if len(piece) == 0 {
		return nil
	}
	var err error
	if b.out, err = b.pipe.Write(b.out[:0], piece); err != nil {
		return b.fail(b.wrong(err))
	}
	if b.left > 0 {
		if b.left -= int64(len(piece)); b.left <= 0 {
			return b.end()
		}
	}
	return nil
}

// end tells the model that all has come.
func (b *body) end() error {
	if b.ended {
		return nil
	}
	b.ended = true
	var err error
	if b.out, err = b.pipe.End(b.out); err != nil {
		return b.fail(b.wrong(err))
	}
	return nil
}

func (b *body) fail(err error) error {
	b.err, b.out, b.rest = err, nil, nil
	return err
}

func (b *body) read(p []byte) (int, error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case len(p) == 0:
		n, err := b.src.Read(nil)
		if err == io.EOF {
			err = nil // as long as it was not read
		}
		return n, err
	case b.same:
		n, err := b.src.Read(p)
		if wrong := b.take(p[:n]); wrong != nil {
			return 0, wrong
		}
		return n, b.over(err)
	}
	return b.readChanged(p)
}

// over settles how reading the source has ended, if it has.
func (b *body) over(err error) error {
	if err == io.EOF {
		if wrong := b.end(); wrong != nil {
			return wrong
		}
	}
	b.err = err
	return err
}

const pieceSize = 4 << 10

// readChanged is read with a model that changes bodies.
func (b *body) readChanged(p []byte) (int, error) {
	if b.in == nil {
		b.in = make([]byte, pieceSize)
	}
	for {
		switch {
		case b.stopped.Load():
			return 0, b.fail(web.ErrStopped)
		case len(b.rest) > 0:
			n := copy(p, b.rest)
			b.rest = b.rest[n:]
			return n, nil
		case b.ended:
			return 0, b.fail(io.EOF)
		}
		n, err := b.src.Read(b.in)
		b.out = b.out[:0]
		if wrong := b.take(b.in[:n]); wrong != nil {
			return 0, wrong
		}
		switch {
		case err == io.EOF:
			if wrong := b.end(); wrong != nil {
				return 0, wrong
			}
		case err != nil:
			return 0, b.fail(err)
		}
		b.rest = b.out
	}
}

// writeTo is io.WriterTo.
func (b *body) writeTo(w io.Writer) (int64, error) {
	switch b.err {
	case nil:
	case io.EOF:
		return 0, nil
	default:
		return 0, b.err
	}
	b.w, b.n = w, 0
	err := b.forward(b.rest) // that Read has left
	b.rest = nil
	if err == nil {
		_, err = writeTo(b.src, (*passage)(b))
	}
	switch {
	case b.err != nil:
		err = b.err
	case err == nil:
		b.out = b.out[:0]
		if err = b.end(); err == nil {
			err = b.forward(b.out)
		}
		if err == nil {
			b.err = io.EOF
		}
	}
	if b.tells && b.err != nil && b.err != io.EOF {
		(*passage)(b).Flush() // or it is a matter of chance whether the head was
	}
	b.w = nil
	return b.n, err
}

func (b *body) forward(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	n, err := b.w.Write(p)
	b.n += int64(n)
	return err
}

// passage is the body as the writer that its source writes to.
type passage body

// Write is part of io.Writer.
func (b *passage) Write(p []byte) (int, error) {
	if err := (*body)(b).take(p); err != nil {
		return 0, err
	}
	to := p
	if !b.same {
		to = b.out
	}
	if err := (*body)(b).forward(to); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush is what sources call before they wait.
func (b *passage) Flush() error {
	if f, ok := b.w.(interface{ Flush() error }); ok {
		return f.Flush()
	}
	return nil
}

// writeTo moves a body on as it comes, and flushes w before each wait.
func writeTo(src web.Stream, w io.Writer) (n int64, err error) {
	if to, ok := src.(io.WriterTo); ok {
		return to.WriteTo(w)
	}
	f, _ := w.(interface{ Flush() error })
	piece := make([]byte, pieceSize)
	for {
		if f != nil {
			if err := f.Flush(); err != nil {
				return n, err
			}
		}
		got, err := src.Read(piece)
		if got > 0 {
			wrote, err := w.Write(piece[:got])
			if n += int64(wrote); err != nil {
				return n, err
			}
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
