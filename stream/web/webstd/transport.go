package webstd

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/stream/web"
)

// Transport makes an http.RoundTripper of a web.Opener. The context of its requests belongs to a stream.Scope. It adds no
// fields of its own, and decodes nothing. Of an httptrace.ClientTrace it calls Got1xxResponse and Got100Continue.
//
// Response.Body is to be closed, also when there is no body; an exchange that has ended on both sides is closed by
// itself. With status 101 it is an io.ReadWriteCloser that has CloseWrite.
func Transport(o web.Opener) http.RoundTripper { return transport{o} }

type transport struct{ o web.Opener }

// continueWait is how long a body is held back that waits for a 100.
const continueWait = time.Second

func (t transport) RoundTrip(q *http.Request) (*http.Response, error) {
	r := opens(q)
	trace := httptrace.ContextClientTrace(q.Context())
	r.Interim = trace != nil && trace.Got1xxResponse != nil
	y, err := t.o.OpenExchange(q.Context(), r)
	if err != nil {
		closeBody(q)
		return nil, err
	}
	e := &roundTrip{y: y, q: q, proceed: make(chan struct{}), sent: make(chan struct{})}
	if !r.Continue {
		e.goAhead()
	}
	switch {
	case r.Length != 0:
		go e.send(q.Context())
	case r.Protocol != "" || r.Tunnel():
		close(e.sent)
		err = y.Flush()
	default:
		close(e.sent)
		err = y.End(nil)
	}
	var resp *http.Response
	if err == nil {
		resp, err = e.receive(r, trace)
	}
	if err != nil {
		e.Close()
		return nil, e.why(err)
	}
	return resp, nil
}

// opens is the request in the words of package web.
func opens(q *http.Request) *web.Request {
	r := &web.Request{
		Method: q.Method, Scheme: q.URL.Scheme, Authority: q.Host, Path: q.URL.RequestURI(), Length: q.ContentLength,
		Header: fieldsOf(q.Header, nil), Continue: strings.EqualFold(q.Header.Get("Expect"), "100-continue"),
	}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if r.Authority == "" {
		r.Authority = q.URL.Host
	}
	switch {
	case q.Body == nil || q.Body == http.NoBody:
		r.Length, r.Continue = 0, false
	case r.Length == 0:
		r.Length = -1
	}
	for _, te := range q.Header["Te"] {
		r.Trailers = r.Trailers || strings.Contains(strings.ToLower(te), "trailers")
	}
	if strings.Contains(strings.ToLower(q.Header.Get("Connection")), "upgrade") {
		r.Protocol = q.Header.Get("Upgrade")
	}
	if r.Tunnel() {
		r.Path = ""
	}
	return r
}

func closeBody(q *http.Request) {
	if q.Body != nil {
		q.Body.Close()
	}
}

// roundTrip is an exchange, and the body of its response.
type roundTrip struct {
	y    web.Opened
	q    *http.Request
	resp *http.Response

	once    sync.Once
	proceed chan struct{} // closed when the body may be sent
	sent    chan struct{} // closed when the body was sent, or was not

	reading sync.Mutex // held while the response is read
	closed  atomic.Bool
	failed  atomic.Pointer[error] // of the request's body
	last    error                 // what Read gives after the end
}

func (e *roundTrip) goAhead() { e.once.Do(func() { close(e.proceed) }) }

// send is the goroutine of the request's body. It ends with that, and when the exchange is closed; then as soon as the
// body's Read returns.
func (e *roundTrip) send(ctx context.Context) {
	defer close(e.sent)
	defer closeBody(e.q)
	if e.y.Flush() != nil { // Response will tell why
		return
	}
	late := time.NewTimer(continueWait)
	defer late.Stop()
	select {
	case <-e.proceed:
	case <-late.C:
	case <-ctx.Done():
		return
	}
	b := make([]byte, 16<<10)
	for !e.closed.Load() {
		n, err := e.q.Body.Read(b)
		if e.closed.Load() {
			return
		}
		if n > 0 {
			if _, err := e.y.Write(b[:n]); err != nil {
				return
			}
		}
		switch {
		case err == io.EOF:
			e.y.End(fieldsOf(e.q.Trailer, nil))
			return
		case err != nil:
			e.fail(err)
			return
		}
		if n > 0 && n < len(b) { // more will take a while, it seems
			if e.y.Flush() != nil {
				return
			}
		}
	}
}

// fail breaks the exchange off because the body of the request cannot be read.
func (e *roundTrip) fail(err error) {
	e.failed.Store(&err)
	e.y.StopRead()
}

// why is the error of the request's body, if that is why reading was stopped.
func (e *roundTrip) why(err error) error {
	if first := e.failed.Load(); first != nil && errors.Is(err, web.ErrStopped) {
		return *first
	}
	return err
}

// receive waits for the head.
func (e *roundTrip) receive(r *web.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
	for {
		head, err := e.y.Response()
		if err != nil {
			return nil, err
		}
		if head.Final() {
			return e.final(r, head), nil
		}
		if head.Status == http.StatusContinue {
			if trace != nil && trace.Got100Continue != nil {
				trace.Got100Continue()
			}
			e.goAhead()
		}
		if r.Interim {
			if err := trace.Got1xxResponse(head.Status, textproto.MIMEHeader(headerOf(head.Header))); err != nil {
				return nil, err
			}
		}
	}
}

// final is the response in the words of net/http.
func (e *roundTrip) final(r *web.Request, head *web.Response) *http.Response {
	resp := &http.Response{
		StatusCode: head.Status, Status: strconv.Itoa(head.Status) + " " + http.StatusText(head.Status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: headerOf(head.Header), ContentLength: head.Length, Request: e.q, Body: e,
	}
	e.resp = resp
	if head.Length >= 0 && head.Status != http.StatusNoContent {
		resp.Header.Set("Content-Length", strconv.FormatInt(head.Length, 10))
	}
	if head.Status == http.StatusNotModified {
		resp.ContentLength = 0
	}
	none := r.Method == http.MethodHead || noBody(head.Status) || head.Length == 0
	switch {
	case head.Switches(r):
		if head.Status == http.StatusSwitchingProtocols {
			resp.Header.Set("Connection", "Upgrade")
			resp.Header.Set("Upgrade", r.Protocol)
		}
		resp.Body = duplex{e}
	case none && e.whole():
		e.Read(make([]byte, 1)) // closes it
		resp.Body = http.NoBody
	case head.Length < 0 && !none:
		resp.TransferEncoding = []string{"chunked"}
	}
	return resp
}

// whole reports whether the request was sent.
func (e *roundTrip) whole() bool {
	select {
	case <-e.sent:
		return true
	default:
		return false
	}
}

// Read is part of Response.Body.
func (e *roundTrip) Read(p []byte) (int, error) {
	e.reading.Lock()
	defer e.reading.Unlock()
	switch {
	case e.last != nil:
		return 0, e.last
	case e.closed.Load():
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := e.y.Read(p)
	if err == nil {
		return n, nil
	}
	err = e.why(err)
	e.last = err
	if err != io.EOF {
		return n, err
	}
	if t := e.y.Trailer(); len(t) > 0 {
		e.resp.Trailer = headerOf(t)
	}
	if _, raw := e.resp.Body.(duplex); !raw && e.whole() && !e.closed.Swap(true) {
		e.y.Close()
	}
	return n, err
}

// Close is part of Response.Body.
func (e *roundTrip) Close() error {
	if !e.reading.TryLock() {
		e.y.StopRead()
		e.reading.Lock()
	}
	if !e.closed.Swap(true) {
		e.y.Close()
	}
	e.reading.Unlock()
	e.goAhead()
	closeBody(e.q)
	return nil
}

// duplex is the body of a response that makes raw bytes of both directions.
type duplex struct{ *roundTrip }

// Write sends p at once.
func (d duplex) Write(p []byte) (int, error) {
	n, err := d.y.Write(p)
	if err == nil {
		err = d.y.Flush()
	}
	return n, err
}

// CloseWrite ends what is sent.
func (d duplex) CloseWrite() error { return d.y.End(nil) }
