// Package webtest is the conformance suite of the http protocol, and its fakes. Whatever carries exchanges from who opened
// them to who serves them has to pass the suite: the pipe of web.Serving, the engines of HTTP/1.1 and HTTP/2 with a
// connection between them, a relay in front of either.
//
//	suite as web.Opener's caller ═▶ what is tested ═▶ suite as web.Handler
//
// For tests of single handlers and openers there are [Serve] and [Opener], which are strict: they fail the test of who
// breaks a rule of the port.
package webtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"testing"
	"time"

	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/telemetry"
)

// A Gateway is what is tested.
type Gateway struct {
	// Host is what its scopes live on.
	Host *stream.Host
	// Opener leads to the handler that the gateway was made for.
	Opener web.Opener
	// Holds is how many bytes of a body may be on their way while nobody reads: what the gateway and the system buffer.
	Holds int
	// Few says that there is no reason to run the cases with many exchanges in full.
	Few bool
}

// NewHost is a host for a gateway.
func NewHost() *stream.Host {
	return stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 100, false))
}

// Func is a web.Handler.
type Func func(ctx context.Context, r *web.Request, x web.Served) error

// ServeExchange is part of web.Handler.
func (f Func) ServeExchange(ctx context.Context, r *web.Request, x web.Served) error {
	return f(ctx, r, x)
}

// patience bounds everything that must happen, however slow the machine; within is how soon the end of the other side has
// to be passed on.
const (
	patience = 30 * time.Second
	within   = 12 * time.Second
)

// Run runs every case against a gateway of its own, which leads to the case's handler. The cases run at the same time, so
// that the package's TestMain has to look for leaks: see [Main].
func Run(t *testing.T, make func(t *testing.T, h web.Handler) *Gateway) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // many wait for a sweeper
			c.run(&test{T: t, make: make})
		})
	}
}

// Main is leak.Main, and lets more tests run at a time than there are processors: they wait most of the time.
func Main(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "16")
	leak.Main(m)
}

// test is one case at work.
type test struct {
	*testing.T
	make func(*testing.T, web.Handler) *Gateway
	g    *Gateway
}

// serve makes the gateway for h.
func (t *test) serve(h Func) {
	t.Helper()
	t.g = t.make(t.T, h)
}

// begin is the scope of something that opens an exchange.
func (t *test) begin() *stream.Scope {
	s := stream.Begin(stream.WithHost(context.Background(), t.g.Host), &stream.Node{Name: "suite"})
	late := time.AfterFunc(patience, func() { s.Cancel(errors.New("the suite has lost its patience")) })
	s.OnEnd(func(error) { late.Stop() })
	t.Cleanup(func() { s.End(nil) })
	return s
}

// open opens an exchange that is closed with the case.
func (t *test) open(r *web.Request) web.Opened {
	t.Helper()
	y, _ := t.openIn(r)
	return y
}

func (t *test) openIn(r *web.Request) (web.Opened, *stream.Scope) {
	t.Helper()
	s := t.begin()
	y, err := t.g.Opener.OpenExchange(s, r)
	if err != nil {
		t.Fatal("cannot open an exchange:", err)
	}
	t.Cleanup(func() { y.Close() })
	return y, s
}

// request is a request with what every one has.
func request(method, path string, h web.Header) *web.Request {
	return &web.Request{Method: method, Scheme: "http", Authority: "example.com", Path: path, Header: h}
}

// answer is a response that has come.
type answer struct {
	heads   []web.Response // those that are not final
	head    web.Response
	body    string
	trailer web.Header
	err     error // of the body
}

// statusOf is the head that a client gets: a gateway without a wire in it gives the error instead.
func statusOf(resp *web.Response, err error) *web.Response {
	if err != nil {
		return web.Answer(err)
	}
	return resp
}

// receive receives an answer to the end.
func (t *test) receive(y web.Opened) (a answer) {
	t.Helper()
	for {
		resp, err := y.Response()
		if err != nil {
			resp = statusOf(nil, err)
			a.head = *resp.Clone()
			return a
		}
		if resp.Final() {
			a.head = *resp.Clone()
			break
		}
		a.heads = append(a.heads, *resp.Clone())
	}
	b, err := io.ReadAll(onlyReader{y})
	a.body, a.err = string(b), err
	a.trailer = append(a.trailer, y.Trailer()...)
	return a
}

type onlyReader struct{ io.Reader }

// do is an exchange with a whole body.
func (t *test) do(r *web.Request, body string) answer {
	t.Helper()
	s := t.begin()
	y, err := t.g.Opener.OpenExchange(s, r)
	if err != nil {
		s.End(err)
		t.Fatal("cannot open an exchange:", err)
	}
	defer s.End(nil)
	defer y.Close()
	if body != "" {
		if _, err := io.WriteString(y, body); err != nil {
			t.Fatal("cannot write the body:", err)
		}
	}
	if err := y.End(nil); err != nil {
		t.Fatal("cannot end the request:", err)
	}
	return t.receive(y)
}

// works fails the case unless the gateway, and the connection that it may hold, serve another exchange. The handler has to
// answer /again with "again".
func (t *test) works() {
	t.Helper()
	if a := t.do(request("GET", "/again", nil), ""); a.head.Status != 200 || a.body != "again" || a.err != nil {
		t.Errorf("the exchange after it got %d, %q, %v", a.head.Status, a.body, a.err)
	}
}

// again answers for works, and leaves the rest to h.
func again(h Func) Func {
	return func(ctx context.Context, r *web.Request, x web.Served) error {
		if r.Path == "/again" {
			return web.Reply(x, 200, nil, []byte("again"))
		}
		return h(ctx, r, x)
	}
}

// added are fields that gateways add.
var added = map[string]bool{"date": true, "server": true, "traceparent": true, "via": true}

// own is a header without what gateways add.
func own(h web.Header) string {
	s := ""
	for _, f := range h {
		if !added[f.Name] {
			s += fmt.Sprintf("%s: %s\n", f.Name, f.Value)
		}
	}
	return s
}

// await waits for what must come.
func await[T any](t *test, c <-chan T, what string) (v T) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case v = <-c:
	case <-late.C:
		t.Fatal("this did not come:", what)
	}
	return v
}

// soon waits for the end of a context.
func (t *test) soon(c <-chan time.Duration, what string) {
	t.Helper()
	if took := await(t, c, what); took > within {
		t.Errorf("%s: it took %v", what, took)
	}
}
