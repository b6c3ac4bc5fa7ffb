package webtest

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"gozilla/stream/web"
)

// A Body is one that is received.
type Body struct {
	Text    string
	Trailer web.Header
	Err     error // in place of io.EOF: the body is cut off
}

// An Answer is what a handler has answered.
type Answer struct {
	Interim []*web.Response // the heads that were not final
	Head    *web.Response   // if there was none, that of web.Answer
	Body    string
	Trailer web.Header
	Read    int   // bytes of the request's body
	Err     error // of the handler
}

// Serve has h serve r, and fails t if h breaks a rule of the port.
func Serve(ctx context.Context, t testing.TB, h web.Handler, r *web.Request, body Body) *Answer {
	t.Helper()
	x := &Served{t: t, r: r.Clone(), in: body}
	if r.Length >= 0 && r.Length != int64(len(body.Text)) && body.Err == nil && r.Protocol == "" && !r.Tunnel() {
		t.Errorf("the request has length %d, and %d bytes of body", r.Length, len(body.Text))
	}
	err := h.ServeExchange(ctx, r, x)
	return x.finish(err)
}

// Served is a web.Served that records, and fails its test where a rule of the port is broken.
type Served struct {
	t  testing.TB
	r  *web.Request // as it came
	in Body

	mu      sync.Mutex // guards what follows
	answer  Answer
	out     strings.Builder
	left    int64 // of the response's body; -1: not bounded
	eof     bool
	stopped bool
	ended   bool
	over    bool
}

var _ web.Served = (*Served)(nil)

var errBroken = errors.New("a rule of the port is broken")

// begin locks, and looks whether the exchange is over.
func (x *Served) begin(what string) {
	x.t.Helper()
	x.mu.Lock()
	if x.over {
		x.t.Errorf("%s is called after the handler has returned", what)
	}
}

// breaks fails the test.
func (x *Served) breaks(format string, a ...any) error {
	x.t.Helper()
	x.t.Errorf(format, a...)
	return errBroken
}

// Read is part of web.Stream.
func (x *Served) Read(p []byte) (int, error) {
	x.t.Helper()
	x.begin("Read")
	defer x.mu.Unlock()
	rest := x.in.Text[x.answer.Read:]
	switch {
	case x.stopped:
		return 0, web.ErrStopped
	case len(rest) > 0:
		n := copy(p, rest)
		x.answer.Read += n
		return n, nil
	case x.in.Err != nil:
		return 0, x.in.Err
	}
	x.eof = true
	return 0, io.EOF
}

// StopRead is part of web.Stream.
func (x *Served) StopRead() {
	x.t.Helper()
	x.begin("StopRead")
	defer x.mu.Unlock()
	x.stopped = true
}

// Trailer is part of web.Stream.
func (x *Served) Trailer() web.Header {
	x.t.Helper()
	x.begin("Trailer")
	defer x.mu.Unlock()
	if !x.eof {
		x.breaks("Trailer is called before the end of the body")
		return nil
	}
	return x.in.Trailer
}

// Respond is part of web.Served.
func (x *Served) Respond(r *web.Response) error {
	x.t.Helper()
	x.begin("Respond")
	defer x.mu.Unlock()
	switch {
	case x.answer.Head != nil:
		return x.breaks("the exchange is answered twice: %d, then %d", x.answer.Head.Status, r.Status)
	case r.Status < 100 || r.Status > 599:
		return x.breaks("the status is %d", r.Status)
	case r.Status == 101 && x.r.Protocol == "":
		return x.breaks("there is no protocol to switch to")
	}
	x.header(r.Header)
	if !r.Final() {
		x.answer.Interim = append(x.answer.Interim, r.Clone())
		return nil
	}
	x.answer.Head = r.Clone()
	if x.left = r.Length; r.Switches(x.r) {
		x.left = -1
	}
	return nil
}

// header looks at names.
func (x *Served) header(h web.Header) {
	x.t.Helper()
	looks(x.t, h)
}

// looks fails t for names that do not stand in a Header.
func looks(t testing.TB, h web.Header) {
	t.Helper()
	for _, f := range h {
		switch f.Name {
		case "host", "content-length", "transfer-encoding", "connection", "te", "expect", "upgrade":
			t.Errorf("the header has %s, which the head itself says", f.Name)
		}
		if f.Name == "" || f.Name != strings.ToLower(f.Name) {
			t.Errorf("the name %q is not in lower case", f.Name)
		}
	}
}

// bodyless reports whether what is written is not sent.
func (x *Served) bodyless() bool {
	return x.r.Method == "HEAD" || x.answer.Head.Status == 204 || x.answer.Head.Status == 304
}

// Write is part of web.Stream.
func (x *Served) Write(p []byte) (int, error) {
	x.t.Helper()
	x.begin("Write")
	defer x.mu.Unlock()
	switch {
	case x.answer.Head == nil:
		return 0, x.breaks("Write is called before Respond")
	case x.ended && len(p) > 0:
		return 0, x.breaks("Write is called after End")
	case x.bodyless():
		return len(p), nil
	case x.left >= 0 && int64(len(p)) > x.left:
		return 0, x.breaks("the body is longer than %d bytes, as was said", x.answer.Head.Length)
	case x.left >= 0:
		x.left -= int64(len(p))
	}
	return x.out.Write(p)
}

// Flush is part of web.Stream.
func (x *Served) Flush() error {
	x.t.Helper()
	x.begin("Flush")
	defer x.mu.Unlock()
	return nil
}

// End is part of web.Stream.
func (x *Served) End(trailer web.Header) error {
	x.t.Helper()
	x.begin("End")
	defer x.mu.Unlock()
	return x.end(trailer)
}

func (x *Served) end(trailer web.Header) error {
	x.t.Helper()
	switch {
	case x.answer.Head == nil:
		return x.breaks("End is called before Respond")
	case x.ended:
		return nil
	case x.left > 0 && !x.bodyless():
		return x.breaks("the body is shorter than %d bytes, as was said", x.answer.Head.Length)
	}
	x.header(trailer)
	x.ended = true
	x.answer.Trailer = append(x.answer.Trailer, trailer...)
	return nil
}

// finish is the end of the exchange.
func (x *Served) finish(err error) *Answer {
	x.t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	a := &x.answer
	switch a.Err = err; {
	case err != nil && a.Head == nil:
		a.Head = web.Answer(err)
	case err == nil && a.Head == nil:
		x.breaks("the exchange is not answered")
		a.Head = web.Answer(errBroken)
	case err == nil:
		x.end(nil)
	}
	a.Body = x.out.String()
	return a
}
