package config

import (
	"bytes"
	"io"
	"strings"
	"unicode"
)

// Colours of a terminal, as people know them from compilers.
const (
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	green  = "\x1b[32m"
	bold   = "\x1b[1m"
	plain  = "\x1b[0m"
)

// maxLine is how much of a line of source is shown, in characters.
const maxLine = 100

// Write writes all faults for people: each with its line of the file as written and a mark under it, its notes and
// its hint.
func (r *Report) Write(w io.Writer, color bool) error {
	p := painter{color: color}
	for _, f := range r.Faults() {
		p.fault(r, &f)
	}
	_, err := w.Write(p.Bytes())
	return err
}

type painter struct {
	bytes.Buffer
	color bool

	at    Pos // of the fault that was painted last, whose line is
	runes []rune
}

// line is the line of a fault, in characters. Faults of one line come one after the other, so that a long one is taken
// apart once.
func (p *painter) line(r *Report, at Pos) []rune {
	if p.runes != nil && p.at.File == at.File && p.at.Line == at.Line {
		return p.runes
	}
	p.at, p.runes = at, []rune{}
	if t := r.texts[at.File]; t != nil {
		if line, ok := t.line(at.Line); ok {
			p.runes = []rune(strings.TrimRight(line, " \t"))
		}
	}
	return p.runes
}

func (p *painter) in(color, text string) {
	if p.color {
		text = color + text + plain
	}
	p.WriteString(text)
}

func (p *painter) fault(r *Report, f *Fault) {
	paint := red
	if f.Warning {
		paint = yellow
	}
	if at := f.Pos.String(); at != "" {
		p.in(bold, visible(at)+":")
		p.WriteByte(' ')
	}
	if f.Warning {
		p.in(paint, "warning:")
		p.WriteByte(' ')
	}
	p.WriteString(visible(f.Text) + "\n")
	if line := p.line(r, f.Pos); len(line) > 0 {
		shown, mark := excerpt(line, f.Pos.Column, f.Width)
		p.WriteString("    " + shown + "\n    ")
		p.in(paint, mark)
		p.WriteByte('\n')
	}
	for _, n := range f.Notes {
		p.WriteString("  ")
		p.in(bold, "note:")
		p.WriteString(" " + n.line() + "\n")
	}
	if f.Hint != "" {
		p.WriteString("  ")
		p.in(green, "hint:")
		p.WriteString(" " + visible(f.Hint) + "\n")
	}
}

// excerpt is the part of a line around a column, and the mark that goes under it.
func excerpt(runes []rune, column, width int) (shown, mark string) {
	at := min(max(column, 1), len(runes)+1) - 1
	from := 0
	if len(runes) > maxLine && at > maxLine/2 {
		from = min(at-maxLine/2, len(runes)-maxLine/2)
	}
	to := min(len(runes), from+maxLine)
	end := min(max(at+max(width, 1), at+1), max(to, at+1))
	var text, under strings.Builder
	if from > 0 {
		text.WriteString("…")
		under.WriteByte(' ')
	}
	for i := from; i < to; i++ {
		c := visibleRune(runes[i])
		text.WriteRune(c)
		switch {
		case i < at:
			under.WriteString(strings.Repeat(" ", cells(c)))
		case i < end:
			under.WriteString(strings.Repeat("^", max(1, cells(c))))
		}
	}
	if at >= to {
		under.WriteByte('^')
	}
	if to < len(runes) {
		text.WriteString("…")
	}
	return text.String(), under.String()
}

// visible makes every character of a message visible, so that no text of a file plays tricks with a terminal.
func visible(s string) string { return strings.Map(visibleRune, s) }

func visibleRune(c rune) rune {
	switch {
	case c == '\t':
		return '→'
	case c < ' ':
		return 0x2400 + c // the pictures of control characters
	case c == 0x7f:
		return '␡'
	case c == ' ' || unicode.IsGraphic(c) && c != unicode.ReplacementChar:
		return c
	}
	return unicode.ReplacementChar
}

// cells is how many columns of a terminal a character takes: the marks of letters none, most of East Asia two.
func cells(c rune) int {
	switch {
	case unicode.In(c, unicode.Mn, unicode.Me):
		return 0
	case c >= 0x1100 && c <= 0x115f, c >= 0x2e80 && c <= 0xa4cf, c >= 0xac00 && c <= 0xd7a3, c >= 0xf900 && c <= 0xfaff,
		c >= 0xfe30 && c <= 0xfe6f, c >= 0xff00 && c <= 0xff60, c >= 0xffe0 && c <= 0xffe6,
		c >= 0x1f300 && c <= 0x1faff, c >= 0x20000 && c <= 0x3fffd:
		return 2
	}
	return 1
}
