package h2

import (
	"errors"
	"os"
	"sync"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
	wire "gozilla/wire/h2"
)

// An end is what servers and clients do each in its own way. The lock of the connection is held by all callers.
type end interface {
	// opens is given the block that begins a stream; ended says that nothing of the stream follows.
	opens(b *block, ended bool) error
	// heads is given a block that comes on a stream that is open.
	heads(l *lane, b *block, ended bool) error
	// wentAway is told that the peer takes no streams beyond last.
	wentAway(last uint32, code wire.Code)
	// settled is told that the settings of the peer have changed.
	settled()
	// pongs is told that the peer has answered a PING.
	pongs(data [8]byte)
	// patience is for how long there may be no stream; 0: for ever.
	patience() time.Duration
	// looks is called about once a second.
	looks(now time.Duration)
}

// connection is one end of a connection: what servers and clients have in common.
type connection struct {
	t      *conn.Transport
	scope  *stream.Scope
	limits *stream.Limits
	tally  stream.Flow
	end    end
	peer   telemetry.Side // who is at the other end
	odd    uint32         // the last bit of the streams that the peer begins

	// What follows is the reader's.
	decoder *wire.Decoder
	block   block
	greets  bool // the preface of the client is yet to come
	began   bool // the first settings have come
	step    func() bool

	mu             sync.Mutex // guards what follows
	lanes          map[uint32]*lane
	open           int    // of them, as the peer counts
	last           uint32 // the highest stream that the peer has begun
	mine           uint32 // the highest one that we have
	past           recent // streams that are over
	lingering      []lingers
	final          uint32 // the last stream that is looked at, as far as the peer was told
	fault          error  // ended the connection; nil while it goes on
	quit           bool   // nothing more is read
	looked, nudged bool   // for the end of what the peer sends, see again

	frame    int    // the longest payload that the peer takes
	first    int64  // the window that its streams begin with
	most     uint32 // streams that it takes at a time
	connects bool   // it takes CONNECT with :protocol

	outgoing
	in incoming
	floods
	alive alive

	since time.Duration // by the sweeper, when what is waited for began to be: the rest of a block
}

// begin makes the connection ready. Before the first step the caller sets what it knows better.
func (c *connection) begin(s *stream.Scope, t *conn.Transport, peer telemetry.Side, e end) {
	c.t, c.scope, c.limits, c.peer, c.end = t, s, s.Limits(), peer, e
	c.lanes = map[uint32]*lane{}
	c.frame, c.first, c.most = wire.FrameSize, wire.WindowSize, 100
	c.final = wire.MostWindow
	c.decoder = wire.NewDecoder(c.block.take)
	c.step = c.steps
	c.window, c.round = wire.WindowSize, 1
	c.sender = c.sendMore
	c.in.begin(c.limits)
	c.flushed.L = &c.mu
}

// settings are what we tell the peer. The window of the connection is made as large as it is to be with them.
func (c *connection) settings(more ...wire.Setting) {
	c.out = wire.AppendSettings(c.room(), append(more,
		wire.Setting{ID: wire.InitialWindow, Value: uint32(c.in.initial)},
		wire.Setting{ID: wire.MaxHeaderListSize, Value: uint32(c.limits.Head)})...)
	if more := c.in.target - wire.WindowSize; more > 0 {
		c.out = wire.AppendWindow(c.out, 0, uint32(more))
		c.in.window += more
	}
}

// read handles what comes until the connection is over. The error is that of receiving.
func (c *connection) read() error {
	if !c.steps() { // something may have been read ahead
		return nil
	}
	for {
		err := c.t.Loop(c.step)
		if err == nil || !c.again(err) {
			return err
		}
	}
}

// nudge has the reader look once more whether there is something to read.
func (c *connection) nudge() {
	c.nudged = true
	c.t.StopRecv()
}

// again reports whether a wait that has failed is to be repeated, because it was nudged: the end of what the peer sends may
// have come together with its last bytes, and then nobody was told of it.
func (c *connection) again(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.nudged || !errors.Is(err, os.ErrDeadlineExceeded) || c.quit || c.t.Late() || c.t.Broken() || c.scope.Err() != nil {
		return false
	}
	c.nudged = false
	c.t.SetReadDeadline(time.Time{})
	if c.t.Late() || c.t.Broken() || c.scope.Err() != nil { // meanwhile
		c.t.StopRecv()
	}
	return true
}

// steps handles the frames that have come. It reports whether more is to be received.
func (c *connection) steps() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive.heard(c.scope.Host().Sweeper.Now())
	c.looked = false
	for !c.quit {
		b := c.t.Buffered()
		if c.greets {
			if !c.greet(b) {
				break
			}
			continue
		}
		f, n, err := wire.Next(b, wire.FrameSize)
		if n == 0 && err == nil {
			break
		}
		if err == nil {
			err = c.ordered(&f)
		}
		if err == nil {
			err = c.handle(&f)
		} else if fault, ok := err.(*wire.Fault); ok && fault.Stream != 0 {
			err = c.faulty(&f, fault)
		}
		if err != nil {
			c.wrong(err)
		}
		c.t.Skip(n)
	}
	if len(c.t.Buffered()) == 0 {
		c.t.Free()
	}
	c.flushSoon()
	return !c.quit
}

// greet takes the preface of a client, and reports whether it is there.
func (c *connection) greet(b []byte) bool {
	n := min(len(b), len(wire.Preface))
	if string(b[:n]) != wire.Preface[:n] {
		c.wrong(&wire.Fault{Code: wire.ProtocolError, Text: "the client does not begin with the preface of HTTP/2"})
		return false
	}
	if n < len(wire.Preface) {
		return false
	}
	c.t.Skip(n)
	c.greets = false
	return true
}

// ordered tells which frames must not come now.
func (c *connection) ordered(f *wire.Frame) error {
	switch {
	case c.block.open && (f.Type != wire.Continuation || f.Stream != c.block.stream):
		return &wire.Fault{Code: wire.ProtocolError, Text: "a header block is not complete"}
	case !c.block.open && f.Type == wire.Continuation:
		return &wire.Fault{Code: wire.ProtocolError, Text: "there is no header block to continue"}
	case !c.began && (f.Type != wire.Settings || f.Flags&wire.Ack != 0):
		return &wire.Fault{Code: wire.ProtocolError, Text: "the first frame is not one of settings"}
	}
	return nil
}

// handle does what a frame asks for.
func (c *connection) handle(f *wire.Frame) error {
	switch f.Type {
	case wire.Data:
		c.alive.spoke = true
		return c.data(f)
	case wire.Headers:
		c.alive.spoke = true
		c.startBlock(f)
		return c.fragment(f)
	case wire.Continuation:
		return c.fragment(f)
	case wire.Priority:
		return c.chatter(1)
	case wire.Reset:
		return c.reset(f)
	case wire.Settings:
		return c.set(f)
	case wire.Promise:
		return &wire.Fault{Code: wire.ProtocolError, Text: "nobody wants to be pushed anything"}
	case wire.Ping:
		return c.ping(f)
	case wire.GoAway:
		c.end.wentAway(f.Number, f.Code)
		return c.chatter(1)
	case wire.Window:
		return c.widen(f)
	}
	return c.chatter(1)
}

// faulty handles a frame with a fault of its stream: the block that it may have must be decoded all the same.
func (c *connection) faulty(f *wire.Frame, fault *wire.Fault) error {
	if f.Type == wire.Headers {
		c.startBlock(f)
		c.block.refused = fault
		return c.fragment(f)
	}
	if f.Type != wire.Priority && c.isIdle(f.Stream) {
		return &wire.Fault{Code: wire.ProtocolError, Text: fault.Text}
	}
	return fault
}

// wrong answers a fault of the peer: of one stream, or of the connection.
func (c *connection) wrong(err error) {
	fault, ok := err.(*wire.Fault)
	if ok && fault.Stream != 0 {
		c.wrongStream(fault)
		return
	}
	code := wire.InternalError
	if ok {
		code = fault.Code
	}
	c.goodbye(c.last, code, err.Error())
	c.lose(&stream.Cut{By: c.peer, Why: "invalid", Err: err})
}

// wrongStream ends a stream whose peer has broken the rules.
func (c *connection) wrongStream(fault *wire.Fault) {
	cut := &stream.Cut{By: c.peer, Why: "invalid", Err: fault}
	if l := c.lanes[fault.Stream]; l != nil && !l.dead {
		l.breakOff(cut, fault.Code)
	} else {
		c.sayReset(fault.Stream, fault.Code)
	}
	if err := c.glitch(); err != nil {
		c.wrong(err)
	}
}

// sayReset tells the peer that a stream is over.
func (c *connection) sayReset(id uint32, code wire.Code) {
	c.out = wire.AppendReset(c.room(), id, code)
	c.past.resets(id)
}

// late is that something comes on a stream of which nothing is known any more: the peer may not have known that it is over.
func (c *connection) late(id uint32) error {
	c.sayReset(id, wire.StreamClosed)
	return c.chatter(4)
}

// goodbye tells the peer that it is the last word.
func (c *connection) goodbye(last uint32, code wire.Code, text string) {
	if c.fault == nil {
		c.final = min(c.final, last) // it must not rise (section 6.8)
		c.out = wire.AppendGoAway(c.room(), c.final, code, text)
	}
}

// lose ends the connection, and breaks off all that goes on. What is in out may still be sent.
func (c *connection) lose(err error) {
	if c.fault != nil {
		return
	}
	c.fault, c.quit = err, true
	for _, l := range c.lanes {
		l.fail(err)
	}
	c.flushed.Broadcast()
}

// isIdle reports whether nobody has begun the stream yet.
func (c *connection) isIdle(id uint32) bool {
	if id&1 == c.odd {
		return id > c.last
	}
	return id > c.mine
}

// complete handles a block.
func (c *connection) complete(b *block) error {
	id, ended := b.stream, b.flags&wire.EndStream != 0
	l := c.lanes[id]
	switch {
	case id&1 != c.odd && c.isIdle(id):
		return &wire.Fault{Code: wire.ProtocolError, Text: "HEADERS come on a stream that is not for the peer to begin"}
	case b.refused != nil:
		if id&1 == c.odd {
			c.last = max(c.last, id)
		}
		return b.refused
	case l == nil && id&1 == c.odd && id > c.last:
		return c.end.opens(b, ended)
	case l == nil && c.past.wasReset(id):
		if ended && c.lingered(id) {
			c.nod()
		}
		return c.chatter(ignored) // it came before the peer knew, perhaps
	case l == nil && c.past.forgot(id):
		return c.late(id)
	case l == nil && c.past.has(id):
		return &wire.Fault{Code: wire.StreamClosed, Text: "HEADERS come on a stream that is over"}
	case l == nil:
		return &wire.Fault{Code: wire.ProtocolError, Text: "the numbers of streams do not rise"}
	case l.left, l.in.ended && l.out.ended:
		return &wire.Fault{Code: wire.StreamClosed, Text: "HEADERS come on a stream that is over"}
	case l.in.ended:
		return &wire.Fault{Stream: id, Code: wire.StreamClosed, Text: "HEADERS come on a stream that the peer has ended"}
	}
	return c.end.heads(l, b, ended)
}

// trailer is the block behind a body.
func (c *connection) trailer(l *lane, b *block, ended bool) error {
	if !ended {
		return b.malformed("a trailer does not end its stream")
	}
	if c.decoder.Large() {
		return &wire.Fault{Stream: b.stream, Code: wire.EnhanceYourCalm, Text: "the trailer is too long"}
	}
	if err := b.trailer(); err != nil {
		return err
	}
	return l.endReceiving(b)
}

// reset handles the end of a stream by its peer.
func (c *connection) reset(f *wire.Frame) error {
	l := c.lanes[f.Stream]
	switch {
	case l != nil:
		early := l.early()
		l.past, l.left = f.Code, true
		if f.Code == wire.NoError && l.in.ended {
			l.enough()
			return nil
		}
		l.fail(&stream.Cut{By: c.peer, Why: "rst", Err: codeError(f.Code)})
		if early {
			return c.glitch()
		}
		return nil
	case c.isIdle(f.Stream):
		return &wire.Fault{Code: wire.ProtocolError, Text: "RST_STREAM comes on a stream that nobody has begun"}
	}
	c.lingered(f.Stream)
	return c.chatter(1)
}

// codeError tells by which code a stream was reset.
type codeError wire.Code

func (e codeError) Error() string { return "the stream was reset with " + wire.Code(e).String() }

// set takes the settings of the peer.
func (c *connection) set(f *wire.Frame) error {
	if err := c.chatter(1 + len(f.Payload)/60); err != nil {
		return err
	}
	if f.Flags&wire.Ack != 0 {
		c.agreed()
		return nil
	}
	for p := f.Payload; len(p) > 0; {
		s, rest, err := wire.NextSetting(p)
		if err != nil {
			return err
		}
		p = rest
		switch s.ID {
		case wire.HeaderTableSize:
			c.shrunk = c.shrunk || s.Value < wire.TableSize
		case wire.EnablePush:
			if s.Value == 1 && c.odd == 0 { // section 6.5.2
				return &wire.Fault{Code: wire.ProtocolError, Text: "a server wants to be pushed to"}
			}
		case wire.InitialWindow:
			if err := c.shift(int64(s.Value) - c.first); err != nil {
				return err
			}
			c.first = int64(s.Value)
		case wire.MaxFrameSize:
			c.frame = min(int(s.Value), mostFrame)
		case wire.MaxStreams:
			c.most = s.Value
		case wire.EnableConnect:
			c.connects = s.Value == 1
		}
	}
	if !c.began {
		c.began = true
		c.t.Expect(0)
		if len(c.lanes) == 0 {
			c.t.Expect(c.end.patience())
		}
	}
	c.out = wire.AppendSettingsAck(c.room())
	c.end.settled()
	return nil
}

// mostFrame is the longest payload that we send, whatever the peer would take: one stream is not to hold up the others.
const mostFrame = 32 << 10

// ping answers, or takes an answer.
func (c *connection) ping(f *wire.Frame) error {
	if f.Flags&wire.Ack != 0 {
		c.end.pongs([8]byte(f.Payload))
		return c.chatter(1)
	}
	c.out = wire.AppendPing(c.room(), wire.Ack, [8]byte(f.Payload))
	return c.chatter(2)
}

// look is called about once a second.
func (c *connection) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.scope.Host().Sweeper.Now()
	for _, l := range c.lanes {
		l.look(now)
	}
	c.calm()
	if !c.looked || len(c.lanes) > 0 {
		if c.looked = true; c.t.Parted() {
			c.nudge()
		}
	}
	if c.block.open && now-c.since > c.limits.HeadTime {
		c.wrong(&wire.Fault{Code: wire.EnhanceYourCalm, Text: "a header block was not complete in time"})
		c.t.StopRecv()
	}
	c.endLingering(now)
	c.end.looks(now)
	c.flushSoon()
}
