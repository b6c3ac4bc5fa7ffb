package coremodel

import (
	"math"
	"regexp"
	"strconv"

	"gozilla/config"
	"gozilla/model"
)

// String is text in UTF-8.
type String struct {
	model.Head
	// How the text is encoded. Whatever is said here, it is UTF-8.
	Encoding Encoding
	// The least number of characters.
	MinLength Length `config:"minLength"`
	// The greatest number of characters.
	MaxLength Length `config:"maxLength"`
	// A regular expression that the whole text must match, as RE2 knows them: without lookahead, backreferences and
	// possessive quantifiers. To be compared, the whole text is held in memory: one of more than 1 MiB does not match.
	Pattern string

	pattern *regexp.Regexp
}

// Defaults is what holds for keys that are left out.
func (s *String) Defaults() { s.Encoding = "utf_8" }

// Check tells what is wrong with the options as a whole, and makes the pattern ready.
func (s *String) Check(r *config.Report) {
	if s.Encoding == "utf_16" {
		r.Warnf(r.At(&s.Encoding), "text is read as UTF-8 all the same, as zilla does")
	}
	if s.MaxLength > 0 && s.MinLength > s.MaxLength {
		r.Errorf(r.At(&s.MinLength), "minLength is greater than maxLength: no text is right").
			Note(r.At(&s.MaxLength), "maxLength is %d", s.MaxLength)
	}
	if s.Pattern == "" {
		return
	}
	var wrong, hint string
	if s.pattern, wrong, hint = compile(s.Pattern); wrong != "" {
		r.Errorf(r.At(&s.Pattern), "%s", wrong).Hintf("%s", hint)
	}
}

// Encoding is how text is encoded.
type Encoding string

// Values are the choices.
func (Encoding) Values() []string { return []string{"utf_8", "utf_16"} }

// Length is a number of characters.
type Length int

// Bounds is part of the shape of a configuration.
func (Length) Bounds() (least, most int64) { return 1, math.MaxInt32 }

// Format is how a number is written.
type Format string

// Values are the choices.
func (Format) Values() []string { return []string{"text", "binary"} }

// Integer is a whole number.
type Integer struct {
	model.Head
	// How the number is written: as text, which is a sign or none and digits, or as binary, with the most significant byte
	// first.
	Format Format
	// The numbers that are right, such as "[0,100)": a bracket takes its bound in, a parenthesis leaves it out, and a bound
	// that is not there is none.
	Range Range
	// What the number must be a multiple of.
	Multiple Multiple

	low, high int64
}

// Defaults is what holds for keys that are left out.
func (i *Integer) Defaults() { i.Format = "text" }

// Int32 is a whole number of 32 bits with a sign.
type Int32 struct{ Integer }

// Check makes the range ready.
func (i *Int32) Check(r *config.Report) { i.check(r, "int32", 32) }

// Int64 is a whole number of 64 bits with a sign.
type Int64 struct{ Integer }

// Check makes the range ready.
func (i *Int64) Check(r *config.Report) { i.check(r, "int64", 64) }

// Multiple is what a whole number must be a multiple of.
type Multiple int64

// Bounds is part of the shape of a configuration.
func (Multiple) Bounds() (least, most int64) { return 1, math.MaxInt64 }

func (i *Integer) check(r *config.Report, name string, bits int) {
	least, most := int64(-1)<<(bits-1), int64(1)<<(bits-1)-1
	i.low, i.high = least, most
	at, none := r.At(&i.Range), false
	// bound reads one; inward is where the numbers are that one which is left out leaves, and last where there are none.
	bound := func(b bound, to *int64, inward, last int64) {
		if b.text == "" {
			return
		}
		n, err := strconv.ParseInt(b.text, 10, bits)
		switch {
		case err != nil:
			r.Errorf(at, "%s in the range is no %s", b.text, name)
			return
		case b.open && n == last:
			none = true
		case b.open:
			n += inward
		}
		*to = n
	}
	before := r.Errors()
	bound(i.Range.low, &i.low, 1, most)
	bound(i.Range.high, &i.high, -1, least)
	if r.Errors() == before && (none || i.low > i.high) {
		r.Errorf(at, "no number is in the range %s", i.Range.Text)
	}
}

// Decimal is a number with a fraction.
type Decimal struct {
	model.Head
	// How the number is written: as text, which is a sign or none, digits and at most one point, or as binary, as IEEE 754
	// has it, with the most significant byte first.
	Format Format
	// The numbers that are right, such as "[0,0.5)": a bracket takes its bound in, a parenthesis leaves it out, and a bound
	// that is not there is none.
	Range Range
	// What the number must be a multiple of, but for what is lost by rounding.
	Multiple *float64

	low, high float64
}

// Defaults is what holds for keys that are left out.
func (d *Decimal) Defaults() { d.Format = "text" }

// Float is a number with a fraction, of single precision.
type Float struct{ Decimal }

// Check makes the range ready.
func (d *Float) Check(r *config.Report) { d.check(r, "float", 32) }

// Double is a number with a fraction, of double precision.
type Double struct{ Decimal }

// Check makes the range ready.
func (d *Double) Check(r *config.Report) { d.check(r, "double", 64) }

func (d *Decimal) check(r *config.Report, name string, bits int) {
	d.low, d.high = math.Inf(-1), math.Inf(1)
	at, before := r.At(&d.Range), r.Errors()
	bound := func(b bound, to *float64) {
		if b.text == "" {
			return
		}
		n, err := strconv.ParseFloat(b.text, bits)
		if err != nil {
			r.Errorf(at, "%s in the range is more than a %s can hold", b.text, name)
			return
		}
		*to = n
	}
	bound(d.Range.low, &d.low)
	bound(d.Range.high, &d.high)
	if r.Errors() == before && (d.low > d.high || d.low == d.high && (d.Range.low.open || d.Range.high.open)) {
		r.Errorf(at, "no number is in the range %s", d.Range.Text)
	}
	if d.Multiple != nil && *d.Multiple <= 0 {
		r.Errorf(r.At(&d.Multiple), "multiple must be greater than 0")
	}
}

// Boolean is one byte, which is 0 or 1.
type Boolean struct{ model.Head }

// Bytes is anything.
type Bytes struct{ model.Head }
