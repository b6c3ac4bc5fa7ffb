package jwt

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json" // refuses a claim that stands twice, of which others may take the other one
)

// claims is what a token says: RFC 7519 section 4.
type claims map[string]json.RawMessage

// parseClaims reads an object. It reports false for anything else.
func parseClaims(b []byte) (claims, bool) {
	if b = bytes.TrimLeft(b, " \t\r\n"); len(b) == 0 || b[0] != '{' { // null would be taken for an object without claims
		return nil, false
	}
	var c claims
	err := json.Unmarshal(b, &c)
	return c, err == nil
}

// at is the claim at a path, nil if there is none: the one of that name, else what is at the rest of the path in the
// object that has the beginning of it as its name.
func (c claims) at(path Path) json.RawMessage {
	if v, ok := c[string(path)]; ok {
		return v
	}
	for i := range path {
		if path[i] != '.' {
			continue
		}
		inner, ok := parseClaims(c[string(path[:i])])
		if !ok {
			continue
		}
		if v := inner.at(path[i+1:]); v != nil {
			return v
		}
	}
	return nil
}

// text is a claim that is text, a number, true or false.
func text(v json.RawMessage) (string, bool) {
	if len(v) == 0 {
		return "", false
	}
	switch v[0] {
	case '"':
		var s string
		err := json.Unmarshal(v, &s)
		return s, err == nil
	case '{', '[', 'n':
		return "", false
	}
	return string(v), true
}

// list is a claim that is a list of text, of which other items do not count.
func list(v json.RawMessage) []string {
	var items []json.RawMessage
	if len(v) == 0 || v[0] != '[' || json.Unmarshal(v, &items) != nil {
		return nil
	}
	var all []string
	for _, item := range items {
		if s, ok := text(item); ok && item[0] == '"' {
			all = append(all, s)
		}
	}
	return all
}

// roles are those of a list, or of text with white space between them: sorted, each once.
func roles(v json.RawMessage) []string {
	all := list(v)
	if s, ok := text(v); ok && v[0] == '"' {
		all = strings.Fields(s)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// date is a NumericDate (RFC 7519 section 2): seconds, with a fraction or without. It is zero if there is none, and
// reports false if it is something else.
func date(v json.RawMessage) (time.Time, bool) {
	if v == nil {
		return time.Time{}, true
	}
	if len(v) == 0 || v[0] != '-' && (v[0] < '0' || v[0] > '9') {
		return time.Time{}, false
	}
	const earliest, latest = 0, 253402300799  // the ends of 1969 and of 9999
	f, _ := strconv.ParseFloat(string(v), 64) // a number out of range is infinite
	whole, fraction := math.Modf(min(max(f, earliest), latest))
	return time.Unix(int64(whole), int64(fraction*float64(time.Second))), true
}
