package h2

import (
	"sync/atomic"
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
	wire "gozilla/wire/h2"
)

// A lane is one stream of a connection: a web.Stream. It is guarded by the lock of the connection.
type lane struct {
	c       *connection
	id      uint32
	who     owner
	past    wire.Code // by which the peer has reset it
	left    bool      // the peer has
	dead    bool      // the peer knows that it is over, by a reset or with the connection
	open    bool      // it counts for the limit on streams
	charged int       // bytes that are held for it, but for its body
	slot    bool      // it takes a place of a connection
	in      receiving
	out     sending

	received, sent atomic.Int64 // bytes of bodies that nobody was told of
}

// An owner of a lane is the exchange that it carries. The lock of the connection is held.
type owner interface {
	// broke is told that the lane was broken off by its peer, or with the connection.
	broke(err error)
	// looks is called about once a second.
	looks(now time.Duration)
	// early reports whether nothing has come of the stream yet.
	early() bool
}

// begin makes the lane ready for a stream.
func (l *lane) begin(c *connection, id uint32, who owner) {
	l.c, l.id, l.who, l.past, l.left, l.dead = c, id, who, 0, false, false
	head, ready := l.out.head[:0], l.in.ready
	size := c.in.now()
	c.in.grown += size - c.in.initial
	l.in = receiving{window: size, size: size, left: -1, ready: ready}
	l.out = sending{window: c.first, left: -1, head: head}
	l.in.wake.L, l.out.wake.L = &c.mu, &c.mu
	c.lanes[id] = l
	l.open = true
	c.open++
}

// closes takes note that the peer counts the stream no more, if that is so. The lock is held.
func (l *lane) closes() {
	if l.open && (l.dead || l.in.over || l.in.ended && l.out.ended) {
		l.open = false
		l.c.open--
	}
}

// end takes the lane off its connection. The lock is held.
func (l *lane) end() {
	c := l.c
	l.in.over = true
	l.closes()
	c.giveUp(l)
	l.discard()
	c.in.grown -= l.in.size - c.in.initial
	c.release(l.charged)
	if l.charged = 0; l.slot {
		l.slot = false
		c.scope.Host().Connections.Free()
	}
	delete(c.lanes, l.id)
	if !c.past.wasReset(l.id) {
		c.past.add(l.id)
	}
}

// fail breaks both directions off, on behalf of the peer or of the connection. The lock is held.
func (l *lane) fail(err error) {
	l.dead = true
	l.closes()
	l.stopWith(err)
	l.who.broke(err)
}

// stopWith makes all that waits return. The lock is held.
func (l *lane) stopWith(err error) {
	if l.in.err == nil && !l.in.ended {
		l.in.err = err
	}
	if l.out.err == nil {
		l.out.err = err
	}
	l.c.giveUp(l)
	l.in.wake.Signal()
	l.out.wake.Signal()
}

// enough takes note that the peer has said all, and wants no more (section 8.1). What is written from now on is dropped. The
// lock is held.
func (l *lane) enough() {
	l.dead, l.out.none = true, true
	l.closes()
	l.c.giveUp(l)
	l.out.wake.Signal()
}

// reset tells the peer that the stream is over, unless it knows. The lock is held.
func (l *lane) reset(code wire.Code) {
	if !l.dead {
		l.dead = true
		l.closes()
		l.c.sayReset(l.id, code)
	}
}

// breakOff is fail, and tells the peer. The lock is held.
func (l *lane) breakOff(err error, code wire.Code) {
	l.reset(code)
	l.in.ended = false // what is queued is of no use
	l.fail(err)
}

func (l *lane) early() bool { return l.who.early() }

// look breaks off what is late. The lock is held.
func (l *lane) look(now time.Duration) {
	c := l.c
	switch {
	case l.in.since != 0 && l.in.patience != 0 && now-l.in.since > l.in.patience && l.in.err == nil:
		l.in.err = &stream.Cut{By: c.peer, Why: "slow body"}
		l.in.wake.Signal()
	case l.out.since != 0 && now-l.out.since > c.limits.Body && l.out.err == nil:
		l.breakOff(&stream.Cut{By: telemetry.Gateway, Why: "slow reader"}, wire.Cancel)
	}
	l.who.looks(now)
}

// now is the time of the sweeper, and never 0.
func (l *lane) now() time.Duration { return max(1, l.c.scope.Host().Sweeper.Now()) }

// holds charges the lane for the head of a message, until its end: as it came, and as it goes on. The lock is held.
func (l *lane) holds(b *block) error {
	l.charged += 2 * b.held
	return l.c.charge(2 * b.held)
}
