package http1

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// asked is a request with a host field.
func asked(line string, fields ...string) string {
	return line + "\r\nHost: a.example\r\n" + strings.Join(append(fields, "", ""), "\r\n")
}

// get is a request of which only the fields matter.
func get(fields ...string) string { return asked("GET / HTTP/1.1", fields...) }

// plain is what get without fields says.
var plain = Request{Message: Message{Minor: 1}, Method: "GET", Authority: "a.example", Path: "/"}

func (r Request) with(f func(*Request)) Request {
	f(&r)
	return r
}

func fieldsOf(pairs ...string) (fields []Field) {
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, Field{pairs[i], pairs[i+1]})
	}
	return fields
}

// kept is plain with fields.
func kept(pairs ...string) Request {
	return plain.with(func(r *Request) { r.Fields = fieldsOf(pairs...) })
}

var requests = []struct {
	name, head string
	want       Request
}{
	{"least", get(), plain},
	{"HTTP/1.0 without host", "GET / HTTP/1.0\r\n\r\n", plain.with(func(r *Request) { r.Minor, r.Authority, r.Close = 0, "", true })},
	{"HTTP/1.0 keeps alive", asked("GET / HTTP/1.0", "connection: Keep-Alive"), plain.with(func(r *Request) { r.Minor = 0 })},
	{"HTTP/1.0 keep-alive and close", asked("GET / HTTP/1.0", "connection: keep-alive, close"), plain.with(func(r *Request) { r.Minor, r.Close = 0, true })},
	{"HTTP/1.9", asked("GET / HTTP/1.9"), plain.with(func(r *Request) { r.Minor = 9 })},
	{"any method", asked("M-SEARCH!#$%&'*+.^_`|~09 / HTTP/1.1"), plain.with(func(r *Request) { r.Method = "M-SEARCH!#$%&'*+.^_`|~09" })},
	{"method in lower case", asked("get / HTTP/1.1"), plain.with(func(r *Request) { r.Method = "get" })},

	// Targets.
	{"path and query", asked("GET /a/../%2e/b?c=d&e HTTP/1.1"), plain.with(func(r *Request) { r.Path = "/a/../%2e/b?c=d&e" })},
	{"what browsers send", asked("GET /a?|^{}`\"<>\\ HTTP/1.1"), plain.with(func(r *Request) { r.Path = "/a?|^{}`\"<>\\" })},
	{"two slashes", asked("GET //b.example/ HTTP/1.1"), plain.with(func(r *Request) { r.Path = "//b.example/" })},
	{"fragment", asked("GET /a?b#c?d#e HTTP/1.1"), plain.with(func(r *Request) { r.Path = "/a?b" })},
	{"fragment of the root", asked("GET /# HTTP/1.1"), plain},
	{"absolute", asked("GET HTTP://B.example:80/c?d HTTP/1.1"), plain.with(func(r *Request) { r.Scheme, r.Authority, r.Path = "http", "B.example:80", "/c?d" })},
	{"absolute with https", asked("GET https://b.example HTTP/1.1"), plain.with(func(r *Request) { r.Scheme, r.Authority, r.Path = "https", "b.example", "/" })},
	{"absolute with another scheme", asked("GET Coap+tcp-1.0://b HTTP/1.1"), plain.with(func(r *Request) { r.Scheme, r.Authority = "coap+tcp-1.0", "b" })},
	{"absolute with a query alone", asked("GET http://b?c HTTP/1.1"), plain.with(func(r *Request) { r.Scheme, r.Authority, r.Path = "http", "b", "/?c" })},
	{"absolute with a fragment alone", asked("GET http://b#c/d HTTP/1.1"), plain.with(func(r *Request) { r.Scheme, r.Authority = "http", "b" })},
	{"absolute with at signs later on", asked("GET http://b/@?@#@ HTTP/1.1"), plain.with(func(r *Request) { r.Scheme, r.Authority, r.Path = "http", "b", "/@?@" })},
	{"absolute with host empty", "GET http://b/ HTTP/1.1\r\nHost:\r\n\r\n", plain.with(func(r *Request) { r.Scheme, r.Authority = "http", "b" })},
	{"absolute in HTTP/1.0", "GET http://b/ HTTP/1.0\r\n\r\n", plain.with(func(r *Request) { r.Scheme, r.Authority, r.Minor, r.Close = "http", "b", 0, true })},
	{"asterisk", asked("OPTIONS * HTTP/1.1"), plain.with(func(r *Request) { r.Method, r.Path = "OPTIONS", "*" })},
	{"OPTIONS of a path", asked("OPTIONS / HTTP/1.1"), plain.with(func(r *Request) { r.Method = "OPTIONS" })},
	{"connect", asked("CONNECT b.example:443 HTTP/1.1"), plain.with(func(r *Request) { r.Method, r.Path, r.Authority = "CONNECT", "", "b.example:443" })},
	{"connect to an address", asked("CONNECT [2001:db8::1]:443 HTTP/1.1", "content-length: 0"), plain.with(func(r *Request) {
		r.Method, r.Path, r.Authority = "CONNECT", "", "[2001:db8::1]:443"
	})},

	// Hosts.
	{"host with a port", "GET / HTTP/1.1\r\nhost:a:65535\r\n\r\n", plain.with(func(r *Request) { r.Authority = "a:65535" })},
	{"host with an empty port", "GET / HTTP/1.1\r\nHOST: a:\r\n\r\n", plain.with(func(r *Request) { r.Authority = "a:" })},
	{"host that is an address", "GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", plain.with(func(r *Request) { r.Authority = "192.0.2.1" })},
	{"host that is one of IPv6", "GET / HTTP/1.1\r\nHost: [::ffff:192.0.2.1]\r\n\r\n", plain.with(func(r *Request) { r.Authority = "[::ffff:192.0.2.1]" })},
	{"host that is escaped", "GET / HTTP/1.1\r\nHost: a%2Fb_c~\r\n\r\n", plain.with(func(r *Request) { r.Authority = "a%2Fb_c~" })},

	// Fields.
	{"names are lowered", get("ACCEPT-Language: De", "X-B3-TraceId: A", "X_y: B"), kept("accept-language", "De", "x-b3-traceid", "A", "x_y", "B")},
	{"all of a token", get("!#$%&'*+-.^_`|~09azAZ: x"), kept("!#$%&'*+-.^_`|~09azaz", "x")},
	{"white space around a value", get("a: \t b \t c\t "), kept("a", "b \t c")},
	{"empty values", get("a:", "b: ", "c:\t"), kept("a", "", "b", "", "c", "")},
	{"no space before a value", get("a:b:c"), kept("a", "b:c")},
	{"order and repetition", get("b: 1", "a: 2", "b: 3"), kept("b", "1", "a", "2", "b", "3")},
	{"values beyond ASCII", get("a: \x80\xff\xc3\xa9"), kept("a", "\x80\xff\xc3\xa9")},
	{"not of the connection", get("Proxy-Authorization: x", "Trailers: y", "Hosts: z", "Content-Lengt: 3"),
		kept("proxy-authorization", "x", "trailers", "y", "hosts", "z", "content-lengt", "3")},
	{"of the connection", get("Keep-Alive: timeout=5", "Proxy-Connection: close", "TE: gzip", "Trailer: x", "Upgrade: h2c", "a: b"), kept("trailer", "x", "a", "b")},
	{"named by connection", get("a: 1", "Connection: A , c", "c: 2", "b: 3", "connection: ,\td,", "D: 4"), kept("b", "3")},
	{"framing named by connection", get("Connection: content-length, host, transfer-encoding, te, keep-alive", "Content-Length: 5"),
		plain.with(func(r *Request) { r.Length = 5 })},
	{"connection names a field of its own", get("Connection: cookie", "Cookie: a=b", "Set-Cookie: c"), kept("set-cookie", "c")},
	{"close", get("Connection: CLOSE"), plain.with(func(r *Request) { r.Close = true })},
	{"close in a list", get("Connection: x,\tclose ,y"), plain.with(func(r *Request) { r.Close = true })},
	{"close on another line", get("Connection: keep-alive", "Connection: close"), plain.with(func(r *Request) { r.Close = true })},
	{"almost close", get("Connection: closed", "Connection: close;q=1", "Connection: \"close\""), plain},
	{"upgrade", get("Upgrade: WebSocket", "Connection: keep-alive, Upgrade"), plain.with(func(r *Request) { r.Upgrade = "WebSocket" })},
	{"upgrade on two lines", get("Upgrade: a/1, b", "Upgrade: c", "Connection: upgrade"), plain.with(func(r *Request) { r.Upgrade = "a/1, b" })},
	{"upgrade with settings", get("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", "Connection: Upgrade, HTTP2-Settings"),
		plain.with(func(r *Request) { r.Upgrade, r.Settings = "h2c", "AAMAAABkAAQAAP__" })},
	{"upgrade with two settings", get("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", "HTTP2-Settings: AAMAAABkAAQAAP__", "Connection: Upgrade, HTTP2-Settings"),
		plain.with(func(r *Request) { r.Upgrade = "h2c" })},
	{"upgrade with settings that are not of the connection", get("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", "Connection: Upgrade"),
		plain.with(func(r *Request) { r.Upgrade = "h2c" })},
	{"upgrade in HTTP/1.0", asked("GET / HTTP/1.0", "Upgrade: a", "Connection: upgrade, keep-alive"), plain.with(func(r *Request) { r.Minor = 0 })},
	{"trailers", get("TE: deflate;q=0.5, Trailers"), plain.with(func(r *Request) { r.Trailers = true })},
	{"trailers on one of two lines", get("TE: trailers", "TE: gzip"), plain.with(func(r *Request) { r.Trailers = true })},
	{"expectation", get("Expect: 100-Continue", "Content-Length: 1"), plain.with(func(r *Request) { r.Continue, r.Length = true, 1 })},
	{"expectation in HTTP/1.0", asked("GET / HTTP/1.0", "Expect: 100-continue"), plain.with(func(r *Request) { r.Minor, r.Close = 0, true })},

	// Bodies.
	{"length", get("Content-Length: 0042"), plain.with(func(r *Request) { r.Length = 42 })},
	{"greatest length", get("Content-Length: 9223372036854775807"), plain.with(func(r *Request) { r.Length = 1<<63 - 1 })},
	{"chunked", get("Transfer-Encoding: \tChunked "), plain.with(func(r *Request) { r.Length, r.Chunked = -1, true })},
}

func TestParseRequest(t *testing.T) {
	r := Request{Message: Message{Fields: fieldsOf("of", "before")}}
	for _, c := range requests {
		n, err := End([]byte(c.head), 0, nil)
		if n != len(c.head) || err != nil {
			t.Errorf("%s: End gives %d, %v for %d bytes", c.name, n, err, len(c.head))
		}
		in := []byte(c.head)
		if err := ParseRequest(in, &r, nil); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if string(in) != c.head {
			t.Errorf("%s: the bytes are written to", c.name)
		}
		clear(in) // the strings are not those of the caller
		if err := equal(&r, &c.want); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// equal tells two requests apart.
func equal(got, want *Request) error {
	g, w := *got, *want
	if len(g.Fields) == 0 && len(w.Fields) == 0 {
		g.Fields, w.Fields = nil, nil
	}
	if !reflect.DeepEqual(g, w) {
		return fmt.Errorf("got  %+v\nwant %+v", g, w)
	}
	return nil
}

func TestIsAuthority(t *testing.T) {
	f := func(s string, want bool) {
		t.Helper()
		if IsAuthority(s) != want {
			t.Errorf("IsAuthority(%q) is %t", s, !want)
		}
	}
	for _, s := range []string{"a", "a.b", "a-b_c.", "a:1", "a:", "192.0.2.1:80", "[::1]", "[::1]:", "[::1]:80", "a%41", "!$&'()*+,;=~", "1:00080"} {
		f(s, true)
	}
	for _, s := range []string{
		"", ":", ":80", "a:b", "a:65536", "a:000080", "a:-1", "a:+1", "a:1:2", "a b", "a/", "a?b", "a#b", "a@b", "a\\b", "a\x00", "\x80", "é",
		"[", "[]", "[::1", "[::1]x", "[::1]:x", "::1", "[::1%25eth0]", "[::1%eth0]", "[192.0.2.1]", "[v1.a]", "a[::1]", "a]", "%", "a%4", "a%4g", "%gg", "a\"", "<a>", "a|b", "{a}", "a^", "`a",
	} {
		f(s, false)
	}
}
