package coremodel

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unsafe"

	"gozilla/model"
)

// integer is the coder of whole numbers.
type integer struct {
	judge
	low, high                   int64
	multiple                    int64 // 0: of anything
	most                        uint64
	width                       int // in bytes, if it is binary; else 0
	outside, uneven, huge, long string
}

func newInteger(b *model.Builder, c *Integer, name string, bits int) model.Model {
	decode, encode := judges(b, name, &c.Head)
	i := integer{
		low: c.low, high: c.high, multiple: int64(c.Multiple), most: 1<<(bits-1) - 1,
		outside: "it is not in the range " + c.Range.Text, uneven: fmt.Sprintf("it is no multiple of %d", c.Multiple),
		huge: fmt.Sprintf("it has more than %d bits", bits), long: wrongWidth(bits / 8),
	}
	if c.Format == "binary" {
		i.width = bits / 8
	}
	in, out := i, i
	in.judge, out.judge = decode, encode
	return both{&in, &out}
}

func wrongWidth(bytes int) string { return fmt.Sprintf("it has not %d bytes", bytes) }

// judged finds what is wrong with a number.
func (c *integer) judged(n int64) finding {
	switch {
	case n < c.low || n > c.high:
		return invalid(c.outside)
	case c.multiple > 1 && n%c.multiple != 0:
		return invalid(c.uneven)
	}
	return finding{}
}

func (c *integer) Value(ctx context.Context, dst, value []byte) ([]byte, error) {
	if c.width > 0 {
		s := word{width: c.width, long: c.long}
		f := s.feed(value)
		if f.text == "" {
			f = s.complete()
		}
		if f.text == "" {
			f = c.judged(s.integer())
		}
		return dst, c.settle(ctx, f)
	}
	s := digits{c: c}
	f := s.feed(value)
	if f.text == "" {
		f = s.end()
	}
	return dst, c.settle(ctx, f)
}

func (c *integer) Pipe(ctx context.Context) model.Pipe {
	if c.width > 0 {
		return &pipe{ctx, &c.judge, &integerWord{word{width: c.width, long: c.long}, c}}
	}
	return &pipe{ctx, &c.judge, &digits{c: c}}
}

// digits is the state of a whole number as text.
type digits struct {
	c        *integer
	seen     bool // anything
	some     bool // digits
	negative bool
	n        uint64 // without its sign
}

const (
	noNumber  = "it is no number"
	noInteger = "it is no whole number"
	noDecimal = "it is no decimal number"
)

func (s *digits) feed(piece []byte) finding {
	for _, b := range piece {
		switch d := b - '0'; {
		case d <= 9:
			most := s.c.most
			if s.negative {
				most++
			}
			if s.n > (most-uint64(d))/10 {
				return malformed(s.c.huge)
			}
			s.n = s.n*10 + uint64(d)
			s.some = true
		case !s.seen && (b == '-' || b == '+'):
			s.negative = b == '-'
		default:
			return malformed(noInteger)
		}
		s.seen = true
	}
	return finding{}
}

func (s *digits) end() finding {
	switch {
	case !s.seen:
		return malformed(empty)
	case !s.some:
		return malformed(noNumber)
	case s.negative:
		return s.c.judged(-int64(s.n)) // also of the least number, whose negative is itself
	}
	return s.c.judged(int64(s.n))
}

// word is the state of a number in binary.
type word struct {
	width int
	long  string
	n     int
	bytes [8]byte
}

func (s *word) feed(piece []byte) finding {
	if len(piece) > s.width-s.n {
		return malformed(s.long)
	}
	s.n += copy(s.bytes[s.n:], piece)
	return finding{}
}

func (s *word) complete() finding {
	switch {
	case s.n == 0:
		return malformed(empty)
	case s.n < s.width:
		return malformed(s.long)
	}
	return finding{}
}

func (s *word) integer() int64 {
	if s.width == 4 {
		return int64(int32(binary.BigEndian.Uint32(s.bytes[:])))
	}
	return int64(binary.BigEndian.Uint64(s.bytes[:]))
}

func (s *word) decimal() float64 {
	if s.width == 4 {
		return float64(math.Float32frombits(binary.BigEndian.Uint32(s.bytes[:])))
	}
	return math.Float64frombits(binary.BigEndian.Uint64(s.bytes[:]))
}

type integerWord struct {
	word
	c *integer
}

func (s *integerWord) end() finding {
	if f := s.complete(); f.text != "" {
		return f
	}
	return s.c.judged(s.integer())
}

// decimal is the coder of numbers with a fraction.
type decimal struct {
	judge
	bits                        int
	low, high                   bound64
	ranged                      bool
	multiple                    float64 // 0: of anything
	width                       int     // in bytes, if it is binary; else 0
	outside, uneven, huge, long string
}

// bound64 is a bound of a range of numbers.
type bound64 struct {
	n    float64
	open bool
}

func newDecimal(b *model.Builder, c *Decimal, name string, bits int) model.Model {
	decode, encode := judges(b, name, &c.Head)
	d := decimal{
		bits: bits, low: bound64{c.low, c.Range.low.open && c.Range.low.text != ""}, ranged: c.Range.Text != "",
		high:    bound64{c.high, c.Range.high.open && c.Range.high.text != ""},
		outside: "it is not in the range " + c.Range.Text, huge: "it is more than a " + name + " can hold", long: wrongWidth(bits / 8),
	}
	if c.Multiple != nil {
		d.multiple, d.uneven = *c.Multiple, fmt.Sprintf("it is no multiple of %v", *c.Multiple)
	}
	if c.Format == "binary" {
		d.width = bits / 8
	}
	in, out := d, d
	in.judge, out.judge = decode, encode
	return both{&in, &out}
}

// judged finds what is wrong with a number. What is no number at all is in no range.
func (c *decimal) judged(n float64) finding {
	above := n > c.low.n || n == c.low.n && !c.low.open
	below := n < c.high.n || n == c.high.n && !c.high.open
	switch {
	case c.ranged && !(above && below):
		return invalid(c.outside)
	case c.multiple > 0 && !c.even(n):
		return invalid(c.uneven)
	}
	return finding{}
}

// even reports whether n is a multiple. Both were rounded when they were read, and so is their quotient.
func (c *decimal) even(n float64) bool {
	const single, double = 1e-6, 1e-12
	q := n / c.multiple
	precision := double
	if c.bits == 32 {
		precision = single
	}
	return math.Abs(q-math.Round(q)) <= precision*max(1, math.Abs(q))
}

func (c *decimal) Value(ctx context.Context, dst, value []byte) ([]byte, error) {
	if c.width > 0 {
		s := word{width: c.width, long: c.long}
		f := s.feed(value)
		if f.text == "" {
			f = s.complete()
		}
		if f.text == "" {
			f = c.judged(s.decimal())
		}
		return dst, c.settle(ctx, f)
	}
	s := grammar{}
	f := s.feed(value)
	if f.text == "" {
		f = s.complete()
	}
	if f.text == "" {
		f = c.read(value)
	}
	return dst, c.settle(ctx, f)
}

// read finds what is wrong with a number of the right form.
func (c *decimal) read(value []byte) finding {
	n, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(value), len(value)), c.bits) // which does not keep it
	if err != nil {
		return malformed(c.huge)
	}
	return c.judged(n)
}

func (c *decimal) Pipe(ctx context.Context) model.Pipe {
	if c.width > 0 {
		return &pipe{ctx, &c.judge, &decimalWord{word{width: c.width, long: c.long}, c}}
	}
	return &pipe{ctx, &c.judge, &decimalText{c: c}}
}

type decimalWord struct {
	word
	c *decimal
}

func (s *decimalWord) end() finding {
	if f := s.complete(); f.text != "" {
		return f
	}
	return s.c.judged(s.decimal())
}

// grammar is the state of a number with a fraction, as far as its form goes.
type grammar struct{ seen, some, point bool }

func (s *grammar) feed(piece []byte) finding {
	for _, b := range piece {
		switch {
		case b >= '0' && b <= '9':
			s.some = true
		case b == '.' && !s.point:
			s.point = true
		case (b == '-' || b == '+') && !s.seen:
		default:
			return malformed(noDecimal)
		}
		s.seen = true
	}
	return finding{}
}

func (s *grammar) complete() finding {
	switch {
	case !s.seen:
		return malformed(empty)
	case !s.some:
		return malformed(noNumber)
	}
	return finding{}
}

// decimalText is the state of a number with a fraction as text. The text is held, but for what does not count: zeros in
// front, and what is too far behind the point.
type decimalText struct {
	grammar
	c     *decimal
	value []byte
	whole bool // a digit other than 0 stands before the point
}

const (
	wholeMost = 400  // digits before the point, without zeros in front: more than any double has
	textMost  = 1200 // all of the text: the least double has 324 zeros behind the point, and its exact half 750 digits more
)

func (s *decimalText) feed(piece []byte) finding {
	for i := range piece {
		before := s.point
		if f := s.grammar.feed(piece[i : i+1]); f.text != "" {
			return f
		}
		switch b := piece[i]; {
		case b == '0' && !before && !s.whole: // in front
		case b >= '0' && b <= '9' && !before:
			s.whole = true
			if s.value = append(s.value, b); len(s.value) > wholeMost {
				return malformed(s.c.huge)
			}
		case len(s.value) < textMost:
			s.value = append(s.value, b)
		case b != '0' && b != '.':
			s.value[textMost-1] = max(s.value[textMost-1], '1') // it is a little more
		}
	}
	return finding{}
}

func (s *decimalText) end() finding {
	if f := s.complete(); f.text != "" {
		return f
	}
	if !s.whole { // all its zeros are gone
		s.value = append(s.value, '0')
	}
	return s.c.read(s.value)
}
