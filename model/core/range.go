package coremodel

import (
	"strings"

	"gozilla/config"
)

// Range is which numbers are right.
type Range struct {
	// As it was written.
	Text string

	low, high bound
}

// A bound is one end of a range; without a text there is none.
type bound struct {
	text string
	open bool // the bound itself is not in the range
}

// DecodeConfig reads what a file says.
func (g *Range) DecodeConfig(r *config.Report, n *config.Node) {
	if n.Kind != config.Scalar || n.Type != config.Text {
		f := r.Errorf(n.Pos, "the range must be %s, not %s", rangeWords, n.Show())
		if n.Kind == config.Sequence {
			f.Hintf("put it in quotes, or YAML takes it for a list")
		}
		return
	}
	if hint := g.parse(n.Value); hint != "" {
		r.Errorf(n.Pos, "the range must be %s, not %s", rangeWords, n.Show()).Hintf("%s", hint)
	}
}

const rangeWords = `text like "[0,100)" or "(,10]"`

// ConfigShape is what a range looks like.
func (Range) ConfigShape() *config.Shape {
	const number = `-?[0-9]+(\.[0-9]+)?`
	return &config.Shape{
		Form: config.FormText, Words: rangeWords,
		Pattern: `^[\[(](` + number + `,(` + number + `)?|,` + number + `)[\])]$`,
	}
}

// parse reads a range, or says what is wrong with it.
func (g *Range) parse(text string) (hint string) {
	g.Text = text
	low, high, ok := strings.Cut(text, ",")
	switch {
	case strings.ContainsAny(text, " \t\n"):
		return "leave out the white space"
	case !ok:
		return "a comma stands between the bounds, also where one of them is left out"
	case strings.Contains(high, ","):
		return "a range has one comma, between its bounds"
	case !strings.HasPrefix(low, "[") && !strings.HasPrefix(low, "("):
		return "begin with [ if the lower bound is in the range, or with ( if it is not"
	case !strings.HasSuffix(high, "]") && !strings.HasSuffix(high, ")"):
		return "end with ] if the upper bound is in the range, or with ) if it is not"
	}
	g.low = bound{low[1:], low[0] == '('}
	g.high = bound{high[:len(high)-1], high[len(high)-1] == ')'}
	for _, b := range []bound{g.low, g.high} {
		if b.text != "" && !isBound(b.text) {
			return "a bound is a number such as 10, -1 or 0.5"
		}
	}
	if g.low.text == "" && g.high.text == "" {
		return "give at least one bound, or leave the range out"
	}
	return ""
}

func isBound(s string) bool {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return isDigits(whole) && (!point || isDigits(fraction))
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
