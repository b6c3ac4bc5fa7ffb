package http_test

import (
	"strings"
	"testing"

	"gozilla/binding/http"
	"gozilla/stream/web"
)

func places(t testing.TB, text string) *http.Credentials {
	t.Helper()
	c, r := decode[http.Credentials](t, text)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCredentials(t *testing.T) {
	f := func(text, path, want string, header ...string) {
		t.Helper()
		r := &web.Request{Path: path, Header: web.Fields(header...)}
		if got := places(t, text).Of(r); got != want {
			t.Errorf("%s, %s %v: %q, not %q", text, path, header, got, want)
		}
	}
	const bearer = `{ headers: { Authorization: "Bearer {credentials}" } }`
	f(bearer, "/", "")
	f(bearer, "/", "abc", "authorization", "Bearer abc")
	f(bearer, "/", "abc", "authorization", "bearer abc")
	f(bearer, "/", "abc", "authorization", "Basic abc", "authorization", "Bearer abc")
	f(bearer, "/", "", "authorization", "Bearer ")
	f(bearer, "/", "", "authorization", "Bearer")
	f(bearer, "/", "", "authorization", "Bearer a b")
	f(bearer, "/", "", "authorization", "Bearer  a")
	f(bearer, "/", "", "authorization", "xBearer a")
	const around = `{ headers: { x-key: "<{credentials}>" } }`
	f(around, "/", "a", "x-key", "<a>")
	f(around, "/", "", "x-key", "<a")
	f(around, "/", "", "x-key", "<>")
	f(around, "/", "", "x-key", "<")
	const basic = `{ headers: { authorization: "Basic {username}:{password}" } }`
	f(basic, "/", "alice:pass", "authorization", "Basic YWxpY2U6cGFzcw==")
	f(basic, "/", "alice:pass", "authorization", "BASIC  YWxpY2U6cGFzcw==")
	f(basic, "/", "", "authorization", "Basic YWxpY2U6cGFzcw") // not padded
	f(basic, "/", "", "authorization", "Basic")
	f(basic, "/", "", "authorization", "Bearer YWxpY2U6cGFzcw==")
	f(basic, "/", "a:", "authorization", "Basic YTo=")
	f(basic, "/", "", "authorization", "Basic OmE=") // without a name
	f(basic, "/", "", "authorization", "Basic YWxpY2U=")
	const query = `{ query: { token: "{credentials}" } }`
	f(query, "/", "")
	f(query, "/?token=abc", "abc")
	f(query, "/?a=b&token=abc&c=d", "abc")
	f(query, "/?token=&token=abc", "abc")
	f(query, "/?token=a%20b+c=", "a%20b+c=")
	f(query, "/?xtoken=abc", "")
	f(query, "/?tokens=abc", "")
	f(query, "/token=abc", "")
	f(query, "/?token", "")
	const cookie = `{ cookies: { token: "{credentials}", other: "t-{credentials}" } }`
	f(cookie, "/", "abc", "cookie", "token=abc")
	f(cookie, "/", "abc", "cookie", "a=b;  token=abc; c=d")
	f(cookie, "/", "abc", "cookie", "a=b", "cookie", "token=abc")
	f(cookie, "/", "abc", "cookie", "other=t-abc")
	f(cookie, "/", "one", "cookie", "other=t-two; token=one") // in the order of the file
	f(cookie, "/", "a=b", "cookie", "token=a=b")
	f(cookie, "/", "", "cookie", "xtoken=abc; other=abc; token")
	const all = `{ query: { q: "{credentials}" }, headers: { h: "{credentials}", b: "{credentials}" }, cookies: { c: "{credentials}" } }`
	f(all, "/?q=4", "1", "b", "3", "h", "2", "cookie", "c=1")
	f(all, "/?q=4", "2", "b", "3", "h", "2")
	f(all, "/?q=4", "3", "b", "3")
	f(all, "/?q=4", "4")
}

func TestChallenges(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := strings.Join(places(t, text).Challenges("who"), ", "); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
	f(`{ headers: { authorization: "Bearer {credentials}" } }`, `Bearer realm="who"`)
	f(`{ headers: { Authorization: "Basic {username}:{password}", x-key: "Key {credentials}" } }`, `Basic realm="who"`)
	f(`{ headers: { x-key: "{credentials}" } }`, `Bearer realm="who"`)
	f(`{ query: { token: "{credentials}" } }`, `Bearer realm="who"`)
}

// FuzzCredentials finds what was put there.
func FuzzCredentials(f *testing.F) {
	f.Add("/?a=b&token=c", "Bearer x", "token=y; a=b")
	f.Fuzz(func(t *testing.T, path, header, cookie string) {
		c := places(t, `{ query: { token: "{credentials}" }, headers: { a: "Bearer {credentials}", b: "Basic {username}:{password}" }, cookies: { token: "{credentials}" } }`)
		r := &web.Request{Path: path, Header: web.Fields("a", header, "b", header, "cookie", cookie)}
		if got := c.Of(r); got != "" && !strings.Contains(path+header+cookie, got) && !strings.Contains(strings.ToLower(header), "basic ") {
			t.Fatalf("%q is nowhere in it", got)
		}
	})
}
