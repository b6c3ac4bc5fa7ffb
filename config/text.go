package config

import (
	"bytes"
	"sort"
	"unicode/utf8"
)

// A text is one file: as it was written, and as it is parsed once the environment has been put in.
type text struct {
	name    string
	written []byte
	parsed  []byte
	edits   []edit // in order; empty if nothing was put in

	before int // lines of the file before the text

	writtenLines []int // where lines begin; see lines
	parsedLines  []int
	in, out      cursor
}

// An edit is an expression in the written text, and what stands for it in the parsed one.
type edit struct {
	from, to   int // in written
	start, end int // in parsed
}

// expression is the edit as the user wrote it.
func (t *text) expression(e edit) string { return string(t.written[e.from:e.to]) }

// A cursor remembers the last place that was looked up, because most lookups are a little after the one before,
// and a file may be one long line.
type cursor struct {
	line, offset, column int
}

func newText(name string, written []byte) *text {
	return &text{name: name, written: written}
}

// lines is where the lines of the written text begin.
func (t *text) lines() []int {
	if t.writtenLines == nil {
		t.writtenLines = lineStarts(t.written, false)
	}
	return t.writtenLines
}

// lineStarts finds where lines begin. For YAML the three breaks of Unicode count too; editors do not break there.
func lineStarts(b []byte, yaml bool) []int {
	starts := append(make([]int, 0, bytes.Count(b, []byte("\n"))+2), 0)
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\n', b[i] == '\r' && (i+1 == len(b) || b[i+1] != '\n'):
			starts = append(starts, i+1)
		case !yaml:
		case b[i] == 0xC2 && i+1 < len(b) && b[i+1] == 0x85:
			starts = append(starts, i+2)
		case b[i] == 0xE2 && i+2 < len(b) && b[i+1] == 0x80 && (b[i+2] == 0xA8 || b[i+2] == 0xA9):
			starts = append(starts, i+3)
		}
	}
	return starts
}

// offset turns a line and a column of the parsed text into an offset in it.
func (t *text) offset(line, column int) int {
	if line < 1 {
		return 0
	}
	if line > len(t.parsedLines) {
		return len(t.parsed)
	}
	c := cursor{line, t.parsedLines[line-1], 1}
	if t.in.line == line && t.in.column <= column {
		c = t.in
	}
	for c.column < column && c.offset < len(t.parsed) {
		_, n := utf8.DecodeRune(t.parsed[c.offset:])
		c.offset += n
		c.column++
	}
	t.in = c
	return c.offset
}

// origin turns an offset in the parsed text into one in the written text. All of what was put in stands where its
// expression was written.
func (t *text) origin(offset int) int {
	i := sort.Search(len(t.edits), func(i int) bool { return t.edits[i].start > offset })
	if i == 0 {
		return offset
	}
	e := t.edits[i-1]
	if offset < e.end {
		return e.from
	}
	return e.to + offset - e.end
}

// pos is the place of an offset in the written text.
func (t *text) pos(offset int) Pos {
	line := sort.SearchInts(t.lines(), offset+1)
	c := cursor{line, t.lines()[line-1], 1}
	if t.out.line == line && t.out.offset <= offset {
		c = t.out
	}
	for c.offset < offset && c.offset < len(t.written) {
		_, n := utf8.DecodeRune(t.written[c.offset:])
		c.offset += n
		c.column++
	}
	t.out = c
	return Pos{File: t.name, Line: t.before + line, Column: c.column}
}

// within gives the edits that touch a span of the parsed text. One that put in nothing touches what is on either side.
func (t *text) within(start, end int) []edit {
	i := sort.Search(len(t.edits), func(i int) bool { return t.edits[i].end >= start })
	var all []edit
	for ; i < len(t.edits) && t.edits[i].start <= end; i++ {
		e := t.edits[i]
		if e.start == e.end || e.start < end && e.end > start {
			all = append(all, e)
		}
	}
	return all
}

// line gives one line of the written text, without its end.
func (t *text) line(n int) (string, bool) {
	if n < 1 || n > len(t.lines()) {
		return "", false
	}
	b := t.written[t.lines()[n-1]:]
	for i, c := range b {
		if c == '\n' || c == '\r' {
			b = b[:i]
			break
		}
	}
	return string(b), true
}

// originEnd is like origin, for the end of a span: what was put in reaches to the end of its expression.
func (t *text) originEnd(offset int) int {
	i := sort.Search(len(t.edits), func(i int) bool { return t.edits[i].end >= offset })
	if i < len(t.edits) && t.edits[i].start < offset {
		return t.edits[i].to
	}
	return t.origin(offset)
}
