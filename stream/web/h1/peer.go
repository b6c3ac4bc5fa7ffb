package h1

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
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
	p.fault = nil
	p.receiving.begin(raw, 0, 0)
	old := !retries(r) || stream.From(ctx).Start().Sub(p.last) > fresh
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

// retries reports whether a request may be sent again if nothing is known of what became of it (RFC 9110, section
// 9.2.2), and can be.
func retries(r *web.Request) bool {
	switch r.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return whole(r)
	}
	return false
}

// whole reports whether the head of a request is all of it.
func whole(r *web.Request) bool { return r.Length == 0 && r.Protocol == "" && !r.Tunnel() }

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
	if p.held = whole(r); p.held {
		p.out.ended = true
	}
	p.sent.Store(p.held)
	return nil
}

// Write, Flush and End are part of web.Stream.
func (p *Peer) Write(b []byte) (int, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	if p.out.frame == absent && len(b) > 0 {
		return 0, errLong
	}
	n, err := p.out.Write(b)
	return n, p.cause(err)
}

func (p *Peer) Flush() error {
	if p.held { // else this may be another goroutine than that of Response
		p.held = false
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	return p.cause(p.out.Flush())
}

// End ends the request. One of which nothing was sent yet is sent by Response, together with the wait for the answer.
func (p *Peer) End(trailer web.Header) error {
	if p.held {
		return nil
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := p.out.finish(trailer); err != nil {
		return p.cause(err)
	}
	if !p.out.begun {
		p.held = true
		p.sent.Store(true)
		return nil
	}
	err := p.out.Flush()
	if p.sent.Store(true); !p.answered.Load() {
		p.receiving.t.Expect(p.link.Scope.Limits().Answer)
		if p.answered.Load() { // meanwhile
			p.receiving.t.Expect(0)
		}
	}
	return p.cause(err)
}

// cause is why something failed: the end of the context, if that is it.
func (p *Peer) cause(err error) error {
	if err == nil {
		return nil
	}
	p.mu.Lock()
	ctx := p.ctx
	p.mu.Unlock()
	if ctx != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// mostInterim bounds the heads that are not final.
const mostInterim = 64

// Response is part of web.Opened.
func (p *Peer) Response() (*web.Response, error) {
	if p.final {
		return &p.resp, nil
	}
	for {
		err := p.receive()
		if err != nil {
			return nil, p.unanswered(err)
		}
		switch {
		case p.resp.Status == 101 && !p.agreed():
			return nil, p.spoilt(errors.New("the server switches to a protocol that it was not asked for"))
		case p.resp.Final():
			p.final = true
			p.answered.Store(true)
			p.receiving.t.Expect(0)
			p.frameOf()
			return &p.resp, nil
		}
		if p.interim++; p.interim > mostInterim {
			return nil, p.spoilt(errors.New("the server sends nothing but interim answers"))
		}
		if p.req.Interim || p.req.Continue && p.resp.Status == 100 {
			return &p.resp, nil
		}
	}
}

// agreed reports whether the protocol that the server switches to is one that it was asked for (RFC 9110, section 7.8).
func (p *Peer) agreed() bool {
	if !upgrades(p.req) || p.head.Upgrade == "" {
		return false
	}
	for asked := range strings.SplitSeq(p.req.Protocol, ",") {
		if strings.EqualFold(strings.TrimSpace(asked), p.head.Upgrade) {
			p.resp.Protocol = p.head.Upgrade
			return true
		}
	}
	return false
}

// receive waits for a head.
func (p *Peer) receive() error {
	t := p.receiving.t
	if p.sent.Load() && !p.armed { // else End says when it was; interim answers are no reason to wait longer
		p.armed = true
		t.Expect(p.link.Scope.Limits().Answer)
	}
	for seen := 0; ; {
		if b := t.Buffered(); len(b) > 0 {
			p.got = true
			n, err := http1.End(b, seen, &p.limits)
			if err != nil {
				return p.spoilt(err)
			}
			if n > 0 {
				return p.parse(b[:n])
			}
			seen = len(b)
		}
		var err error
		if p.held {
			p.held = false
			err = p.out.ask()
		} else {
			err = t.Fill()
		}
		if err != nil && again(t, &p.nudge, err, p.receiving.over) {
			continue
		}
		if err != nil {
			if !p.used || p.got || !retries(p.req) || p.stoppedBy() {
				return err
			}
			if err = p.retry(); err != nil { // the server had closed the connection
				return err
			}
			t = p.receiving.t
			t.Expect(p.link.Scope.Limits().Answer)
		}
	}
}

// stoppedBy reports whether it was us who ended the wait.
func (p *Peer) stoppedBy() bool {
	t := p.receiving.t
	return t.Late() || t.Broken() || p.receiving.stopped.Load() || p.cause(io.EOF) != io.EOF
}

// retry sends the request again, on another connection.
func (p *Peer) retry() error {
	if err := p.again(); err != nil {
		return err
	}
	return p.write()
}

// again exchanges the link.
func (p *Peer) again() error {
	l, err := p.pool.Again(p.ctx, p.req.About)
	if err != nil {
		return err
	}
	p.drop()
	p.take(l)
	p.used = false
	return nil
}

func (p *Peer) parse(b []byte) error {
	if err := http1.ParseResponse(b, &p.head, p.req.Method, &p.limits); err != nil {
		return p.spoilt(err)
	}
	p.receiving.t.Skip(len(b))
	p.resp = web.Response{Status: p.head.Status, Header: p.head.Fields, Length: p.head.Length}
	return nil
}

// frameOf says how the body is framed.
func (p *Peer) frameOf() {
	limits := p.link.Scope.Limits()
	switch status := p.head.Status; {
	case p.resp.Switches(p.req):
		p.resp.Length = -1
		p.receiving.begin(raw, 0, 0)
		p.out.body(raw, 0)
		p.out.ended = false
		p.pool.Left(p)
		return
	case p.req.Method == "HEAD", status == 204, status == 304:
		if status == 204 {
			p.resp.Length = 0
		}
		p.receiving.begin(absent, 0, 0)
	case p.head.Chunked:
		p.receiving.begin(chunked, 0, limits.Pause)
	case p.head.Length >= 0:
		p.receiving.begin(length, p.head.Length, limits.Body)
	default:
		p.receiving.begin(raw, 0, limits.Pause)
	}
	if p.req.Length == 0 { // what it asked to follow does not
		p.out.ended = true
		p.sent.Store(true)
	}
}

// spoilt is the error of a server that breaks the rules.
func (p *Peer) spoilt(err error) error {
	p.fault = &stream.Cut{By: telemetry.Server, Why: "invalid", Err: err}
	return &web.Error{Status: 502, Err: p.fault}
}

// unanswered is the error of a request that was not answered.
func (p *Peer) unanswered(err error) error {
	var own *web.Error
	var refused *stream.Refused
	switch {
	case p.cause(err) != err:
		return p.cause(err)
	case p.receiving.stopped.Load():
		return web.ErrStopped
	}
	p.fault = err
	switch {
	case errors.As(err, &own), errors.As(err, &refused):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded) && p.receiving.t.Late():
		return &stream.Refused{Reason: stream.Timeout, Err: &stream.Cut{By: telemetry.Server, Why: "no answer", Err: errors.New("no answer has come within " + p.link.Scope.Limits().Answer.String())}}
	case errors.Is(err, conn.ErrFull):
		return p.spoilt(http1.ErrHead)
	case err == io.EOF:
		err = &stream.Cut{By: telemetry.Server, Why: "truncated"}
	}
	return &stream.Refused{Reason: stream.Unavailable, Err: err}
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
	if !whole(p.req) { // somebody may be writing
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
	s.End(nil)
}

var _ web.Opened = (*Peer)(nil)
