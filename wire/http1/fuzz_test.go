package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/textproto"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// seeds are the heads of all tables.
func seeds() (all []string) {
	for _, c := range requests {
		all = append(all, c.head)
	}
	for _, c := range badRequests {
		all = append(all, c.head)
	}
	for _, c := range responses {
		all = append(all, c.head)
	}
	for _, c := range badResponses {
		all = append(all, c.head)
	}
	text, err := os.ReadFile("testdata/smuggling.txt")
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(text)) {
		if part, err := strconv.Unquote(strings.TrimSpace(line)); err == nil {
			all = append(all, part)
		}
	}
	return append(all, browserRequest, richRequest, richResponse,
		// What net/http takes in another way.
		asked("GET /%zz HTTP/1.1"), get("trailer: content-length"), get("pragma: no-cache"), get("pragma: no-cache", "connection: cache-control"),
		answer("trailer: content-length", "transfer-encoding: chunked"), "HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200 \tx\r\n\r\n")
}

// FuzzHead: a head that comes byte by byte, or in two parts, is what it is at once.
func FuzzHead(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s), uint16(len(s)/2))
	}
	f.Fuzz(func(t *testing.T, b []byte, at uint16) {
		l := Limits{Head: 512, Target: 64, Fields: 16}
		whole, wholeErr := End(b, 0, &l)
		if whole > min(len(b), l.Head) || whole > 0 && !bytes.HasSuffix(b[:whole], emptyLine[1:]) {
			t.Fatalf("the head has %d bytes", whole)
		}
		n, _, err := endOf(string(b), &l)
		part := min(int(at), len(b))
		n2, err2 := End(b[:part], 0, &l)
		if n2 == 0 && err2 == nil {
			n2, err2 = End(b, part, &l)
		}
		if n != 0 && n != whole || n2 != 0 && n2 != whole {
			t.Fatalf("%d bytes at once, %d by bytes, %d in parts", whole, n, n2)
		}
		// What came in parts may be refused by End where what came at once is refused by the parsers, which see it whole.
		if (n == 0 && err == nil) != (whole == 0 && wholeErr == nil) && err == nil {
			t.Fatalf("at once %d, %v; by bytes %d, %v", whole, wholeErr, n, err)
		}
		if (err != nil || err2 != nil) && wholeErr == nil && whole > 0 {
			var r Request
			var a Response
			if e := ParseRequest(b[:whole], &r, &l); e == nil {
				t.Fatalf("a request is refused if it comes in parts: %v, %v", err, err2)
			}
			if e := ParseResponse(b[:whole], &a, "GET", &l); e == nil {
				t.Fatalf("a response is refused if it comes in parts: %v, %v", err, err2)
			}
		}
	})
}

// FuzzRequest: what is accepted is the same for net/http, and the same again if it is written.
func FuzzRequest(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := End(b, 0, nil)
		if n == 0 || err != nil {
			return
		}
		var r Request
		if err := ParseRequest(b[:n], &r, nil); err != nil {
			if fault, ok := err.(*Fault); !ok || fault.Status < 400 || fault.Status > 599 || fault.Status == 502 {
				t.Fatalf("%#v", err)
			}
			return
		}
		if err := sound(&r.Message); err != nil {
			t.Fatal(err)
		}
		if err := sameAsStd(b[:n], &r); err != nil {
			t.Fatalf("%v\n%+v", err, r)
		}
		var again Request
		if err := ParseRequest(written(t, &r), &again, nil); err != nil {
			t.Fatal(err)
		}
		r.Scheme = "" // which the origin form does not tell
		if r.Minor == 0 && r.Authority == "" {
			again.Authority = ""
		}
		again.Minor, again.Settings = r.Minor, r.Settings // which are not written again
		if err := equal(&again, &r); err != nil {
			t.Fatal(err)
		}
	})
}

// sound looks for what no message has.
func sound(m *Message) error {
	if m.Chunked != (m.Length < 0) && !m.Close {
		return fmt.Errorf("chunked is %t, the length %d", m.Chunked, m.Length)
	}
	for _, f := range m.Fields {
		switch f.Name {
		case "host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te", "upgrade", "http2-settings":
			return fmt.Errorf("%s is passed on", f.Name)
		}
		if f.Name != strings.ToLower(f.Name) || f.Value != strings.Trim(f.Value, " \t") {
			return fmt.Errorf("a field is %q", f)
		}
	}
	return nil
}

// written is r as a gateway would write it.
func written(t *testing.T, r *Request) []byte {
	target, host := r.Path, r.Authority
	if r.Method == "CONNECT" {
		target = r.Authority
	}
	if host == "" { // HTTP/1.0
		host = "none"
	}
	b := AppendField(AppendRequestLine(nil, r.Method, target), "host", host)
	b = appendFraming(b, &r.Message, true)
	if r.Trailers {
		b = AppendField(b, "te", "trailers")
	}
	if r.Continue {
		b = AppendField(b, "expect", "100-continue")
	}
	b, err := AppendFields(b, r.Fields)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, "\r\n"...)
}

func appendFraming(b []byte, m *Message, length bool) []byte {
	if m.Chunked {
		b = AppendField(b, "transfer-encoding", "chunked")
	} else if length && m.Length >= 0 {
		b = AppendInt(b, "content-length", m.Length)
	}
	if m.Close {
		b = AppendField(b, "connection", "close")
	}
	if m.Upgrade != "" {
		b = AppendField(AppendField(b, "connection", "upgrade"), "upgrade", m.Upgrade)
	}
	return b
}

// sameAsStd compares r with what net/http reads.
func sameAsStd(b []byte, r *Request) error {
	std, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
	if err != nil {
		return excused(err, r)
	}
	path, authority := rawPath(std.RequestURI), std.Host
	if r.Method == "CONNECT" {
		path, authority = "", std.RequestURI
	}
	switch {
	case std.Method != r.Method, path != r.Path, std.ProtoMinor != int(r.Minor):
		return fmt.Errorf("net/http reads %s %q of minor version %d", std.Method, path, std.ProtoMinor)
	case authority != r.Authority:
		return fmt.Errorf("net/http reads the host %q", authority)
	case std.ContentLength != r.Length, (len(std.TransferEncoding) > 0) != r.Chunked, std.Close != r.Close:
		return fmt.Errorf("net/http reads length %d, codings %q, close %t", std.ContentLength, std.TransferEncoding, std.Close)
	}
	return sameFields(std.Header, b, r.Fields, "Expect")
}

// excused are requests that are accepted here, and not by net/http.
func excused(err error, r *Request) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "net/url") || strings.HasPrefix(text, "parse "):
		// net/http decodes the target as it reads it, so that "/%zz" is an error, and colons in the first segment of some
		// schemes. A gateway leaves to the server what its path means (RFC 9110, 4.2.3).
		return nil
	case strings.Contains(text, "bad trailer key"):
		// net/http refuses trailer: content-length. Here such a field of a trailer is dropped.
		return nil
	}
	return fmt.Errorf("net/http: %w", err)
}

// rawPath is the path and query of a target as it came.
func rawPath(target string) string {
	target, _, _ = strings.Cut(target, "#")
	if target == "*" || strings.HasPrefix(target, "/") {
		return target
	}
	_, target, _ = strings.Cut(target, "://")
	i := strings.IndexAny(target, "/?")
	switch {
	case i < 0:
		return "/"
	case target[i] == '?':
		return "/" + target[i:]
	}
	return target[i:]
}

// sameFields compares the fields of each name that net/http has with ours, but for those of the connection, and others.
func sameFields(std http.Header, head []byte, fields []Field, others ...string) error {
	ours := http.Header{}
	for _, f := range fields {
		key := textproto.CanonicalMIMEHeaderKey(f.Name)
		ours[key] = append(ours[key], f.Value)
	}
	drop := append([]string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Upgrade", "Http2-Settings"}, others...)
	for _, list := range std["Connection"] {
		for _, name := range strings.Split(list, ",") {
			drop = append(drop, textproto.CanonicalMIMEHeaderKey(strings.Trim(name, " \t")))
		}
	}
	for _, name := range drop {
		delete(std, name)
	}
	if p := std["Pragma"]; len(p) > 0 && p[0] == "no-cache" && ours["Cache-Control"] == nil {
		delete(std, "Cache-Control") // which net/http makes up
	}
	for _, name := range drop {
		delete(ours, name) // pragma: no-cache, with connection: cache-control
	}
	if len(ours)+len(std) > 0 && !reflect.DeepEqual(ours, std) {
		return fmt.Errorf("net/http has the fields %q, not %q", std, ours)
	}
	return nil
}
