package config

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind says what a node of the tree is.
type Kind uint8

// The kinds of nodes.
const (
	Null     Kind = iota // nothing: an empty value, null or ~
	Scalar               // text, a number, true or false
	Sequence             // a list
	Mapping              // keys and values
)

// Type is what a scalar means, by the core schema of YAML 1.2. Values in quotes and block scalars are text.
type Type uint8

// The types of scalars.
const (
	Text Type = iota
	Bool
	Integer
	Float
)

// A Node is one value of a file, and the place where it was written. A value that was given by an alias is the
// node of its anchor, shared.
type Node struct {
	Kind    Kind
	Pos     Pos
	Type    Type    // of a Scalar
	Value   string  // of a Scalar, as parsed
	Quoted  bool    // a Scalar in quotes, or a block scalar
	Items   []*Node // of a Sequence
	Entries []Entry // of a Mapping, as ordered in the file; keys are Scalars, each once

	memo        *Memo
	written     string // how it was written, if text was put in from the environment
	substituted bool
}

// An Entry is one key of a mapping, and its value.
type Entry struct {
	Key, Value *Node
}

// placed is the value; one that is empty stands at its key, because it has no place of its own.
func (e Entry) placed() *Node {
	if e.Value.Kind != Null || e.Value.substituted {
		return e.Value
	}
	null := *e.Value
	null.Pos = e.Key.Pos
	return &null
}

// Get gives the value of a key, or nil. A nil node has no keys.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for i := range n.Entries {
		if n.Entries[i].Key.Value == key {
			return n.Entries[i].Value
		}
	}
	return nil
}

// Substituted reports whether a scalar has text in it that came from the environment. Such a value must not be
// shown to anybody: use Show.
func (n *Node) Substituted() bool { return n.substituted }

// maxShown bounds how much of a value is quoted in a message, in characters.
const maxShown = 60

// Show says how to quote the node in a message: the value in quotes, a number as it is, or for a value that came
// from the environment the text as written, such as ${{env.PORT}}.
func (n *Node) Show() string {
	switch {
	case n == nil:
		return "nothing"
	case n.Kind == Mapping:
		return "a mapping"
	case n.Kind == Sequence:
		return "a list"
	case n.substituted:
		return visible(clip(n.written, maxShown))
	case n.Kind == Null:
		return "empty"
	case n.Type == Text:
		return quote(n.Value)
	}
	return clip(n.Value, maxShown)
}

// name is the text of a key as it may be shown in the middle of a phrase, without quotes.
func (n *Node) name() shown {
	if n.substituted {
		return shown(n.Show())
	}
	return shown(visible(clip(n.Value, maxShown)))
}

// describe says what the node is, for "X must be a list, not …".
func (n *Node) describe() shown {
	switch {
	case n.Kind == Scalar && !n.substituted && (n.Type == Integer || n.Type == Float):
		return shown("the number " + n.Show())
	case n.Kind == Null && !n.substituted:
		return "nothing"
	}
	return shown(n.Show())
}

// resolve tells the type of a plain scalar by the core schema of YAML 1.2: 010 is ten, 1_000 is text, yes is text.
func resolve(s string) (Kind, Type) {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return Null, Text
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return Scalar, Bool
	case ".nan", ".NaN", ".NAN":
		return Scalar, Float
	}
	if _, err := parseInt(s); err == nil || isRange(err) {
		return Scalar, Integer
	}
	if _, ok := parseFloat(s); ok {
		return Scalar, Float
	}
	return Scalar, Text
}

// parseInt reads an integer of the core schema: decimal with a sign, 0o17, 0x1F.
func parseInt(s string) (int64, error) {
	base, digits := 10, s
	switch {
	case strings.HasPrefix(s, "0x"):
		base, digits = 16, s[2:]
	case strings.HasPrefix(s, "0o"):
		base, digits = 8, s[2:]
	}
	if base != 10 && strings.HasPrefix(digits, "-") || base != 10 && strings.HasPrefix(digits, "+") {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(digits, base, 64)
}

// parseFloat reads a float of the core schema. Go's hexadecimal floats, underscores and names are not in it.
func parseFloat(s string) (float64, bool) {
	sign := strings.TrimLeft(s, "+-")
	if len(s)-len(sign) > 1 {
		return 0, false
	}
	switch sign {
	case ".inf", ".Inf", ".INF":
		f, err := strconv.ParseFloat(s[:len(s)-len(sign)]+"Inf", 64)
		return f, err == nil
	}
	if strings.Trim(sign, "0123456789.eE+-") != "" || !strings.ContainsAny(sign, "0123456789") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || isRange(err)
}

// quote puts text into quotes, clipped, with everything in it made visible.
func quote(s string) string { return strconv.QuoteToGraphic(clip(s, maxShown)) }

// clip cuts text that is longer than n characters.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s[:min(len(s), n*utf8.UTFMax)])
	return string(runes[:n-1]) + "…"
}

// quoted is the text of a key in quotes, or as it was written.
func (n *Node) quoted() string {
	if n.substituted {
		return n.Show()
	}
	return quote(n.Value)
}
