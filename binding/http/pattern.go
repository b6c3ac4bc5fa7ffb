package http

import (
	"slices"
	"strings"
)

// Pattern is what a header must look like.
type Pattern string

// Words says what a pattern is.
func (Pattern) Words() string {
	return "text in which * stands for any run of characters and {name} for one that is not empty"
}

// A pattern is a Pattern made ready. Most are a literal, or a literal and then *.
type pattern struct {
	form  form
	bare  bool   // it is compared with a path without its query
	text  string // of all but general
	parts []string
	gaps  []string // between the parts of general: the names, "" for *
	least int      // the length of the shortest text that matches
}

type form uint8

const (
	literal form = iota
	prefix       // what begins with the text
	general      // parts and gaps in turn
)

// compile makes a pattern ready. One for a path is compared with the path alone, without its query, unless it speaks of
// a query itself, or ends in a gap, which takes the query too.
func (p Pattern) compile(path bool) pattern {
	m := pattern{}
	rest, from := string(p), 0
	for i := 0; i < len(rest); i++ {
		name, n := gapAt(rest[i:])
		if n == 0 {
			continue
		}
		m.parts, m.gaps = append(m.parts, rest[from:i]), append(m.gaps, name)
		from = i + n
		i = from - 1
	}
	m.parts = append(m.parts, rest[from:])
	last := m.parts[len(m.parts)-1]
	m.bare = path && (last != "" || len(m.gaps) == 0) && !slices.ContainsFunc(m.parts, func(s string) bool { return strings.Contains(s, "?") })
	for _, s := range m.parts {
		m.least += len(s)
	}
	for _, name := range m.gaps {
		m.least += least(name)
	}
	m.text = m.parts[0]
	switch {
	case len(m.gaps) == 0:
	case len(m.gaps) == 1 && m.gaps[0] == "" && last == "":
		m.form = prefix
	default:
		m.form = general
	}
	return m
}

// gapAt is the gap at the beginning of s, and how long it is written; 0 if there is none.
func gapAt(s string) (name string, n int) {
	switch {
	case s[0] == '*':
		return "", 1
	case s[0] != '{':
		return "", 0
	}
	end := strings.IndexByte(s, '}')
	if end < 2 || strings.Trim(s[1:end], nameLetters) != "" {
		return "", 0
	}
	return s[1:end], end + 1
}

const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

// least is how long a gap of that name is at least.
func least(name string) int {
	if name == "" {
		return 0
	}
	return 1
}

func (p *pattern) match(s string) bool {
	switch p.form {
	case literal:
		return s == p.text || p.bare && len(s) > len(p.text) && s[len(p.text)] == '?' && s[:len(p.text)] == p.text
	case prefix:
		return strings.HasPrefix(s, p.text)
	}
	return p.split(s, nil)
}

// A span is a part of a text. Unlike a string it keeps nothing alive, so that a text may be one of the stack.
type span struct{ from, to int }

// split finds what the gaps stand for, and puts it into found if that is not nil. Each is as long as it can be, the
// first one above all: so the literals between them are sought from the right.
func (p *pattern) split(s string, found []span) bool {
	if p.bare {
		s, _, _ = strings.Cut(s, "?")
	}
	n := len(p.gaps)
	if len(s) < p.least || !strings.HasPrefix(s, p.parts[0]) || !strings.HasSuffix(s, p.parts[n]) {
		return false
	}
	begin, end := len(p.parts[0]), len(s)-len(p.parts[n])
	for i := n - 1; i > 0; i-- {
		latest := end - least(p.gaps[i])
		if latest < begin {
			return false
		}
		at := strings.LastIndex(s[begin:latest], p.parts[i])
		if at < 0 {
			return false
		}
		if found != nil {
			found[i] = span{begin + at + len(p.parts[i]), end}
		}
		end = begin + at
	}
	if n == 0 || end < begin+least(p.gaps[0]) {
		return n == 0 && begin == len(s)
	}
	if found != nil {
		found[0] = span{begin, end}
	}
	return true
}

// captured is what the gaps stand for in a text; nil if it does not match, or if there are none.
func (p *pattern) captured(s string) []string {
	spans := make([]span, len(p.gaps))
	if len(spans) == 0 || !p.split(s, spans) {
		return nil
	}
	found := make([]string, len(spans))
	for i, at := range spans {
		found[i] = s[at.from:at.to]
	}
	return found
}
