package h2_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h2"
	"gozilla/stream/web/webtest"
)

func TestMain(m *testing.M) { webtest.Main(m) }

func as[T error](err error, to *T) bool { return errors.As(err, to) }

// patience bounds everything that must happen, however slow the machine.
const patience = 30 * time.Second

// rig is a host, what listens on it and what dials.
type rig struct {
	testing.TB
	host *stream.Host
}

func node(name string) *stream.Node { return &stream.Node{Name: name} }

// context is one in which scopes can begin.
func (r *rig) context() context.Context { return stream.WithHost(context.Background(), r.host) }

// start serves a connection. How it ended is told to over, which may be nil.
func (r *rig) start(c conn.Conn, s conn.Server, over func(error)) *stream.Scope {
	scope := r.host.Arrive(r.context(), node("listener"))
	scope.OnEnd(func(err error) {
		var told *stream.Told
		if as(err, &told) || err == nil {
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

// A dial opens a connection to a server.
type dial func() (conn.Conn, error)

// tcp serves s on a loopback address.
func (r *rig) tcp(s conn.Server) dial {
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
			r.start(c.(*net.TCPConn), s, nil)
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

// pipes serves s on pipes.
func (r *rig) pipes(s conn.Server) dial {
	return func() (conn.Conn, error) {
		near, far := conn.Pipe()
		r.start(far, s, nil)
		return near, nil
	}
}

// pool has clients to one server, as simple as can be.
type pool struct {
	*rig
	dial dial

	mu      sync.Mutex // guards what follows
	clients []*h2.Client
	changed sync.Cond // clients have, or there are places
	made    int
	faults  []error
}

func (r *rig) pool(d dial) *pool {
	p := &pool{rig: r, dial: d}
	p.changed.L = &p.mu
	r.Cleanup(p.close)
	return p
}

// close has the clients leave when they are idle.
func (p *pool) close() {
	p.mu.Lock()
	clients := slices.Clone(p.clients)
	p.mu.Unlock()
	for _, c := range clients {
		c.Retire("closed")
	}
}

// Another is part of h2.Pool.
func (p *pool) Another(ctx context.Context, _ *stream.Info) (*h2.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for waits := true; waits; {
		waits = false
		for _, c := range p.clients {
			if c.Take() {
				return c, nil
			}
			waits = waits || !c.Settled()
		}
		if waits {
			p.changed.Wait()
		}
	}
	c, err := p.dial()
	if err != nil {
		return nil, &stream.Refused{Reason: stream.Unavailable, Err: err}
	}
	p.made++
	made := h2.NewClient(p, h2.Link{Conn: c, Scope: stream.From(ctx).Apart(node("pool")), Target: "target"})
	p.clients = append(p.clients, made)
	if !made.Take() {
		return nil, h2.ErrLeft
	}
	return made, nil
}

// Freed is part of h2.Pool.
func (p *pool) Freed(*h2.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed.Broadcast()
}

// Gone is part of h2.Pool.
func (p *pool) Gone(c *h2.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients = slices.DeleteFunc(p.clients, func(have *h2.Client) bool { return have == c })
	p.changed.Broadcast()
}

func (p *pool) Failed(_ *h2.Client, fault error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fault)
}

// dials is how often the pool has dialled.
func (p *pool) dials() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}

// OpenExchange is part of web.Opener.
func (p *pool) OpenExchange(ctx context.Context, r *web.Request) (web.Opened, error) {
	for {
		c, err := p.Another(ctx, r.About)
		if err != nil {
			return nil, err
		}
		if y, err := c.Begin(ctx, r); err != h2.ErrLeft {
			if err != nil {
				return nil, err
			}
			return y, nil
		}
	}
}

var (
	_ h2.Pool    = (*pool)(nil)
	_ web.Opener = (*pool)(nil)
)

// await waits until no scope is open.
func await(h *stream.Host) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return h.AwaitIdle(ctx) == nil
}

// rests fails the test if a scope is left at its end.
func (r *rig) rests() {
	r.Cleanup(func() {
		if !await(r.host) {
			r.Errorf("%d streams are still open", r.host.Open())
		}
		if held := r.host.Bodies.Load(); held != 0 {
			r.Errorf("%d bytes of bodies are still held", held)
		}
	})
}

func itoa(n int) string { return strconv.Itoa(n) }
