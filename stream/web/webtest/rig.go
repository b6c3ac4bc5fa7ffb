package webtest

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/telemetry"
)

// A Rig is a host, what listens on it and what dials: what an engine has around it.
type Rig struct {
	testing.TB
	Host *stream.Host
}

// NewRig is a rig with a host of its own.
func NewRig(t testing.TB) *Rig { return &Rig{t, NewHost()} }

// Node is a node of that name.
func Node(name string) *stream.Node { return &stream.Node{Name: name} }

// Context is one in which scopes can begin.
func (r *Rig) Context() context.Context { return stream.WithHost(context.Background(), r.Host) }

// Start serves a connection. How it ended is told to over, which may be nil.
func (r *Rig) Start(c conn.Conn, s conn.Server, over func(error)) *stream.Scope {
	scope := r.Host.Arrive(r.Context(), Node("listener"))
	scope.OnEnd(func(err error) {
		if err == nil || errors.As(err, new(*stream.Told)) {
			c.Close()
		} else {
			conn.Abort(c)
		}
		if over != nil {
			over(err)
		}
	})
	conn.Start(scope, c, &stream.Info{}, conn.Serving(s))
	return scope
}

// A Dial opens a connection to a server.
type Dial func() (conn.Conn, error)

// TCP serves s on a loopback address.
func (r *Rig) TCP(s conn.Server) Dial {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { ln.Close() })
	go func() { // ends with the listener
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			r.Start(c.(*net.TCPConn), s, nil)
		}
	}()
	return func() (conn.Conn, error) {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			return nil, err
		}
		return c.(*net.TCPConn), nil
	}
}

// Pipes serves s on pipes.
func (r *Rig) Pipes(s conn.Server) Dial {
	return func() (conn.Conn, error) {
		near, far := conn.Pipe()
		r.Start(far, s, nil)
		return near, nil
	}
}

// Over is how a server is reached: by TCP, or by a pipe.
var Over = []struct {
	Name string
	Of   func(*Rig, conn.Server) Dial
}{{"tcp", (*Rig).TCP}, {"pipe", (*Rig).Pipes}}

// Await waits until no scope is open, and reports false if that takes too long.
func (r *Rig) Await() bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return r.Host.AwaitIdle(ctx) == nil
}

// Rests fails the test if a scope is left at its end, or bytes of bodies.
func (r *Rig) Rests() { r.Cleanup(r.Rested) }

// Rested fails the test if a scope is left, or bytes of bodies.
func (r *Rig) Rested() {
	r.Helper()
	if !r.Await() {
		r.Errorf("%d streams are still open", r.Host.Open())
	}
	if held := r.Host.Bodies.Load(); held != 0 {
		r.Errorf("%d bytes of bodies are still held", held)
	}
}

// Blameless fails the test if a fault of ours has ended a stream.
func (r *Rig) Blameless() {
	r.Helper()
	entries, _, _ := r.Host.Log.Since(0)
	for _, e := range entries {
		if e.Record != nil && e.Record.Reason == "internal error" {
			r.Errorf("a fault of ours: %s", e.Record.Err)
		}
	}
}

// RecordOf waits for a record that is one.
func (r *Rig) RecordOf(is func(*telemetry.Record) bool) telemetry.Record {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for seq := uint64(0); ; {
		entries, next, _ := r.Host.Log.Since(seq)
		for _, e := range entries {
			if e.Record != nil && is(e.Record) {
				return *e.Record
			}
		}
		if seq = next; r.Host.Log.Wait(ctx, seq) != nil {
			r.Fatal("there is no record")
		}
	}
}

// Swallow takes an answer to a request of that method, whatever it is, and wants a body to be as long as was said.
func (r *Rig) Swallow(method string, y web.Opened) {
	r.Helper()
	y.Flush()
	for {
		resp, err := y.Response()
		if err != nil {
			return
		}
		if resp.Final() {
			length := resp.Length
			n, err := io.Copy(io.Discard, struct{ io.Reader }{y})
			if err == nil && length >= 0 && n != length && method != "HEAD" && resp.Status != 304 {
				r.Errorf("got %d bytes of %d, and no error", n, length)
			}
			return
		}
	}
}

// An Engine is what carries exchanges over connections.
type Engine struct {
	// Server is one for the handler.
	Server func(node *stream.Node, h web.Handler) conn.Server
	// Pool opens exchanges with the server that dial leads to.
	Pool func(r *Rig, dial Dial) web.Opener
}

// Run runs the suite on an engine: by itself, as a relay, and with all edges tapped, those of the exchanges at both ends and that
// of the connections.
func (e Engine) Run(t *testing.T) {
	for _, o := range Over {
		t.Run(o.Name, func(t *testing.T) {
			t.Parallel()
			Run(t, func(t *testing.T, h web.Handler) *Gateway {
				r := NewRig(t)
				r.Rests()
				return &Gateway{Host: r.Host, Opener: e.Pool(r, o.Of(r, e.Server(Node("server"), h))), Holds: 8 << 20}
			})
		})
		t.Run(o.Name+" relayed", func(t *testing.T) {
			t.Parallel()
			Run(t, func(t *testing.T, h web.Handler) *Gateway {
				r := NewRig(t)
				r.Rests()
				back := e.Pool(r, o.Of(r, e.Server(Node("back"), h)))
				front := e.Pool(r, o.Of(r, e.Server(Node("front"), web.Dialing(back))))
				return &Gateway{Host: r.Host, Opener: front, Holds: 16 << 20, Few: true}
			})
		})
	}
	t.Run("tapped", func(t *testing.T) {
		t.Parallel()
		Run(t, func(t *testing.T, h web.Handler) *Gateway {
			r := NewRig(t)
			r.Rests()
			server := e.Server(Node("server"), tap(web.Protocol, web.Serving(h)))
			pool := e.Pool(r, r.TCP(tap(conn.Protocol, conn.Serving(server))))
			return &Gateway{Host: r.Host, Opener: tap(web.Protocol, web.Dialing(pool)), Holds: 8 << 20}
		})
	})
}

// tap is a port behind an edge that somebody watches.
func tap[P any](p stream.Protocol[P], to P) P {
	edge := stream.NewEdge(p, Node("from"))
	edge.Store(&stream.Target[P]{Node: Node("to"), Port: to})
	edge.Tap(func(*stream.Crossing) func(*stream.Chunk) { return func(*stream.Chunk) {} })
	return p.Through(edge)
}
