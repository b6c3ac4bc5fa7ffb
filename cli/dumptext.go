package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gozilla/admin"
	"gozilla/engine"
)

// textDump writes a line a chunk.
type textDump struct {
	out   io.Writer
	color bool
	width int // of the longest edge so far
}

const (
	// mostData is how many bytes of data are shown, mostLines how many of a head.
	mostData  = 100
	mostLines = 400
	// widestEdge bounds what shorter ones are filled up to.
	widestEdge = 60
)

func (d *textDump) write(l *admin.DumpLine) error {
	if l.Chunk == nil {
		return nil // what is lost is told elsewhere
	}
	c := l.Chunk
	edge := edgeName(c)
	d.width = min(max(d.width, utf8.RuneCountInString(edge)), widestEdge)
	arrow, text, color := describeChunk(c)
	if !d.color {
		color = ""
	}
	line := fmt.Sprintf("%s  %-7s  %-*s  %s", c.Time.Local().Format("15:04:05.000000"), streamID(c), d.width, edge, paint(color, arrow+" "+text))
	_, err := io.WriteString(d.out, line+"\n")
	return dumpError(err)
}

// edgeName is the two bindings of a chunk, the second one without a namespace that is also the first one's.
func edgeName(c *engine.Chunk) string {
	to := c.To
	if i := strings.LastIndexByte(c.From, ':'); i >= 0 {
		to = strings.TrimPrefix(to, c.From[:i+1])
	}
	return printable(c.From+" > "+to, mostLines)
}

// streamID is the id of the connection, and that of the exchange if it is one.
func streamID(c *engine.Chunk) string {
	id := strconv.FormatUint(c.Connection, 10)
	if c.Exchange != c.Connection {
		id += "/" + strconv.FormatUint(c.Exchange, 10)
	}
	return id
}

// describeChunk says what a chunk is, in which direction it goes, and how it is painted.
func describeChunk(c *engine.Chunk) (arrow, text, color string) {
	arrow, color = "--", faint
	switch c.Direction {
	case engine.Received:
		arrow, color = "->", green
	case engine.Sent:
		arrow, color = "<-", cyan
	}
	switch c.Kind {
	case engine.Begin:
		text = "begins: " + c.Protocol
		if c.Source != "" {
			text += " from " + c.Source
		}
		if c.Dest != "" {
			text += " to " + c.Dest
		}
		text = printable(text, mostLines)
	case engine.Data, engine.Body:
		text = fmt.Sprintf("%5d  %s", len(c.Data), printable(string(c.Data), mostData))
	case engine.Message:
		text = fmt.Sprintf("%5d  ", len(c.Data))
		if c.Label != "" {
			text += printable(c.Label, mostData) + "  "
		}
		text += printable(string(c.Data), mostData)
	case engine.Head, engine.Trailer:
		text = printable(strings.Join(c.Lines, " | "), mostLines)
	case engine.Finish:
		text, color = "ends", faint
	case engine.End:
		text = "is over"
		if c.Error != "" {
			text, color = printable("is cut off: "+c.Error, mostLines), red
		}
	default:
		text = printable(c.Kind, mostLines)
	}
	return arrow, text, color
}

// printable is the beginning of a text, as much as most bytes of it, with escapes in place of all that could do something
// to a terminal.
func printable(s string, most int) string {
	rest := ""
	if len(s) > most {
		s, rest = s[:most], " ..."
	}
	b := make([]byte, 0, len(s)+len(rest))
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b = fmt.Appendf(b, `\x%02x`, s[0])
		case r == '\\':
			b = append(b, `\\`...)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case unicode.IsPrint(r):
			b = append(b, s[:n]...)
		case r < utf8.RuneSelf:
			b = fmt.Appendf(b, `\x%02x`, r)
		default:
			b = fmt.Appendf(b, `\u{%x}`, r)
		}
		s = s[n:]
	}
	return string(append(b, rest...))
}
