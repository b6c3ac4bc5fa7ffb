package coremodel

import (
	"context"
	"fmt"
	"regexp"
	"unicode/utf8"

	"gozilla/model"
)

// heldMost is how much of a text is held in memory to be compared with a pattern.
const heldMost = 1 << 20

// A text is the coder of strings.
type text struct {
	judge
	least, most int // characters; most 0: any number
	pattern     *regexp.Regexp
	held        int // the most bytes to compare with the pattern
	short, long string
}

func newString(b *model.Builder, c *String) (model.Model, error) {
	decode, encode := judges(b, "string", &c.Head)
	t := text{least: int(c.MinLength), most: int(c.MaxLength), pattern: c.pattern, held: heldMost}
	t.short = fmt.Sprintf("it has less than %d characters", t.least)
	t.long = fmt.Sprintf("it has more than %d characters", t.most)
	in, out := t, t
	in.judge, out.judge = decode, encode
	return both{&in, &out}, nil
}

func (c *text) Value(ctx context.Context, dst, value []byte) ([]byte, error) {
	return dst, c.settle(ctx, c.look(value))
}

// look finds what is wrong with a whole text.
func (c *text) look(value []byte) finding {
	if !utf8.Valid(value) {
		return malformed(notUTF8)
	}
	return c.judged(c.count(value), value, len(value) > c.held)
}

// count is the number of characters of a text in UTF-8, if that is of interest.
func (c *text) count(value []byte) (n int) {
	if c.least == 0 && c.most == 0 {
		return 0
	}
	for _, b := range value { // utf8.RuneCount may copy it
		if utf8.RuneStart(b) {
			n++
		}
	}
	return n
}

const notUTF8 = "it is not UTF-8"

// judged finds what is wrong with a text of n characters. Over is that it is too long to be held.
func (c *text) judged(n int, value []byte, over bool) finding {
	switch {
	case n < c.least:
		return invalid(c.short)
	case c.most > 0 && n > c.most:
		return invalid(c.long)
	case c.pattern == nil:
	case over:
		return invalid("it is too long to be compared with the pattern")
	case !c.pattern.Match(value):
		return invalid("it does not match the pattern")
	}
	return finding{}
}

func (c *text) Pipe(ctx context.Context) model.Pipe { return &pipe{ctx, &c.judge, &runes{c: c}} }

// runes is the state of a text.
type runes struct {
	c     *text
	split [utf8.UTFMax]byte // the beginning of a character that a piece has cut
	cut   int               // how much of it there is
	n     int               // the characters before
	value []byte            // to be compared with the pattern
	over  bool
}

func (s *runes) feed(piece []byte) finding {
	s.hold(piece)
	for s.cut > 0 && len(piece) > 0 {
		s.split[s.cut] = piece[0]
		s.cut++
		piece = piece[1:]
		if utf8.FullRune(s.split[:s.cut]) {
			if r, size := utf8.DecodeRune(s.split[:s.cut]); r == utf8.RuneError && size == 1 {
				return malformed(notUTF8)
			}
			s.n++
			s.cut = 0
		}
	}
	rest := tail(piece)
	s.cut += copy(s.split[s.cut:], rest)
	piece = piece[:len(piece)-len(rest)]
	if !utf8.Valid(piece) {
		return malformed(notUTF8)
	}
	s.n += s.c.count(piece)
	if s.c.most > 0 && s.n > s.c.most && !s.c.lenient {
		return invalid(s.c.long)
	}
	return finding{}
}

// tail is the beginning of a character at the end of p that is not complete.
func tail(p []byte) []byte {
	for i := len(p) - 1; i >= 0 && i > len(p)-utf8.UTFMax; i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				return p[i:]
			}
			break
		}
	}
	return nil
}

func (s *runes) hold(piece []byte) {
	switch {
	case s.c.pattern == nil || s.over:
	case len(s.value)+len(piece) > s.c.held:
		s.value, s.over = nil, true
	default:
		s.value = append(s.value, piece...)
	}
}

func (s *runes) end() finding {
	if s.cut > 0 {
		return malformed(notUTF8)
	}
	return s.c.judged(s.n, s.value, s.over)
}
