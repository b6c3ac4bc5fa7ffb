package http_test

import (
	"strings"
	"testing"

	"gozilla/binding/http"
	"gozilla/config"
	"gozilla/stream/web"
)

// decode reads a value as it stands in a file.
func decode[T any](t testing.TB, text string) (*T, *config.Report) {
	t.Helper()
	r := &config.Report{}
	docs := config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte(text), Env: func(string) (string, bool) { return "", false }})
	if len(docs) != 1 {
		t.Fatalf("%s is %d documents: %v", text, len(docs), r.Err())
	}
	return config.Decode[T](r, docs[0], "it"), r
}

func TestMatch(t *testing.T) {
	f := func(pattern, text, want string) {
		t.Helper()
		got := "no"
		if found, ok := http.Match(pattern, text, false); ok {
			got = strings.Join(found, "|")
		}
		if got != want {
			t.Errorf("%q, %q: %s, not %s", pattern, text, got, want)
		}
	}
	f("a", "a", "")
	f("a", "ab", "no")
	f("", "", "")
	f("*", "", "")
	f("*", "anything", "anything")
	f("a*", "a", "")
	f("a*", "ab", "b")
	f("a*", "b", "no")
	f("*b", "ab", "a")
	f("*b", "ba", "no")
	f("a*b", "ab", "")
	f("a*b", "aab", "a")
	f("a*a", "a", "no") // not the same one
	f("a*b*c", "abbcbc", "bbc|")
	f("*.*", "a.b.c", "a.b|c")
	f("{x}", "", "no")
	f("{x}", "a", "a")
	f("/{a}/{b}", "/x/y/z", "x/y|z")
	f("/{a}/{b}", "/x/", "no")
	f("/{a}/{b}", "//x", "no")
	f("/{a}/{b}", "///x", "/|x")
	f("{a}{b}", "xyz", "xy|z")
	f("{a}{b}", "x", "no")
	f("*{b}", "xyz", "xy|z")
	f("{a}*", "xyz", "xyz|")
	f("{a}b{c}", "bbb", "b|b")
	f("{a}b{c}", "bb", "no")
	f("{a}b*b{c}", "abbbc", "ab||c")
	// What is no gap is literal.
	f("a.b", "axb", "no")
	f("a+(b)[c]|d?^$\\", "a+(b)[c]|d?^$\\", "")
	f("{}", "{}", "")
	f("{a b}", "{a b}", "")
	f("{a", "{a", "")
	f("{a1}", "{a1}", "")
	f("{a{b}", "{ax", "x")
	f("x{a}", "x{a}", "{a}")
}

func TestMatchPath(t *testing.T) {
	f := func(pattern, text string, want bool) {
		t.Helper()
		if _, ok := http.Match(pattern, text, true); ok != want {
			t.Errorf("%q, %q: %v", pattern, text, ok)
		}
	}
	f("/a", "/a", true)
	f("/a", "/a?", true)
	f("/a", "/a?b", true)
	f("/a", "/a/b", false)
	f("/a", "/ab", false)
	f("/a", "/ab?c", false)
	f("/*/b", "/a/b?c", true)
	f("/*/b", "/a?/b", false) // a query is no part of a path
	f("/{x}/b", "/a/b?/b", true)
	f("/a?b=*", "/a?b=c", true)
	f("/a?b", "/a?b", true)
	f("/a?b", "/a?b?c", false)
	f("/a?*c", "/a?bc", true)
	f("/a*", "/a?b", true)
	f("/{x}", "/a?b", true)
	if found, _ := http.Match("/{x}", "/a?b", true); len(found) != 1 || found[0] != "a?b" {
		t.Errorf("the last gap has lost the query: %q", found)
	}
	if found, _ := http.Match("/{x}/b", "/a/b?/b", true); len(found) != 1 || found[0] != "a" {
		t.Errorf("the query is part of the path: %q", found)
	}
}

func TestHolds(t *testing.T) {
	f := func(headers string, change func(*web.Request), want bool) {
		t.Helper()
		r := browser()
		if change != nil {
			change(r)
		}
		if got := when(t, "{ headers: { "+headers+" } }").Holds(r); got != want {
			t.Errorf("%s: %v", headers, got)
		}
	}
	authority := func(scheme, authority string) func(*web.Request) {
		return func(r *web.Request) { r.Scheme, r.Authority = scheme, authority }
	}
	f(``, nil, true)
	f(`":path": /items/17, ":method": GET, ":scheme": http, ":authority": "example.com:80", accept: "*"`, nil, true)
	f(`":path": /items/17, ":method": POST`, nil, false)
	f(`Accept-Language: "en*"`, nil, true)
	f(`x-none: "*"`, nil, false)
	f(`:scheme: https`, nil, false)
	f(`:authority: "example.com:443"`, nil, false)
	f(`:authority: "example.com:443"`, authority("https", "example.com"), true)
	f(`:authority: "EXAMPLE.com:443"`, authority("https", "Example.COM"), true)
	f(`:authority: "example.com:8080"`, authority("http", "Example.com:8080"), true)
	f(`:authority: "example.com:80"`, authority("http", "example.com:"), true)
	f(`:authority: "[::1]:80"`, authority("http", "[::1]"), true)
	f(`:authority: "[::1]:81"`, authority("http", "[::1]:81"), true)
	f(`:authority: "127.0.0.1:80"`, authority("http", "127.0.0.1"), true)
	f(`:authority: "*:80"`, authority("http", strings.Repeat("a", 300)), true)
	f(`:authority: "*.example.com:*"`, authority("ftp", "a.example.com:1"), true)
	f(`:authority: "*"`, authority("http", ""), false)
	f(`upgrade: websocket`, func(r *web.Request) { r.Protocol = "websocket" }, true)
	f(`upgrade: "*"`, nil, false)
	f(`content-length: "17"`, func(r *web.Request) { r.Length = 17 }, true)
	f(`x-a: two`, func(r *web.Request) { r.Header = web.Fields("x-a", "one", "x-a", "two") }, true) // any of its lines
	f(`x-a: "*"`, func(r *web.Request) { r.Header = web.Fields("x-a", "") }, true)
}
