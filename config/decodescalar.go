package config

import (
	"encoding"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Enum is implemented by kinds of string that have a closed list of values.
type Enum interface {
	Values() []string
}

// scalar decodes a value that is one word of the file.
func (d decoder) scalar(f form, n *Node, v reflect.Value, at spot) {
	if n.Kind != Scalar {
		d.wrong(n, v.Type(), at)
		return
	}
	switch f {
	case formText:
		d.unmarshal(n, v, at)
	case formDuration:
		d.duration(n, v, at)
	case formString:
		d.text(n, v, at)
	case formBool:
		d.boolean(n, v, at)
	case formFloat:
		d.float(n, v, at)
	default:
		d.integer(f, n, v, at)
	}
}

// isText refuses a number, true or false where text is needed, as upstream's schema does.
func (d decoder) isText(n *Node, v reflect.Value, at spot) bool {
	if n.Type == Text {
		return true
	}
	f := d.wrong(n, v.Type(), at)
	switch {
	case n.substituted:
		f.Hintf("put it in quotes")
	default:
		f.Hintf("put it in quotes: %s", shown(quote(n.Value)))
	}
	return false
}

// unmarshal has a type read its text. Only a type that takes numbers sees one.
func (d decoder) unmarshal(n *Node, v reflect.Value, at spot) {
	x := v.Addr().Interface().(encoding.TextUnmarshaler)
	takes, ok := x.(interface{ TakesNumber() bool })
	if numbers := ok && takes.TakesNumber() && n.Type == Integer; !numbers && !d.isText(n, v, at) {
		return
	}
	if !d.matches(n, v, at) {
		return
	}
	err := x.UnmarshalText([]byte(n.Value))
	if err == nil {
		return
	}
	if f := d.wrong(n, v.Type(), at); err != errWords && !n.substituted {
		f.Hintf("%v", err)
	}
}

// text decodes a kind of string: an enumeration, text with a pattern, or any text.
func (d decoder) text(n *Node, v reflect.Value, at spot) {
	if v.Type().Implements(typeEnum) || reflect.PointerTo(v.Type()).Implements(typeEnum) {
		d.enum(n, v, at)
		return
	}
	if at.key != "the key" && !d.isText(n, v, at) || !d.matches(n, v, at) {
		return
	}
	v.SetString(n.Value)
}

func (d decoder) enum(n *Node, v reflect.Value, at spot) {
	values := v.Addr().Interface().(Enum).Values()
	if slices.Contains(values, n.Value) {
		v.SetString(n.Value)
		return
	}
	f := d.wrong(n, v.Type(), at)
	if like, ok := Like(n.Value, values); ok && !n.substituted {
		f.Hintf("did you mean %q?", shown(like))
	}
}

var patterns sync.Map // text of the pattern to *regexp.Regexp

// matches checks the pattern of a type, if it has one.
func (d decoder) matches(n *Node, v reflect.Value, at spot) bool {
	p := patternOf(v.Type())
	if p == "" {
		return true
	}
	re, ok := patterns.Load(p)
	if !ok {
		re, _ = patterns.LoadOrStore(p, regexp.MustCompile(p))
	}
	if re.(*regexp.Regexp).MatchString(n.Value) {
		return true
	}
	d.wrong(n, v.Type(), at)
	return false
}

func (d decoder) boolean(n *Node, v reflect.Value, at spot) {
	if n.Type != Bool {
		d.wrong(n, v.Type(), at)
		return
	}
	v.SetBool(n.Value[0] == 't' || n.Value[0] == 'T')
}

func (d decoder) float(n *Node, v reflect.Value, at spot) {
	if n.Type == Integer {
		if i, err := parseInt(n.Value); err == nil {
			v.SetFloat(float64(i))
			return
		}
	}
	f, ok := parseFloat(n.Value)
	if n.Type != Float && n.Type != Integer || !ok || v.OverflowFloat(f) || math.IsInf(f, 0) || math.IsNaN(f) {
		d.wrong(n, v.Type(), at)
		return
	}
	v.SetFloat(f)
}

func (d decoder) integer(f form, n *Node, v reflect.Value, at spot) {
	i, err := parseInt(n.Value)
	if n.Type != Integer || err != nil {
		d.wrong(n, v.Type(), at)
		return
	}
	if lo, hi, ok := boundsOf(v.Type()); ok && (i < lo || i > hi) {
		d.wrong(n, v.Type(), at)
		return
	}
	if f == formUint {
		v.SetUint(uint64(i))
		return
	}
	v.SetInt(i)
}

// boundsOf gives the least and the greatest value of an integer type. 64 bits are no bounds worth a word, except that
// unsigned is not negative.
func boundsOf(t reflect.Type) (lo, hi int64, ok bool) {
	if x, is := reflect.New(t).Interface().(interface{ Bounds() (lo, hi int64) }); is {
		lo, hi = x.Bounds()
		return lo, hi, true
	}
	switch formOf(t) {
	case formUint:
		if t.Bits() == 64 {
			return 0, math.MaxInt64, true
		}
		return 0, 1<<t.Bits() - 1, true
	case formInt:
		if bits := t.Bits(); bits < 64 {
			return -1 << (bits - 1), 1<<(bits-1) - 1, true
		}
	}
	return 0, 0, false
}

func (d decoder) duration(n *Node, v reflect.Value, at spot) {
	x, err := ParseDuration(n.Value)
	switch {
	case n.Type == Text && err == nil && x < 0:
		d.wrong(n, v.Type(), at).Hintf("it cannot be negative")
	case n.Type == Text && err == nil:
		v.SetInt(int64(x))
	case n.substituted || n.Type != Integer:
		d.wrong(n, v.Type(), at)
	default:
		d.wrong(n, v.Type(), at).Hintf("say the unit: %s", shown(strconv.Quote(n.Value + "s")[1:len(n.Value)+2]))
	}
}

// ParseDuration reads "30s" as time.ParseDuration does, and "PT30S" as ISO 8601 has it.
func ParseDuration(s string) (time.Duration, error) {
	if len(s) > 0 && (s[0] == 'P' || s[0] == 'p') {
		return parseISO(s)
	}
	return time.ParseDuration(s)
}
