package websocket

import "encoding/binary"

// Opcode says what a frame is (sections 5.2 and 11.8).
type Opcode uint8

// The opcodes. All others are reserved.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xa
)

// known has the bit of each opcode that is not reserved.
const known = 1<<Continuation | 1<<Text | 1<<Binary | 1<<Close | 1<<Ping | 1<<Pong

// Control reports whether the frame is one of the connection, which may come between those of a message (section 5.5).
func (o Opcode) Control() bool { return o&0x8 != 0 }

// MaxHeader is the size of the longest header, in bytes.
const MaxHeader = 14

// mostControl is how many bytes the payload of a control frame may have (section 5.5).
const mostControl = 125

// The bits of the first two bytes (section 5.2).
const (
	bitFin      = 0x80
	bitRSV1     = 0x40
	bitReserved = 0x30 // RSV2 and RSV3, to which no extension that we know gives a meaning
	bitMask     = 0x80
	bitsLength  = 0x7f
)

// The lengths that say that the length follows, in two bytes or in eight.
const (
	inTwo   = 126
	inEight = 127
)

// A Header is what stands before the payload of a frame (section 5.2).
type Header struct {
	Fin        bool // the message ends with this frame
	Compressed bool // RSV1: the message that begins is compressed (RFC 7692, 6)
	Opcode     Opcode
	Masked     bool
	Key        Key   // 0 if not Masked
	Length     int64 // of the payload, in bytes; not negative
}

// ParseHeader reads the header that b begins with, and says in n how many bytes it has. If n is 0 and err nil, more bytes are
// needed. An error is a *Fault, and comes as soon as the bytes that show it are there.
func ParseHeader(b []byte) (h Header, n int, err error) {
	if len(b) == 0 {
		return Header{}, 0, nil
	}
	h = Header{Fin: b[0]&bitFin != 0, Compressed: b[0]&bitRSV1 != 0, Opcode: Opcode(b[0] & 0x0f)}
	switch {
	case b[0]&bitReserved != 0:
		return Header{}, 0, errReserved
	case known>>h.Opcode&1 == 0:
		return Header{}, 0, errOpcode
	case h.Opcode.Control() && !h.Fin:
		return Header{}, 0, errFragmented
	case len(b) < 2:
		return Header{}, 0, nil
	case h.Opcode.Control() && b[1]&bitsLength > mostControl:
		return Header{}, 0, errControl
	}
	h.Length, n = int64(b[1]&bitsLength), 2
	if h.Length >= inTwo {
		if h.Length, n, err = longLength(b); n == 0 {
			return Header{}, 0, err
		}
	}
	if h.Masked = b[1]&bitMask != 0; h.Masked {
		if len(b) < n+4 {
			return Header{}, 0, nil
		}
		h.Key = Key(binary.LittleEndian.Uint32(b[n:]))
		n += 4
	}
	return h, n, nil
}

// longLength is the length that follows the first two bytes, and the size of all that.
func longLength(b []byte) (length int64, n int, err error) {
	if b[1]&bitsLength == inTwo {
		if len(b) < 4 {
			return 0, 0, nil
		}
		if length = int64(binary.BigEndian.Uint16(b[2:])); length < inTwo {
			return 0, 0, errShortest
		}
		return length, 4, nil
	}
	if len(b) > 2 && b[2]&0x80 != 0 {
		return 0, 0, errLength
	}
	if len(b) >= 8 && binary.BigEndian.Uint32(b[2:]) == 0 && binary.BigEndian.Uint16(b[6:]) == 0 {
		return 0, 0, errShortest // two bytes would do
	}
	if len(b) < 10 {
		return 0, 0, nil
	}
	return int64(binary.BigEndian.Uint64(b[2:])), 10, nil
}

// AppendHeader appends a header, with the shortest form of its length.
func AppendHeader(dst []byte, h Header) []byte {
	first, second := byte(h.Opcode), byte(0)
	if h.Fin {
		first |= bitFin
	}
	if h.Compressed {
		first |= bitRSV1
	}
	if h.Masked {
		second = bitMask
	}
	switch {
	case h.Length < inTwo:
		dst = append(dst, first, second|byte(h.Length))
	case h.Length < 1<<16:
		dst = append(dst, first, second|inTwo, byte(h.Length>>8), byte(h.Length))
	default:
		dst = append(dst, first, second|inEight)
		dst = binary.BigEndian.AppendUint64(dst, uint64(h.Length))
	}
	if h.Masked {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(h.Key))
	}
	return dst
}
