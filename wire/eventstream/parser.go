package eventstream

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// ErrLarge is that an event has more bytes than it may.
var ErrLarge = errors.New("the event is too large")

// A Parser makes events of text that comes in pieces. The zero value is at the beginning of a stream. What it has of an
// event that is not complete when the stream ends is no event.
type Parser struct {
	// Max is the most bytes that the lines of an event may have, together; 0: any number. Comments and fields that nobody
	// knows count for nothing, and take no room.
	Max int

	marked int    // bytes of the mark that have come; past: none is looked for any more
	cr     bool   // the last line has ended with CR, to which an LF would belong
	skip   bool   // the line that has begun is nothing that is looked at
	line   []byte // the beginning of a line that is
	size   int    // of the lines of event
	event  Event
	typ    string // of an event before
	err    error
}

// mark is U+FEFF, which may stand at the beginning of a stream and is no part of it.
const mark = "\xef\xbb\xbf"

const (
	past     = len(mark) + 1
	longest  = len("event:") // of the names that are looked at, with the colon
	mostKept = 64 << 10      // bytes of a line, for the next ones
)

// Append adds to events those that b completes. They are the caller's. The error is ErrLarge, and stays; the events before
// it are given.
func (p *Parser) Append(events []Event, b []byte) ([]Event, error) {
	if p.err != nil {
		return events, p.err
	}
	b = p.unmarked(b)
	ends := endsOf(b)
	for from := 0; from < len(b); {
		if cr := p.cr; cr {
			if p.cr = false; b[from] == '\n' {
				from++
				continue
			}
		}
		at := ends.next(b, from)
		if at == len(b) {
			p.err = p.begin(b[from:])
			break
		}
		if p.err = p.end(b[from:at]); p.err != nil {
			break
		}
		if from == at && len(p.line) == 0 && !p.skip {
			events = p.dispatch(events)
		}
		p.skip, p.line = false, p.line[:0]
		if cap(p.line) > mostKept {
			p.line = nil
		}
		p.cr, from = b[at] == '\r', at+1
	}
	return events, p.err
}

// unmarked is b without the mark. A part of one that is none turns out to be the beginning of a line.
func (p *Parser) unmarked(b []byte) []byte {
	for p.marked < past && len(b) > 0 {
		switch {
		case p.marked == len(mark):
			p.marked = past
		case b[0] == mark[p.marked]:
			p.marked++
			b = b[1:]
		default:
			p.skip = p.marked > 0 // no name begins so
			p.marked = past
		}
	}
	return b
}

// begin takes the beginning of a line whose end is yet to come, or more of it.
func (p *Parser) begin(b []byte) error {
	if p.skip {
		return nil
	}
	if n := longest - len(p.line); n > 0 {
		n = min(n, len(b))
		p.line = append(p.line, b[:n]...)
		if b = b[n:]; !promising(p.line) {
			p.skip, p.line = true, p.line[:0]
			return nil
		}
		if len(b) == 0 && bytes.IndexByte(p.line, ':') < 0 {
			return nil // which may yet turn out to be nothing
		}
	}
	if p.over(len(p.line) + len(b)) {
		return ErrLarge
	}
	p.line = append(p.line, b...)
	return nil
}

// end takes the rest of a line.
func (p *Parser) end(b []byte) error {
	if p.skip {
		return nil
	}
	if len(p.line) > 0 {
		if len(b) > 0 {
			if err := p.begin(b); err != nil || p.skip {
				return err
			}
		}
		b = p.line
	}
	name, value, _ := bytes.Cut(b, colon)
	if !looked(name) {
		return nil
	}
	if p.over(len(b)) {
		return ErrLarge
	}
	p.size += len(b) + 1
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	p.field(name, value)
	return nil
}

var colon = []byte(":")

// over reports whether n bytes more are too many.
func (p *Parser) over(n int) bool { return p.Max > 0 && p.size+n > p.Max }

// The names of the fields that are looked at.
var names = [...]string{"data", "id", "event", "retry"}

func looked(name []byte) bool {
	for _, n := range names {
		if string(name) == n {
			return true
		}
	}
	return false
}

// promising reports whether a line that begins so may be looked at.
func promising(b []byte) bool {
	name, _, whole := bytes.Cut(b, colon)
	if whole {
		return looked(name)
	}
	for _, n := range names {
		if strings.HasPrefix(n, string(name)) {
			return true
		}
	}
	return false
}

// field takes a field that is looked at.
func (p *Parser) field(name, value []byte) {
	e := &p.event
	switch string(name) {
	case "data":
		if !e.HasData {
			e.HasData, e.Data = true, append(make([]byte, 0, len(value)), value...)
			return
		}
		e.Data = append(append(e.Data, '\n'), value...)
	case "id":
		if IsID(value) {
			e.HasID, e.ID = true, string(value)
		}
	case "event":
		if string(value) != p.typ {
			p.typ = string(value)
		}
		e.Type = p.typ
	case "retry":
		if after, ok := milliseconds(value); ok {
			e.Retry = after
		}
	}
}

// milliseconds reads a number of them, which has nothing but digits.
func milliseconds(b []byte) (time.Duration, bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	if len(b) == 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if most := int64(math.MaxInt64 / time.Millisecond); err != nil || n > most {
		n = most // it has digits only, so it is out of range
	}
	return time.Duration(max(1, n)) * time.Millisecond, true
}

// dispatch ends an event, at an empty line.
func (p *Parser) dispatch(events []Event) []Event {
	e := p.event
	p.event, p.size = Event{}, 0
	if !e.HasData {
		e.Type = "" // nobody would be told of it
	}
	if !e.HasData && !e.HasID && e.Retry == 0 {
		return events
	}
	return append(events, e)
}
