package http_test

import (
	"strings"
	"testing"

	"gozilla/binding/http"
	"gozilla/stream/web"
)

const (
	anyone   = "{ policy: cross-origin }"
	some     = "{ policy: cross-origin, allow: { origins: [ https://a.org, 'http://b.org:80', 'null' ] } }"
	methods  = "{ policy: cross-origin, max-age: 9, allow: { methods: [ GET, PUT ] } }"
	headers  = "{ policy: cross-origin, max-age: 9, allow: { headers: [ x-a, X-B ] } }"
	known    = "{ policy: cross-origin, max-age: 9, allow: { credentials: true } }"
	exposing = "{ policy: cross-origin, expose: { headers: [ X-One, x-none, date ] } }"
)

func policy(t *testing.T, text string) *http.AccessControl {
	t.Helper()
	if text == "" {
		return nil
	}
	a, r := decode[http.AccessControl](t, text)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSameOrigin(t *testing.T) {
	f := func(origin, scheme, authority string, want bool) {
		t.Helper()
		if got := http.IsSameOrigin(origin, scheme, authority); got != want {
			t.Errorf("%s, %s://%s: %v", origin, scheme, authority, got)
		}
	}
	f("http://a", "http", "a", true)
	f("http://a", "http", "a:80", true)
	f("http://a:80", "http", "a", true)
	f("http://a:80", "http", "A", true)
	f("https://a", "https", "a:443", true)
	f("https://a", "http", "a", false)
	f("http://a", "https", "a", false)
	f("http://a:443", "https", "a", false)
	f("http://a:81", "http", "a", false)
	f("http://a:81", "http", "a:81", true)
	f("http://b", "http", "a", false)
	f("http://a.b", "http", "a", false)
	f("http://[::1]", "http", "[::1]:80", true)
	f("null", "http", "a", false)
	f("", "http", "", false)
	f("://", "", "", true) // both are nothing
}

func TestAllows(t *testing.T) {
	f := func(text, origin string, want bool) {
		t.Helper()
		if got := http.Allows(policy(t, text), origin); got != want {
			t.Errorf("%s, %s: %v", text, origin, got)
		}
	}
	f("", "https://a.org", false)
	f("{}", "https://a.org", false)
	f("{ policy: same-origin }", "https://a.org", false)
	f(anyone, "https://a.org", true)
	f(anyone, "null", true)
	f(some, "https://a.org", true)
	f(some, "https://a.org:443", true)
	f(some, "https://a.org:80", false)
	f(some, "http://a.org", false)
	f(some, "https://a.org.evil.org", false)
	f(some, "https://A.org", false)
	f(some, "http://b.org", true)
	f(some, "null", true)
	f(some, "https://c.org", false)
	f("{ policy: cross-origin, allow: { origins: [] } }", "https://a.org", false)
}

func text(h web.Header) string {
	var all []string
	for _, f := range h {
		all = append(all, strings.TrimPrefix(f.Name, "access-control-")+": "+f.Value)
	}
	return strings.Join(all, ", ")
}

func TestPreflight(t *testing.T) {
	f := func(rules, origin, method, names, want string) {
		t.Helper()
		r := &web.Request{Method: "OPTIONS", Header: web.Fields("origin", origin)}
		if method != "" {
			r.Header.Add("access-control-request-method", method)
		}
		if names != "" {
			r.Header.Add("access-control-request-headers", names)
		}
		h, err := http.Preflight(policy(t, rules), r, false)
		got := text(h)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s, %s, %s, %s:\n%s\nnot\n%s", rules, origin, method, names, got, want)
		}
	}
	const a, star = "https://a.org", "allow-origin: *, allow-methods: *, allow-headers: *"
	for _, open := range []string{"", "{}", anyone} {
		f(open, a, "PUT", "x-a", star)
		f(open, a, "PUT", "", "allow-origin: *, allow-methods: *")
		f(open, a, "", "x-a", "allow-origin: *, allow-headers: *")
	}
	f("{ max-age: 0 }", a, "PUT", "x-a", star+", max-age: 0")
	f(some, a, "PUT", "x-a", "allow-origin: https://a.org, allow-methods: *, allow-headers: *, vary: origin")
	f(some, "https://c.org", "PUT", "x-a", "refused: forbidden: pages of the origin https://c.org are not let in")
	f(methods, a, "PUT", "x-a", "allow-origin: *, allow-methods: PUT, allow-headers: *, max-age: 9")
	f(methods, a, "put", "", "refused: forbidden: pages of other origins may not use the method put")
	f(methods, a, "DELETE", "", "refused: forbidden: pages of other origins may not use the method DELETE")
	f(headers, a, "PUT", "X-A , x-b", "allow-origin: *, allow-methods: *, allow-headers: X-A , x-b, max-age: 9")
	f(headers, a, "", "x-a,,x-b,", "allow-origin: *, allow-headers: x-a,,x-b,, max-age: 9")
	f(headers, a, "PUT", "x-a,x-c", "refused: forbidden: pages of other origins may not use the header x-c")
	f(headers, a, "PUT", "x-c", "refused: forbidden: pages of other origins may not use the header x-c")
	f(known, a, "PUT", "x-a", "allow-origin: https://a.org, allow-methods: PUT, allow-headers: x-a, max-age: 9, allow-credentials: true, vary: origin")
}

func TestAnswersToPages(t *testing.T) {
	answer := func() web.Header {
		return web.Fields("content-type", "a/b", "date", "now", "x-one", "1", "x-two", "2", "x-one", "3")
	}
	given := text(answer()) + ", "
	f := func(rules, origin string, same bool, want string) {
		t.Helper()
		got := strings.TrimPrefix(text(http.Append(policy(t, rules), answer(), origin, same))+", ", given)
		if want != "" {
			want += ", "
		}
		if got != want {
			t.Errorf("%s, %q, %v:\n%s\nnot\n%s", rules, origin, same, got, want)
		}
	}
	const a, all, each = "https://a.org", "expose-headers: *", "expose-headers: x-one, expose-headers: x-two"
	for _, closed := range []string{"", "{}", "{ policy: same-origin }"} {
		f(closed, "", false, "")
		f(closed, a, true, "")
	}
	f(anyone, "", false, "allow-origin: *, "+all)
	f(anyone, a, true, all)
	f(anyone, a, false, "allow-origin: *, "+all)
	f(some, "", false, "allow-origin: *, "+all+", vary: origin")
	f(some, a, true, all+", vary: origin")
	f(some, a, false, "allow-origin: https://a.org, "+all+", vary: origin")
	f(known, "", false, "allow-origin: *, allow-credentials: true, "+each+", vary: origin")
	f(known, a, true, "allow-credentials: true, "+each+", vary: origin")
	f(known, a, false, "allow-origin: https://a.org, allow-credentials: true, "+each+", vary: origin")
	f(exposing, a, false, "allow-origin: *, expose-headers: x-one")
	own := web.Fields("access-control-allow-origin", "https://b.org", "x-one", "1")
	if got := text(http.Append(policy(t, known), own, a, false)); got != text(own) {
		t.Errorf("an answer that has its own: %s", got)
	}
	if got := text(http.Append(policy(t, anyone), web.Fields("date", "now"), a, false)); got != "date: now, allow-origin: *" {
		t.Errorf("an answer with nothing to expose: %s", got)
	}
}
