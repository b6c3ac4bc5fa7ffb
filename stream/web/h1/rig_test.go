package h1_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/webtest"
)

func TestMain(m *testing.M) { webtest.Main(m) }

// patience bounds everything that must happen, however slow the machine.
const patience = 30 * time.Second

// rig is what an engine has around it.
type rig struct{ *webtest.Rig }

func newRig(t testing.TB) *rig { return &rig{webtest.NewRig(t)} }

type dial = webtest.Dial

var node = webtest.Node

// pool keeps the peers that are of use, as simple as can be.
type pool struct {
	*rig
	dial   dial
	mu     sync.Mutex
	idle   []*h1.Peer
	made   int
	over   bool
	faults []error
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

func (p *pool) Over(peer *h1.Peer, fault error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fault != nil {
		p.faults = append(p.faults, fault)
	}
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

func itoa(n int) string { return strconv.Itoa(n) }
