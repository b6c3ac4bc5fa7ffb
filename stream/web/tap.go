package web

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"

	"gozilla/stream"
	"gozilla/wire/http1"
)

// tapped is the port of a tapped edge: it records the exchanges that somebody wants to know of, and leaves the others
// alone.
type tapped struct {
	port Port
	by   *stream.Recorder
}

// ServeExchange is part of Handler.
func (t tapped) ServeExchange(ctx context.Context, r *Request, x Served) (err error) {
	rec := t.by.Record(ctx, r.About, nil)
	if rec == nil {
		return t.port.ServeExchange(ctx, r, x)
	}
	s := &recordedServed{served: x}
	s.begin(x, rec, r, false)
	err = stream.ErrFault // unless it returns
	defer func() {
		if err == nil {
			rec.Finish(true)
		}
		rec.Over(err)
	}()
	err = t.port.ServeExchange(ctx, r, s)
	return err
}

// OpenExchange is part of Opener.
func (t tapped) OpenExchange(ctx context.Context, r *Request) (Opened, error) {
	rec := t.by.Record(ctx, r.About, nil)
	if rec == nil {
		return t.port.OpenExchange(ctx, r)
	}
	y := &recordedOpened{}
	y.begin(nil, rec, r, true)
	x, err := t.port.OpenExchange(ctx, r)
	if err != nil {
		rec.Over(err)
		return nil, err
	}
	y.opened, y.stream = x, x
	return y, nil
}

// recorded is what the recordings of both sides have in common. What is read of an exchange that was sought was sent back
// to who has opened it, what is written was received from there.
type recorded struct {
	stream Stream
	rec    *stream.Recording
	sought bool
	asked  Request     // its method, and the protocol
	raw    atomic.Bool // both directions are
	absent atomic.Bool // the body of the response
	whole  atomic.Bool // what is read

	mu  sync.Mutex
	err error // the first that tells how the exchange has failed
}

func (x *recorded) begin(s Stream, rec *stream.Recording, r *Request, sought bool) {
	x.stream, x.rec, x.sought = s, rec, sought
	x.asked = Request{Method: r.Method, Protocol: r.Protocol}
	rec.Head(false, requestLines(r))
	if r.Length == 0 && !x.mayswitch() {
		rec.Finish(false)
	}
}

// mayswitch reports whether the answer can make raw bytes of both directions.
func (x *recorded) mayswitch() bool { return x.asked.Protocol != "" || x.asked.Tunnel() }

// moves records a piece of one direction.
func (x *recorded) moves(sent bool, p []byte) {
	switch {
	case x.raw.Load():
		x.rec.Data(sent, p)
	case sent && x.absent.Load(): // nobody gets it
	default:
		x.rec.Body(sent, p)
	}
}

// ends records the end of one direction.
func (x *recorded) ends(sent bool, trailer Header) {
	if !sent && x.mayswitch() && !x.raw.Load() {
		return // of a body that there is not: what follows the switch is yet to come
	}
	if len(trailer) > 0 {
		x.rec.Trailer(sent, fieldLines(nil, trailer))
	}
	x.rec.Finish(sent)
}

// responds records the head of a response.
func (x *recorded) responds(r *Response) {
	x.raw.Store(r.Switches(&x.asked))
	x.absent.Store(r.Final() && (x.asked.Method == "HEAD" || r.Status == 204 || r.Status == 304))
	x.rec.Head(true, responseLines(r, &x.asked))
}

func (x *recorded) failed(err error) {
	if err == nil || errors.Is(err, ErrStopped) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		x.err = err
	}
}

// done takes note of how reading has come to an end.
func (x *recorded) done(err error) {
	if err != io.EOF {
		x.failed(err)
		return
	}
	if !x.whole.Swap(true) {
		x.ends(x.sought, x.stream.Trailer())
	}
}

// Read is part of Stream, so are the methods that follow.
func (x *recorded) Read(p []byte) (int, error) {
	n, err := x.stream.Read(p)
	x.moves(x.sought, p[:n])
	x.done(err)
	return n, err
}

// WriteTo lets engines move the pieces as they do without a tap.
func (x *recorded) WriteTo(w io.Writer) (n int64, err error) {
	to := &recordingWriter{x, w}
	if from, ok := x.stream.(io.WriterTo); ok {
		n, err = from.WriteTo(to)
	} else {
		n, err = copyBody(to, x.stream)
	}
	if err == nil {
		x.done(io.EOF)
	} else {
		x.done(err)
	}
	return n, err
}

// recordingWriter is where a body goes that is recorded on its way.
type recordingWriter struct {
	x *recorded
	w io.Writer
}

func (w *recordingWriter) Write(p []byte) (int, error) {
	w.x.moves(w.x.sought, p)
	return w.w.Write(p)
}

func (w *recordingWriter) Flush() error {
	if f, ok := w.w.(interface{ Flush() error }); ok {
		return f.Flush()
	}
	return nil
}

// Buffered is how much of the body is at hand.
func (x *recorded) Buffered() int {
	if b, ok := x.stream.(interface{ Buffered() int }); ok {
		return b.Buffered()
	}
	return 0
}

func (x *recorded) Write(p []byte) (int, error) {
	x.moves(!x.sought, p)
	n, err := x.stream.Write(p)
	x.failed(err)
	return n, err
}

func (x *recorded) Flush() error {
	err := x.stream.Flush()
	x.failed(err)
	return err
}

func (x *recorded) End(trailer Header) error {
	x.ends(!x.sought, trailer)
	err := x.stream.End(trailer)
	x.failed(err)
	return err
}

func (x *recorded) StopRead() { x.stream.StopRead() }

func (x *recorded) Trailer() Header { return x.stream.Trailer() }

// recordedServed is an exchange that arrived.
type recordedServed struct {
	recorded
	served Served
}

// Respond is part of Served.
func (x *recordedServed) Respond(r *Response) error {
	err := x.served.Respond(r)
	if err == nil { // it goes out with what follows
		x.responds(r)
	}
	return err
}

// Parted is what the engine knows of the client.
func (x *recordedServed) Parted() bool { return Parted(x.served) }

// recordedOpened is an exchange that was sought.
type recordedOpened struct {
	recorded
	opened   Opened
	answered bool // by a final head
}

// Response is part of Opened.
func (y *recordedOpened) Response() (*Response, error) {
	r, err := y.opened.Response()
	if err == nil && !y.answered {
		y.answered = r.Final()
		y.responds(r)
	}
	y.failed(err)
	return r, err
}

// errGivenUp is how an exchange is over that was closed before its answer had ended.
var errGivenUp = errors.New("given up")

// Close is part of Opened.
func (y *recordedOpened) Close() error {
	err := y.opened.Close()
	y.mu.Lock()
	how := y.err
	y.mu.Unlock()
	if how == nil && !y.whole.Load() {
		how = errGivenUp
	}
	y.rec.Over(how)
	return err
}

// requestLines is a request as HTTP/1.1 has it, line by line.
func requestLines(r *Request) []string {
	target := r.Path
	if r.Tunnel() {
		target = r.Authority
	}
	lines := append(make([]string, 0, len(r.Header)+6), r.Method+" "+target+" HTTP/1.1", "host: "+r.Authority)
	switch {
	case r.Length > 0:
		lines = append(lines, length(r.Length))
	case r.Length < 0 && r.Protocol == "" && !r.Tunnel():
		lines = append(lines, "transfer-encoding: chunked")
	}
	if r.Protocol != "" {
		lines = append(lines, "connection: upgrade", "upgrade: "+r.Protocol)
	}
	if r.Continue {
		lines = append(lines, "expect: 100-continue")
	}
	if r.Trailers {
		lines = append(lines, "te: trailers")
	}
	return fieldLines(lines, r.Header)
}

// responseLines is the response to asked as HTTP/1.1 has it, line by line.
func responseLines(r *Response, asked *Request) []string {
	lines := append(make([]string, 0, len(r.Header)+3), "HTTP/1.1 "+strconv.Itoa(r.Status)+" "+http1.Reason(r.Status))
	switch {
	case r.Status == 101:
		protocol := r.Protocol
		if protocol == "" {
			protocol = asked.Protocol
		}
		lines = append(lines, "connection: upgrade", "upgrade: "+protocol)
	case !r.Final(), r.Switches(asked), r.Status == 204:
	case r.Length >= 0:
		lines = append(lines, length(r.Length))
	case asked.Method != "HEAD" && r.Status != 304:
		lines = append(lines, "transfer-encoding: chunked")
	}
	return fieldLines(lines, r.Header)
}

func length(n int64) string { return "content-length: " + strconv.FormatInt(n, 10) }

func fieldLines(lines []string, h Header) []string {
	for _, f := range h {
		lines = append(lines, f.Name+": "+f.Value)
	}
	return lines
}
