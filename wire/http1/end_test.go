package http1

import (
	"strings"
	"testing"
)

func TestLead(t *testing.T) {
	f := func(s string, want int) {
		t.Helper()
		if n := Lead([]byte(s)); n != want {
			t.Errorf("Lead(%q) is %d, not %d", s, n, want)
		}
	}
	f("", 0)
	f("\r", 0)
	f("\r\n", 2)
	f("\r\n\r", 2)
	f("\r\n\r\nGET", 4)
	f("\n\r\n", 0)
	f("GET\r\n", 0)
}

// endOf is what End says to bytes that come one by one.
func endOf(s string, l *Limits) (n, at int, err error) {
	for i := range len(s) {
		if n, err = End([]byte(s[:i+1]), i, l); n > 0 || err != nil {
			return n, i + 1, err
		}
	}
	return 0, len(s), nil
}

func TestEnd(t *testing.T) {
	// at is how many bytes it takes to know.
	f := func(s string, n, at int, fault *Fault) {
		t.Helper()
		gotN, gotAt, err := endOf(s, &tight)
		if fault != nil {
			sameFault(t, s, err, fault)
		} else if err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if gotN != n || gotAt != at {
			t.Errorf("%q: %d bytes, known after %d; want %d, after %d", s, gotN, gotAt, n, at)
		}
		if n, err := End([]byte(s), 0, &tight); n != gotN && n != 0 || (err == nil) != (fault == nil) && n == 0 {
			t.Errorf("%q at once: %d, %v", s, n, err)
		}
	}
	f("", 0, 0, nil)
	f("\r", 0, 1, nil)
	f("G", 0, 1, nil)
	f("GET / HTTP/1.1\r\n", 0, 16, nil)
	f("GET / HTTP/1.1\r\n\r", 0, 17, nil)
	f("GET / HTTP/1.1\r\n\r\n", 18, 18, nil)
	f("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", 18, 18, nil)
	f("HTTP/1.1 200\r\na:\tb\r\n\r\n\x00", 22, 22, nil)
	f("\r\n", 0, 2, errBegin)
	f("\x16\x03\x01", 0, 1, errBegin)
	f(" GET", 0, 1, errBegin)
	f("\x80", 0, 1, errBegin)
	f("GET\x00", 0, 4, &ruleControl.request)
	f("GET / HTTP/1.1\r\na: \x7f", 0, 20, &ruleControl.request)
	f("GET / HTTP/1.1\n", 0, 15, &ruleLF.request)
	f("GET / HTTP/1.1\r\na: b\n", 0, 21, &ruleLF.request)
	f("GET / HTTP/1.1\r\r", 0, 16, &ruleCR.request)
	f("GET / HTTP/1.1\r\na\rb", 0, 19, &ruleCR.request)
}

func TestEndLimits(t *testing.T) {
	line := "GET /" + strings.Repeat("a", tight.Target-len("GET / HTTP/1.1")) + " HTTP/1.1"
	long := strings.Replace(line, "/", "/a", 1)
	f := func(s string, n, at int, want error) {
		t.Helper()
		if gotN, gotAt, err := endOf(s, &tight); gotN != n || gotAt != at || err != want {
			t.Errorf("%q: %d bytes, %v, known after %d", s, gotN, err, gotAt)
		}
		if gotN, err := End([]byte(s), 0, &tight); gotN == 0 && err != want {
			t.Errorf("%q at once: %d, %v", s, gotN, err)
		}
	}
	f(line+"\r\n\r\n", tight.Target+4, tight.Target+4, nil)
	f(long+"\r\n\r\n", 0, tight.Target+1, ErrTarget)
	f("GET /"+strings.Repeat("a", tight.Head)+" HTTP/1.1\r\n\r\n", 0, tight.Target+1, ErrTarget)
	whole := get("a: " + strings.Repeat("b", tight.Head-len(get("a: "))))
	f(whole, tight.Head, tight.Head, nil)
	f(strings.Replace(whole, "b", "bb", 1), 0, tight.Head, ErrHead)
	f(whole[:len(whole)-1], 0, tight.Head-1, nil)

	// The parsers have the same limits.
	var r Request
	for s, want := range map[string]error{
		strings.Replace(line, "\r\n", "", 1) + "\r\nHost: a\r\n\r\n": nil,
		long + "\r\nHost: a\r\n\r\n":                                 ErrTarget,
		whole:                                                        nil,
		strings.Replace(whole, "b", "bb", 1):                         ErrHead,
		get(strings.Split(strings.Repeat("a: b|", tight.Fields-1), "|")[:tight.Fields-1]...): nil,
	} {
		if err := ParseRequest([]byte(s), &r, &tight); err != want {
			t.Errorf("%q: %v, want %v", s, err, want)
		}
	}
	if n, err := End([]byte(get("a: "+strings.Repeat("b", 60000))), 0, nil); n == 0 || err != nil {
		t.Errorf("the default limits: %d, %v", n, err)
	}
}
