package x509guard

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Match reports whether s matches. It takes time in proportion to the length of s times that of the longest part
// between two stars, at worst.
func (g Glob) Match(s string) bool {
	p := string(g)
	star, from := "", "" // where to go on if what comes does not fit: behind the last star, one character later
	again := false
	for s != "" {
		if rest, ok := strings.CutPrefix(p, "*"); ok {
			p, star, from, again = rest, rest, s, true
			continue
		}
		have, n := utf8.DecodeRuneInString(s)
		want, m := utf8.DecodeRuneInString(p)
		switch {
		case m > 0 && (want == '?' || same(want, have)):
			p, s = p[m:], s[n:]
		case again:
			_, n = utf8.DecodeRuneInString(from)
			from = from[n:]
			p, s = star, from
		default:
			return false
		}
	}
	return strings.Trim(p, "*") == ""
}

// same reports whether two characters differ in case at most. No letter of ASCII is the same as one that is not, though
// Unicode has some of which that is the lower case.
func same(a, b rune) bool {
	return a == b || (a < utf8.RuneSelf) == (b < utf8.RuneSelf) && unicode.ToLower(a) == unicode.ToLower(b)
}
