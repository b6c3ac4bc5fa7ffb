package h2

import (
	"errors"
	"sync"
	"time"

	"gozilla/stream/web"
	wire "gozilla/wire/h2"
)

// What leaves on a lane.

// sending is the body that leaves.
type sending struct {
	wake   sync.Cond
	window int64
	queued bool // for its turn
	turn   bool

	head  []byte // its frames, in a buffer that is used again, until they are appended to out
	held  bool   // they were not yet
	begun bool   // something of the message was appended
	left  int64  // of what was said; -1: nothing was
	none  bool   // there is no body
	ended bool
	err   error

	at    int           // where its last frame stands in out
	round uint64        // of out, so that at is good
	since time.Duration // by the sweeper, when Write began to wait; 0: it does not
}

var (
	errLong  = errors.New("the body is longer than was said")
	errShort = errors.New("the body is shorter than was said")
)

// Write is part of web.Stream.
func (l *lane) Write(p []byte) (n int, err error) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	switch out := &l.out; {
	case out.err != nil:
		return 0, out.err
	case len(p) == 0 || out.none: // in answer to HEAD, or a 304
		return len(p), nil
	case out.ended:
		return 0, errLong
	case out.left >= 0 && int64(len(p)) > out.left:
		out.err = errLong
		return 0, errLong
	case out.left >= 0:
		out.left -= int64(len(p))
	}
	l.sendHead(0)
	for n < len(p) {
		m := l.grant(len(p) - n)
		switch {
		case l.out.err != nil:
			return n, l.out.err
		case l.out.none:
			return len(p), nil
		}
		l.append(p[n : n+m])
		n += m
		l.c.admit()
	}
	l.sent.Add(int64(n))
	return n, nil
}

// sendHead appends the head, unless that was done. The lock is held.
func (l *lane) sendHead(flags wire.Flags) {
	if !l.out.held {
		return
	}
	c := l.c
	l.out.held, l.out.begun = false, true
	l.out.at, l.out.round = c.appendBlock(l.out.head, l.id, flags), c.round
	if flags&wire.EndStream != 0 {
		l.out.ended = true
		l.closes()
	}
}

// grant waits until some of n bytes can be appended, and says how many. The lock is held. If the lane was broken off, it
// says so in out.err.
func (l *lane) grant(n int) int {
	c, out := l.c, &l.out
	for out.err == nil && !out.none {
		switch {
		case out.window <= 0:
			c.giveUp(l)
			if c.flush(); out.window <= 0 && out.err == nil && !out.none {
				l.await(n)
			}
		case out.turn && c.admits(), !out.turn && len(c.queue) == 0 && c.turns == 0 && c.admits():
			out.since = 0
			m := min(n, c.frame, int(min(out.window, c.window)))
			out.window -= int64(m)
			c.window -= int64(m)
			if out.turn {
				out.turn = false
				c.turns--
			}
			return m
		default:
			c.giveUp(l)
			if c.flush(); out.window <= 0 || out.err != nil || len(c.queue) == 0 && c.turns == 0 && c.admits() {
				continue
			}
			out.queued = true
			c.queue = append(c.queue, l)
			c.admit()
			for !out.turn && out.err == nil && !out.none {
				l.await(n)
			}
		}
	}
	c.giveUp(l)
	return 0
}

// await waits for the peer to take something of n bytes, which are held meanwhile. The lock is held.
func (l *lane) await(n int) {
	c := l.c
	if err := c.charge(n); err != nil {
		c.wrong(err)
		c.t.StopRecv()
	} else {
		if l.out.since == 0 { // else it has waited in vain before
			l.out.since = l.now()
		}
		l.out.wake.Wait()
	}
	c.release(n)
}

// append appends a frame, or makes the last one longer if it is the lane's own. The lock is held.
func (l *lane) append(p []byte) {
	c, out := l.c, &l.out
	c.useful(len(p))
	if out.round == c.round && out.at < len(c.out) && wire.Type(c.out[out.at+3]) == wire.Data {
		size := int(c.out[out.at])<<16 | int(c.out[out.at+1])<<8 | int(c.out[out.at+2])
		if out.at+wire.HeadSize+size == len(c.out) && size+len(p) <= c.frame {
			c.out = append(c.out, p...)
			size += len(p)
			c.out[out.at], c.out[out.at+1], c.out[out.at+2] = byte(size>>16), byte(size>>8), byte(size)
			return
		}
	}
	b := c.room()
	out.at, out.round = len(b), c.round
	c.out = wire.AppendData(b, l.id, 0, p)
}

// Flush is part of web.Stream.
func (l *lane) Flush() error {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.out.err == nil {
		l.sendHead(0)
		c.flush()
	}
	return l.out.err
}

// End is part of web.Stream.
func (l *lane) End(trailer web.Header) error {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := l.finish(trailer); err != nil {
		return err
	}
	c.flush()
	return nil
}

// finish appends the end of the body. The lock is held.
func (l *lane) finish(trailer web.Header) error {
	c, out := l.c, &l.out
	switch {
	case out.err != nil:
		return out.err
	case out.ended, l.dead:
		return nil
	case out.left > 0 && !out.none:
		out.err = errShort
		return errShort
	}
	switch {
	case len(trailer) > 0:
		l.sendHead(0)
		head, err := appendFields(wire.BeginBlock(out.head[:0]), trailer, false)
		if err != nil {
			out.err = err
			return err
		}
		out.head = head
		c.appendBlock(head, l.id, wire.EndStream)
	case out.held:
		l.sendHead(wire.EndStream)
	case out.round == c.round && len(c.out) > 0:
		c.out[out.at+4] |= byte(wire.EndStream)
	default:
		c.out = wire.AppendData(c.room(), l.id, wire.EndStream, nil)
	}
	out.ended = true
	l.closes()
	return nil
}
