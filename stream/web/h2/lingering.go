package h2

import (
	"slices"
	"time"

	wire "gozilla/wire/h2"
)

// How a stream ends that its peer has not ended.

// linger ends the stream although its peer has not, in a second at the earliest (section 8.1): clients have been seen to lose the
// answer when it comes together with the reset. What comes meanwhile is dropped, and its window stays as it is. The lock is held.
func (l *lane) linger() {
	c := l.c
	if l.dead || len(c.lingering) >= mostLingering {
		l.reset(wire.NoError)
		return
	}
	l.dead = true
	l.closes()
	c.past.resets(l.id)
	c.lingering = append(c.lingering, lingers{l.id, c.scope.Host().Sweeper.Now()})
}

// lingers is a stream that is over for us, of which the peer was not told.
type lingers struct {
	stream uint32
	since  time.Duration
}

const (
	mostLingering = 64
	lingerTime    = time.Second
)

// lingered takes note that the peer has ended a stream, and reports whether that is one of them. The lock is held.
func (c *connection) lingered(stream uint32) bool {
	before := len(c.lingering)
	c.lingering = slices.DeleteFunc(c.lingering, func(l lingers) bool { return l.stream == stream })
	return len(c.lingering) < before
}

// nod sends something to a client that has ended a request behind the answer to it: some, such as curl 7.88, have the answer in
// hand then, but look at it only when something comes. What goes is a window that is a byte wider than it would be later. The lock
// is held.
func (c *connection) nod() {
	if c.fault == nil {
		c.offer(max(1, c.in.credit))
	}
}

// endLingering resets the streams whose time is over. The lock is held.
func (c *connection) endLingering(now time.Duration) {
	for len(c.lingering) > 0 && now-c.lingering[0].since >= lingerTime {
		c.out = wire.AppendReset(c.room(), c.lingering[0].stream, wire.NoError)
		c.lingering = slices.Delete(c.lingering, 0, 1)
	}
}
