package websocket

import (
	"encoding/binary"
	"unicode/utf8"
)

// mostReason is how many bytes of a reason a close frame has room for.
const mostReason = mostControl - 2

// AppendClose appends the payload of a close frame (section 5.5.1). The reason is cut to 123 bytes at the end of a code
// point, and what in it is not UTF-8 is left out. NoStatus, as any code that is not Sendable, gives nothing.
func AppendClose(dst []byte, c Code, reason string) []byte {
	if !c.Sendable() {
		return dst
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(c))
	for left := mostReason; len(reason) > 0; {
		r, size := utf8.DecodeRuneInString(reason)
		if r != utf8.RuneError || size > 1 {
			if left -= size; left < 0 {
				break
			}
			dst = append(dst, reason[:size]...)
		}
		reason = reason[size:]
	}
	return dst
}

// ParseClose reads the payload of a close frame (sections 5.5.1, 7.1.5 and 7.1.6). One that is empty is NoStatus. An error is
// a *Fault; its Code answers the frame.
func ParseClose(payload []byte) (Code, string, error) {
	switch len(payload) {
	case 0:
		return NoStatus, "", nil
	case 1:
		return 0, "", errClose
	}
	c := Code(binary.BigEndian.Uint16(payload))
	if !c.Sendable() {
		return 0, "", errCode
	}
	if !utf8.Valid(payload[2:]) {
		return 0, "", errReason
	}
	return c, string(payload[2:]), nil
}
