package http

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gozilla/binding"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web/h1"
	"gozilla/telemetry"
)

// An origin is where exchanges can share connections: a server behind one exit.
type origin struct {
	exit              conn.Port
	scheme, authority string
}

// A pool has the connections of a client. For each origin there are no more than the limit pool; an exchange that finds
// none free waits for one, if not too many do already. Clients choose authorities, so that there may be many origins: what
// is idle is bounded over all of them.
type pool struct {
	b    *binding.Builder
	most int // idle connections that are kept

	mu      sync.Mutex // guards what follows
	idling  int        // connections that are idle
	closed  bool
	origins map[origin]*links
	last    *links // that somebody asked for, which mostly is the next one's too; nil if not among the origins
}

// links are the connections to one origin. What they hold is guarded by the lock of the pool.
type links struct {
	*pool
	origin
	idle    []*h1.Peer // the one used last at the end
	open    int        // the idle ones, those in use, and those that are dialled
	waiting []chan *h1.Peer
}

func newPool(b *binding.Builder) *pool {
	limits := b.Limits()
	p := &pool{b: b, origins: map[origin]*links{}, most: max(1, min(int(limits.Pool), int(limits.Connections)/4))}
	b.Go("pool", p.run)
	return p
}

// run closes what is idle when the client leaves. It ends with ctx.
func (p *pool) run(ctx context.Context) error {
	<-ctx.Done()
	p.mu.Lock()
	p.closed = true
	idle := map[*h1.Peer]*links{}
	for _, l := range p.origins {
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
	return ctx.Err()
}

// get gives a peer without an exchange.
func (p *pool) get(ctx context.Context, o origin, about *stream.Info) (*h1.Peer, error) {
	limits := p.b.Limits()
	p.mu.Lock()
	l := p.last
	if l == nil || l.origin != o {
		if l = p.origins[o]; l == nil {
			l = &links{pool: p, origin: o}
			p.origins[o] = l
		}
		p.last = l
	}
	if n := len(l.idle); n > 0 {
		peer := l.idle[n-1]
		l.idle = l.idle[:n-1]
		p.idling--
		p.mu.Unlock()
		if peer.Leaves() { // it was asked to a moment ago, and Lost has not come to it yet
			l.retire(peer, "drain")
			return p.get(ctx, o, about)
		}
		return peer, nil
	}
	if l.open < int(limits.Pool) {
		l.open++
		p.mu.Unlock()
		return l.begin(ctx, about)
	}
	if len(l.waiting) >= int(limits.Waiting) {
		p.mu.Unlock()
		return nil, stream.Refuse(stream.Limit, "%d exchanges wait for a connection to %s already", limits.Waiting, o.authority)
	}
	turn := make(chan *h1.Peer, 1)
	l.waiting = append(l.waiting, turn)
	p.mu.Unlock()
	return l.wait(ctx, turn, about)
}

// wait waits for a peer, or for leave to open one.
func (l *links) wait(ctx context.Context, turn chan *h1.Peer, about *stream.Info) (*h1.Peer, error) {
	patience := l.b.Limits().Dial
	late := time.NewTimer(patience)
	defer late.Stop()
	var err error
	select {
	case peer := <-turn:
		return l.take(ctx, peer, about)
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
		return nil, err
	}
	return l.take(ctx, <-turn, about) // which came at the same moment
}

// take is what a wait came to: a peer, or leave to open one.
func (l *links) take(ctx context.Context, peer *h1.Peer, about *stream.Info) (*h1.Peer, error) {
	if peer != nil {
		return peer, nil
	}
	return l.begin(ctx, about)
}

// begin opens a link, which is counted already, and makes a peer of it.
func (l *links) begin(ctx context.Context, about *stream.Info) (*h1.Peer, error) {
	link, err := l.Again(ctx, about)
	if err != nil {
		l.mu.Lock()
		l.closedOne()
		l.mu.Unlock()
		return nil, err
	}
	return h1.NewPeer(l, link), nil
}

// closedOne lets the next one who waits open a connection in place of one that is no more. The lock is held.
func (l *links) closedOne() {
	if len(l.waiting) > 0 && !l.closed {
		l.hand(nil)
		return
	}
	if l.open--; l.open == 0 && len(l.waiting) == 0 {
		delete(l.origins, l.origin)
		if l.last == l {
			l.last = nil
		}
	}
}

// hand gives a peer, or leave to open one, to the first who waits. The lock is held.
func (l *links) hand(peer *h1.Peer) {
	turn := l.waiting[0]
	l.waiting = l.waiting[1:]
	turn <- peer
}

// Again is part of h1.Pool. It opens a link on behalf of an exchange, on another goroutine: that needs a large stack for a
// moment, which would stay with the connection of who waits for it.
func (l *links) Again(ctx context.Context, about *stream.Info) (h1.Link, error) {
	s := stream.From(ctx)
	s.Mark(stream.DialBegan)
	link := h1.Link{Scope: s.Apart(l.b.Node)}
	stop := stream.AfterFunc(ctx, func() { link.Scope.Cancel(context.Cause(ctx)) })
	done := make(chan error, 1)
	conn.Briefly(func() {
		done <- stream.Contained(link.Scope, func() (err error) {
			link.Conn, err = l.dial(link.Scope, about)
			return err
		})
	})
	err := <-done
	s.Mark(stream.DialEnded)
	if !stop() && err == nil {
		conn.Abort(link.Conn)
		err = context.Cause(ctx)
	}
	link.Target = link.Scope.Record().Target
	if err != nil {
		s.SetRecord(func(r *telemetry.Record) { r.Target = link.Target })
		link.Scope.End(err)
	}
	return link, err
}

func (l *links) dial(ctx context.Context, about *stream.Info) (conn.Conn, error) {
	c, told, err := l.exit.DialConn(ctx, destination(l.scheme, l.authority, about))
	if err == nil && told.ALPN == "h2" {
		conn.Abort(c)
		return nil, stream.Refuse(stream.Unavailable, "the server has chosen HTTP/2, which is not spoken yet: let alpn of the tls client be http/1.1")
	}
	return c, err
}

// destination is what to dial for an authority.
func destination(scheme, authority string, about *stream.Info) *stream.Info {
	host, port := splitAuthority(scheme, authority)
	to := &stream.Info{Dest: stream.Addr{Port: port}, Authority: host}
	if ip, err := netip.ParseAddr(host); err == nil {
		to.Dest.IP = ip.Unmap()
	} else {
		to.Dest.Host = host
	}
	if about != nil {
		to.Local = about.Local
	}
	return to
}

// splitAuthority is the host, without brackets, and the port, that of the scheme if none is said.
func splitAuthority(scheme, authority string) (host string, port uint16) {
	host, port = authority, 80
	if scheme == "https" {
		port = 443
	}
	if h, p, err := net.SplitHostPort(authority); err == nil {
		host = h
		if n, err := strconv.ParseUint(p, 10, 16); err == nil {
			port = uint16(n)
		}
	}
	return strings.Trim(host, "[]"), port
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
		l.b.Warn(peer.Scope(), "binding.http.server.failed", "A server has not answered as it should (%v).", fault)
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
		l.hand(peer)
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
