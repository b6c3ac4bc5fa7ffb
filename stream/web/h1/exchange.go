package h1

import (
	"cmp"
	"errors"
	"sync"
	"sync/atomic"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/facts"
	"gozilla/wire/http1"
)

// exchange is a request and its response, on their way through a server. It is a web.Served. Exchanges come from a pool,
// so that there are few of them, which are warm, and an idle connection has none.
type exchange struct {
	receiving
	out   sending
	v     *serving
	scope *stream.Scope
	head  http1.Request
	req   web.Request
	facts facts.Facts
	went  bool // an interim or final head was sent
	asked bool // for the body of a client that waits to be
	keep  bool // the connection goes on afterwards

	tunnel atomic.Bool // both directions are raw, and end separately

	asking sync.Mutex // guards status and out against who asks for a body, if its client waits to be asked
}

var exchanges = sync.Pool{New: func() any {
	x := new(exchange)
	x.ready = x.beforeWait
	return x
}}

// begin makes the exchange ready for the request that was parsed.
func (x *exchange) begin(v *serving) {
	x.v = v
	x.scope = v.scope.Child(v.Node, x.scope)
	x.receiving.t, x.receiving.limits, x.receiving.nudged, x.out.t = v.t, &v.limits, &v.nudged, v.t
	h := &x.head
	if h.Method == "CONNECT" {
		h.Upgrade = "" // it is the tunnel that is asked for
	}
	x.req = v.request(h)
	f := length
	if h.Chunked {
		f = chunked
	}
	x.receiving.begin(f, h.Length, v.scope.Limits().Body)
	x.out.begin()
	if x.tunnel.Load() {
		x.tunnel.Store(false)
	}
	x.went, x.asked, x.keep = false, false, !h.Close
	x.facts.Begin(&x.req, versions[min(h.Minor, 1)], h.Tail)
	x.facts.Scheme, h.Fields = v.scheme, x.req.Header // which may have grown
	if x.done {
		v.t.Free()
	}
}

// tell counts what has moved since it did so last.
func (x *exchange) tell() { x.scope.Moved(x.receiving.bytes.Swap(0), x.out.bytes.Swap(0)) }

// thisHTTP is the ALPN name of HTTP/1.1 as alt-svc has it.
const thisHTTP = "http%2F1.1"

var versions = [...]string{"HTTP/1.0", "HTTP/1.1"}

// request is the request that has such a head, whose fields it shares.
func (v *serving) request(h *http1.Request) web.Request {
	r := web.Request{
		Method: h.Method, Scheme: h.Scheme, Authority: h.Authority, Path: h.Path, Protocol: h.Upgrade,
		Header: h.Fields, Length: h.Length, Trailers: h.Trailers, Continue: h.Continue, Interim: h.Minor > 0, About: v.about,
	}
	if r.Scheme == "" {
		r.Scheme = v.scheme
	}
	if r.Authority == "" && v.about.Local.IsValid() { // HTTP/1.0 without host (RFC 9112, section 3.3)
		r.Authority = v.about.Local.String()
	}
	return r
}

// receives reports whether the handler may have to receive: more of the body, or what follows an upgrade.
func (x *exchange) receives() bool {
	return x.head.Upgrade != "" || x.head.Method == "CONNECT" ||
		!x.done && (x.frame != length || x.left > int64(len(x.receiving.t.Buffered())))
}

// put gives the exchange back to the pool.
func (x *exchange) put() {
	x.v, x.receiving.t, x.out.t = nil, nil, nil
	x.facts.End()
	exchanges.Put(x)
}

// serve has the exchange served, and reports whether the connection goes on.
func (x *exchange) serve() bool {
	v := x.v
	v.begins(x)
	err := x.handle()
	err = x.finish(err)
	v.ends()
	x.tell()
	x.facts.Note(x.scope, v.about, v.Secrets)
	x.facts.Label(x.scope, &x.req, nil)
	x.scope.End(err)
	return x.keep
}

// handle calls the handler. A fault of ours costs the exchange, not the process.
func (x *exchange) handle() (err error) {
	return stream.Contained(x.scope, func() error { return x.v.Handler.ServeExchange(x.scope, &x.req, x) })
}

var (
	errTwice  = errors.New("the exchange was answered twice")
	errStatus = errors.New("the exchange cannot be answered with that status")
)

// Respond is part of web.Served.
func (x *exchange) Respond(r *web.Response) error {
	if x.head.Continue {
		x.asking.Lock()
		defer x.asking.Unlock()
	}
	switch {
	case x.facts.Status != 0:
		return errTwice
	case x.out.err != nil:
		return x.out.err
	case r.Status < 100 || r.Status > 999 || r.Status == 101 && x.head.Upgrade == "":
		return errStatus
	}
	has := facts.Look(r.Header, thisHTTP)
	b, err := http1.AppendFields(http1.AppendStatusLine(x.out.head(), r.Status), r.Header)
	if err != nil {
		return err
	}
	x.went = true
	if !r.Final() {
		if x.req.Interim {
			x.out.set(append(b, crlf...))
		}
		return nil
	}
	x.facts.Status = r.Status
	x.scope.Mark(stream.FirstByte)
	x.out.set(append(x.frameOf(b, r, has), crlf...))
	x.facts.Label(x.scope, &x.req, r)
	return nil
}

// frameOf chooses how the body is framed, and appends what says so, and whether the connection goes on.
func (x *exchange) frameOf(b []byte, r *web.Response, has facts.Own) []byte {
	f := absent
	bodyless := x.head.Method == "HEAD" || r.Status == 304 // the handler may have changed the request
	switches := r.Status == 101 || x.head.Method == "CONNECT" && r.Status/100 == 2
	switch {
	case switches:
		if r.Status == 101 {
			b = http1.AppendField(append(b, "connection: upgrade\r\n"...), "upgrade", cmp.Or(r.Protocol, x.head.Upgrade))
		}
		f, x.keep = raw, false
		x.tunnel.Store(true)
		x.receiving.begin(raw, 0, 0)
	case r.Status == 204:
	case r.Length >= 0:
		b = http1.AppendInt(b, "content-length", r.Length)
		f = length
	case bodyless:
	case x.head.Minor == 0:
		f, x.keep = raw, false
	default:
		b = append(b, "transfer-encoding: chunked\r\n"...)
		f = chunked
	}
	if bodyless {
		f = absent
	}
	x.out.body(f, max(r.Length, 0))
	if !has.Date {
		b = http1.AppendField(b, "date", facts.Date(x.scope.At(stream.FirstByte)))
	}
	if x.v.Name != "" && !has.Server {
		b = http1.AppendField(b, "server", x.v.Name)
	}
	if x.keep && (x.v.leaves() || x.stopped.Load() || x.head.Continue && !x.asked && !x.done || r.Status >= 400 && x.unwanted()) {
		x.keep = false
	}
	switch {
	case !x.keep && !switches:
		b = append(b, "connection: close\r\n"...)
	case x.keep && x.head.Minor == 0:
		b = append(b, "connection: keep-alive\r\n"...)
	}
	return b
}

// beforeWait asks a client for its body that waits to be asked.
func (x *exchange) beforeWait() error {
	if !x.head.Continue {
		return nil
	}
	x.asking.Lock()
	defer x.asking.Unlock()
	if x.asked || x.facts.Status != 0 {
		return nil
	}
	x.asked = true
	x.out.set(append(http1.AppendStatusLine(x.out.head(), 100), crlf...))
	return x.out.Flush()
}

// Write, Flush and End are part of web.Stream.
func (x *exchange) Write(p []byte) (int, error) { return x.out.Write(p) }
func (x *exchange) Flush() error {
	if x.head.Continue {
		x.asking.Lock()
		defer x.asking.Unlock()
	}
	return x.out.Flush()
}
func (x *exchange) End(trailer web.Header) error { return x.out.End(trailer) }

// finish settles an exchange that its handler has returned from. The error is how it ended.
func (x *exchange) finish(err error) error {
	if err != nil && x.facts.Status != 0 && !x.out.begun {
		x.out.free() // nothing of what was said has gone out yet
		x.out.begin()
		x.out.bytes.Store(0)
		x.facts.Status = 0
	}
	told := false
	if x.facts.Status == 0 && x.out.err == nil && (x.receiving.err == nil || x.receiving.err == web.ErrStopped) {
		x.answer(err)
		if err != nil {
			err, told = &stream.Told{Err: err}, true
		}
	}
	if err != nil && x.scope.Err() != nil {
		err, told = stream.Ended(x.scope, err), false
		x.v.cut = x.tunnel.Load() && errors.As(err, new(*stream.Told)) // so that it is read
	}
	if err == nil || told {
		if end := x.out.End(nil); end != nil {
			err, told = end, false
		}
	}
	if err != nil && !told {
		return x.broken(err)
	}
	if x.stopped.Load() || !x.done && x.receiving.frame != raw && !x.drain(x.receives()) {
		x.keep = false
		x.v.lingers = true
	}
	return err
}

// answer answers where the handler has not.
func (x *exchange) answer(err error) {
	r := &web.Response{Status: 502}
	if err != nil {
		r = web.Answer(err)
	}
	if x.receiving.frame == raw || !x.done && !x.drain(false) && !x.drains() {
		x.keep = false
	}
	if x.Respond(r) != nil { // the header cannot be written
		r.Header = nil
		x.Respond(r)
	}
}

// broken ends an exchange that is not whole. Where the client can see that, the connection is closed in order, else it is
// reset.
func (x *exchange) broken(err error) error {
	x.keep = false
	if x.receiving.err != nil && x.facts.Status == 0 && x.out.err == nil {
		x.answerBroken()
	}
	if x.out.Flush() == nil && x.scope.Err() == nil && (x.out.frame == length || x.out.frame == chunked) {
		x.v.err = &stream.Told{Err: err}
	} else {
		x.v.err = err
	}
	x.out.free()
	return err
}

// answerBroken answers a request whose body cannot be received.
func (x *exchange) answerBroken() {
	status := 400
	var fault *http1.Fault
	var cut *stream.Cut
	switch err := x.receiving.err; {
	case errors.As(err, &fault):
		status = fault.Status
	case errors.As(err, &cut) && cut.Why == "slow body":
		status = 408
	case errors.As(err, &cut) && cut.Why == "rst":
		return
	}
	if x.v.Broken != nil {
		x.v.Broken(x.scope, x.receiving.err)
	}
	if x.Respond(&web.Response{Status: status}) == nil {
		x.out.End(nil)
		x.v.lingers = true
	}
}

// drainMost is how much of a body that nobody wants is received so that the connection can go on.
const drainMost = 256 << 10

// drains reports whether it is worth while to wait for the rest of the body.
func (x *exchange) drains() bool {
	return (x.asked || !x.head.Continue) && (x.frame != length || x.left <= drainMost) && x.receiving.err == nil
}

// unwanted reports whether so much of the body may be left behind an answer that does not want it that the connection will not go
// on. Somebody may be reading it.
func (x *exchange) unwanted() bool {
	return (x.head.Chunked || x.head.Length > drainMost) && !x.receiving.whole.Load()
}

// drain receives the rest of the body, if that is not much. Without wait it takes what has come.
func (x *exchange) drain(wait bool) bool {
	wait = wait && x.drains()
	for n := 0; n < drainMost && x.receiving.err == nil; {
		b, err := x.next(conn.BufferSize, wait)
		if n += len(b); err != nil {
			return x.done
		}
		if b == nil {
			break
		}
	}
	return x.done
}

var _ web.Served = (*exchange)(nil)
