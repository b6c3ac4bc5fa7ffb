package h2

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/facts"
	"gozilla/telemetry"
	wire "gozilla/wire/h2"
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
}

// ServeConn serves the streams of a connection. How it ended is the error; a client that has ended it while nothing was going
// on has done so in order.
func (s *Server) ServeConn(ctx context.Context, c conn.Conn, about *stream.Info) error {
	v := &serving{Server: s, about: about}
	scope := stream.From(ctx)
	v.tally.Begin(scope)
	t := conn.NewTransport(scope.Host(), c, telemetry.Client)
	t.Count(&v.tally)
	defer t.Done()
	return v.serve(scope, t, func() {})
}

// ServeOn serves the streams of a connection that another engine has begun to serve: t stands before the preface. r is a
// request that has come in HTTP/1.1, and is stream 1 (RFC 7540, section 3.2), with the settings of the client: the payload of
// a frame. It is nil if there is none.
func (s *Server) ServeOn(ctx context.Context, t *conn.Transport, about *stream.Info, r *web.Request, settings []byte) error {
	v := &serving{Server: s, about: about}
	return v.serve(stream.From(ctx), t, func() {
		if r != nil {
			v.upgraded(r, settings)
		}
	})
}

// serving is one connection.
type serving struct {
	connection
	*Server
	about  *stream.Info
	scheme string

	leaving bool      // the client was told that there will be an end
	leftFor int       // looks
	parted  bool      // the client was told which stream is the last
	serves  int       // exchanges whose goroutines are at work
	empty   sync.Cond // there is none
	said    bool      // one of them has told its client, in its own words, that it was cancelled

	idle  []*exchange // that wait for something to do
	least int         // how many have, since they were looked at last
}

// leavingPing asks a client whether it has seen that we are about to leave.
var leavingPing = [8]byte{'l', 'e', 'a', 'v', 'i', 'n', 'g'}

func (v *serving) serve(scope *stream.Scope, t *conn.Transport, first func()) error {
	v.connection.begin(scope, t, telemetry.Client, v)
	v.odd, v.greets, v.scheme = 1, true, "http"
	agreed := "h2c"
	if v.about.Secure != nil {
		v.scheme, agreed = "https", "h2"
	}
	if v.about.ALPN != agreed {
		about := *v.about
		about.ALPN = agreed
		v.about = &about
	}
	v.empty.L = &v.mu
	t.Watch(v.look)
	t.Expect(v.limits.HeadTime)
	v.mu.Lock()
	v.settings(wire.Setting{ID: wire.MaxStreams, Value: uint32(v.limits.Streams)}, wire.Setting{ID: wire.EnableConnect, Value: 1})
	first()
	v.flushSoon()
	v.mu.Unlock()
	scope.OnLeave(v.leave)
	return v.over(v.read())
}

// upgraded begins stream 1, which is a request that has come already.
func (v *serving) upgraded(r *web.Request, settings []byte) {
	if err := v.set(&wire.Frame{Type: wire.Settings, Payload: settings}); err != nil {
		v.wrong(err)
		return
	}
	v.out = v.out[:len(v.out)-wire.HeadSize] // these settings are not acknowledged (RFC 7540, section 3.2.1)
	v.began = false
	v.last = 1
	x := v.next()
	x.req, x.protocol = *r, false
	x.req.Interim, x.req.Length = true, 0
	x.start(v, 1)
	x.in.ended = true
	x.closes()
	v.t.Expect(v.limits.HeadTime) // for the preface
}

// over is how the connection has ended, err being why nothing more is received. It returns when nothing goes on any more.
func (v *serving) over(err error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	told := false
	switch {
	case v.scope.Err() != nil:
		told = v.farewell(context.Cause(v.scope))
	case v.fault != nil:
		told = true // if it can be
	case v.parted && len(v.lanes) == 0:
		v.scope.Closes(telemetry.Gateway, "drain")
	case v.t.Late() && !v.began:
		told = true
		v.wrong(&wire.Fault{Code: wire.SettingsTimeout, Text: "there was no preface after " + v.limits.HeadTime.String()})
	case v.t.Late():
		v.goodbye(v.last, wire.NoError, "")
		v.scope.Closes(telemetry.Gateway, "idle timeout")
	case v.open == 0 && (err == io.EOF || v.t.Parted() && !v.t.Gone()):
		v.scope.Closes(telemetry.Client, "fin")
	case err == io.EOF:
		v.lose(&stream.Cut{By: telemetry.Client, Why: "gone"})
	case err != nil:
		v.lose(err)
	}
	v.quit = true
	for v.serves > 0 {
		v.empty.Wait()
	}
	v.trim(len(v.idle))
	v.drained()
	switch {
	case v.fault == nil && err == io.EOF:
		return nil
	case v.fault == nil: // what was sent may be on its way for long
		v.mu.Unlock()
		v.t.Linger(v.scope, conn.LingerMost)
		v.mu.Lock()
		return nil
	case !told:
		return v.fault
	}
	if fault := new(wire.Fault); v.Broken != nil && errors.As(v.fault, &fault) {
		v.Broken(v.scope, fault)
	}
	most := conn.LingerMost
	if v.said { // it was cut off for no fault of its own
		most = 0
	}
	v.mu.Unlock()
	v.t.Linger(v.scope, most)
	v.mu.Lock()
	return &stream.Told{Err: v.fault}
}

// farewell ends a connection that was cancelled. Exchanges that have words of their own for that, as WebSockets do, have a second
// to say them; it reports whether one did. The lock is held.
func (v *serving) farewell(cause error) bool {
	for _, l := range v.lanes {
		if l.in.err == nil {
			l.in.err = cause
			l.in.wake.Signal()
		}
	}
	late := time.AfterFunc(time.Second, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.lose(cause)
		v.empty.Broadcast()
	})
	defer late.Stop()
	v.quit = true // it is for those only that go on
	for v.serves > 0 && v.fault == nil {
		v.empty.Wait()
	}
	v.goodbye(v.last, wire.NoError, "")
	v.flush()
	v.lose(cause)
	return v.said
}

// patience is for how long the connection may be without a stream.
func (v *serving) patience() time.Duration { return v.limits.Idle }

// leave ends the connection in order: the client is told that it will end, and once it must have seen that, which stream is
// the last that is served (RFC 9113, section 6.8).
func (v *serving) leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.leaving || v.fault != nil {
		return
	}
	v.leaving = true
	v.goodbye(wire.MostWindow, wire.NoError, "")
	v.out = wire.AppendPing(v.room(), 0, leavingPing)
	v.flushSoon()
}

// part says which stream is the last. The lock is held.
func (v *serving) part() {
	if !v.leaving || v.parted || v.fault != nil {
		return
	}
	v.parted = true
	v.goodbye(v.last, wire.NoError, "")
	v.rests()
}

// rests ends the connection when it was to and nothing goes on, and notes since when nothing does. The lock is held.
func (v *serving) rests() {
	switch {
	case len(v.lanes) > 0:
	case v.parted:
		v.quit = true
		v.t.StopRecv()
	case v.began && !v.quit:
		v.t.Expect(v.patience())
	}
}

// settled, wentAway, pongs and looks are part of end.
func (v *serving) settled() {}

func (v *serving) wentAway(uint32, wire.Code) {
	if len(v.lanes) == 0 {
		v.nudge() // the end may have come together with it
	}
}

func (v *serving) pongs(data [8]byte) {
	if data == leavingPing {
		v.part()
	}
}

func (v *serving) looks(now time.Duration) {
	if v.leaving {
		if v.leftFor++; v.leftFor > 1 { // it does not answer
			v.part()
		}
	}
	if len(v.lanes) == 0 {
		v.alive.heard(now)
	}
	v.keepAlive(now, true)
	v.trim(min(v.least, len(v.idle)))
}

// opens is part of end.
func (v *serving) opens(b *block, ended bool) error {
	v.last = b.stream
	switch {
	case v.parted: // the client will know; what follows is taken as that of a stream that was reset
		v.past.resets(b.stream)
		return v.chatter(1)
	case v.open >= int(v.limits.Streams), len(v.lanes) >= v.open+2*int(v.limits.Streams): // those that were reset may still have a handler
		v.sayReset(b.stream, wire.RefusedStream)
		return v.glitch()
	}
	x := v.next()
	err := b.request(&x.req, ended)
	if v.decoder.Large() && b.wrong == "" {
		if err != nil { // of what is not all known, there may be no request
			x.req = web.Request{Method: b.method, Authority: b.authority, Path: b.path, Header: b.fields}
		}
		err = &http1.Fault{Status: 431, Text: "the head is too long"}
	}
	fault, answers := err.(*http1.Fault)
	if err != nil && !answers {
		v.spare(x)
		v.refuse(err)
		return err
	}
	if v.open > 0 { // one comes with the connection
		if !v.scope.Host().Connections.Take() {
			v.spare(x)
			v.sayReset(b.stream, wire.RefusedStream)
			return v.glitch()
		}
		x.slot = true
	}
	x.fields, b.fields = b.fields, x.fields[:0]
	x.refused, x.protocol = fault, b.protocol != ""
	x.start(v, b.stream)
	switch {
	case ended:
		x.in.ended = true
		x.closes()
	case b.length >= 0:
		x.in.left = b.length
	}
	return x.holds(b)
}

// refuse makes a record of what is no request.
func (v *serving) refuse(err error) {
	s := v.scope.Child(v.Node, nil)
	s.SetRecord(func(r *telemetry.Record) {
		r.Source, r.Dest = v.about.Source.AddrPort(), v.about.Dest.AddrPort()
	})
	if v.Broken != nil {
		v.Broken(s, err)
	}
	s.End(&stream.Cut{By: telemetry.Client, Why: "invalid", Err: err})
}

// heads is part of end.
func (v *serving) heads(l *lane, b *block, ended bool) error {
	if l.in.err != nil {
		return v.chatter(ignored)
	}
	return v.trailer(l, b, ended)
}
