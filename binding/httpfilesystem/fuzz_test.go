package httpfilesystem

import (
	"path"
	"strings"
	"testing"

	"gozilla/stream/file"
	"gozilla/stream/web"
)

// FuzzName wants no path to lead out of the root, and names of files to be what the path says.
func FuzzName(f *testing.F) {
	for _, seed := range []string{"/a", "/a/b.txt", "/", "//", "/..", "/%2e%2e/a", "/a%2fb", "/%00", "/a%", "/a\\b", "/a/./b", "/%25", "/a/"} {
		f.Add("/{path}", "${params.path}", seed)
		f.Add("/*{path}", "in/${params.path}", seed)
	}
	f.Fuzz(func(t *testing.T, pattern, to, asked string) {
		w := &When{path: Pattern(pattern).compile()}
		target := Target(to).compile()
		if !target.valid() || !w.path.match(asked, nil) {
			return
		}
		name, err := target.name(w, asked, false)
		if err != nil {
			return
		}
		if !file.Valid(name) || strings.ContainsAny(name, "\x00\\") {
			t.Errorf("%q is %q", asked, name)
		}
		if at := path.Join("/www", name); at != "/www" && !strings.HasPrefix(at, "/www/") {
			t.Errorf("%q is %q", asked, at)
		}
	})
}

// FuzzRange wants parts to be within the file.
func FuzzRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-", "bytes=-5", "bytes=3-4", "bytes=4-3", "bytes=0-0,2-3", "bytes=99999999999999999999-", "bytes=-", "x", "bytes=-0"} {
		f.Add(seed, int64(10))
		f.Add(seed, int64(0))
	}
	f.Fuzz(func(t *testing.T, s string, size int64) {
		if size < 0 {
			return
		}
		p := parseRange(s, size)
		switch {
		case p.never:
		case p.whole && p.n == size && p.at == 0:
		case p.at < 0 || p.n <= 0 || p.at+p.n > size || p.at+p.n < 0:
			t.Errorf("%q of %d bytes is %+v", s, size, p)
		}
		p.contentRange(size)
	})
}

// FuzzTags wants a tag in quotes to be found in every list that it is added to, and lists to end.
func FuzzTags(f *testing.F) {
	for _, seed := range []string{"", "*", `"a"`, `W/"a", b`, `"a`, ",,", `W/`, `"*"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lists(web.Header{{Name: "if-match", Value: s}}, "if-match", "a", true)
		if _, match := lists(web.Header{{Name: "if-match", Value: `"x", ` + s}}, "if-match", "x", false); !match {
			t.Errorf("%q has no x", s)
		}
	})
}

func TestPattern(t *testing.T) {
	f := func(pattern, path string, want ...string) {
		t.Helper()
		p := Pattern(pattern).compile()
		found := make([]string, len(p.gaps))
		if ok := p.match(path, found); ok != (want != nil) || ok && strings.Join(found, "|") != strings.Join(want, "|") {
			t.Errorf("%s in %s: %v, %q", pattern, path, ok, found)
		}
	}
	f("/a", "/a", []string{}...) // without gaps
	f("/{path}", "/")
	f("/{path}", "/a/b", "a/b")
	f("/*", "/", "")
	f("/{a}/{b}", "/x/y/z", "x/y", "z")
	f("/{a}/{b}", "/x/")
	f("/{a}.{b}", "/x.y.z", "x.y", "z")
	f("*/{a}", "/x", "", "x")
	f("/{a}/c", "/c")
	f("/{1}", "/{1}", []string{}...)
}

func TestTags(t *testing.T) {
	f := func(list, tag string, weak, want bool) {
		t.Helper()
		if _, got := lists(web.Header{{Name: "x", Value: list}}, "x", tag, weak); got != want {
			t.Errorf("%s in %s: %v", tag, list, got)
		}
	}
	f(`"a"`, "a", false, true)
	f(`a`, "a", false, true)
	f(`W/"a"`, "a", false, false)
	f(`W/"a"`, "a", true, true)
	f(`"b" , "a"`, "a", false, true)
	f(`"b", c,a `, "a", false, true)
	f(`"a,b"`, "a", true, false)
	f(`*`, "a", false, true)
	f(`"*"`, "a", true, false)
	f(``, "a", true, false)
	f(`""`, "a", true, false)
}
