package sse

import (
	"regexp"
	"strings"
	"testing"

	"gozilla/stream/web"
)

func TestPattern(t *testing.T) {
	f := func(gap, text string, all ...string) {
		t.Helper()
		p := compile(text, gap)
		for _, s := range all {
			path, no := strings.CutPrefix(s, "!")
			if p.match(path) == no {
				t.Errorf("%s and %s: %v", text, path, no)
			}
		}
	}
	f("*", "/a", "/a", "!/ab", "!/", "!")
	f("*", "*", "", "/", "/a/b")
	f("*", "/a*", "/a", "/abc", "!/b")
	f("*", "/a*/b", "/a/b", "/ax/b", "/a/b/b", "!/a", "!/ab")
	f("*", "*a*a*", "aa", "xaxax", "!a", "!xax")
	f("*", "/{a}", "/{a}", "!/x")
	f("{", "/a/{b}", "/a/x", "/a/x/y", "!/a/", "!/a")
	f("{", "/{a}/{b}", "/x/y", "//y/z", "!//y", "!/x/", "!/x")
	f("{", "/{a}{b}", "/xy", "!/x", "!/")
}

// FuzzPattern wants what a regular expression says.
func FuzzPattern(f *testing.F) {
	f.Add("/a*b*", "/axbxb")
	f.Add("*", "")
	f.Fuzz(func(t *testing.T, text, path string) {
		parts := strings.Split(text, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		e, err := regexp.Compile("^(?s:" + strings.Join(parts, ".*") + ")$")
		if err != nil || strings.ToValidUTF8(path, "") != path {
			t.Skip() // a regular expression is about characters
		}
		p := compile(text, "*")
		if got, want := p.match(path), e.MatchString(path); got != want {
			t.Errorf("%q and %q: %v, not %v", text, path, got, want)
		}
	})
}

// FuzzRequest wants of any request that what it asks for can be passed on.
func FuzzRequest(f *testing.F) {
	f.Add("/a?lastEventId=%31%0a&x", "")
	f.Add("/a?b", "42")
	f.Fuzz(func(t *testing.T, path, id string) {
		r := &web.Request{Method: "GET", Path: path}
		if id != "" {
			r.Header.Add("last-event-id", id)
		}
		q, err := requestOf(r, nil)
		if err != nil {
			return
		}
		if strings.Contains(q.Path, "?") || len(q.LastID) > mostID || strings.ContainsAny(q.LastID, "\r\n\x00") || id != "" && q.LastID != strings.Trim(id, " \t") {
			t.Errorf("%q, %q is %+v", path, id, q)
		}
		takesGzip(web.Fields("accept-encoding", id))
	})
}
