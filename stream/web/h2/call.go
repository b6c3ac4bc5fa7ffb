package h2

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/stream/web/facts"
	"gozilla/telemetry"
	wire "gozilla/wire/h2"
)

// call is a stream of a client: a web.Opened.
type call struct {
	lane
	client *Client
	ctx    context.Context
	req    *web.Request

	interim []*web.Response
	count   int // heads that were not final
	resp    web.Response
	final   bool
	asked   time.Duration // by the sweeper, when the request was whole; 0: it is not
	late    bool
	tries   Tries
	lost    int // connections with it
	closed  bool
	off     bool    // the connection
	kept    *[]byte // what was sent of the body, should it have to be sent again; nil: nothing, or too much
	whole   bool    // all of the body is kept, or waits for an agreement: nothing but the head was sent

	moving sync.Mutex // held while the call goes to another connection
	stops  bool       // nobody wants to read
}

// begin begins the call on c, at a place that was taken.
func (y *call) begin(c *Client) error {
	r := y.req
	buf := headBuffers.Get().(*[]byte)
	defer headBuffers.Put(buf)
	head, err := appendRequest((*buf)[:0], r)
	*buf = head[:0]
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && r.Protocol != "" { // what the server takes is among its settings
		c.flush()
		for !c.began && c.fault == nil && y.ctx.Err() == nil {
			c.settles.Wait()
		}
	}
	switch {
	case err != nil:
	case r.Protocol != "" && y.ctx.Err() != nil:
		err = context.Cause(y.ctx)
	case c.away || c.fault != nil, c.began && c.open >= int(c.most): // which it has said after the place was taken
		err = ErrLeft
	case r.Protocol != "" && !c.connects:
		err = stream.Refuse(stream.Unavailable, "the server does not take %s over HTTP/2", r.Protocol)
	}
	c.taken--
	if err != nil {
		c.rests()
		return err
	}
	y.client, y.off = c, false
	if c.mine == 0 {
		c.mine = 1
	} else {
		c.mine += 2
	}
	y.lane.begin(&c.connection, c.mine, y)
	c.alive.sent(y.now())
	y.in.stopped = y.stops
	if c.mine > wire.MostWindow-2 { // no number is left
		c.retire("used up")
	}
	y.out.head, y.out.held = head, true
	y.out.left = r.Length
	y.in.patience, y.in.early = c.limits.Pause, true
	y.count, y.final, y.asked, y.late = 0, false, 0, false
	if facts.Whole(r) {
		y.sendHead(wire.EndStream)
		y.asked = y.now()
	} else {
		y.sendHead(0)
		if r.Length == 0 { // what will be agreed on follows
			y.out.left, y.whole = -1, true
			y.asked = y.now()
		}
	}
	y.out.head = nil
	if y.tries.count == 0 && r.Length != 0 {
		y.kept = bodies.Get().(*[]byte)
	}
	stream.From(y.ctx).Wakes(y)
	stream.From(y.ctx).SetRecord(func(rec *telemetry.Record) { rec.Target = c.link.Target })
	return nil
}

// keptMost is how much of a body is kept to be sent again.
const keptMost = 8 << 10

var bodies = sync.Pool{New: func() any { b := make([]byte, 0, keptMost); return &b }}

// forgets is that the body cannot be sent again.
func (y *call) forgets() {
	if y.kept != nil {
		*y.kept = (*y.kept)[:0]
		bodies.Put(y.kept)
		y.kept = nil
	}
}

// headBuffers are where heads of requests are made, until they are appended to what a connection sends.
var headBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// mostInterim bounds the heads that are not final.
const mostInterim = 64

// heads is given a block that came on the stream. The lock is held.
func (y *call) heads(b *block, ended bool) error {
	switch {
	case y.in.err != nil:
		return y.c.chatter(ignored)
	case y.final:
		return y.c.trailer(&y.lane, b, ended)
	case y.c.decoder.Large():
		return &wire.Fault{Stream: y.id, Code: wire.EnhanceYourCalm, Text: "the head is too long"}
	}
	var resp web.Response
	if err := b.response(&resp, y.req, ended); err != nil {
		return err
	}
	if !resp.Final() {
		if y.count++; y.count > mostInterim {
			return &wire.Fault{Stream: y.id, Code: wire.EnhanceYourCalm, Text: "there is nothing but interim answers"}
		}
		if y.req.Interim || y.req.Continue && resp.Status == 100 {
			y.interim = append(y.interim, resp.Clone())
			y.in.wake.Signal()
		}
		return nil
	}
	if err := y.holds(b); err != nil {
		return err
	}
	resp.Header = slices.Clone(resp.Header)
	y.resp, y.final, y.in.early = resp, true, false
	y.frame(b, ended)
	y.in.wake.Signal()
	return nil
}

// frame says what body follows the head. The lock is held.
func (y *call) frame(b *block, ended bool) {
	switch {
	case y.req.Protocol != "" && y.resp.Status/100 == 2:
		y.resp.Status, y.resp.Protocol, y.resp.Length = 101, y.req.Protocol, -1
		y.accepts()
		y.in.patience = 0
	case y.resp.Switches(y.req):
		y.resp.Length, y.in.patience = -1, 0
	default:
		switch {
		case y.req.Method == "HEAD", y.resp.Status == 204, y.resp.Status == 304:
			y.in.left = 0
		case b.length >= 0:
			y.in.left, y.in.patience = b.length, y.c.limits.Body
		}
		if y.req.Length == 0 && !y.out.ended { // what it asked to follow does not
			y.out.left = -1
			y.finish(nil)
		}
	}
	if ended {
		y.in.ended = true
		y.closes()
	}
}

// accepts puts into the header what a client of HTTP/1.1 that has asked for a WebSocket wants to see.
func (y *call) accepts() {
	if key := y.req.Header.Get("sec-websocket-key"); key != "" && y.req.Protocol == "websocket" {
		y.resp.Header.Set("sec-websocket-accept", web.AcceptKey(key))
	}
}

// broke, early and looks are part of owner.
func (y *call) broke(error) {}
func (y *call) early() bool { return false }

func (y *call) looks(now time.Duration) {
	switch {
	case y.out.err != nil && y.in.err != nil:
	case y.ctx.Err() != nil:
		y.breakOff(context.Cause(y.ctx), wire.Cancel)
	case !y.final && y.asked != 0 && now-y.asked > y.c.limits.Answer:
		y.late = true
		y.breakOff(&stream.Cut{By: telemetry.Server, Why: "no answer", Err: errors.New("no answer has come within " + y.c.limits.Answer.String())}, wire.Cancel)
		y.client.doubt(y.asked, now)
	}
}

// Wake is part of stream.Waker.
func (y *call) Wake() {
	y.moving.Lock()
	c := y.client
	y.moving.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if y.client == c && !y.off {
		y.looks(c.scope.Host().Sweeper.Now())
		c.flushSoon()
	}
}

// Response is part of web.Opened.
func (y *call) Response() (*web.Response, error) {
	for {
		resp, err := y.await()
		if err == nil || !y.retries() {
			return resp, y.unanswered(err)
		}
		if err := y.again(err); err != nil {
			return nil, err
		}
	}
}

// await waits for a head.
func (y *call) await() (*web.Response, error) {
	c := y.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
	for {
		switch {
		case len(y.interim) > 0:
			resp := y.interim[0]
			y.interim = y.interim[1:]
			return resp, nil
		case y.final:
			return &y.resp, nil
		case y.in.stopped:
			return nil, web.ErrStopped
		case y.in.err != nil:
			return nil, y.in.err
		case y.ctx.Err() != nil:
			return nil, context.Cause(y.ctx)
		}
		y.in.wake.Wait()
	}
}

// retries reports whether the request can be sent again, on another connection: the server has said that it has not looked
// at it, or it may be sent twice and the connection was lost.
func (y *call) retries() bool {
	c := y.c
	c.mu.Lock()
	defer c.mu.Unlock()
	unseen := y.past == wire.RefusedStream
	lost := c.fault != nil && !errors.As(c.fault, new(*wire.Fault)) && facts.Repeats(y.req) && !y.late
	if y.in.stopped || y.ctx.Err() != nil || !facts.Whole(y.req) && !y.whole || y.count > 0 {
		return false
	}
	if lost && !unseen {
		y.lost++
	}
	return unseen || lost && y.lost <= mostLost
}

// mostLost is how often a request is sent again that may have been looked at.
const mostLost = 3

// again begins the call on another connection, for as long as the limit dial allows. The error is why it is to.
func (y *call) again(err error) error {
	y.leave()
	for y.tries.Again(y.ctx, y.client.limits.Dial) {
		var c *Client
		if c, err = y.client.pool.Another(y.ctx, y.req.About); err != nil {
			return err
		}
		y.moving.Lock()
		err = y.begin(c)
		y.moving.Unlock()
		if err == nil {
			if y.resends() {
				y.sendKept()
			}
			return nil
		}
		c.pool.Freed(c)
		if err != ErrLeft {
			return err
		}
	}
	return y.unanswered(err)
}

// sendKept sends the body again. Whether that has failed is for who waits for the answer to find out.
func (y *call) sendKept() {
	y.lane.Write(*y.kept)
	c := y.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if y.finish(nil) == nil {
		y.asked = y.now()
		c.flush()
	}
}

// unanswered is the error of a request that was not answered.
func (y *call) unanswered(err error) error {
	if err == nil {
		return nil
	}
	if y.ctx.Err() != nil {
		return context.Cause(y.ctx)
	}
	var refused *stream.Refused
	var cut *stream.Cut
	switch {
	case err == web.ErrStopped, errors.As(err, &refused):
		return err
	case errors.As(err, &cut) && cut.Why == "invalid":
		return &web.Error{Status: 502, Err: err}
	case y.late:
		return &stream.Refused{Reason: stream.Timeout, Err: err}
	}
	return &stream.Refused{Reason: stream.Unavailable, Err: err}
}

// cause is why something failed: the end of the context, if that is it.
func (y *call) cause(err error) error {
	if err != nil && y.ctx.Err() != nil {
		return context.Cause(y.ctx)
	}
	return err
}

// Flush, Write and End are part of web.Stream.
func (y *call) Flush() error {
	err := y.lane.Flush()
	if err != nil && (y.kept != nil || y.whole || facts.Whole(y.req)) && y.unseen() {
		return nil // it will be sent again
	}
	return y.cause(err)
}

func (y *call) Write(p []byte) (int, error) {
	y.says()
	if y.kept != nil {
		if len(*y.kept)+len(p) > keptMost {
			y.forgets()
		} else {
			*y.kept = append(*y.kept, p...)
		}
	}
	n, err := y.lane.Write(p)
	if err != nil && y.kept != nil && y.unseen() {
		return len(p), nil // it will be sent again
	}
	return n, y.cause(err)
}

// says takes note that more than the head is sent.
func (y *call) says() {
	if y.whole {
		y.c.mu.Lock()
		defer y.c.mu.Unlock()
		y.whole = false
	}
}

// resends reports whether all of the body is kept.
func (y *call) resends() bool {
	y.c.mu.Lock()
	defer y.c.mu.Unlock()
	return y.whole && y.kept != nil
}

// unseen reports whether the server has not looked at the request, and will not.
func (y *call) unseen() bool {
	y.c.mu.Lock()
	defer y.c.mu.Unlock()
	return y.past == wire.RefusedStream
}

func (y *call) End(trailer web.Header) error {
	if facts.Whole(y.req) { // it ended with the head; what has become of it is for Response to say
		return nil
	}
	c := y.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(trailer) > 0 {
		y.forgets()
	}
	err := y.finish(trailer)
	if err != nil && (y.kept == nil || y.past != wire.RefusedStream) {
		return y.cause(err)
	}
	y.whole = y.kept != nil
	if err != nil {
		return nil // it will be sent again
	}
	if y.asked == 0 {
		y.asked = y.now()
	}
	c.flush()
	return nil
}

// StopRead is part of web.Stream.
func (y *call) StopRead() {
	y.moving.Lock()
	defer y.moving.Unlock()
	y.stops = true
	y.lane.StopRead()
}

// leave takes the call off its connection.
func (y *call) leave() {
	c := y.client
	c.mu.Lock()
	if y.off {
		c.mu.Unlock()
		return
	}
	y.off = true
	stream.From(y.ctx).Wakes(nil)
	if !y.out.ended || !y.in.ended {
		y.reset(wire.Cancel)
		c.flushSoon()
	}
	y.stopWith(net.ErrClosed)
	fault := y.fault()
	y.lane.end()
	c.rests()
	c.mu.Unlock()
	if fault != nil {
		c.pool.Failed(c, fault)
	}
	c.pool.Freed(c)
}

// fault is what the server did wrong. The lock is held.
func (y *call) fault() error {
	if y.in.err == nil {
		return nil
	}
	var cut *stream.Cut
	if errors.As(y.in.err, &cut) && cut.By == telemetry.Server && y.c.fault == nil && y.past == 0 && y.ctx.Err() == nil {
		return cut
	}
	return nil
}

// Close is part of web.Opened.
func (y *call) Close() error {
	if !y.closed {
		y.closed = true
		y.leave()
		if y.resends() { // else somebody may be writing
			y.forgets()
		}
	}
	return nil
}

var _ web.Opened = (*call)(nil)
