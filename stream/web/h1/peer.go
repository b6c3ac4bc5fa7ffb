package h1

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/facts"
	"gozilla/telemetry"
	"gozilla/wire/http1"
)

// A Link is a connection to a server, and its scope, which whoever is given the link ends.
type Link struct {
	Conn   conn.Conn
	Scope  *stream.Scope
	Target string // what was dialled, for the records of exchanges
}

// A Pool is whose Peers are.
type Pool interface {
	// Again opens another link to the same server, in place of one that the server has closed.
	Again(ctx context.Context, about *stream.Info) (Link, error)
	// Left is told that the link of p is a tunnel from now on, and so will not carry another exchange. Over is told all the
	// same.
	Left(p *Peer)
	// Over is told that the exchange of p is over. The pool may begin another one if p is Reusable; if not, it retires it.
	// fault is what the server did wrong, nil for nothing.
	Over(p *Peer, fault error)
	// Lost is told that p is of no use any more while it has no exchange, and why. It runs on a goroutine of its own.
	Lost(p *Peer, why string)
}

// Peer is a connection to a server. It carries one exchange at a time, and is itself that exchange: a web.Opened.
type Peer struct {
	receiving
	out    sending
	pool   Pool
	link   Link
	tally  stream.Flow // of the link
	limits http1.Limits
	req    *web.Request
	head   http1.Response
	resp   web.Response

	authority string // of the last request, which can be written

	held    bool      // the request is whole, and nothing of it was sent
	used    bool      // the link has served another exchange
	last    time.Time // that answered, nearly
	armed   bool      // the answer is due
	fault   error     // of the server
	got     bool      // something of the response has come
	final   bool      // the final head has
	interim int       // heads that were not final
	open    bool      // there is an exchange

	writing  sync.Mutex  // held while a request is written that is not whole from the beginning
	sent     atomic.Bool // the request was, or is with Response to send
	answered atomic.Bool // the final head has come
	leaves   atomic.Bool // the link is not to be used again
	nudge    atomic.Bool // see nudge

	mu     sync.Mutex      // guards what follows
	ctx    context.Context // of the exchange; nil while there is none
	since  time.Duration   // by the sweeper, when the last one was over
	lost   bool            // the pool knows that it is of no use
	looked bool            // whether its end came during the exchange
}

// NewPeer makes a peer of a link.
func NewPeer(pool Pool, l Link) *Peer {
	p := &Peer{pool: pool}
	p.receiving.limits, p.receiving.nudged = &p.limits, &p.nudge
	p.limits.Head = min(int(l.Scope.Limits().Head), conn.BufferSize)
	p.take(l)
	return p
}

func (p *Peer) take(l Link) {
	p.tally.Begin(l.Scope)
	t := conn.NewTransport(l.Scope.Host(), l.Conn, telemetry.Server)
	t.Count(&p.tally)
	p.mu.Lock()
	p.link, p.receiving.t, p.out.t = l, t, t
	p.mu.Unlock()
	t.Watch(p.look)
	stream.AfterFunc(l.Scope, t.Break)
	l.Scope.OnLeave(p.leave)
}

// leave ends the link, after its exchange.
func (p *Peer) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaves.Store(true)
	p.idles("drain")
}

// idles tells the pool that the peer is of no use, if it has no exchange. The lock is held.
func (p *Peer) idles(why string) {
	if p.ctx == nil && !p.lost {
		p.lost = true
		go p.pool.Lost(p, why)
	}
}

// look is called about once a second.
func (p *Peer) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, s := p.receiving.t, p.link.Scope
	switch {
	case p.ctx != nil:
		switch {
		case p.ctx.Err() != nil:
			t.Break()
		case !p.looked && p.sent.Load() && !p.answered.Load() && t.Parted(): // before it was asked, perhaps
			p.looked = true
			nudge(t, &p.nudge)
		}
	case p.lost:
	case s.Err() != nil, t.Stirs():
		p.idles("")
	case s.Host().Sweeper.Now()-p.since > s.Limits().Spare:
		p.idles("idle timeout")
	}
}

// Wake is part of stream.Waker.
func (p *Peer) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx != nil && p.ctx.Err() != nil {
		p.receiving.t.Break()
	}
}

// fresh is for how long after an exchange a link is taken for good without a look, which is a system call, by a request that
// can be sent again. Otherwise a server that has closed the link, or says something that nobody has asked, is found out
// before it is asked again.
const fresh = 2 * time.Millisecond

// IdleSince is when the last exchange was over, by the time of the host's sweeper.
func (p *Peer) IdleSince() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.since
}

// Begin begins an exchange. The peer must have none. It is to be closed after an error too.
func (p *Peer) Begin(ctx context.Context, r *web.Request) error {
	p.mu.Lock()
	p.ctx, p.lost, p.looked = ctx, false, false
	p.mu.Unlock()
	p.req, p.open, p.got, p.final, p.armed, p.interim = r, true, false, false, false, 0
	p.answered.Store(false)
	stream.From(ctx).Wakes(p)
	p.fault = nil
	p.receiving.begin(raw, 0, 0)
	old := !facts.Repeats(r) || stream.From(ctx).Start().Sub(p.last) > fresh
	if t := p.receiving.t; p.used && (len(t.Buffered()) > 0 || old && t.Stirs()) {
		if err := p.again(); err != nil {
			return err
		}
	}
	if err := p.write(); err != nil { // nothing was sent, so that the link is as good as before
		p.receiving.begin(absent, 0, 0)
		p.out.ended, p.final = true, true
		p.sent.Store(true)
		return err
	}
	stream.From(ctx).SetRecord(func(rec *telemetry.Record) { rec.Target = p.link.Target })
	return nil
}

// upgrades reports whether a request asks for another protocol. One that has a body does not: what would follow it is
// better left out.
func upgrades(r *web.Request) bool { return r.Protocol != "" && r.Length == 0 }

// write gathers the request, as far as it is known.
func (p *Peer) write() error {
	r := p.req
	p.out.begin()
	target := r.Path
	switch {
	case r.Tunnel():
		target = r.Authority
	case target == "":
		target = "/"
	}
	if r.Authority != p.authority && http1.IsAuthority(r.Authority) {
		p.authority = strings.Clone(r.Authority)
	}
	if !http1.IsToken(r.Method) || !http1.IsTarget(target) || r.Authority != p.authority || !http1.IsValue(r.Protocol) {
		return stream.Refuse(stream.Invalid, "the request cannot be written in HTTP/1.1: %w", http1.ErrField)
	}
	b := http1.AppendRequestLine(p.out.head(), r.Method, target)
	b = http1.AppendField(b, "host", r.Authority)
	b, err := http1.AppendFields(b, r.Header)
	if err != nil {
		p.out.free()
		return &stream.Refused{Reason: stream.Invalid, Err: err}
	}
	f := absent
	switch {
	case r.Length < 0:
		b = append(b, "transfer-encoding: chunked\r\n"...)
		f = chunked
	case r.Length > 0 || r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH":
		b = http1.AppendInt(b, "content-length", r.Length)
		f = length
	}
	switch {
	case upgrades(r) && r.Trailers:
		b = append(b, "connection: upgrade, te\r\n"...)
	case upgrades(r):
		b = append(b, "connection: upgrade\r\n"...)
	case r.Trailers:
		b = append(b, "connection: te\r\n"...)
	}
	if upgrades(r) {
		b = http1.AppendField(b, "upgrade", r.Protocol)
	}
	if r.Trailers {
		b = append(b, "te: trailers\r\n"...)
	}
	if r.Continue {
		b = append(b, "expect: 100-continue\r\n"...)
	}
	p.out.set(append(b, crlf...))
	p.out.body(f, max(r.Length, 0))
	if p.held = facts.Whole(r); p.held {
		p.out.ended = true
	}
	p.sent.Store(p.held)
	return nil
}

// Read is part of web.Stream.
func (p *Peer) Read(b []byte) (int, error) {
	n, err := p.receiving.Read(b)
	if err != nil && err != io.EOF {
		err = p.cause(err)
	}
	return n, err
}

// Close is part of web.Opened.
func (p *Peer) Close() error {
	if !p.open {
		return nil
	}
	p.open = false
	if !facts.Whole(p.req) { // somebody may be writing
		if !p.sent.Load() {
			p.receiving.t.Break()
		}
		p.writing.Lock()
		defer p.writing.Unlock()
	}
	if !p.whole() {
		p.receiving.t.Break()
		p.out.err = net.ErrClosed
	}
	fault := p.fault
	if err := p.receiving.err; fault == nil && err != nil && p.final && p.cause(err) == err && !p.stopped.Load() {
		fault = err
	}
	p.receiving.t.Expect(0)
	stream.From(p.ctx).Wakes(nil)
	p.mu.Lock()
	p.last = stream.From(p.ctx).At(stream.FirstByte)
	p.ctx, p.since = nil, p.link.Scope.Host().Sweeper.Now()
	p.mu.Unlock()
	p.out.free()
	p.used = true
	p.receiving.t.Free()
	p.req = nil
	p.pool.Over(p, fault)
	return nil
}

// whole reports whether the exchange has ended in order on both sides.
func (p *Peer) whole() bool {
	return p.final && p.done && p.receiving.err == nil && p.out.ended && p.out.err == nil && !p.stopped.Load()
}

// Reusable reports whether the link can carry another exchange after this one.
func (p *Peer) Reusable() bool {
	t := p.receiving.t
	return !p.leaves.Load() && p.whole() && p.frame != raw && p.out.frame != raw && !p.head.Close &&
		len(t.Buffered()) == 0 && !t.Broken() && p.link.Scope.Err() == nil
}

// Leaves reports whether the link was asked to come to an end.
func (p *Peer) Leaves() bool { return p.leaves.Load() }

// Scope is that of the link.
func (p *Peer) Scope() *stream.Scope { return p.link.Scope }

// Tunnel reports whether the link has become one.
func (p *Peer) Tunnel() bool { return p.out.frame == raw }

// Retire closes the link, why says for what reason, and ends its scope. The peer is not used any more.
func (p *Peer) Retire(why string) {
	s, t := p.link.Scope, p.receiving.t
	switch {
	case t.Gone():
		s.Closes(telemetry.Server, "rst")
	case t.Parted(), p.head.Close:
		s.Closes(telemetry.Server, "fin")
	default:
		s.Closes(telemetry.Gateway, why)
	}
	p.drop()
}

// drop closes the link.
func (p *Peer) drop() {
	t, s := p.receiving.t, p.link.Scope
	t.Done()
	if t.Broken() {
		conn.Abort(p.link.Conn)
	} else {
		p.link.Conn.Close()
	}
	s.End(s.Err()) // by which it may have been cancelled
}

var _ web.Opened = (*Peer)(nil)
