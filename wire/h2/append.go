package h2

import (
	"encoding/binary"
	"slices"
)

// appendHead appends the head of a frame.
func appendHead(dst []byte, size int, t Type, flags Flags, stream uint32) []byte {
	return append(dst, byte(size>>16), byte(size>>8), byte(size), byte(t), byte(flags),
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

// AppendData appends a frame with all of p, which is no longer than the peer takes.
func AppendData(dst []byte, stream uint32, flags Flags, p []byte) []byte {
	dst = slices.Grow(dst, HeadSize+len(p))
	return append(appendHead(dst, len(p), Data, flags, stream), p...)
}

// BeginBlock appends room for the head of a Headers frame. Fields follow (AppendField), then EndBlock with what it was given.
func BeginBlock(dst []byte) []byte { return appendHead(dst, 0, Headers, 0, 0) }

// EndBlock completes the Headers frame whose head stands at dst[at:]. What is longer than most goes on in Continuation frames.
func EndBlock(dst []byte, at int, stream uint32, flags Flags, most int) []byte {
	size := len(dst) - at - HeadSize
	if size <= most {
		appendHead(dst[:at], size, Headers, flags|EndHeaders, stream)
		return dst
	}
	frames := (size + most - 1) / most
	dst = slices.Grow(dst, (frames-1)*HeadSize)[:len(dst)+(frames-1)*HeadSize]
	// From the last one on, so that none is written over before it has been moved.
	for i := frames - 1; i > 0; i-- {
		from := at + HeadSize + i*most
		head := from + (i-1)*HeadSize
		part, last := most, Flags(0)
		if i == frames-1 {
			part, last = size-i*most, EndHeaders
		}
		copy(dst[head+HeadSize:head+HeadSize+part], dst[from:from+part])
		appendHead(dst[:head], part, Continuation, last, stream)
	}
	appendHead(dst[:at], most, Headers, flags&^EndHeaders, stream)
	return dst
}

// AppendPriority appends what RFC 7540 had of priorities: that stream depends on another one. weight is one less than the
// weight.
func AppendPriority(dst []byte, stream, on uint32, weight uint8, exclusive bool) []byte {
	if exclusive {
		on |= 1 << 31
	}
	dst = appendHead(dst, 5, Priority, 0, stream)
	return append(binary.BigEndian.AppendUint32(dst, on), weight)
}

// AppendReset appends a RST_STREAM.
func AppendReset(dst []byte, stream uint32, code Code) []byte {
	return binary.BigEndian.AppendUint32(appendHead(dst, 4, Reset, 0, stream), uint32(code))
}

// AppendSettings appends a frame with settings, which may be none.
func AppendSettings(dst []byte, settings ...Setting) []byte {
	dst = appendHead(dst, 6*len(settings), Settings, 0, 0)
	for _, s := range settings {
		dst = binary.BigEndian.AppendUint16(dst, s.ID)
		dst = binary.BigEndian.AppendUint32(dst, s.Value)
	}
	return dst
}

// AppendSettingsAck appends the answer to settings.
func AppendSettingsAck(dst []byte) []byte { return appendHead(dst, 0, Settings, Ack, 0) }

// AppendPromise appends a PUSH_PROMISE with all of the block, which is 4 bytes shorter than what the peer takes, or more.
func AppendPromise(dst []byte, stream, promised uint32, block []byte) []byte {
	dst = slices.Grow(dst, HeadSize+4+len(block))
	dst = appendHead(dst, 4+len(block), Promise, EndHeaders, stream)
	return append(binary.BigEndian.AppendUint32(dst, promised), block...)
}

// AppendPing appends a PING, or with Ack the answer to one.
func AppendPing(dst []byte, flags Flags, data [8]byte) []byte {
	return append(appendHead(dst, 8, Ping, flags, 0), data[:]...)
}

// AppendGoAway appends a GOAWAY: last is the last stream that has been or will be looked at.
func AppendGoAway(dst []byte, last uint32, code Code, debug string) []byte {
	dst = appendHead(dst, 8+len(debug), GoAway, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, last)
	dst = binary.BigEndian.AppendUint32(dst, uint32(code))
	return append(dst, debug...)
}

// AppendWindow appends a WINDOW_UPDATE, of the connection if stream is 0.
func AppendWindow(dst []byte, stream, increment uint32) []byte {
	return binary.BigEndian.AppendUint32(appendHead(dst, 4, Window, 0, stream), increment)
}
