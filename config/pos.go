package config

import (
	"cmp"
	"fmt"
)

// A Pos is a place in a file as it was written. Line and column are 1-based, and columns count characters,
// not bytes. The zero value is no place.
type Pos struct {
	File   string
	Line   int
	Column int
}

// IsZero reports whether p is no place.
func (p Pos) IsZero() bool { return p == Pos{} }

// String gives "file:line:column", or "file" for a fault of a whole file, or "" for no place.
func (p Pos) String() string {
	switch {
	case p.IsZero():
		return ""
	case p.Line == 0:
		return p.File
	case p.File == "":
		return fmt.Sprintf("%d:%d", p.Line, p.Column)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Compare orders places by file, line and column.
func (p Pos) Compare(q Pos) int {
	return cmp.Or(cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
}

// A Note is the other half of a fault's story: another place, and what is to be seen there.
type Note struct {
	Pos  Pos
	Text string
}

// A Fault is something in a file that is wrong, or, as a warning, looks wrong.
type Fault struct {
	Pos     Pos
	Warning bool
	Text    string // what is wrong, in the user's words; no place, no full stop
	Notes   []Note
	Hint    string // what could be done about it
	Width   int    // characters to underline; 0 means 1

	report *Report
}

// Note adds a note and returns f, so that calls can be chained.
func (f *Fault) Note(at Pos, format string, a ...any) *Fault {
	f.Notes = append(f.Notes, Note{Pos: at, Text: f.report.sprintf(format, a)})
	return f
}

// Hintf sets the hint and returns f.
func (f *Fault) Hintf(format string, a ...any) *Fault {
	f.Hint = f.report.sprintf(format, a)
	return f
}

// String gives the fault in one line, without notes and hint.
func (f *Fault) String() string {
	text := f.Text
	if f.Warning {
		text = "warning: " + text
	}
	if at := f.Pos.String(); at != "" {
		text = at + ": " + text
	}
	return visible(text)
}
