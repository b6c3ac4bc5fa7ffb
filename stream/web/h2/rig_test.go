package h2_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/stream/web/h2"
	"gozilla/stream/web/webtest"
)

func TestMain(m *testing.M) { webtest.Main(m) }

func as[T error](err error, to *T) bool { return errors.As(err, to) }

// patience bounds everything that must happen, however slow the machine.
const patience = 30 * time.Second

// rig is what an engine has around it.
type rig struct{ *webtest.Rig }

func newRig(t testing.TB) *rig { return &rig{webtest.NewRig(t)} }

type dial = webtest.Dial

var node = webtest.Node

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
	if !made.Take() { // it is gone already
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
		if err == h2.ErrLeft {
			continue
		}
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

func itoa(n int) string { return strconv.Itoa(n) }
