package telemetry

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// OneLine is s with everything escaped that could move a terminal's cursor or look like something else: control
// characters, line separators, directional marks, bytes that are no text. What comes from outside cannot begin a new
// line in what it gives.
func OneLine(s string) string {
	if plain(s) {
		return s
	}
	return string(appendOneLine(make([]byte, 0, len(s)+8), s))
}

// appendOneLine appends what OneLine gives.
func appendOneLine(dst []byte, s string) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, `\x`...)
			dst = append(dst, hex[s[0]>>4], hex[s[0]&15])
		case strconv.IsPrint(r):
			dst = append(dst, s[:n]...)
		default:
			quoted := strconv.AppendQuoteRune(nil, r)
			dst = append(dst, quoted[1:len(quoted)-1]...)
		}
		s = s[n:]
	}
	return dst
}

// appendValue appends s as the value of a key=value pair: quoted, unless it is one plain word.
func appendValue(dst []byte, s string) []byte {
	if s == "" || strings.ContainsAny(s, ` "=\`) || !plain(s) {
		return strconv.AppendQuote(dst, s)
	}
	return append(dst, s...)
}

// plain reports whether nothing in s needs to be escaped.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f {
			return plainRunes(s[i:])
		}
	}
	return true
}

func plainRunes(s string) bool {
	for _, r := range s {
		// RuneError stands for a broken byte here, and a real one is rare enough to be looked at twice.
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

const hex = "0123456789abcdef"

// escapeJSON appends JSON text, in which every character that is not printable is replaced by its escape. Encoders
// escape those below a space; beyond ASCII a character can only stand in a string, where the escape means the same.
func escapeJSON(dst, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == 0x7f, r > 0x7f && !strconv.IsPrint(r):
			dst = appendUnicode(dst, r)
		default:
			dst = append(dst, text[:n]...)
		}
		text = text[n:]
	}
	return dst
}

// appendUnicode appends r as JSON escapes it: in one unit of UTF-16, or in two.
func appendUnicode(dst []byte, r rune) []byte {
	unit := func(u rune) {
		dst = append(dst, '\\', 'u', hex[u>>12&15], hex[u>>8&15], hex[u>>4&15], hex[u&15])
	}
	if r < 0x10000 {
		unit(r)
		return dst
	}
	r -= 0x10000
	unit(0xd800 + r>>10)
	unit(0xdc00 + r&0x3ff)
	return dst
}

// A jsonWriter escapes what a JSON encoder leaves in lines that a terminal would not show.
type jsonWriter struct{ w io.Writer }

func (j jsonWriter) Write(line []byte) (int, error) {
	if !bytes.ContainsFunc(line, func(r rune) bool { return r >= 0x7f }) {
		return j.w.Write(line)
	}
	if _, err := j.w.Write(escapeJSON(make([]byte, 0, len(line)+16), line)); err != nil {
		return 0, err
	}
	return len(line), nil
}
