package h2

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/stream"
	"gozilla/stream/web"
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

// receiving is the body that arrives.
type receiving struct {
	wake        sync.Cond
	first, last *chunk
	queued      int // bytes that wait to be read

	window  int       // what the peer may send
	size    int       // of the window
	credit  int       // bytes to be given back to the window
	widened time.Time // when they were

	early   bool  // the head is yet to come
	left    int64 // of what was said; -1: nothing was
	ended   bool  // by the peer
	trailer web.Header
	err     error // it was broken off
	stopped bool  // nobody wants to read
	over    bool  // nobody will

	since    time.Duration // by the sweeper, when Read began to wait; 0: it does not
	patience time.Duration // for which it may; 0: for ever
	ready    func() error  // called before waiting, without the lock; may be nil
}

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

// begin makes the lane ready for a stream.
func (l *lane) begin(c *connection, id uint32, who owner) {
	l.c, l.id, l.who, l.past, l.left, l.dead = c, id, who, 0, false, false
	head, ready := l.out.head[:0], l.in.ready
	l.in = receiving{window: c.in.initial, size: c.in.initial, left: -1, ready: ready}
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

// lingered takes note that the peer has ended a stream. The lock is held.
func (c *connection) lingered(stream uint32) {
	c.lingering = slices.DeleteFunc(c.lingering, func(l lingers) bool { return l.stream == stream })
}

// endLingering resets the streams whose time is over. The lock is held.
func (c *connection) endLingering(now time.Duration) {
	for len(c.lingering) > 0 && now-c.lingering[0].since >= lingerTime {
		c.out = wire.AppendReset(c.room(), c.lingering[0].stream, wire.NoError)
		c.lingering = slices.Delete(c.lingering, 0, 1)
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

// chunk is a part of a body that waits to be read.
type chunk struct {
	next *chunk
	r, w int
	b    [16 << 10]byte
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

// receive takes a frame of the body. The lock is held.
func (l *lane) receive(f *wire.Frame) error {
	c, in := l.c, &l.in
	in.window -= f.Size
	p := f.Payload
	if in.early {
		c.giveBack(f.Size)
		return &wire.Fault{Stream: l.id, Code: wire.ProtocolError, Text: "DATA comes before the head"}
	}
	if in.left >= 0 {
		if in.left -= int64(len(p)); in.left < 0 {
			c.giveBack(f.Size)
			return &wire.Fault{Stream: l.id, Code: wire.ProtocolError, Text: "the body is longer than content-length"}
		}
	}
	ended := f.Flags&wire.EndStream != 0
	if len(p) == 0 && !ended {
		if err := c.chatter(4); err != nil {
			return err
		}
	}
	if padding := f.Size - len(p); padding > 0 {
		c.giveBack(padding)
		in.credit += padding
	}
	if len(p) > 0 {
		if in.stopped {
			c.giveBack(len(p))
			in.credit += len(p)
		} else {
			in.put(p)
			if err := c.keeps(len(p)); err != nil {
				return err
			}
		}
		l.received.Add(int64(len(p)))
	}
	if ended {
		return l.endReceiving(nil)
	}
	if len(p) > 0 {
		in.wake.Signal()
	}
	return nil
}

// put queues a copy of p.
func (in *receiving) put(p []byte) {
	in.queued += len(p)
	for len(p) > 0 {
		if in.last == nil || in.last.w == len(in.last.b) {
			k := chunks.Get().(*chunk)
			k.next, k.r, k.w = nil, 0, 0
			if in.last == nil {
				in.first = k
			} else {
				in.last.next = k
			}
			in.last = k
		}
		n := copy(in.last.b[in.last.w:], p)
		in.last.w += n
		p = p[n:]
	}
}

// endReceiving is the end of the body, with the trailer in b if that is not nil. The lock is held.
func (l *lane) endReceiving(b *block) error {
	in := &l.in
	if in.left > 0 {
		return &wire.Fault{Stream: l.id, Code: wire.ProtocolError, Text: "the body is shorter than content-length"}
	}
	if b != nil && len(b.fields) > 0 {
		in.trailer = append(web.Header(nil), b.fields...)
	}
	in.ended = true
	l.closes()
	in.wake.Signal()
	return nil
}

// discard drops what waits to be read. The lock is held, and nobody reads.
func (l *lane) discard() {
	for k := l.in.first; k != nil; {
		next := k.next
		chunks.Put(k)
		k = next
	}
	l.in.first, l.in.last = nil, nil
	if l.in.queued > 0 {
		l.c.gives(l.in.queued)
		l.in.queued = 0
		l.c.flushSoon()
	}
}

// state is why nothing is to be read, nil if something is or will be.
func (in *receiving) state() error {
	switch {
	case in.stopped:
		return web.ErrStopped
	case in.queued > 0:
		return nil
	case in.err != nil:
		return in.err
	case in.ended:
		return io.EOF
	}
	return nil
}

// piece waits for the next piece of the body. The lock is held. Without wait, no piece and no error is that none has come.
func (l *lane) piece(wait bool) ([]byte, error) {
	in := &l.in
	defer func() { in.since = 0 }()
	for {
		if err := in.state(); err != nil {
			return nil, err
		}
		if in.queued > 0 {
			return in.first.b[in.first.r:in.first.w], nil
		}
		if !wait {
			return nil, nil
		}
		if in.ready != nil {
			l.c.mu.Unlock()
			err := in.ready()
			l.c.mu.Lock()
			if err != nil {
				return nil, err
			}
			if in.queued > 0 || in.state() != nil {
				continue
			}
		}
		if in.since == 0 {
			in.since = l.now()
		}
		in.wake.Wait()
	}
}

// took takes n bytes of the piece. The lock is held.
func (l *lane) took(n int) {
	in := &l.in
	k := in.first
	k.r += n
	in.queued -= n
	if k.r == k.w {
		if in.first = k.next; in.first == nil {
			in.last = nil
		}
		chunks.Put(k)
	}
	l.c.wasRead(l, n)
}

// Read is part of web.Stream.
func (l *lane) Read(p []byte) (n int, err error) {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(p) == 0 {
		if l.in.queued > 0 && !l.in.stopped {
			return 0, nil
		}
		return 0, l.in.state()
	}
	if _, err = l.piece(true); err != nil {
		return 0, err
	}
	for n < len(p) && l.in.queued > 0 {
		k := l.in.first
		m := copy(p[n:], k.b[k.r:k.w])
		n += m
		l.took(m)
	}
	c.flush()
	return n, nil
}

// WriteTo is io.WriterTo: the pieces go on as they come, and w is flushed before each wait.
func (l *lane) WriteTo(w io.Writer) (n int64, err error) {
	f, _ := w.(interface{ Flush() error })
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		b, err := l.piece(false)
		if b == nil && err == nil {
			c.flush()
			if f != nil {
				c.mu.Unlock()
				err = f.Flush()
				c.mu.Lock()
				if err != nil {
					return n, err
				}
			}
			b, err = l.piece(true)
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		c.mu.Unlock()
		_, err = w.Write(b)
		c.mu.Lock()
		l.took(len(b))
		if err != nil {
			return n, err
		}
		n += int64(len(b))
	}
}

// StopRead is part of web.Stream.
func (l *lane) StopRead() {
	l.c.mu.Lock()
	l.in.stopped = true
	l.in.wake.Signal()
	l.c.mu.Unlock()
}

// Trailer is part of web.Stream.
func (l *lane) Trailer() web.Header {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.in.trailer
}

// Buffered is how much of the body is at hand.
func (l *lane) Buffered() int {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.in.queued
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

// holds charges the lane for the head of a message, until its end: as it came, and as it goes on. The lock is held.
func (l *lane) holds(b *block) error {
	l.charged += 2 * b.held
	return l.c.charge(2 * b.held)
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
