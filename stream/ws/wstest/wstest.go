// Package wstest is the conformance suite of the protocol of WebSockets. Whatever carries sockets from who opened them to who
// serves them has to pass it: the pipe of ws.Serving, a relay in front of it, a client and a server with HTTP between them.
//
//	suite as ws.Opener's caller ═▶ what is tested ═▶ suite as ws.Handler
package wstest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"

	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/stream/ws"
	"gozilla/telemetry"
	"gozilla/wire/websocket"
)

// A Gateway is what is tested.
type Gateway struct {
	// Host is what its scopes live on.
	Host *stream.Host
	// Opener leads to the handler that the gateway was made for.
	Opener ws.Opener
	// Holds is how many bytes of messages may be on their way while nobody receives: what the gateway and the system buffer.
	Holds int
	// Few says that there is no reason to fill all that.
	Few bool
}

// NewHost is a host for a gateway.
func NewHost() *stream.Host {
	return stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 100, false))
}

// Func is a ws.Handler.
type Func func(ctx context.Context, r *ws.Request, x ws.Served) error

// ServeSocket is part of ws.Handler.
func (f Func) ServeSocket(ctx context.Context, r *ws.Request, x ws.Served) error { return f(ctx, r, x) }

// Echo is a handler that sends back what it receives.
func Echo(_ context.Context, _ *ws.Request, x ws.Served) error { return ws.Echo(x) }

// patience bounds everything that must happen, however slow the machine.
const patience = 30 * time.Second

// Main is leak.Main, and lets more tests run at a time than there are processors: they wait most of the time.
func Main(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "16")
	leak.Main(m)
}

// Run runs every case against a gateway of its own, which leads to the case's handler. make may be called for several at a
// time.
func Run(t *testing.T, make func(t *testing.T, h ws.Handler) *Gateway) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(&test{T: t, make: make}) })
	}
}

// test is one case at work.
type test struct {
	*testing.T
	make func(*testing.T, ws.Handler) *Gateway
	g    *Gateway
}

// serve makes the gateway for f, and gives what f returns.
func (t *test) serve(f Func) <-chan error {
	t.Helper()
	over := make(chan error, 100)
	t.g = t.make(t.T, Func(func(ctx context.Context, r *ws.Request, x ws.Served) error {
		err := f(ctx, r, x)
		over <- err
		return err
	}))
	return over
}

// begin is the scope of somebody who opens a socket.
func (t *test) begin() *stream.Scope {
	s := stream.Begin(stream.WithHost(context.Background(), t.g.Host), &stream.Node{Name: "suite"})
	late := time.AfterFunc(patience, func() { s.Cancel(errors.New("the suite has lost its patience")) })
	s.OnEnd(func(error) { late.Stop() })
	t.Cleanup(func() { s.End(nil) })
	return s
}

// open opens a socket that is closed with the case.
func (t *test) open(protocols ...string) ws.Opened {
	t.Helper()
	y, _ := t.openIn(protocols...)
	return y
}

func (t *test) openIn(protocols ...string) (ws.Opened, *stream.Scope) {
	t.Helper()
	s := t.begin()
	y, err := t.g.Opener.OpenSocket(s, request(protocols...))
	if err != nil {
		t.Fatal("cannot open a socket:", err)
	}
	t.Cleanup(func() { y.Close() })
	return y, s
}

func request(protocols ...string) *ws.Request {
	return &ws.Request{Scheme: "http", Authority: "example.com", Path: "/path?query", Protocols: protocols}
}

// message is a whole one.
type message struct {
	kind ws.Kind
	data string
}

func (m message) String() string {
	return fmt.Sprintf("%v %.20q of %d bytes", m.kind, m.data, len(m.data))
}

// send sends a message, in pieces that end at the places, and flushes.
func send(x ws.Socket, m message, at ...int) error {
	from := 0
	for _, to := range at {
		if err := x.Send(ws.Piece{Kind: m.kind, Data: []byte(m.data[from:to])}); err != nil {
			return err
		}
		from = to
	}
	if err := x.Send(ws.Piece{Kind: m.kind, Last: true, Data: []byte(m.data[from:])}); err != nil {
		return err
	}
	return x.Flush()
}

// receive is the next message.
func receive(x ws.Socket) (m message, err error) {
	var data []byte
	for n := 0; ; n++ {
		p, err := x.Receive()
		if err != nil {
			return m, err
		}
		if n > 0 && p.Kind != m.kind {
			return m, errors.New("the kind of a message changes")
		}
		m.kind, data = p.Kind, append(data, p.Data...)
		if p.Last {
			m.data = string(data)
			return m, nil
		}
	}
}

// wants fails the test unless that message is the next.
func (t *test) wants(x ws.Socket, want message) {
	t.Helper()
	if m, err := receive(x); err != nil || m != want {
		t.Fatalf("got %v, %v, not %v", m, err, want)
	}
}

// sends fails the test if a message cannot be sent.
func (t *test) sends(x ws.Socket, m message, at ...int) {
	t.Helper()
	if err := send(x, m, at...); err != nil {
		t.Fatalf("cannot send %v: %v", m, err)
	}
}

// closes fails the test unless the other end has taken leave so.
func (t *test) closes(x ws.Socket, code websocket.Code, reason string) {
	t.Helper()
	for range 2 { // the error stays
		_, err := receive(x)
		if c := (*ws.Closed)(nil); !errors.As(err, &c) || c.Code != code || c.Reason != reason {
			t.Fatalf("got %v, not a goodbye by %d %q", err, code, reason)
		}
	}
}

// ends waits for a handler to return.
func (t *test) ends(over <-chan error) error {
	t.Helper()
	select {
	case err := <-over:
		return err
	case <-time.After(patience):
		t.Fatal("the handler does not return")
		return nil
	}
}
