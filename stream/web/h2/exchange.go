package h2

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/stream/web/facts"
	"gozilla/telemetry"
	wire "gozilla/wire/h2"
	"gozilla/wire/http1"
)

// exchange is a stream of a server, and the goroutine that serves it: a web.Served. When it is over it waits for another one
// on its connection, for about a second, because a new goroutine would have to grow its stack first.
type exchange struct {
	lane
	v       *serving
	scope   *stream.Scope
	req     web.Request
	fields  []web.Field // the array of its header
	refused *http1.Fault
	facts   facts.Facts

	protocol  bool      // the client wants to speak another one
	switched  bool      // it does speak it, or is a tunnel
	asked     bool      // for the body of a client that waits to be
	waits     bool      // the goroutine waits for an exchange
	cancelled bool      // when it was looked at last
	again     chan bool // there is another one, or there will not be
}

var exchanges = sync.Pool{New: func() any { return &exchange{} }}

// next is an exchange to be started. The lock is held.
func (v *serving) next() *exchange {
	n := len(v.idle)
	if n == 0 {
		return exchanges.Get().(*exchange)
	}
	x := v.idle[n-1]
	v.idle[n-1] = nil
	v.idle = v.idle[:n-1]
	v.least = min(v.least, n-1)
	x.waits = true
	return x
}

// spare gives back an exchange that was not started. The lock is held.
func (v *serving) spare(x *exchange) {
	if !x.waits {
		exchanges.Put(x)
		return
	}
	x.waits = false
	v.idle = append(v.idle, x)
}

// trim ends n of the goroutines that wait for an exchange. The lock is held.
func (v *serving) trim(n int) {
	for _, x := range v.idle[:n] {
		x.again <- false
	}
	v.idle = slices.Delete(v.idle, 0, n)
	v.least = len(v.idle)
}

// start begins the exchange, whose request is there. The lock is held.
func (x *exchange) start(v *serving, id uint32) {
	x.v = v
	if len(v.lanes) == 0 {
		v.t.Expect(0)
	}
	x.lane.begin(&v.connection, id, x)
	if x.in.patience = v.limits.Body; x.req.Length < 0 && strings.HasPrefix(x.req.Header.Get("content-type"), "application/grpc") {
		x.in.patience = v.limits.Pause
	}
	x.scope = v.scope.Child(v.Node, x.scope)
	x.req.About = v.about
	x.facts.Begin(&x.req, "HTTP/2", nil)
	x.fields = x.req.Header // which may have grown
	x.switched, x.asked, x.cancelled = false, false, false
	v.serves++
	x.in.ready = nil
	if x.req.Continue {
		x.in.ready = x.beforeWait
	}
	if x.waits {
		x.waits = false
		x.again <- true
		return
	}
	x.again = make(chan bool, 1)
	go x.run()
}

// run is the goroutine of the exchange. It ends with its connection, or when it was not needed for a while.
func (x *exchange) run() {
	for more := true; more; more = <-x.again {
		x.serve()
		if !x.end() {
			break
		}
	}
	x.v, x.c, x.again = nil, nil, nil
	exchanges.Put(x)
}

// serve has the exchange served.
func (x *exchange) serve() {
	v := x.v
	var err error
	if x.refused != nil {
		err = x.refuse()
	} else {
		err = stream.Contained(x.scope, func() error { return v.Handler.ServeExchange(x.scope, &x.req, x) })
	}
	err = x.finish(err)
	x.tell()
	x.facts.Note(x.scope, v.about, v.Secrets)
	x.facts.Label(x.scope, &x.req, nil)
	x.scope.End(err)
	x.facts.End()
	x.refused = nil
	clear(x.fields)
}

// end is the end of the exchange, and reports whether it is to wait for another one.
func (x *exchange) end() bool {
	v := x.v
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.serves--; v.serves == 0 {
		v.empty.Broadcast()
	}
	if v.quit {
		return false
	}
	v.idle = append(v.idle, x)
	return true
}

// refuse answers a request that is none.
func (x *exchange) refuse() error {
	if x.v.Broken != nil {
		x.v.Broken(x.scope, x.refused)
	}
	return &web.Error{Status: x.refused.Status, Err: &stream.Cut{By: telemetry.Client, Why: "invalid", Err: x.refused}}
}

// tell counts what has moved since it did so last.
func (x *exchange) tell() { x.scope.Moved(x.received.Swap(0), x.sent.Swap(0)) }

// broke, early and looks are part of owner.
func (x *exchange) broke(err error) { x.scope.Cancel(err) }
func (x *exchange) early() bool     { return !x.out.begun }

func (x *exchange) looks(time.Duration) {
	switch {
	case x.scope.Err() != nil && x.cancelled:
		if x.out.err == nil { // it had a second to say why
			x.breakOff(context.Cause(x.scope), wire.Cancel)
		}
	case x.scope.Err() != nil:
		x.cancelled = true
		x.in.stopped = true
		x.in.wake.Signal()
	}
	x.tell()
}

var (
	errTwice  = errors.New("the exchange was answered twice")
	errStatus = errors.New("the exchange cannot be answered with that status")
	errNoHead = errors.New("the exchange has no head yet")
)

// Respond is part of web.Served.
func (x *exchange) Respond(r *web.Response) error {
	v := x.v
	v.mu.Lock()
	status, broken := x.facts.Status, x.out.err
	v.mu.Unlock()
	switch {
	case status != 0:
		return errTwice
	case broken != nil:
		return broken
	case r.Status < 100 || r.Status > 999 || r.Status == 101 && x.req.Protocol == "":
		return errStatus
	case x.protocol && r.Status/100 == 2: // the client would take it for a 101 (RFC 8441, section 5)
		return errStatus
	}
	has := facts.Look(r.Header, "h2")
	switches := r.Status == 101 || x.tunnels() && r.Status/100 == 2
	said := r.Status
	if said == 101 { // RFC 8441, section 5
		said = 200
	}
	b, err := appendFields(wire.AppendStatus(wire.BeginBlock(x.out.head[:0]), said), r.Header, switches)
	if err != nil {
		return err
	}
	if !r.Final() {
		v.mu.Lock()
		x.interim(b)
		v.mu.Unlock()
		return nil
	}
	bodyless := x.facts.Method == "HEAD" || r.Status == 304
	if r.Length >= 0 && !switches && r.Status != 204 {
		b = appendLength(b, r.Length)
	}
	x.scope.Mark(stream.FirstByte)
	if !has.Date {
		b = wire.AppendField(b, "date", facts.Date(x.scope.At(stream.FirstByte)))
	}
	if v.Name != "" && !has.Server {
		b = wire.AppendField(b, "server", v.Name)
	}
	v.mu.Lock()
	x.facts.Status = said
	x.out.head, x.out.held = b, true
	x.out.none = (bodyless || r.Status == 204) && !switches
	x.out.left = -1
	if !switches {
		x.out.left = r.Length
	}
	switch x.switched = switches; {
	case switches:
		x.in.left, x.in.patience = -1, 0
	case x.in.left < 0: // both sides talk, perhaps
		x.in.patience = v.limits.Pause
	}
	v.mu.Unlock()
	x.facts.Label(x.scope, &x.req, r)
	return nil
}

// tunnels reports whether the client has asked for a tunnel; the handler may have changed the request.
func (x *exchange) tunnels() bool { return x.facts.Method == "CONNECT" }

// interim appends a head that is not final. The lock is held.
func (x *exchange) interim(head []byte) {
	x.c.appendBlock(head, x.id, 0)
	x.out.head = head
}

// beforeWait asks a client for its body that waits to be asked.
func (x *exchange) beforeWait() error {
	v := x.v
	v.mu.Lock()
	defer v.mu.Unlock()
	if x.asked || x.facts.Status != 0 {
		return nil
	}
	x.asked = true
	v.appendBlock(wire.AppendStatus(wire.BeginBlock(nil), 100), x.id, 0)
	v.flush()
	return nil
}

// Write, Flush and End are part of web.Stream.
func (x *exchange) Write(p []byte) (int, error) {
	if x.facts.Status == 0 {
		return 0, errNoHead
	}
	return x.lane.Write(p)
}

func (x *exchange) End(trailer web.Header) error {
	if x.facts.Status == 0 {
		return errNoHead
	}
	return x.lane.End(trailer)
}

// finish settles an exchange that its handler has returned from, and takes it off its connection: what is left to do is of no
// interest to the client. The error is how it ended.
func (x *exchange) finish(err error) error {
	v := x.v
	v.mu.Lock()
	if err != nil && x.facts.Status != 0 && !x.out.begun { // nothing of what was said has gone out yet
		x.facts.Status, x.out.held, x.out.ended = 0, false, false
		if x.out.err == errLong || x.out.err == errShort {
			x.out.err = nil
		}
	}
	inErr, outErr := x.in.err, x.out.err
	v.mu.Unlock()
	told := false
	if x.facts.Status == 0 && outErr == nil {
		r := x.answerTo(err, inErr)
		if x.Respond(r) != nil { // the header cannot be written
			r.Header = nil
			x.Respond(r)
		}
		if err != nil {
			err, told = &stream.Told{Err: err}, true
		}
	}
	if err != nil && x.scope.Err() != nil {
		err, told = stream.Ended(x.scope, err), false
	}
	if x.switched && errors.As(err, new(*stream.Told)) { // in the words of the protocol that it has switched to
		told = true
	}
	if err == nil || told {
		if end := x.lane.End(nil); end != nil {
			err, told = end, false
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case err != nil && !told:
		x.reset(x.broken())
	case !x.in.ended:
		x.linger()
	}
	if err == nil {
		v.whole()
	}
	v.said = v.said || told && x.switched && x.scope.Err() != nil
	x.lane.end()
	if len(v.lanes) == 0 {
		v.rests()
	}
	v.flush()
	return err
}

// broken is the code by which the client is told that the exchange is broken off.
func (x *exchange) broken() wire.Code {
	switch {
	case !x.switched:
		return wire.InternalError
	case x.protocol:
		return wire.Cancel // RFC 8441, section 5
	}
	return wire.ConnectError // RFC 9113, section 8.5
}

// answerTo is what is answered where the handler has not; in is why the body could not be received.
func (x *exchange) answerTo(err, in error) *web.Response {
	var cut *stream.Cut
	switch {
	case errors.As(in, &cut) && cut.Why == "slow body":
		return &web.Response{Status: 408}
	case err == nil:
		return &web.Response{Status: 502}
	}
	return web.Answer(err)
}

var _ web.Served = (*exchange)(nil)
