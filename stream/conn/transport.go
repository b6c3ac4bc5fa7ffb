package conn

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
)

// A Transport is one end of a byte stream in the hands of a protocol's engine, which looks at what has come before it
// takes it, waits for requests or for answers, and wants what is late to fail. It holds a buffer only while there is
// something in it, and what is due costs a store: the host's sweeper looks after it, see [stream.Sweeper].
//
// One goroutine may receive while another sends.
type Transport struct {
	End
	host  *stream.Host
	swept stream.Swept
	also  func()

	flow           *stream.Flow // counts what is received and sent
	received, sent atomic.Int64 // bytes that flow was not told of

	in   *[bufferSize]byte // nil while nothing is in it
	r, w int               // what has come and was not taken is in[r:w]
	io   transfer

	readDue, writeDue atomic.Int64 // by the sweeper's time; 0: nothing is due
	readLate          atomic.Bool  // and did not come
	writeLate         atomic.Bool
	over              atomic.Bool // Break was called
	queued            int         // of what was sent, when the sweeper looked last
}

// BufferSize is how many bytes a Transport can hold that were not taken.
const BufferSize = bufferSize

// ErrFull is that nothing more can be received until something is taken.
var ErrFull = errors.New("the buffer is full")

// NewTransport takes c in hand. Before anything is expected the caller calls Watch, and in the end Done.
func NewTransport(h *stream.Host, c Conn, side telemetry.Side) *Transport {
	t := &Transport{host: h}
	t.Side, t.Stall = side, h.Limits.Body
	t.End.init(c)
	t.io.init(t)
	return t
}

// Watch makes what is late fail. also is called about once a second until Done, and must not block. Who takes the transport
// over from somebody else calls it again.
func (t *Transport) Watch(also func()) {
	t.host.Sweeper.Remove(&t.swept)
	t.also = also
	t.host.Sweeper.Add(&t.swept, t.look)
}

// Done ends what Watch began. It does not close the connection.
func (t *Transport) Done() {
	t.host.Sweeper.Remove(&t.swept)
	t.tell()
	if t.in != nil {
		t.r, t.w = 0, 0
		t.Free()
	}
}

// look is what the sweeper does.
func (t *Transport) look(now time.Duration) {
	if due := t.readDue.Load(); due != 0 && int64(now) >= due && t.readDue.CompareAndSwap(due, 0) {
		t.readLate.Store(true)
		t.SetReadDeadline(past)
	}
	if due := t.writeDue.Load(); due != 0 {
		t.lookAtReader(now, due)
	}
	t.tell()
	t.also()
}

// Count makes f count what is received and sent from now on, within a second.
func (t *Transport) Count(f *stream.Flow) { t.flow = f }

// got takes note of n bytes that stand in the buffer now.
func (t *Transport) got(n int) {
	t.w += n
	if t.received.Add(int64(n)) == int64(n) && t.Side != telemetry.Client {
		t.answers(n)
	}
}

// sends takes note of n bytes that are sent.
func (t *Transport) sends(n int) {
	if t.sent.Add(int64(n)) == int64(n) && t.Side == telemetry.Client {
		t.answers(n)
	}
}

// answers marks when the first bytes go back to who opened the stream: what is told of them is told later. It is called for
// the first since that was done last.
//
//go:noinline
func (t *Transport) answers(n int) {
	if n > 0 {
		t.flow.Sent(0)
	}
}

// tell counts what has moved since it did so last.
func (t *Transport) tell() {
	received, sent := int(t.received.Swap(0)), int(t.sent.Swap(0))
	if t.Side != telemetry.Client {
		received, sent = sent, received
	}
	if received > 0 {
		t.flow.Received(received)
	}
	if sent > 0 {
		t.flow.Sent(sent)
	}
}

// lookAtReader gives up a peer that has taken nothing since somebody began to wait for it to, and for as long as Stall. The
// socket may take no more while the peer still takes what is queued there.
func (t *Transport) lookAtReader(now time.Duration, due int64) {
	if t.raw() {
		if q := t.sock.queued(); q != t.queued {
			t.queued = q
			t.writeDue.CompareAndSwap(due, int64(now+t.Stall))
			return
		}
	}
	if int64(now) >= due && t.writeDue.CompareAndSwap(due, 0) {
		t.writeLate.Store(true)
		t.SetWriteDeadline(past)
	}
}

// Expect makes receiving fail d from now, unless something else is expected before; 0 is that there is no hurry.
func (t *Transport) Expect(d time.Duration) {
	if d != 0 {
		d += t.host.Sweeper.Now()
	}
	t.readDue.Store(int64(d))
}

// Late reports whether what was expected did not come in time.
func (t *Transport) Late() bool { return t.readLate.Load() }

// Break makes everything that receives or sends return, now and later. Any goroutine may call it.
func (t *Transport) Break() {
	t.over.Store(true)
	t.Stop() // also sends that begin later, and would set a deadline of their own
}

// Broken reports whether Break was called.
func (t *Transport) Broken() bool { return t.over.Load() }

// Gone reports whether the peer has aborted, Parted whether it has ended what it sends; neither reads.
func (t *Transport) Gone() bool   { return t.dead() }
func (t *Transport) Parted() bool { return t.life != nil && t.life.parted() }

func (t *Transport) stirs() bool {
	if t.raw() {
		return t.sock.stirs()
	}
	return t.life != nil && t.life.stirs()
}

// Stirs reports whether the peer has sent something, has ended what it sends, or is gone. It does not wait, and nobody else
// may receive meanwhile. What a layer keeps to itself, as TLS does with tickets, does not count.
func (t *Transport) Stirs() bool {
	for t.stirs() || t.layer != nil && t.layer.Ready() {
		if t.layer == nil {
			return true
		}
		if !t.layer.Ready() {
			t.layer.Feed(t.below.Recv())
		}
		n, err := t.layer.Open(t.take())
		if n > 0 || err != nil {
			t.got(n)
			return true
		}
		t.Free()
	}
	return len(t.head) > 0
}

// Socket reports whether the bytes come by a socket, or a layer on one, and not from within the process.
func (t *Transport) Socket() bool { return t.raw() || t.below != nil && t.below.raw() }

// Buffered is what has come and was not taken. It is valid until something is received.
func (t *Transport) Buffered() []byte {
	if t.in == nil {
		return nil
	}
	return t.in[t.r:t.w]
}

// Skip takes n bytes of what is buffered.
func (t *Transport) Skip(n int) { t.r += n }

// Free gives the buffer back if nothing is in it.
func (t *Transport) Free() {
	if t.in != nil && t.r == t.w {
		buffers.Put(t.in)
		t.in, t.r, t.w = nil, 0, 0
	}
}

// room makes room behind what is buffered.
func (t *Transport) room() error {
	switch {
	case t.in == nil:
	case t.r == t.w:
		t.r, t.w = 0, 0
	case t.w == bufferSize && t.r == 0:
		return ErrFull
	case t.w > bufferSize/2:
		t.w = copy(t.in[:], t.in[t.r:t.w])
		t.r = 0
	}
	return nil
}

// take is the buffer.
func (t *Transport) take() []byte {
	if t.in == nil {
		t.in = buffers.Get().(*[bufferSize]byte)
	}
	return t.in[t.w:]
}

// Fill waits for more bytes. The error is that of Recv, or ErrFull.
func (t *Transport) Fill() error {
	if err := t.room(); err != nil {
		return err
	}
	if t.raw() && len(t.head) == 0 {
		return t.io.fill(t) // with a small stack
	}
	return t.fillOtherwise()
}

// fillOtherwise is Fill for what is not a socket, or was read ahead.
//
//go:noinline
func (t *Transport) fillOtherwise() error {
	var n int
	var err error
	switch {
	case len(t.head) > 0:
		n = copy(t.take(), t.head)
		if t.head = t.head[n:]; len(t.head) == 0 {
			t.head = nil
		}
	case t.layer != nil:
		n, err = t.open()
	default:
		n, err = t.Read(t.take())
	}
	if n > 0 {
		t.got(n)
		return nil
	}
	t.Free()
	return t.failed(err)
}

// open waits for what comes through the layer.
func (t *Transport) open() (n int, err error) {
	for n == 0 && err == nil {
		t.Free()
		if !t.layer.Ready() {
			t.layer.Feed(t.below.Recv())
		}
		n, err = t.layer.Open(t.take())
	}
	return n, err
}

// failed says in the words of records how receiving has failed.
func (t *Transport) failed(err error) error { return t.cut(t.truly(err)) }

// Ask sends b, on a connection from which nothing is due, and waits for an answer, as Send and Fill would, for less.
func (t *Transport) Ask(b []byte) error {
	if t.raw() && t.in == nil && len(t.head) == 0 {
		return t.io.ask(t, b)
	}
	if err := t.Put(b, nil, nil); err != nil {
		return err
	}
	return t.Fill()
}

// Loop waits for bytes and calls step, again and again until that returns false. step may do anything but receive or
// close, and what it does costs no receiving that finds nothing. A step that returns true wants more bytes.
func (t *Transport) Loop(step func() bool) error {
	if t.raw() && len(t.head) == 0 {
		return t.io.loop(t, step)
	}
	for {
		if err := t.Fill(); err != nil {
			return err
		}
		if !step() {
			return nil
		}
	}
}

// Put writes a, b and c, any of which may be empty, at once.
func (t *Transport) Put(a, b, c []byte) error {
	t.sends(len(a) + len(b) + len(c))
	if t.raw() {
		return t.io.put(t, a, b, c)
	}
	if len(a)+len(b)+len(c) <= bufferSize && len(b) > 0 {
		buf := buffers.Get().(*[bufferSize]byte)
		defer buffers.Put(buf)
		return t.unsent(t.Send(append(append(append(buf[:0], a...), b...), c...)))
	}
	for _, p := range [...][]byte{a, b, c} {
		if len(p) == 0 {
			continue
		}
		if err := t.Send(p); err != nil {
			return t.unsent(err)
		}
	}
	return nil
}

// unsent says how sending has failed: a peer that takes nothing is not one that we have given up.
func (t *Transport) unsent(err error) error {
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) && t.writeLate.Load() {
		return errStalled
	}
	return t.cut(err)
}

// LingerMost is how many bytes Linger takes of a peer that it owes nothing.
const LingerMost = 16 << 20

// Linger ends what is sent and drops what still comes, no more than most bytes of it; 0: all. It returns when the peer has ended
// that, or has taken nothing of what it was sent for 2 s: closing a socket that has unread bytes, or gets some later, resets it
// (RFC 9112, section 9.6). Once ctx was cancelled there is a second for all of it.
func (t *Transport) Linger(ctx context.Context, most int) {
	const patience = 2 * time.Second
	if t.Finish() != nil {
		return
	}
	t.readLate.Store(false)
	left, until, last := t.pending(), time.Now().Add(patience), false
	for n := 0; time.Until(until) > 0 && (n < most || most == 0); n += len(t.Buffered()) {
		t.r, t.w = 0, 0
		t.Free()
		if ctx.Err() != nil && !last {
			until, last = time.Now().Add(grace), true
		}
		if !t.over.Load() {
			t.SetReadDeadline(until)
		}
		err := t.Fill()
		if now := t.pending(); now < left && !last {
			left, until = now, time.Now().Add(patience)
		}
		if err != nil && (!errors.Is(err, os.ErrDeadlineExceeded) || t.over.Load()) {
			return
		}
	}
}

// pending is how many bytes were sent that the peer has not taken yet, as far as that is known.
func (t *Transport) pending() int {
	switch {
	case t.raw():
		return t.sock.queued()
	case t.below != nil && t.below.raw():
		return t.below.sock.queued()
	}
	return 0
}
