package ws

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"gozilla/stream/web"
	"gozilla/stream/ws"
	"gozilla/telemetry"
	"gozilla/wire/websocket"
)

// sending is the frames that go. Any goroutine may send a control frame.
type sending struct {
	s       *socket // whose part it is
	masks   bool    // as clients do
	deflate bool    // permessage-deflate was agreed

	mu     sync.Mutex // guards what follows
	raw    web.Stream
	within bool // a message was begun
	headed bool // and its first frame was sent
	kind   ws.Kind
	pack   *deflating // of that message, if it is compressed
	left   bool       // a close frame was sent
	first  bool       // before the peer has sent one, and to a client: it is what the record tells
	err    error

	held     atomic.Bool // something was not flushed
	owed     pongs
	messages atomic.Int64
}

// Send is part of ws.Socket, so are Flush and SendClose.
func (o *sending) Send(p ws.Piece) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil:
		return o.err
	case o.left:
		return ws.ErrLeft
	case o.within && p.Kind != o.kind:
		return ws.ErrWithin
	}
	o.pay()
	if !o.within && o.deflate && (len(p.Data) >= deflateLeast || !p.Last) && (p.Shared == nil || !p.Last) {
		o.pack = beginDeflating()
	}
	o.within, o.kind = !p.Last, p.Kind
	o.piece(p)
	if p.Last || o.err != nil {
		o.unpack()
		o.headed = false
	}
	if p.Last && o.err == nil {
		o.messages.Add(1)
	}
	return o.err
}

// piece sends a piece as a frame, or has it wait for more that is compressed together with it.
func (o *sending) piece(p ws.Piece) {
	h := websocket.Header{Fin: p.Last, Opcode: websocket.Continuation}
	if !o.headed {
		h.Opcode, h.Compressed = websocket.Opcode(p.Kind), o.pack != nil
	}
	data := p.Data
	switch {
	case o.deflate && !o.headed && p.Last && p.Shared != nil && len(data) >= deflateLeast:
		if z := p.Shared.Of(func() []byte { return deflated(data) }); z != nil {
			data, h.Compressed = z, true
		}
	case o.pack != nil:
		if data, o.err = o.pack.add(data, p.Last); len(data) == 0 && !p.Last {
			return
		}
	}
	o.headed = true
	o.frame(h, data)
}

// unpack gives back what compresses a message.
func (o *sending) unpack() {
	if o.pack != nil {
		o.pack.end()
		o.pack = nil
	}
}

// Flush sends what was held back.
func (o *sending) Flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flush()
	return o.err
}

func (o *sending) flush() {
	o.pay()
	if o.err == nil && o.held.Swap(false) {
		o.err = o.s.blamed(o.raw.Flush())
	}
}

// SendClose takes leave, as the other side has.
func (o *sending) SendClose(code websocket.Code, reason string) error {
	return o.leaves(telemetry.Server, code, reason)
}

// leaves is SendClose for what by says.
func (o *sending) leaves(by telemetry.Side, code websocket.Code, reason string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.part(by, code, reason)
}

// owns corrects the record of a socket that fails: its handler has taken leave by such a code only because the gateway has
// it do so.
func (o *sending) owns() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.first {
		return
	}
	o.s.scope.SetRecord(func(r *telemetry.Record) {
		if code := websocket.Code(r.WS.Code); code == websocket.InternalError || code == websocket.TooBig {
			r.WS.By = telemetry.Gateway
		}
	})
}

// tryClose is SendClose, unless somebody sends, and waits for a peer that does not read.
func (o *sending) tryClose(code websocket.Code) {
	if o.mu.TryLock() {
		defer o.mu.Unlock()
		o.part(telemetry.Gateway, code, "") // the socket is given up: whether that is told does not matter any more
	}
}

// part is leaves for those who hold the lock.
func (o *sending) part(by telemetry.Side, code websocket.Code, reason string) error {
	if o.left || o.err != nil {
		return o.err
	}
	o.pay()
	o.s.bye.Store(max(1, int64(o.s.host.Sweeper.Now())))
	o.left = true
	if !code.Sendable() && code != websocket.NoStatus {
		code = websocket.InternalError
	}
	o.first = !o.masks && o.s.ends(by, code, reason) // before the peer can answer; of a server, the record tells what it says
	var payload [125]byte
	b := websocket.AppendClose(payload[:0], code, reason)
	o.frame(websocket.Header{Fin: true, Opcode: websocket.Close}, b)
	if o.flush(); o.err != nil && o.first {
		o.first = false
		o.s.unsaid()
	}
	return o.err
}

// finish ends the direction behind a close frame. It reports false if that has not gone out.
func (o *sending) finish() bool {
	if !o.mu.TryLock() { // somebody sends, and waits for a peer that does not read
		return false
	}
	defer o.mu.Unlock()
	return o.left && o.err == nil && o.raw.End(nil) == nil
}

// waits reports whether somebody sends, and so may wait for the peer.
func (o *sending) waits() bool {
	if !o.mu.TryLock() {
		return true
	}
	o.mu.Unlock()
	return false
}

// control sends a control frame. It is held back until Flush.
func (o *sending) control(opcode websocket.Opcode, payload []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.left {
		o.frame(websocket.Header{Fin: true, Opcode: opcode}, payload)
	}
}

// answer sends a pong, with what is sent next or flushed. Who receives calls it, and so does not wait for a peer that does not
// read, unless that one is owed many.
func (o *sending) answer(ping []byte) {
	if o.owed.add(ping) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.pay()
	}
}

// pay sends the pongs that are owed. The lock is held.
func (o *sending) pay() {
	for b := o.owed.take(); len(b) > 0 && !o.left; {
		n := 1 + int(b[0])
		o.frame(websocket.Header{Fin: true, Opcode: websocket.Pong}, b[1:n])
		b = b[n:]
	}
}

// pongs are the payloads of those that are owed.
type pongs struct {
	any atomic.Bool
	mu  sync.Mutex // guards what follows
	all []byte     // each with its length before it
}

// pongsMost is how many bytes of pongs may be owed.
const pongsMost = 2 << 10

// add reports whether there are too many.
func (p *pongs) add(payload []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.any.Store(true)
	p.all = append(append(p.all, byte(len(payload))), payload...)
	return len(p.all) > pongsMost
}

func (p *pongs) take() []byte {
	if !p.any.Load() {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.all
	p.all = nil
	p.any.Store(false)
	return all
}

// frame sends a frame. The lock is held.
func (o *sending) frame(h websocket.Header, data []byte) {
	if o.err != nil {
		return
	}
	o.held.Store(true)
	h.Length = int64(len(data))
	if o.masks {
		h.Masked, h.Key = true, websocket.Key(rand.Uint32()) // ChaCha8, which nobody can foresee (RFC 6455, section 10.3)
	}
	buf := buffers.Get().(*[muchSize]byte)
	defer buffers.Put(buf)
	b := websocket.AppendHeader(buf[:0], h)
	if !o.masks && len(data) > copiedMost {
		o.write(b)
		o.write(data)
		return
	}
	for key := h.Key; ; b = buf[:0] { // masked, piece by piece
		n := min(len(data), muchSize-len(b))
		o.write(websocket.AppendMasked(b, data[:n], key))
		if key, data = key.After(n), data[n:]; len(data) == 0 {
			return
		}
	}
}

// copiedMost is how long a payload is at most that is put behind its header, to be written as one.
const copiedMost = 1 << 10

func (o *sending) write(b []byte) {
	if o.err == nil {
		_, err := o.raw.Write(b)
		o.err = o.s.blamed(err)
	}
}

// end gives back what a message holds that was not ended.
func (o *sending) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unpack()
}
