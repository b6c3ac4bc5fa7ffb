package eventstream

import (
	"strings"
	"time"
)

// Event is one event. What it has no word about, it leaves as it was.
type Event struct {
	ID      string // what to go on after; "" begins anew
	HasID   bool
	Type    string // "" is message. An event without data has none
	Data    []byte // its lines end with LF, or CR, or both
	HasData bool   // without, the event tells the id, or the time to come back in, and no listener sees it
	// Retry is in how long the reader should come back when it has lost the stream; 0: nothing is said. No time at all is
	// a millisecond.
	Retry time.Duration
	Time  time.Time // when it came about; zero: not known. Only who asks is told, and readers do not look at it
}

// AppendEvent writes an event, with its time if that is timed and known. An event that says nothing is nothing.
//
// An id that is none, see [IsID], is left out: another one would have the reader come back to the wrong place. From a type,
// breaks are cut out.
func AppendEvent(dst []byte, e *Event, timed bool) []byte {
	begin := len(dst)
	if e.HasID && IsID(e.ID) {
		dst = appendField(dst, "id:", e.ID)
	}
	if e.HasData && e.Type != "" {
		dst = appendField(dst, "event:", breaks.Replace(e.Type))
	}
	if e.Retry > 0 {
		dst = appendRetry(dst, e.Retry)
	}
	if e.HasData {
		dst = appendData(dst, e.Data)
	}
	if len(dst) == begin {
		return dst
	}
	if timed && !e.Time.IsZero() {
		dst = insertTime(dst, begin, e.Time)
	}
	return append(dst, '\n')
}

// IsID reports whether an id can be one: no byte of it is a control character, but for tabs. The HTML standard has only NUL
// not count. But a reader comes back with the id in a header, Last-Event-ID, of which none of them may be a part (RFC 9110,
// section 5.5): one that has kept such an id would be refused each time.
func IsID[T string | []byte](id T) bool {
	for i := range len(id) {
		if c := id[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

var breaks = strings.NewReplacer("\r", "", "\n", "")

// appendField writes a line. A space behind the colon is not part of a value, so that one which begins with a space needs
// another.
func appendField[T string | []byte](dst []byte, name string, value T) []byte {
	dst = append(dst, name...)
	if len(value) > 0 && value[0] == ' ' {
		dst = append(dst, ' ')
	}
	dst = append(dst, value...)
	return append(dst, '\n')
}

// appendData writes a line for each line of a payload. What follows the last break is a line too, if an empty one.
func appendData(dst, data []byte) []byte {
	ends := endsOf(data)
	for from := 0; ; {
		at := ends.next(data, from)
		dst = appendField(dst, "data:", data[from:at])
		if at == len(data) {
			return dst
		}
		if data[at] == '\r' && at+1 < len(data) && data[at+1] == '\n' {
			at++
		}
		from = at + 1
	}
}
