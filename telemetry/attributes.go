package telemetry

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLabel is the length of a label's value, beyond which it is cut.
const maxLabel = 256

// Attributes are the labels that a binding puts to its metrics: texts, and what requests and responses say. A nil
// *Attributes has none.
type Attributes struct {
	all   []attribute // sorted by name
	fixed []byte      // encoded, if no request is asked; else nil
}

type attribute struct {
	name string
	text string     // if of is the zero value
	of   Expression // else
}

// An Expression names a part of an exchange.
type Expression struct {
	Response bool   // of the response, else of the request
	Name     string // of a header, in lower case; or ":method" or ":path" of a request, ":status" of a response
}

// String is the expression as files have it, without ${ and }.
func (x Expression) String() string {
	if x.Response {
		return "http.response." + strings.TrimPrefix(x.Name, ":")
	}
	return "http.request." + strings.TrimPrefix(x.Name, ":")
}

// AttributeError tells which attribute is wrong and why.
type AttributeError struct {
	Label  string
	Reason string // what comes behind the label in a sentence
	Hint   string // "" for none
}

func (e *AttributeError) Error() string {
	return "the attribute " + strconv.Quote(e.Label) + " " + e.Reason
}

// ParseAttributes reads the attributes of a binding: texts by label, of which ${http.request.method},
// ${http.request.path}, ${http.response.status} and ${http.request.NAME} or ${http.response.NAME} of a header stand for
// what an exchange says. The error is an *AttributeError. nil is given where there are none.
func ParseAttributes(texts map[string]string) (*Attributes, error) {
	a := &Attributes{}
	exported := map[string]string{} // labels by the names that prometheus gets
	for _, label := range slices.Sorted(maps.Keys(texts)) {
		at := attribute{name: label, text: texts[label]}
		name := labelName(label)
		switch other, taken := exported[name]; {
		case label == "" || !strings.ContainsFunc(label, isLetter):
			return nil, &AttributeError{Label: label, Reason: "needs a name with a letter in it"}
		case name == "namespace" || name == "binding" || name == "le" || strings.HasPrefix(name, "__"):
			return nil, &AttributeError{Label: label, Reason: "has a name that metrics have a use for themselves"}
		case taken:
			return nil, &AttributeError{Label: label, Reason: fmt.Sprintf("is %s to exporters, and so is %q", name, other)}
		}
		exported[name] = label
		if expression, ok := strings.CutPrefix(at.text, "${"); ok {
			var verdict int
			switch at.of, verdict = parseExpression(expression); verdict {
			case wrong:
				return nil, &AttributeError{
					Label: label, Reason: "is no expression that there is: ${" + OneLine(expression),
					Hint: "there are ${http.request.method}, ${http.request.path}, ${http.response.status}, and " +
						"${http.request.NAME} and ${http.response.NAME} of a header",
				}
			case foreign:
				continue
			}
		} else if strings.Contains(at.text, "${") {
			return nil, &AttributeError{Label: label, Reason: "mixes text and an expression", Hint: "an expression must be all of it"}
		}
		a.all = append(a.all, at)
	}
	if len(a.all) == 0 {
		return nil, nil
	}
	if !a.Dynamic() {
		a.fixed = a.append(nil, nil)
	}
	return a, nil
}

// What parseExpression finds.
const (
	right   = iota
	wrong   // it says nothing
	foreign // it is of a protocol that this build does not count
)

// parseExpression reads what stands behind ${.
func parseExpression(s string) (x Expression, verdict int) {
	inner, ok := strings.CutSuffix(s, "}")
	kind, name, _ := strings.Cut(inner, ".")
	part, name, _ := strings.Cut(name, ".")
	switch {
	case !ok || strings.ContainsAny(inner, "${}"):
		return Expression{}, wrong
	case kind == "mcp" && slices.Contains([]string{"tool", "resource", "prompt", "session", "method", "outcome"}, part) && name == "":
		return Expression{}, foreign
	case kind != "http" || part != "request" && part != "response" || !isToken(name):
		return Expression{}, wrong
	case part == "request" && (name == "method" || name == "path"), part == "response" && name == "status":
		return Expression{part == "response", ":" + name}, right
	}
	return Expression{part == "response", strings.ToLower(name)}, right
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// isToken tells what can be the name of a header: RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// Dynamic reports whether exchanges are asked for labels.
func (a *Attributes) Dynamic() bool {
	return a != nil && slices.ContainsFunc(a.all, func(at attribute) bool { return at.of.Name != "" })
}

// Expressions are the parts of exchanges that are asked for.
func (a *Attributes) Expressions() []Expression {
	var all []Expression
	if a != nil {
		for _, at := range a.all {
			if at.of.Name != "" && !slices.Contains(all, at.of) {
				all = append(all, at.of)
			}
		}
	}
	return all
}

// Labels are the attributes of one exchange, made by Attributes. The zero value has none.
type Labels struct{ encoded []byte }

// Labels gives the labels of an exchange, in which lookup finds the expressions. What it does not find, or what is empty,
// is no label of this exchange; values are cut at 256 bytes. Labels that the caller needs no more are overwritten, so
// that nothing is allocated; they are left alone where all exchanges have the same.
func (a *Attributes) Labels(reuse Labels, lookup func(Expression) (value string, ok bool)) Labels {
	switch {
	case a == nil:
		return Labels{}
	case a.fixed != nil:
		return Labels{a.fixed}
	}
	return Labels{a.append(reuse.encoded[:0], lookup)}
}

// Labels are encoded, in the order of their names, as
//
//	2*length of the name, +1 if exchanges are asked for the value; the name; length of the value; the value
//
// where a value of length 0 is none. So what was counted can be told apart by them alone, and shown without the attributes
// that they were made by, which a reload may have changed.

func (a *Attributes) append(dst []byte, lookup func(Expression) (string, bool)) []byte {
	for i := range a.all {
		at := &a.all[i]
		value, asked := at.text, uint64(0)
		if at.of.Name != "" {
			asked = 1
			value, _ = lookup(at.of)
		}
		dst = binary.AppendUvarint(dst, 2*uint64(len(at.name))+asked)
		dst = append(dst, at.name...)
		dst = appendLabel(dst, value)
	}
	return dst
}

// appendLabel appends the length of a value and the value, cut and with what is no text replaced.
func appendLabel(dst []byte, value string) []byte {
	if len(value) > maxLabel || !utf8.ValidString(value) {
		var b [maxLabel]byte
		clean := b[:0]
		for len(value) > 0 {
			r, n := utf8.DecodeRuneInString(value)
			if len(clean)+utf8.RuneLen(r) > maxLabel {
				break
			}
			clean = utf8.AppendRune(clean, r)
			value = value[n:]
		}
		return append(binary.AppendUvarint(dst, uint64(len(clean))), clean...)
	}
	return append(binary.AppendUvarint(dst, uint64(len(value))), value...)
}

// eachLabel calls f for each of the encoded labels.
func eachLabel(encoded []byte, f func(name, value []byte, asked bool)) {
	for len(encoded) > 0 {
		head, n := binary.Uvarint(encoded)
		name := encoded[n : n+int(head/2)]
		encoded = encoded[n+len(name):]
		length, n := binary.Uvarint(encoded)
		value := encoded[n : n+int(length)]
		encoded = encoded[n+len(value):]
		f(name, value, head&1 == 1)
	}
}

// appendOthers appends encoded labels with OtherLabel for all that exchanges are asked for.
func appendOthers(dst, encoded []byte) []byte {
	eachLabel(encoded, func(name, value []byte, asked bool) {
		head := 2 * uint64(len(name))
		if asked {
			dst = append(binary.AppendUvarint(dst, head+1), name...)
			dst = append(binary.AppendUvarint(dst, uint64(len(OtherLabel))), OtherLabel...)
			return
		}
		dst = append(binary.AppendUvarint(dst, head), name...)
		dst = append(binary.AppendUvarint(dst, uint64(len(value))), value...)
	})
	return dst
}

// appendShown appends encoded labels as if no exchange were asked, without those that have no value.
func appendShown(dst, encoded []byte) []byte {
	eachLabel(encoded, func(name, value []byte, _ bool) {
		if len(value) > 0 {
			dst = append(binary.AppendUvarint(dst, 2*uint64(len(name))), name...)
			dst = append(binary.AppendUvarint(dst, uint64(len(value))), value...)
		}
	})
	return dst
}

func decodeLabels(encoded string) map[string]string {
	labels := map[string]string{}
	eachLabel([]byte(encoded), func(name, value []byte, _ bool) { labels[string(name)] = string(value) })
	return labels
}

// LabelText is the labels of the sample as one word for people, method="GET",status="200"; "" if there are none.
func (s *Sample) LabelText() string {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = append(appendOneLine(b, name), '=')
		b = strconv.AppendQuote(b, s.Labels[name])
	}
	return string(b)
}
