package h2

import (
	"runtime"
	"slices"
	"sync"

	"gozilla/stream"
	"gozilla/stream/conn"
	wire "gozilla/wire/h2"
)

// outgoing is what a connection sends.
type outgoing struct {
	out    []byte     // frames that were not sent yet; nil while there are none
	buf    *outBuffer // whose array out begins with
	round  uint64     // counts what was taken from out, so that frames which are still there can be changed
	shrunk bool       // the peer has made its table of fields smaller
	window int64      // bytes of DATA that the peer takes on all streams

	queue []*lane // they wait for their turn to append a frame
	turns int     // it was said to whom, who has not done so yet

	flushing bool // somebody sends
	shut     bool // nobody does any more
	flushed  sync.Cond
	sender   func() // sendMore, made once
}

// gatherMost is from when on who wants to send a body waits for what was gathered to go out.
const gatherMost = 32 << 10

// outBuffer has room for what is gathered, and a frame more.
type outBuffer [gatherMost + mostFrame + wire.HeadSize + 1<<10]byte

var outBuffers = sync.Pool{New: func() any { return new(outBuffer) }}

// room is out, to append to.
func (c *connection) room() []byte {
	if c.out == nil {
		c.buf = outBuffers.Get().(*outBuffer)
		c.out = c.buf[:0]
	}
	return c.out
}

// appendBlock appends a header block, which begins with room for the head of its frame, and tells where it stands in out.
func (c *connection) appendBlock(block []byte, stream uint32, flags wire.Flags) (at int) {
	b := c.room()
	at = len(b)
	if c.shrunk { // the peer waits to be told that the table, of which we make no use, is empty (RFC 9113, section 4.3.1)
		c.shrunk = false
		b = wire.AppendTableSize(append(b, block[:wire.HeadSize]...), 0)
		block = block[wire.HeadSize:]
	}
	c.out = wire.EndBlock(append(b, block...), at, stream, flags, c.frame)
	return at
}

// mostBacklog bounds what waits to be sent in answer to a peer that does not read.
const mostBacklog = 1 << 20

// flush sends what was gathered, unless somebody is at it already, who then takes it along. The lock is held, and given
// up meanwhile.
func (c *connection) flush() {
	if c.shut {
		c.out = nil
	}
	if c.flushing || len(c.out) == 0 {
		return
	}
	c.flushing = true
	c.send()
}

// flushSoon is flush by another goroutine: the lock is not given up, and nobody waits.
func (c *connection) flushSoon() {
	switch {
	case len(c.out) == 0:
	case c.shut:
		c.out = nil
	case !c.flushing:
		c.flushing = true
		conn.Briefly(c.sender)
	case len(c.out) > mostBacklog:
		c.lose(&stream.Cut{By: c.peer, Why: "slow reader"})
		c.t.Break()
	}
}

// sendMore is the goroutine of flushSoon. It ends when nothing is left to send.
func (c *connection) sendMore() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.send()
}

// sendRounds is how often who serves an exchange sends for others before somebody else does.
const sendRounds = 4

// send sends until nothing is left. It is called by who has set flushing.
func (c *connection) send() {
	for n := 0; len(c.out) > 0; n++ {
		switch {
		case n == sendRounds:
			conn.Briefly(c.sender)
			return
		case n == 0 && len(c.lanes) > 1: // others may be about to say something
			c.mu.Unlock()
			runtime.Gosched()
			runtime.Gosched() // who was about to has woken others
			c.mu.Lock()
		}
		out, buf := c.out, c.buf
		c.out, c.buf = nil, nil
		c.round++
		c.admit()
		c.mu.Unlock()
		err := c.t.Put(out, nil, nil)
		outBuffers.Put(buf)
		c.mu.Lock()
		if err != nil {
			c.lose(err)
			c.out = nil
			c.t.Break()
		}
	}
	c.flushing = false
	c.admit()
	c.flushed.Broadcast()
}

// drained waits until nothing is left to send, or can be.
func (c *connection) drained() {
	c.flush()
	for c.flushing {
		c.flushed.Wait()
	}
}

// admits reports whether a frame of a body can be appended.
func (c *connection) admits() bool { return c.window > 0 && len(c.out) < gatherMost }

// admit tells the next one who waits that it is its turn, one at a time.
func (c *connection) admit() {
	if c.turns == 0 && len(c.queue) > 0 && c.admits() {
		l := c.queue[0]
		c.queue = slices.Delete(c.queue, 0, 1)
		c.turns++
		l.out.queued, l.out.turn = false, true
		l.out.wake.Signal()
	}
}

// giveUp is that a lane does not make use of its turn, or does not want one any more.
func (c *connection) giveUp(l *lane) {
	if l.out.queued {
		c.queue = slices.Delete(c.queue, slices.Index(c.queue, l), slices.Index(c.queue, l)+1)
		l.out.queued = false
	}
	if l.out.turn {
		l.out.turn = false
		c.turns--
		c.admit()
	}
}

// widen handles WINDOW_UPDATE.
func (c *connection) widen(f *wire.Frame) error {
	if f.Stream == 0 {
		if c.window += int64(f.Number); c.window > wire.MostWindow {
			return &wire.Fault{Code: wire.FlowControlError, Text: "the window of the connection is too large"}
		}
		c.admit()
		return c.chatter(1)
	}
	l := c.lanes[f.Stream]
	switch {
	case l != nil:
		if l.out.window += int64(f.Number); l.out.window > wire.MostWindow {
			return &wire.Fault{Stream: f.Stream, Code: wire.FlowControlError, Text: "the window of the stream is too large"}
		}
		if l.out.window > 0 {
			l.out.wake.Signal()
		}
	case c.isIdle(f.Stream):
		return &wire.Fault{Code: wire.ProtocolError, Text: "WINDOW_UPDATE comes on a stream that nobody has begun"}
	}
	return c.chatter(1)
}

// shift changes the windows of all streams, which may become negative (section 6.9.2).
func (c *connection) shift(by int64) error {
	for _, l := range c.lanes {
		if l.out.window += by; l.out.window > wire.MostWindow {
			return &wire.Fault{Code: wire.FlowControlError, Text: "the window of a stream is too large"}
		}
		if l.out.window > 0 {
			l.out.wake.Signal()
		}
	}
	return nil
}
