package h1

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/facts"
	"gozilla/telemetry"
	"gozilla/wire/http1"
)

// What a Peer does between the head of a request and that of its answer.

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
	if (p.sent.Load() || p.req.Length == 0) && !p.armed { // else End says when it was; interim answers are no reason to wait longer
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
			if !p.used || p.got || !facts.Repeats(p.req) || p.stoppedBy() {
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
	reason := stream.Unavailable
	switch {
	case errors.As(err, &own), errors.As(err, &refused):
		p.fault = err
		return err
	case errors.Is(err, os.ErrDeadlineExceeded) && p.receiving.t.Late():
		reason = stream.Timeout
		err = &stream.Cut{By: telemetry.Server, Why: "no answer", Err: errors.New("no answer has come within " + p.link.Scope.Limits().Answer.String())}
	case errors.Is(err, conn.ErrFull):
		return p.spoilt(http1.ErrHead)
	case err == io.EOF:
		err = &stream.Cut{By: telemetry.Server, Why: "truncated"}
	}
	p.fault = err
	return &stream.Refused{Reason: reason, Err: err}
}
