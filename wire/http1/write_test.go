package http1

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestAppend(t *testing.T) {
	f := func(got []byte, want string) {
		t.Helper()
		if string(got) != "dst"+want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	dst := []byte("dst")
	f(AppendRequestLine(dst, "GET", "/x?y"), "GET /x?y HTTP/1.1\r\n")
	f(AppendStatusLine(dst, 200), "HTTP/1.1 200 OK\r\n")
	f(AppendStatusLine(dst, 404), "HTTP/1.1 404 Not Found\r\n")
	f(AppendStatusLine(dst, 599), "HTTP/1.1 599 Unrecognized Status\r\n")
	f(AppendField(dst, "a", "b"), "a: b\r\n")
	f(AppendField(dst, "a", ""), "a: \r\n")
	f(AppendInt(dst, "content-length", 0), "content-length: 0\r\n")
	f(AppendInt(dst, "content-length", 1<<63-1), "content-length: 9223372036854775807\r\n")
	f(AppendChunk(dst, 13), "d\r\n")
	f(AppendChunk(dst, 1<<20), "100000\r\n")
	g := func(dst []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		return dst
	}
	f(g(AppendFields(dst, nil)), "")
	f(g(AppendFields(dst, fieldsOf("a", "b", "Content-Type", "text/plain; a=\"\tb\""))), "a: b\r\nContent-Type: text/plain; a=\"\tb\"\r\n")
	f(g(AppendEnd(dst, nil)), "0\r\n\r\n")
	f(g(AppendEnd(dst, fieldsOf("a", "b"))), "0\r\na: b\r\n\r\n")
}

func TestAppendFieldsRefuses(t *testing.T) {
	bad := []Field{{"", "x"}, {":path", "x"}, {"a b", "x"}, {"a:", "x"}, {"a\r\n", "x"}, {"é", "x"}}
	// The place counts, because eight bytes are looked at in one step.
	for _, n := range []int{0, 1, 6, 7, 8, 9, 15, 16, 17, 30} {
		for after := range 18 {
			for _, c := range "\r\n\x00" {
				bad = append(bad, Field{"a", strings.Repeat("v", n) + string(c) + strings.Repeat("\t", after)})
			}
			for _, c := range "\r\n\x00 :(\"\x7f\x80@[{" {
				bad = append(bad, Field{strings.Repeat("n", n) + string(c) + strings.Repeat("n", after), "v"})
			}
		}
	}
	for _, b := range bad {
		if dst, err := AppendFields([]byte("dst"), append(fieldsOf("a", "b"), b)); err != ErrField || string(dst) != "dst" {
			t.Errorf("%q: %q, %v", b, dst, err)
		}
		if dst, err := AppendEnd([]byte("dst"), []Field{b}); err != ErrField || string(dst) != "dst" {
			t.Errorf("%q: %q, %v", b, dst, err)
		}
	}
	for c := range 256 {
		for n := range 20 {
			pad := strings.Repeat("x", n)
			value := pad + string([]byte{byte(c)}) + pad
			if want := c != 0 && c != '\r' && c != '\n'; IsValue(value) != want {
				t.Errorf("IsValue(%q) is %t", value, !want)
			}
			if want := c > 0x20 && c < 0x7f; IsTarget(value) != want {
				t.Errorf("IsTarget(%q) is %t", value, !want)
			}
			if want := lower[c] != 0; IsToken(value) != want {
				t.Errorf("IsToken(%q) is %t", value, !want)
			}
		}
	}
	if IsToken("") || IsTarget("") || !IsValue("") {
		t.Error("the empty string is a value alone")
	}
}

// TestControl compares the steps of eight bytes with what they stand for.
func TestControl(t *testing.T) {
	chars := []byte("\x00\x01\t\n\r\x1f !~\x7f\x80\x9f\xff")
	random := rand.New(rand.NewPCG(1, 2))
	for range 100000 {
		b := make([]byte, random.IntN(30))
		for i := range b {
			if b[i] = 'a'; random.IntN(8) == 0 {
				b[i] = chars[random.IntN(len(chars))]
			}
		}
		want, clear := len(b), true
		for i, c := range slices.Backward(b) {
			if c < 0x20 && c != '\t' || c == 0x7f {
				want = i
			}
			clear = clear && c > 0x20 && c < 0x7f
		}
		if got := control(b, 0); got != want {
			t.Fatalf("control(%q) is %d, not %d", b, got, want)
		}
		if visible(b) != clear {
			t.Fatalf("visible(%q) is %t", b, !clear)
		}
	}
}

func TestReason(t *testing.T) {
	for status := range 1000 {
		want := http.StatusText(status)
		switch status { // those that RFC 9110 and IANA name in another way than net/http
		case 413:
			want = "Content Too Large"
		case 414:
			want = "URI Too Long"
		case 416:
			want = "Range Not Satisfiable"
		case 422:
			want = "Unprocessable Content"
		case 418: // no longer to be used
			want = ""
		}
		if want == "" {
			want = "Unrecognized Status"
		}
		if got := Reason(status); got != want {
			t.Errorf("Reason(%d) is %q, not %q", status, got, want)
		}
	}
	if Reason(-1) != Reason(1<<30) {
		t.Error("what is no status has a reason")
	}
}

// TestAllocs counts what the package allocates: the copy of a head, and nothing else.
func TestAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	f := func(name string, most float64, run func() error) {
		t.Helper()
		if n := testing.AllocsPerRun(100, func() {
			if err := run(); err != nil {
				t.Fatal(name, err)
			}
		}); n > most {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	var r Request
	var a Response
	var c Chunks
	out := make([]byte, 0, 4096)
	request, response, body := []byte(richRequest), []byte(richResponse), []byte(chunked)
	browser := []byte(browserRequest)
	f("End", 0, func() error { _, err := End(request, 0, nil); return err })
	f("ParseRequest", 1, func() error { return ParseRequest(request, &r, nil) })
	f("ParseResponse", 1, func() error { return ParseResponse(response, &a, "GET", nil) })
	f("ParseRequest of a new one", 2, func() error { var r Request; return ParseRequest(browser, &r, nil) })
	f("Chunks", 0, func() error {
		c.Reset()
		var err error
		for at, n := 0, 0; !c.Done() && err == nil; at += n {
			_, n, err = c.Next(body[at:], 1<<20, nil)
		}
		return err
	})
	f("AppendFields", 0, func() error { _, err := AppendFields(out, r.Fields); return err })
	f("AppendEnd", 0, func() error { _, err := AppendEnd(out, r.Fields); return err })
	f("the other writers", 0, func() error {
		b := AppendStatusLine(AppendRequestLine(out, "GET", "/"), 404)
		b = AppendInt(AppendField(AppendChunk(b, 12345), "a", "b"), "content-length", 12345)
		if len(b) == 0 {
			return ErrField
		}
		return nil
	})
	bad := []byte(get("a: b\x00"))
	f("a fault", 1, func() error {
		if ParseRequest(bad, &r, nil) != error(&ruleControl.request) {
			return ErrField
		}
		return nil
	})
	tail := Request{Extra: 64}
	f("ParseRequest with extra bytes", 1, func() error { return ParseRequest(request, &tail, nil) })
	if len(tail.Tail) != tail.Extra || cap(tail.Tail) != tail.Extra {
		t.Errorf("the tail has %d bytes of %d", len(tail.Tail), cap(tail.Tail))
	}
	// However a head is made, it cannot make the parsers allocate much.
	all := append(seeds(), get("connection: "+strings.Repeat("ab,", mostNamed), strings.Repeat("upgrade: c\r\n", 200)+strings.Repeat("d:\r\n", 40)))
	for _, s := range all {
		b := []byte(s)
		f(s, 12, func() error {
			_ = ParseRequest(b, &r, nil)
			_ = ParseResponse(b, &a, "GET", nil)
			return nil
		})
	}
}
