package http_test

import (
	"testing"

	"gozilla/binding/http"
	"gozilla/stream"
	"gozilla/stream/web"
)

// browser is a request as browsers send it.
func browser() *web.Request {
	return &web.Request{
		Method: "GET", Scheme: "http", Authority: "example.com", Path: "/items/17?page=2", Interim: true,
		Header: web.Fields("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
			"accept", "text/html,application/xhtml+xml,application/xml;q=0.9", "accept-language", "en-US,en;q=0.5",
			"accept-encoding", "gzip, deflate, br, zstd", "cookie", "a=b; c=d", "upgrade-insecure-requests", "1",
			"sec-fetch-dest", "document", "sec-fetch-mode", "navigate", "priority", "u=0, i", "traceparent", "00-"),
		About: &stream.Info{},
	}
}

// BenchmarkServe is what a server adds to an exchange; "none" is what the bench itself costs.
func BenchmarkServe(b *testing.B) {
	const when = `routes: [ { when: [ { headers: { ":path": /other } } ], exit: sink }, { when: [ { headers: { ":authority": "example.com:80", ":path": "/items/*" } } ], exit: sink } ]`
	for _, bench := range []struct{ name, body string }{
		{"none", ""}, {"exit", "exit: sink"}, {"routes", when},
		{"cross", "options: { access-control: { policy: cross-origin } }, " + when},
		{"forwarded", "options: { forwarded: both }, " + when},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var h web.Handler = sink{}
			body := bench.body
			if body == "" {
				body = "exit: sink"
			}
			made, s, node := handler(b, body)
			if bench.body != "" {
				h = made
			}
			r := browser()
			header := r.Header
			b.ReportAllocs()
			var x *stream.Scope
			for b.Loop() {
				x = s.Child(node, x)
				r.Header = append(r.Header[:0], header...)
				if err := h.ServeExchange(x, r, served{}); err != nil {
					b.Fatal(err)
				}
				x.End(nil)
			}
		})
	}
}

type served struct{ web.Served }

func BenchmarkHolds(b *testing.B) {
	r := browser()
	for _, bench := range []struct{ name, header, pattern string }{
		{"literal", ":path", "/items/17"}, {"prefix", ":path", "/items/*"}, {"general", ":path", "/{what}/17"},
		{"authority", ":authority", "example.com:80"}, {"header", "accept-language", "en*"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			w := when(b, `{ headers: { "`+bench.header+`": "`+bench.pattern+`" } }`)
			b.ReportAllocs()
			for b.Loop() {
				if !w.Holds(r) {
					b.Fatal("it does not hold")
				}
			}
		})
	}
}

func when(t testing.TB, text string) *http.When {
	t.Helper()
	w, r := decode[http.When](t, text)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return w
}
