package ws

import (
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/stream/ws"
	"gozilla/telemetry"
	"gozilla/wire/websocket"
)

// A frame that fits into a buffer of muchSize is waited for as a whole, others are given on in pieces as they come. While
// what has come, or is waited for, is at most fewSize, as in a socket that is idle, there is no buffer.
const (
	fewSize  = 128
	muchSize = 16 << 10
)

var buffers = sync.Pool{New: func() any { return new([muchSize]byte) }}

// receiving is the frames that come.
type receiving struct {
	s    *socket // whose part it is
	raw  web.Stream
	hand interface{ Buffered() int } // raw; nil if it does not tell
	side telemetry.Side              // who sends
	most int64                       // bytes that a message may have

	waits atomic.Bool // for something to come

	few  [fewSize]byte
	much *[muchSize]byte // in place of few; nil without need
	r, w int             // what has come and was not taken
	lent int             // of it, to the last piece
	want int             // how much of it there has to be to go on

	seq   websocket.Sequence
	frame websocket.Header // the last that began
	left  int64            // of its payload
	open  bool             // more of it is to come, if only its end
	key   websocket.Key
	size  int64 // of the message
	utf8  websocket.UTF8
	flate *inflating // nil outside of a compressed message

	messages atomic.Int64
	err      error
}

// Receive is part of ws.Socket.
func (in *receiving) Receive() (ws.Piece, error) {
	in.done()
	if in.flate != nil {
		return in.inflate()
	}
	data, last, err := in.payload()
	if err != nil {
		return ws.Piece{}, err
	}
	if _, compressed := in.seq.Message(); compressed {
		in.flate = beginInflating(in, data, last)
		return in.inflate()
	}
	return in.piece(data, last)
}

// piece is what Receive gives, once it is known to be what it says.
func (in *receiving) piece(data []byte, last bool) (ws.Piece, error) {
	opcode, _ := in.seq.Message()
	if opcode == websocket.Text && (!in.utf8.Check(data) || last && !in.utf8.Whole()) {
		return ws.Piece{}, in.refuse(errText)
	}
	if last {
		in.utf8.Reset()
		in.messages.Add(1)
	}
	return ws.Piece{Kind: ws.Kind(opcode), Last: last, Data: data}, nil
}

// Pending is part of ws.Socket. It may say no although something has come; it never says yes where Receive would wait.
func (in *receiving) Pending() bool {
	if in.done(); in.flate != nil {
		return false
	}
	in.take()
	for !in.advance() {
		if in.hand == nil || in.hand.Buffered() == 0 || in.fill() != nil {
			return in.err != nil
		}
	}
	_, compressed := in.seq.Message()
	return in.err != nil || !compressed || in.frame.Fin && in.left <= int64(in.w-in.r)
}

// done gives back what a compressed message has held whose last piece was given.
func (in *receiving) done() {
	if in.flate != nil && in.flate.over {
		in.endInflating()
	}
}

// StopReceive is part of ws.Socket.
func (in *receiving) StopReceive() { in.raw.StopRead() }

var (
	errText = &websocket.Fault{Code: websocket.InvalidPayload, What: "a message of text is not UTF-8"}
	errLong = &websocket.Fault{Code: websocket.TooBig, What: "a message is longer than the limit message allows"}
)

// payload waits for some of the payload of a message, unmasked and lent until the next call.
func (in *receiving) payload() (data []byte, last bool, err error) {
	in.take()
	for !in.advance() {
		if in.hand == nil || in.hand.Buffered() == 0 {
			in.s.settle()
			runtime.Gosched() // the next message may come while others are served: then nothing has to be waited for, which costs a
			runtime.Gosched() // receive that finds nothing and a wake-up, a tenth of an echo of 64 bytes
		}
		if in.fill() != nil {
			break
		}
	}
	if in.err != nil {
		return nil, false, in.err
	}
	n := int(min(in.left, int64(in.w-in.r)))
	data = in.window()[:n]
	if in.frame.Masked {
		in.key = websocket.Mask(data, in.key)
	}
	in.lent = n
	in.left -= int64(n)
	in.open = in.left > 0
	return data, !in.open && in.frame.Fin, nil
}

// advance takes what has come until there is some payload to give, or an error. It reports false if more has to come.
func (in *receiving) advance() bool {
	for in.err == nil {
		at := in.w - in.r
		switch {
		case !in.open:
			if !in.next() {
				return in.err != nil
			}
		case in.left == 0 && !in.frame.Fin: // an empty fragment
			in.open = false
		case in.left <= int64(at), in.left > muchSize && at > 0:
			return true
		default:
			in.want = int(min(in.left, muchSize))
			return false
		}
	}
	return true
}

// next takes the header of a frame, and all of it if it is a control frame. It reports false if it has not come.
func (in *receiving) next() bool {
	b := in.window()
	h, n, err := websocket.ParseHeader(b)
	if err != nil {
		in.refuse(err)
		return false
	}
	if n == 0 {
		in.want = min(len(b)+1, websocket.MaxHeader)
		return false
	}
	if size := n + int(h.Length); h.Opcode.Control() && len(b) < size {
		in.want = size
		return false
	}
	began := !in.seq.Within()
	if err := in.seq.Next(h); err != nil {
		in.refuse(err)
		return false
	}
	in.r += n
	if h.Opcode.Control() {
		payload := b[n : n+int(h.Length)]
		in.r += len(payload)
		websocket.Mask(payload, h.Key)
		in.control(h.Opcode, payload)
		return in.err == nil
	}
	if began {
		in.size = 0
	}
	most := in.most
	if _, compressed := in.seq.Message(); compressed {
		most = packedMost(most)
	}
	if h.Length > most-in.size {
		in.refuse(errLong)
		return false
	}
	in.size += h.Length
	in.frame, in.left, in.key, in.open = h, h.Length, h.Key, true
	return true
}

// control does what a control frame asks for.
func (in *receiving) control(o websocket.Opcode, payload []byte) {
	switch o {
	case websocket.Ping:
		in.s.answer(payload)
	case websocket.Close:
		code, reason, err := websocket.ParseClose(payload)
		if err != nil {
			in.refuse(err)
			return
		}
		closed := &ws.Closed{Code: code, Reason: reason}
		in.err = closed
		in.s.ends(in.side, code, reason)
	}
}

// refuse is that the peer has broken the rules: it is told which, and that is the end.
func (in *receiving) refuse(err error) error {
	fault := &websocket.Fault{Code: websocket.ProtocolError, What: err.Error()}
	errors.As(err, &fault)
	why := "invalid"
	if fault.Code == websocket.TooBig {
		why = "message too large"
	}
	in.err = &stream.Cut{By: in.side, Why: why, Err: fault}
	in.s.leaves(telemetry.Gateway, fault.Code, fault.What)
	return in.err
}

func (in *receiving) window() []byte { return in.buffer()[in.r:in.w] }

func (in *receiving) buffer() []byte {
	if in.much != nil {
		return in.much[:]
	}
	return in.few[:]
}

// take takes back what was lent, and gives the buffer back if nothing is in it.
func (in *receiving) take() {
	in.r += in.lent
	in.lent = 0
	if in.r == in.w {
		in.r, in.w = 0, 0
		in.free()
	}
}

func (in *receiving) free() {
	if in.much != nil {
		buffers.Put(in.much)
		in.much = nil
	}
}

// fill waits until more has come.
func (in *receiving) fill() error {
	b := in.room()
	in.waits.Store(true)
	n, err := in.raw.Read(b)
	in.waits.Store(false)
	if n > 0 {
		in.w += n
		in.s.stirs()
		return nil
	}
	switch {
	case err == io.EOF:
		err = &stream.Cut{By: in.side, Why: "truncated", Err: errNoGoodbye}
	case errors.Is(err, web.ErrStopped):
		err = in.s.stopped()
	}
	in.err = in.s.blamed(err)
	return in.err
}

var errNoGoodbye = errors.New("the connection has ended without a close frame")

// room is where what comes is read to: behind what has come, with room for as much as is wanted.
func (in *receiving) room() []byte {
	want := in.want
	if in.hand != nil {
		want = max(want, min(in.w-in.r+in.hand.Buffered(), muchSize))
	}
	if want > fewSize && in.much == nil {
		in.much = buffers.Get().(*[muchSize]byte)
		in.r, in.w = 0, copy(in.much[:], in.few[in.r:in.w])
	}
	b := in.buffer()
	if in.r > 0 && in.r+want > len(b) {
		in.r, in.w = 0, copy(b, b[in.r:in.w])
	}
	return b[in.w:]
}
