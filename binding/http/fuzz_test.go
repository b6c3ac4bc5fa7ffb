package http_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"gozilla/binding/http"
)

var gap = regexp.MustCompile(`\\\*|\\\{[a-zA-Z_]+\\\}`)

// FuzzMatch compares patterns with the regular expressions that they stand for.
func FuzzMatch(f *testing.F) {
	f.Add("/{a}/*/{b}", "/x/y//z")
	f.Add("a*a{b}*", "aaaa")
	f.Add("{a}{b}c", "abcc")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 100 || len(text) > 100 {
			return
		}
		form := gap.ReplaceAllStringFunc(regexp.QuoteMeta(pattern), func(s string) string {
			if s == `\*` {
				return `((?s:.)*)`
			}
			return `((?s:.)+)`
		})
		re, err := regexp.Compile(`\A` + form + `\z`)
		if err != nil || strings.ToValidUTF8(pattern+text, "") != pattern+text {
			return
		}
		for i := range len(pattern + text) {
			if (pattern + text)[i] >= 0x80 {
				return // a gap is of bytes, not of characters
			}
		}
		var want []string
		if m := re.FindStringSubmatch(text); m != nil {
			want = m[1:]
		}
		got, ok := http.Match(pattern, text, false)
		if ok != (want != nil) || ok && !slices.Equal(got, want) {
			t.Fatalf("%q, %q: %q %v, not %q", pattern, text, got, ok, want)
		}
	})
}
