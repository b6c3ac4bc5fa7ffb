// Package webstd lets handlers and clients of net/http work with the http protocol. It is for pages and tools, not for the
// hot path.
//
//	web.Served ──Handler──▶ http.Handler          http.Client ──Transport──▶ web.Opener
package webstd

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/telemetry"
	"gozilla/wire/http1"
)

// Handler makes a web.Handler of an http.Handler. What differs from the server of net/http:
//
//   - Hijack, and the deadlines of an http.ResponseController, are not supported. Full duplex always is.
//   - "Connection: close" in a response has no effect: connections are the business of engines.
//   - panic(http.ErrAbortHandler) before the head has gone out is answered with 502; after it, the exchange is cut off.
//   - The trailer of a request is not announced: Request.Trailer is there at the end of the body.
func Handler(h http.Handler) web.Handler { return handler{h} }

type handler struct{ h http.Handler }

// errAborted is that a handler panicked with http.ErrAbortHandler.
var errAborted = &stream.Cut{By: telemetry.Gateway, Why: "aborted", Err: http.ErrAbortHandler}

func (a handler) ServeExchange(ctx context.Context, r *web.Request, x web.Served) (err error) {
	q, err := requestOf(ctx, r)
	if err != nil {
		return &web.Error{Status: http.StatusBadRequest, Err: err}
	}
	body := &requestBody{x: x, q: q}
	if r.Length != 0 || r.Protocol != "" || r.Tunnel() {
		q.Body = body
	}
	w := &writer{x: x, method: r.Method, tunnel: r.Tunnel(), h: http.Header{}}
	defer body.end()
	defer func() {
		w.over.Store(true)
		if fault := recover(); fault == http.ErrAbortHandler {
			err = errAborted
		} else if fault != nil {
			panic(fault)
		}
	}()
	a.h.ServeHTTP(w, q)
	return w.finish()
}

// requestOf is the request in the words of net/http.
func requestOf(ctx context.Context, r *web.Request) (*http.Request, error) {
	q := &http.Request{
		Method: r.Method, Host: r.Authority, RequestURI: r.Path, ContentLength: r.Length, Header: headerOf(r.Header),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
	}
	var err error
	switch {
	case r.Tunnel():
		q.RequestURI, q.URL = r.Authority, &url.URL{Host: r.Authority}
	default:
		q.URL, err = url.ParseRequestURI(r.Path)
	}
	if err != nil {
		return nil, err
	}
	if r.Length > 0 {
		q.Header.Set("Content-Length", strconv.FormatInt(r.Length, 10))
	} else if r.Length < 0 {
		q.TransferEncoding = []string{"chunked"}
	}
	if r.Trailers {
		q.Header.Set("Te", "trailers")
	}
	if r.Continue {
		q.Header.Set("Expect", "100-continue")
	}
	if r.Protocol != "" {
		q.Header.Set("Connection", "Upgrade")
		q.Header.Set("Upgrade", r.Protocol)
	}
	if about := r.About; about != nil {
		q.RemoteAddr = about.Source.String()
		if about.Secure != nil {
			q.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: about.Authority, NegotiatedProtocol: about.ALPN}
		}
	}
	return q.WithContext(ctx), nil
}

// headerOf is a header in the words of net/http.
func headerOf(h web.Header) http.Header {
	m := make(http.Header, len(h))
	for _, f := range h {
		m.Add(f.Name, f.Value)
	}
	return m
}

var noBreaks = strings.NewReplacer("\n", " ", "\r", " ")

// fieldsOf is a header of net/http, without what is not part of a web.Header, in the order of names.
func fieldsOf(m http.Header, skip func(name string) bool) (h web.Header) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		switch http.CanonicalHeaderKey(key) {
		case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Te", "Trailer", "Expect", "Upgrade", "Keep-Alive", "Proxy-Connection":
			continue
		}
		if skip != nil && skip(key) || !http1.IsToken(key) {
			continue
		}
		for _, v := range m[key] {
			h.Add(key, strings.TrimSpace(noBreaks.Replace(v)))
		}
	}
	return h
}

// requestBody is the body of a request, for as long as its handler runs.
type requestBody struct {
	x      web.Served
	q      *http.Request
	mu     sync.Mutex // held while it is read
	closed atomic.Bool
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.x.Read(p)
	if err == io.EOF && b.q.Trailer == nil {
		if t := b.x.Trailer(); len(t) > 0 {
			b.q.Trailer = headerOf(t)
		}
	}
	return n, err
}

// Close leaves the rest to the engine.
func (b *requestBody) Close() error {
	b.closed.Store(true)
	return nil
}

// end makes nobody read any more: net/http's clients, to whom a body was passed on, may do so for longer than a handler
// runs.
func (b *requestBody) end() {
	b.closed.Store(true)
	if !b.mu.TryLock() {
		b.x.StopRead()
		b.mu.Lock()
	}
	b.mu.Unlock()
}

// mostHeld is how much of a body is held back until its length is known, as net/http does.
const mostHeld = 2 << 10

// writer is an http.ResponseWriter. It holds the head back for as long as it may turn out how long the body is.
type writer struct {
	x      web.Served
	method string
	tunnel bool
	h      http.Header
	over   atomic.Bool // the handler has returned

	status  int         // that was said; 0: none
	said    http.Header // with it
	length  int64       // that was said; -1: none
	written int64
	held    []byte
	out     bool // the head was given to x
	err     error
}

func (w *writer) Header() http.Header { return w.h }

// noBody reports whether the status has no body.
func noBody(status int) bool { return status < 200 && status != 101 || status == 204 || status == 304 }

func (w *writer) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	}
	if w.over.Load() || w.status != 0 {
		return
	}
	if status < 200 && status != 101 {
		w.note(w.x.Respond(&web.Response{Status: status, Header: fieldsOf(w.h, nil)}))
		w.note(w.x.Flush())
		return
	}
	w.status, w.said, w.length = status, w.h.Clone(), -1
	if s := w.said.Get("Content-Length"); s != "" {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
			w.length = n
		}
	}
}

// note keeps the first error.
func (w *writer) note(err error) {
	if w.err == nil {
		w.err = err
	}
}

// isTrailer reports whether a field of the header is sent as one of the trailer.
func (w *writer) isTrailer(key string) bool {
	if strings.HasPrefix(key, http.TrailerPrefix) {
		return true
	}
	for _, list := range w.said["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			if http.CanonicalHeaderKey(strings.TrimSpace(name)) == key {
				return true
			}
		}
	}
	return false
}

// head gives the head to x. whole is that all of the body is held.
func (w *writer) head(whole bool) {
	if w.out || w.err != nil {
		return
	}
	w.out = true
	r := &web.Response{Status: w.status, Length: w.length, Header: fieldsOf(w.said, w.isTrailer)}
	switch {
	case noBody(w.status):
		if w.status == 204 {
			r.Length = 0
		}
	case w.tunnel && w.status/100 == 2, w.status == 101:
		r.Length = -1
	default:
		if whole && r.Length < 0 && w.said["Trailer"] == nil && (w.method != "HEAD" || len(w.held) > 0) {
			r.Length = int64(len(w.held))
		}
		if _, set := w.said["Content-Type"]; !set && w.said.Get("Content-Encoding") == "" && len(w.held) > 0 {
			r.Header.Add("content-type", http.DetectContentType(w.held))
		}
	}
	w.note(w.x.Respond(r))
	w.send(w.held)
	w.held = nil
}

func (w *writer) send(p []byte) {
	if w.err == nil && len(p) > 0 && w.method != "HEAD" {
		_, err := w.x.Write(p)
		w.note(err)
	}
}

func (w *writer) Write(p []byte) (int, error) {
	switch {
	case w.over.Load():
		return 0, http.ErrHandlerTimeout
	case w.status == 0:
		w.WriteHeader(http.StatusOK)
	}
	switch w.written += int64(len(p)); {
	case w.err != nil:
		return 0, w.err
	case noBody(w.status):
		return 0, http.ErrBodyNotAllowed
	case w.length >= 0 && w.written > w.length:
		return 0, http.ErrContentLength
	case !w.out && len(w.held)+len(p) <= mostHeld:
		w.held = append(w.held, p...)
		return len(p), nil
	}
	rest := p
	if !w.out {
		n := min(len(p), 512) // enough to tell the type
		w.held, rest = append(w.held, p[:n]...), p[n:]
		w.head(false)
	}
	w.send(rest)
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

func (w *writer) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// FlushError is what an http.ResponseController calls, Flush is http.Flusher.
func (w *writer) FlushError() error {
	if w.over.Load() {
		return http.ErrHandlerTimeout
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.head(false)
	if w.err == nil {
		w.note(w.x.Flush())
	}
	return w.err
}

func (w *writer) Flush() { w.FlushError() }

// EnableFullDuplex is for an http.ResponseController.
func (w *writer) EnableFullDuplex() error { return nil }

// finish ends the response.
func (w *writer) finish() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.head(!w.trails())
	if w.err == nil {
		w.err = w.x.End(w.trailer())
	}
	return w.err
}

// trails reports whether a trailer follows that was not announced.
func (w *writer) trails() bool {
	for key := range w.h {
		if strings.HasPrefix(key, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

func (w *writer) trailer() web.Header {
	t := http.Header{}
	for key, values := range w.h {
		if name, ok := strings.CutPrefix(key, http.TrailerPrefix); ok {
			t[http.CanonicalHeaderKey(name)] = values
		} else if w.isTrailer(key) {
			t[key] = values
		}
	}
	return fieldsOf(t, nil)
}
