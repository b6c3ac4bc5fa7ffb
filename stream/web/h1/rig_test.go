package h1_test

import (
	"context"
	"net"
	"sync"
	"testing"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/webtest"
)

func TestMain(m *testing.M) { webtest.Main(m) }

// rig is a host, what listens on it and what dials.
type rig struct {
	testing.TB
	host *stream.Host
}

// node is a node of that name.
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

// pool keeps the peers that are of use, as simple as can be.
type pool struct {
	*rig
	dial dial
	mu   sync.Mutex
	idle []*h1.Peer
	made int
	over bool
}

func (r *rig) pool(d dial) *pool {
	p := &pool{rig: r, dial: d}
	r.Cleanup(p.close)
	return p
}

// close retires the idle peers, and those that become so.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	for _, peer := range p.idle {
		peer.Retire("closed")
	}
	p.idle = nil
}

func (p *pool) Again(ctx context.Context, _ *stream.Info) (h1.Link, error) {
	c, err := p.dial()
	if err != nil {
		return h1.Link{}, &stream.Refused{Reason: stream.Unavailable, Err: err}
	}
	p.mu.Lock()
	p.made++
	p.mu.Unlock()
	return h1.Link{Conn: c, Scope: stream.From(ctx).Apart(node("pool")), Target: "target"}, nil
}

func (p *pool) Left(*h1.Peer) {}

func (p *pool) Over(peer *h1.Peer, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !peer.Reusable() || p.over {
		peer.Retire("closed")
		return
	}
	p.idle = append(p.idle, peer)
}

func (p *pool) Lost(peer *h1.Peer, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, have := range p.idle {
		if have == peer {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			peer.Retire(why)
			return
		}
	}
}

// dials is how often the pool has dialled.
func (p *pool) dials() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}

func (p *pool) OpenExchange(ctx context.Context, r *web.Request) (web.Opened, error) {
	p.mu.Lock()
	var peer *h1.Peer
	if n := len(p.idle); n > 0 {
		peer, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	if peer == nil {
		l, err := p.Again(ctx, r.About)
		if err != nil {
			return nil, err
		}
		peer = h1.NewPeer(p, l)
	}
	if err := peer.Begin(ctx, r); err != nil {
		peer.Close()
		return nil, err
	}
	return peer, nil
}

var (
	_ h1.Pool    = (*pool)(nil)
	_ web.Opener = (*pool)(nil)
)
