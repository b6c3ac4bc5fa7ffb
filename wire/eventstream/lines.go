package eventstream

import (
	"bytes"
	"strconv"
	"time"
)

// Comment is a comment without a text, and an empty line: it keeps a connection busy, and no reader sees it.
const Comment = ":\n\n"

// AppendRetry writes in how long a reader should come back.
func AppendRetry(dst []byte, after time.Duration) []byte {
	return append(appendRetry(dst, after), '\n')
}

func appendRetry(dst []byte, after time.Duration) []byte {
	dst = append(dst, "retry:"...)
	return append(strconv.AppendInt(dst, max(0, after.Milliseconds()), 10), '\n')
}

// insertTime writes the line of a time before what stands from at on.
func insertTime(dst []byte, at int, t time.Time) []byte {
	var room [48]byte
	line := append(room[:0], "timestamp:0x"...)
	line = append(strconv.AppendUint(line, uint64(max(0, t.UnixMilli())), 16), '\n')
	dst = append(dst, line...)
	copy(dst[at+len(line):], dst[at:])
	copy(dst[at:], line)
	return dst
}

// ends finds the ends of lines, in one pass over the text however many there are of either kind.
type ends struct{ lf, cr int } // the next ones, len of the text if there is none

func endsOf(b []byte) ends { return ends{find(b, 0, '\n'), find(b, 0, '\r')} }

// next is the first end from a place on, which does not go back.
func (e *ends) next(b []byte, from int) int {
	if e.lf < from {
		e.lf = find(b, from, '\n')
	}
	if e.cr < from {
		e.cr = find(b, from, '\r')
	}
	return min(e.lf, e.cr)
}

func find(b []byte, from int, c byte) int {
	if i := bytes.IndexByte(b[from:], c); i >= 0 {
		return from + i
	}
	return len(b)
}
