package h1

import (
	"context"
	"errors"
	"io"
	"os"
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

// A Server serves what comes on connections. It does not change while it is in use.
type Server struct {
	Node    *stream.Node // the binding whose server it is
	Handler web.Handler
	Name    string // what the header server says where a response has none; "" for nothing
	// Secrets are not shown by records.
	Secrets facts.Secrets
	// Broken is told of a client that broke the rules; it may be nil.
	Broken func(*stream.Scope, error)
	// Next goes on with connections in the clear whose clients want to speak HTTP/2; nil: nobody does.
	Next Successor
}

// A Successor is an engine of HTTP/2.
type Successor interface {
	// ServeOn serves the rest of a connection: t stands before the preface of the client, or in it. r is a request that has come, and
	// is to be answered by HTTP/2, with the settings of the client; nil: there is none. The strings of r are its own.
	ServeOn(ctx context.Context, t *conn.Transport, about *stream.Info, r *web.Request, settings []byte) error
}

// ServeConn serves the requests of a connection, one after the other. How the last one ended is the error; a client that
// has ended the connection between two requests has done so in order.
//
// A connection that waits for a request is to have the smallest of stacks, 2 KiB. So the calls between conn.serve and the
// system are few and shallow here, and what needs more is not among them: see turn.
func (s *Server) ServeConn(ctx context.Context, c conn.Conn, about *stream.Info) error {
	v := s.newServing(ctx, c, about)
	defer v.t.Done()
	for !v.over {
		if v.busy {
			v.turn(v.t.Loop(v.step))
		} else {
			v.turn(v.t.Fill())
		}
	}
	if v.succeeds {
		return s.Next.ServeOn(ctx, v.t, about, v.upgraded, v.settings)
	}
	return v.close()
}

// A connection is busy when it has had busyRequests.
const busyRequests = 16

// deeps are where requests are parsed and served of connections that are not busy: that takes a large stack, which would
// stay with the goroutine. A busy connection serves its own, from within the loop that receives, which is faster.
var deeps = conn.NewDeeps(64)

// turn goes on after something has come, or err.
//
//go:noinline
func (v *serving) turn(err error) {
	switch {
	case err != nil && v.waits(err):
		return
	case err != nil:
		v.over, v.err = true, v.ended(err)
		return
	case !v.busy:
		deeps.Do((*stepping)(v))
		v.busy = v.busy || v.served >= busyRequests
	}
	for v.next != nil && !v.over { // and what has come behind it
		x := v.next
		v.next = nil
		v.over = !x.serve()
		x.put()
		if !v.over {
			v.steps()
		}
	}
	if v.over && !v.succeeds {
		v.err = v.ended(nil)
	}
}

// stepping is the job of serving what has come.
type stepping serving

func (s *stepping) Do() { (*serving)(s).steps() }

// serving is one connection.
type serving struct {
	*Server
	t      *conn.Transport
	scope  *stream.Scope
	flow   stream.Flow
	about  *stream.Info
	scheme string
	limits http1.Limits
	step   func() bool

	next   *exchange // begun by step, to be served outside of it
	seen   int       // bytes that were looked at of a head that is not complete
	served int       // requests
	blank  int       // bytes of empty lines since the last one
	busy   bool      // serves its own requests
	over   bool
	err    error // ended the connection

	spoken   bool         // a request has come in HTTP/1.1
	succeeds bool         // HTTP/2 is spoken from here on
	upgraded *web.Request // which is to be answered so
	settings []byte       // that came with it
	unleave  func()

	fault   error // what came is no request
	lingers bool  // the client may still send what nobody wants
	cut     bool  // and was cut off while it did, for no fault of its own
	nudged  atomic.Bool

	mu      sync.Mutex // guards what follows
	current *exchange  // nil between two
	moved   int64      // how far its response was when it was looked at last; -1: it was not
	looked  bool       // at a connection that waits for a request
	leaving bool

	cancelled bool // the exchange was, when it was looked at last
}

func (s *Server) newServing(ctx context.Context, c conn.Conn, about *stream.Info) *serving {
	v := &serving{Server: s, scope: stream.From(ctx), about: about, scheme: "http"}
	if about.Secure != nil {
		v.scheme = "https"
	}
	v.flow.Begin(v.scope)
	v.limits.Head = min(int(v.scope.Limits().Head), conn.BufferSize)
	v.t = conn.NewTransport(v.scope.Host(), c, telemetry.Client)
	v.step, v.busy = v.steps, !v.t.Socket()
	v.t.Count(&v.flow)
	v.t.Watch(v.look)
	v.t.Expect(v.scope.Limits().Idle)
	v.unleave = v.scope.OnLeave(v.leave)
	return v
}

// close gives back what the connection holds.
func (v *serving) close() error {
	switch {
	case v.cut:
		v.t.Linger(v.scope, 0)
	case v.lingers:
		v.t.Linger(v.scope, conn.LingerMost)
	}
	return v.err
}

// look is called about once a second.
func (v *serving) look() {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.current == nil && !v.looked:
		v.looked = true
		if v.t.Parted() { // its end came together with its last request, and nobody was told
			nudge(v.t, &v.nudged)
		}
	case v.current == nil:
		return
	case v.current.scope.Err() != nil && v.cancelled:
		v.t.Break() // it had a second to say why
	case v.current.scope.Err() != nil:
		v.cancelled = true
		v.current.StopRead()
	case v.moved < 0:
		v.moved = v.current.out.progress()
	case v.t.Gone():
		v.current.scope.Cancel(&stream.Cut{By: telemetry.Client, Why: "rst"})
	case v.current.out.progress() == v.moved && (v.moved > 0 || v.current.head.Upgrade != "") && !v.current.tunnel.Load() && v.t.Parted():
		// What it was sent so far is not whole, and nothing comes: it will hardly wait for that. Nor can who has ended speak what it
		// wants to change to.
		v.current.scope.Cancel(&stream.Cut{By: telemetry.Client, Why: "gone"})
	default:
		v.moved = v.current.out.progress()
	}
	if v.current != nil {
		v.current.tell()
	}
}

// leave ends the connection after the exchange that is under way, or that has begun to come: see waits.
func (v *serving) leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.leaving = true
	if v.current == nil {
		nudge(v.t, &v.nudged)
	}
}

func (v *serving) leaves() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.leaving
}

// waits reports whether a request is still waited for, although waiting has failed with err, because it was nudged. Who
// leaves waits no more, unless some of a request has come: that is served. Only who receives can tell, and it does so here.
func (v *serving) waits(err error) bool {
	v.mu.Lock() // so that nobody nudges meanwhile
	defer v.mu.Unlock()
	if !again(v.t, &v.nudged, err, v.waitOver) {
		return false
	}
	return !v.leaving || len(v.t.Buffered()) > 0 || v.t.Stirs()
}

// waitOver reports whether no request is waited for, whatever has come of one.
func (v *serving) waitOver() bool { return v.t.Late() || v.scope.Err() != nil }

// begins and ends enclose an exchange.
func (v *serving) begins(x *exchange) {
	v.mu.Lock()
	v.current, v.moved, v.cancelled = x, -1, false
	v.mu.Unlock()
}

func (v *serving) ends() {
	v.mu.Lock()
	v.current, v.looked = nil, false
	v.mu.Unlock()
}

// ended is how the connection has ended, err being why nothing more is received.
func (v *serving) ended(err error) error {
	limits := v.scope.Limits()
	switch {
	case v.scope.Err() != nil:
		return context.Cause(v.scope)
	case v.fault != nil:
		return v.refuse(v.fault)
	case v.err != nil:
		return v.err
	case err == nil:
		v.scope.Closes(telemetry.Client, "fin")
		return nil
	case errors.Is(err, conn.ErrFull):
		return v.refuse(http1.ErrHead)
	case v.t.Late() && len(v.t.Buffered()) > 0:
		return v.refuse(&http1.Fault{Status: 408, Text: "the head was not complete after " + limits.HeadTime.String()})
	case v.t.Late():
		v.scope.Closes(telemetry.Gateway, "idle timeout")
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded) && v.leaves():
		v.scope.Closes(telemetry.Gateway, "drain")
		return nil
	case err == io.EOF && len(v.t.Buffered()) == 0:
		v.scope.Closes(telemetry.Client, "fin")
		return nil
	case err == io.EOF:
		return &stream.Told{Err: &stream.Cut{By: telemetry.Client, Why: "truncated"}}
	case v.t.Parted() && !v.t.Gone():
		v.scope.Closes(telemetry.Client, "fin")
		return nil
	}
	return err
}

// steps serves what requests are whole; it does not receive. It reports whether more is to be received: not if the
// connection is over, or if there is an exchange that may have to receive itself.
func (v *serving) steps() bool {
	for {
		lead := http1.Lead(v.t.Buffered())
		v.t.Skip(lead)
		if v.blank += lead; v.blank > mostBlank {
			v.fault, v.over = errBlank, true
			return false
		}
		b := v.t.Buffered()
		if v.Next != nil && !v.spoken && len(b) > 0 {
			switch all, some := v.prior(b); {
			case all:
				v.succeed()
				return false
			case some:
				v.t.Expect(v.scope.Limits().HeadTime)
				return true
			}
		}
		if len(b) == 0 {
			v.seen = 0
			v.t.Free()
			v.t.Expect(v.scope.Limits().Idle)
			if v.leaves() {
				nudge(v.t, &v.nudged) // more may have come
			}
			return true
		}
		x, err := v.parse(b)
		switch {
		case err != nil:
			v.fault, v.over = err, true // to be answered outside of the loop
			return false
		case v.over:
			return false
		case x == nil:
			return true
		case x.receives():
			v.next = x
			return false
		}
		v.served++
		v.over = !x.serve()
		x.put()
		if v.over {
			return false
		}
	}
}

// parse makes an exchange of the request at the beginning of b; nil if it is not complete.
func (v *serving) parse(b []byte) (*exchange, error) {
	n, err := http1.End(b, v.seen, &v.limits)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		if v.seen == 0 {
			v.t.Expect(v.scope.Limits().HeadTime) // for all of the head
		}
		v.seen = len(b)
		return nil, nil
	}
	v.seen = 0
	x := exchanges.Get().(*exchange)
	x.head.Extra = facts.TraceSize
	if err = http1.ParseRequest(b[:n], &x.head, &v.limits); err != nil {
		exchanges.Put(x)
		return nil, err
	}
	if x.head.Method == "CONNECT" && x.head.Length != 0 {
		exchanges.Put(x)
		return nil, errConnect
	}
	v.t.Expect(0)
	v.t.Skip(n)
	v.blank, v.spoken = 0, true
	if v.Next != nil && v.upgrades(&x.head) {
		exchanges.Put(x)
		return nil, nil
	}
	x.begin(v)
	return x, nil
}

// mostBlank is how many bytes of empty lines may stand before a request. A client of old sends one (RFC 9112, section 2.2).
const mostBlank = 16

var errBlank = &http1.Fault{Status: 400, Text: "nothing but empty lines comes"}

// errConnect is that nobody knows what the body of a CONNECT would mean (RFC 9110, section 9.3.6).
var errConnect = &http1.Fault{Status: 400, Text: "a CONNECT has a body"}

// refuse answers what is no request, and ends the connection.
func (v *serving) refuse(err error) error {
	fault, ok := err.(*http1.Fault)
	if !ok {
		fault = &http1.Fault{Status: 400, Text: err.Error()}
	}
	now := time.Now()
	head := http1.AppendStatusLine(nil, fault.Status)
	head = http1.AppendField(head, "date", facts.Date(now))
	if v.Name != "" {
		head = http1.AppendField(head, "server", v.Name)
	}
	head = append(head, "content-length: 0\r\nconnection: close\r\n\r\n"...)
	s := v.scope.Child(v.Node, nil)
	s.SetRecord(func(r *telemetry.Record) {
		r.Source, r.Dest = v.about.Source.AddrPort(), v.about.Dest.AddrPort()
		r.HTTP.Status = fault.Status
	})
	cut := &stream.Cut{By: telemetry.Client, Why: "invalid", Err: fault}
	if fault.Status == 408 {
		cut.Why = "slow head"
	}
	told := &stream.Told{Err: cut}
	if v.Broken != nil {
		v.Broken(s, fault)
	}
	v.lingers = v.t.Put(head, nil, nil) == nil
	s.End(told)
	return told
}
