package http

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"gozilla/binding"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/h2"
)

// An origin is where exchanges can share connections: a server behind one exit.
type origin struct {
	exit              conn.Port
	scheme, authority string
	apart             bool // upgrades, by HTTP/1.1, to a server that does not take them over HTTP/2 as all the rest
}

// A pool has the connections of a client. For each origin there are no more than the limit pool; an exchange that finds
// none free waits for one, if not too many do already. Clients choose authorities, so that there may be many origins: what
// is idle is bounded over all of them.
type pool struct {
	b        *binding.Builder
	versions versions
	most     int // idle connections that are kept, of either version

	mu      sync.Mutex // guards what follows
	idling  int        // connections that are idle
	closed  bool
	origins map[origin]*links
	clients int    // connections of HTTP/2
	last    *links // that somebody asked for, which mostly is the next one's too; nil if not among the origins
}

// links are the connections to one origin. What they hold is guarded by the lock of the pool.
type links struct {
	*pool
	origin
	versions versions     // of which apart speaks one
	idle     []*h1.Peer   // the one used last at the end
	clients  []*h2.Client // which carry many exchanges at a time
	open     int          // the idle ones, those in use, and those that are dialled
	dialled  int          // of them, those that are dialled now
	speaks   Version      // what the server did last; "" if that is not known
	waiting  []chan berth
}

// A berth is where an exchange can begin: a peer without one, a client of HTTP/2 with a berth taken, or leave to open a
// connection.
type berth struct {
	peer   *h1.Peer
	client *h2.Client
}

func newPool(b *binding.Builder, v versions) *pool {
	limits := b.Limits()
	p := &pool{b: b, versions: v, origins: map[origin]*links{}, most: max(1, min(int(limits.Pool), int(limits.Connections)/4))}
	b.Go("pool", p.run)
	return p
}

// run closes what is idle when the client leaves. It ends with ctx.
func (p *pool) run(ctx context.Context) error {
	<-ctx.Done()
	p.mu.Lock()
	p.closed = true
	idle := map[*h1.Peer]*links{}
	var clients []*h2.Client
	for _, l := range p.origins {
		clients = append(clients, l.clients...)
		for _, peer := range l.idle {
			idle[peer] = l
		}
		l.idle = nil
	}
	p.idling = 0
	p.mu.Unlock()
	for peer, l := range idle {
		l.retire(peer, "closed")
	}
	for _, c := range clients {
		c.Retire("closed")
	}
	return ctx.Err()
}

// begin begins an exchange.
func (p *pool) begin(ctx context.Context, o origin, r *web.Request) (web.Opened, error) {
	upgrades := r.Protocol != "" && p.versions.http1
	o.apart = upgrades && p.declines(o)
	var tries h2.Tries
	for {
		at, err := p.get(ctx, o, r.About)
		if err != nil {
			return nil, err
		}
		if at.client != nil {
			y, err := at.client.Begin(ctx, r)
			switch {
			case err == nil:
				return y, nil
			case err == h2.ErrLeft && tries.Again(ctx, p.b.Limits().Dial): // a moment ago
				continue
			case upgrades && at.client.Declines():
				o.apart = true
				continue
			}
			return nil, err
		}
		if err := at.peer.Begin(ctx, r); err != nil {
			at.peer.Close()
			return nil, err
		}
		return at.peer, nil
	}
}

// declines reports whether a server is known not to take upgrades over HTTP/2.
func (p *pool) declines(o origin) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.origins[o]
	return l != nil && slices.ContainsFunc(l.clients, (*h2.Client).Declines)
}

// get gives a berth for an exchange.
func (p *pool) get(ctx context.Context, o origin, about *stream.Info) (berth, error) {
	p.mu.Lock()
	l := p.last
	if l == nil || l.origin != o {
		if l = p.origins[o]; l == nil {
			l = &links{pool: p, origin: o, versions: p.versions}
			l.versions.http2 = l.versions.http2 && !o.apart
			p.origins[o] = l
		}
		p.last = l
	}
	return l.get(ctx, about)
}

// get is called with the lock held, and gives it up.
func (l *links) get(ctx context.Context, about *stream.Info) (berth, error) {
	limits := l.b.Limits()
	if c := l.client(); c != nil {
		l.mu.Unlock()
		return berth{client: c}, nil
	}
	if n := len(l.idle); n > 0 {
		peer := l.idle[n-1]
		l.idle = l.idle[:n-1]
		l.idling--
		if !peer.Leaves() {
			l.mu.Unlock()
			return berth{peer: peer}, nil
		}
		l.mu.Unlock() // it was asked to a moment ago, and Lost has not come to it yet
		l.retire(peer, "drain")
		return l.pool.get(ctx, l.origin, about)
	}
	if l.open < int(limits.Pool) && !l.comes() {
		l.open++
		l.dialled++
		l.mu.Unlock()
		return l.connect(ctx, about)
	}
	if len(l.waiting) >= int(limits.Waiting) {
		l.mu.Unlock()
		return berth{}, stream.Refuse(stream.Limit, "%d exchanges wait for a connection to %s already", limits.Waiting, l.authority)
	}
	turn := make(chan berth, 1)
	l.waiting = append(l.waiting, turn)
	l.mu.Unlock()
	return l.wait(ctx, turn, about)
}

// client is a connection of HTTP/2 with a berth taken, nil if there is none. The lock is held.
func (l *links) client() *h2.Client {
	for _, c := range l.clients {
		if c.Take() {
			return c
		}
	}
	return nil
}

// comes reports whether a connection is being opened that will, or may, carry many exchanges. The lock is held.
func (l *links) comes() bool {
	for _, c := range l.clients {
		if !c.Settled() {
			return true
		}
	}
	return l.dialled > 0 && l.versions.http2 && (l.speaks == HTTP2 || l.speaks == "" && (l.scheme == "https" || !l.versions.http1))
}

// wait waits for a place.
func (l *links) wait(ctx context.Context, turn chan berth, about *stream.Info) (berth, error) {
	patience := l.b.Limits().Dial
	late := time.NewTimer(patience)
	defer late.Stop()
	var err error
	select {
	case at := <-turn:
		return l.take(ctx, at, about)
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-late.C:
		err = stream.Refuse(stream.Limit, "no connection to %s was free within %s", l.authority, patience)
	}
	l.mu.Lock()
	i := slices.Index(l.waiting, turn)
	if i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	l.mu.Unlock()
	if i >= 0 {
		return berth{}, err
	}
	return l.take(ctx, <-turn, about) // which came at the same moment
}

// take is what a wait came to.
func (l *links) take(ctx context.Context, at berth, about *stream.Info) (berth, error) {
	if at != (berth{}) {
		return at, nil
	}
	return l.connect(ctx, about)
}

// connect opens a connection, which is counted already, and takes a berth on it.
func (l *links) connect(ctx context.Context, about *stream.Info) (berth, error) {
	link, version, err := l.link(ctx, about)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dialled--
	if err != nil {
		l.closedOne()
		return berth{}, err
	}
	l.speaks = version
	if version == HTTP11 {
		for len(l.waiting) > 0 && l.open < int(l.b.Limits().Pool) { // for what could carry many
			l.open++
			l.hand(berth{})
		}
		return berth{peer: h1.NewPeer(l, h1.Link(link))}, nil
	}
	c := h2.NewClient((*shared)(l), link)
	l.clients = append(l.clients, c)
	l.pool.clients++
	taken := c.Take()
	if l.closed {
		c.Retire("closed")
	}
	l.share(c)
	l.trim()
	if !taken {
		return berth{}, &stream.Refused{Reason: stream.Unavailable, Err: errors.New("the connection was lost at once")}
	}
	return berth{client: c}, nil
}

// share gives places of a client to those who wait. The lock is held.
func (l *links) share(c *h2.Client) {
	for len(l.waiting) > 0 && c.Take() {
		l.hand(berth{client: c})
	}
}

// trim lets the connection of HTTP/2 go that has been idle for longest, if there are too many. The lock is held.
func (p *pool) trim() {
	if p.clients+p.idling <= p.most {
		return
	}
	var oldest *h2.Client
	var since time.Duration
	for _, l := range p.origins {
		for _, c := range l.clients {
			if at, idle := c.Idle(); idle && (oldest == nil || at < since) {
				oldest, since = c, at
			}
		}
	}
	if oldest != nil {
		oldest.Retire("idle timeout")
	}
}

// closedOne lets the next one who waits open a connection in place of one that is no more. The lock is held.
func (l *links) closedOne() {
	if len(l.waiting) > 0 && !l.closed {
		l.hand(berth{})
		return
	}
	if l.open--; l.open == 0 && len(l.waiting) == 0 {
		delete(l.origins, l.origin)
		if l.last == l {
			l.last = nil
		}
	}
}

// hand gives a berth to the first who waits. The lock is held.
func (l *links) hand(at berth) {
	turn := l.waiting[0]
	l.waiting = l.waiting[1:]
	if at == (berth{}) {
		l.dialled++
	}
	turn <- at
}

// shared is links as a pool of clients of HTTP/2.
type shared links

// Another is part of h2.Pool.
func (s *shared) Another(ctx context.Context, about *stream.Info) (*h2.Client, error) {
	l := (*links)(s)
	l.mu.Lock()
	at, err := l.get(ctx, about)
	if at.peer != nil { // the server has changed its mind
		l.Over(at.peer, nil)
		return nil, stream.Refuse(stream.Unavailable, "the server does not speak HTTP/2 any more")
	}
	return at.client, err
}

// Freed is part of h2.Pool.
func (s *shared) Freed(c *h2.Client) {
	l := (*links)(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	l.share(c)
	for len(l.waiting) > 0 && l.open < int(l.b.Limits().Pool) && !l.comes() && !l.closed {
		l.open++
		l.hand(berth{})
	}
}

// Gone is part of h2.Pool.
func (s *shared) Gone(c *h2.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.clients, c); i >= 0 {
		s.clients = slices.Delete(s.clients, i, i+1)
		s.pool.clients--
		(*links)(s).closedOne()
	}
}

// Failed is part of h2.Pool.
func (s *shared) Failed(c *h2.Client, fault error) { (*links)(s).failed(c.Scope(), fault) }

// failed tells what a server did wrong.
func (l *links) failed(scope *stream.Scope, fault error) {
	l.b.Warn(scope, "binding.http.server.failed", "A server has not answered as it should (%v).", fault)
}

// Left is part of h1.Pool. A tunnel takes no place in the pool.
func (l *links) Left(*h1.Peer) {
	l.mu.Lock()
	l.closedOne()
	l.mu.Unlock()
}

// Over is part of h1.Pool.
func (l *links) Over(peer *h1.Peer, fault error) {
	if fault != nil {
		l.failed(peer.Scope(), fault)
	}
	reusable := peer.Reusable()
	var oldest *h1.Peer
	var of *links
	l.mu.Lock()
	switch {
	case !reusable || l.closed:
		l.mu.Unlock()
		l.retire(peer, "closed")
		return
	case len(l.waiting) > 0:
		l.hand(berth{peer: peer})
	default:
		l.idle = append(l.idle, peer)
		if l.idling++; l.idling > l.most {
			oldest, of = l.oldest()
		}
	}
	l.mu.Unlock()
	if oldest != nil {
		of.retire(oldest, "idle timeout")
	}
}

// oldest takes the connection that has been idle for longest out of the pool. The lock is held.
func (p *pool) oldest() (oldest *h1.Peer, of *links) {
	for _, l := range p.origins {
		if len(l.idle) > 0 && (oldest == nil || l.idle[0].IdleSince() < oldest.IdleSince()) {
			oldest, of = l.idle[0], l
		}
	}
	of.idle = slices.Delete(of.idle, 0, 1)
	p.idling--
	return oldest, of
}

// Lost is part of h1.Pool.
func (l *links) Lost(peer *h1.Peer, why string) {
	l.mu.Lock()
	i := slices.Index(l.idle, peer)
	if i >= 0 {
		l.idle = slices.Delete(l.idle, i, i+1)
		l.idling--
	}
	l.mu.Unlock()
	if i >= 0 { // else it is in use again, and will be found out then
		l.retire(peer, why)
	}
}

// retire closes a peer's connection, and lets the next one open another.
func (l *links) retire(peer *h1.Peer, why string) {
	peer.Retire(why)
	if peer.Tunnel() {
		return // see Left
	}
	l.mu.Lock()
	l.closedOne()
	l.mu.Unlock()
}
