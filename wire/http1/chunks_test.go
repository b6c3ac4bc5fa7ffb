package http1

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// read decodes in, which comes in pieces of size, as a caller does: what was not used up is there the next time. It gives
// what the body is, and what follows it.
func (c *Chunks) read(in []byte, size, most int, l *Limits) (body, rest []byte, err error) {
	var have []byte
	for !c.Done() {
		data, n, err := c.Next(have, most, l)
		if len(data) > most || n > len(have) || len(data) > n {
			return nil, nil, fmt.Errorf("%d bytes of data in %d of %d", len(data), n, len(have))
		}
		body = append(body, data...)
		have = have[n:]
		if err != nil {
			return body, nil, err
		}
		if n == 0 && len(in) == 0 {
			return body, nil, errMore
		}
		if n == 0 {
			k := min(size, len(in))
			have = append(bytes.Clone(have), in[:k]...)
			in = in[k:]
		}
	}
	if data, n, err := c.Next(have, most, l); len(data) != 0 || n != 0 || err != nil {
		return nil, nil, fmt.Errorf("after the end: %q, %d, %v", data, n, err)
	}
	return body, append(have, in...), nil
}

var errMore = fmt.Errorf("more bytes are needed")

func TestChunks(t *testing.T) {
	f := func(in, body, rest string, trailer ...string) {
		t.Helper()
		for _, size := range []int{1, 2, 3, 7, 1 << 20} {
			for _, most := range []int{1, 3, 1 << 20} {
				c := Chunks{trailer: fieldsOf("of", "before")}
				c.Reset()
				got, left, err := c.read([]byte(in), size, most, &tight)
				if err != nil || string(got) != body || string(left) != rest {
					t.Errorf("%q by %d to %d: got %q, rest %q, %v", in, size, most, got, left, err)
				}
				if want := fieldsOf(trailer...); len(want)+len(c.Trailer()) > 0 && !reflect.DeepEqual(c.Trailer(), want) {
					t.Errorf("%q: the trailer is %q", in, c.Trailer())
				}
			}
		}
	}
	f("0\r\n\r\n", "", "")
	f("0\r\n\r\nGET /", "", "GET /")
	f("5\r\nhello\r\n0\r\n\r\n\r\n", "hello", "\r\n")
	f("5\r\nhello\r\n7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "hello\r\n0\r\n\r\n", "")
	f("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a", "")
	f("0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "hello", "")
	f("5;a\r\nhello\r\n0;b=c;d=\"e f\"\r\n\r\n", "hello", "")
	f("5 \t;\ta = b\r\nhello\r\n0 \r\n\r\n", "hello", "") // BWS (section 7.1.1)
	f("5;\"\x80\xff\"\r\nhello\r\n0;\r\n\r\n", "hello", "")
	f("5;"+strings.Repeat("x", sizeLine-4)+"\r\nhello\r\n0\r\n\r\n", "hello", "")
	f("0\r\nDigest: x\r\nA:\r\n\r\nGET", "", "GET", "digest", "x", "a", "")
	f("0\r\na: "+strings.Repeat("b", tight.Trailer-len("a: \r\n\r\n"))+"\r\n\r\n", "", "", "a", strings.Repeat("b", tight.Trailer-len("a: \r\n\r\n")))
}

func TestBarred(t *testing.T) {
	in := "0\r\nHost: a\r\nContent-Length: x\r\nTransfer-Encoding: y\r\nConnection: grpc-status\r\nTE: x\r\nTrailer: x\r\nUpgrade: x\r\nExpect: x\r\nKeep-Alive: a\r\nProxy-Connection: b\r\nMax-Forwards: c\r\nAuthorization: d\r\nProxy-Authorization: e\r\nCookie: f\r\n" +
		"Set-Cookie: g\r\nContent-Encoding: h\r\nContent-Type: i\r\nContent-Range: j\r\ngrpc-status: 0\r\n\r\n"
	var c Chunks
	if _, n, err := c.Next([]byte(in), 1, nil); n != len(in) || err != nil || !c.Done() {
		t.Fatal(n, err)
	}
	if !reflect.DeepEqual(c.Trailer(), fieldsOf("grpc-status", "0")) {
		t.Errorf("the trailer is %q", c.Trailer())
	}
}

var badChunks = []struct {
	in    string
	body  string // what comes before the fault
	fault *Fault
}{
	{"\r\n", "", errChunkSize},
	{";a\r\n", "", errChunkSize},
	{" 5\r\n", "", errChunkSize},
	{"\t5\r\n", "", errChunkSize},
	{"+5\r\n", "", errChunkSize},
	{"-1\r\n", "", errChunkSize},
	{"0x5\r\n", "", errChunkSize},
	{"5_0\r\n", "", errChunkSize},
	{"5g\r\n", "", errChunkSize},
	{"5 5\r\n", "", errChunkSize},
	{"5,5\r\n", "", errChunkSize},
	{"5\x00\r\n", "", errChunkSize},
	{"\"5\"\r\n", "", errChunkSize},
	{"5\n", "", errChunkSize},
	{"\n", "", errChunkSize},
	{"5\r\r\n", "", errChunkExt},
	{"5\rx", "", errChunkExt},
	{"5 \n", "", errChunkSize},
	{"5;a\nhello\r\n", "", errChunkExt},
	{"5;a\rb\r\n", "", errChunkExt},
	{"5;\"\r\n\"\r\nhello\r\n0\r\n\r\n", "\"\r\nhe", errChunkEnd}, // a line is over where it ends, in quotes or not
	{"5;a\x00\r\n", "", errChunkExt},
	{"100000000000001\r\n", "", errChunkBig}, // 2^56 + 1
	{"ffffffffffffffff\r\n", "", errChunkBig},
	{"10000000000000000\r\n", "", errChunkBig},
	{"00000000000000005\r\n", "", errChunkBig}, // 17 digits
	{"5;" + strings.Repeat("x", sizeLine-3) + "\r\n", "", errChunkLine},
	{"5;" + strings.Repeat("x", 1<<20), "", errChunkLine},
	{strings.Repeat("1;"+strings.Repeat("x", 199)+"\r\na\r\n", extraMost/200+1), strings.Repeat("a", extraMost/200), errChunkExts},
	{"5\r\nhelloo", "hello", errChunkEnd},
	{"5\r\nhello\n", "hello", errChunkEnd},
	{"5\r\nhello\r\r\n", "hello", errChunkEnd},
	{"5\r\nhello\rx", "hello", errChunkEnd},
	{"5\r\nhello5\r\n", "hello", errChunkEnd},
	{"0\r\n\r\r\n", "", &ruleCR.request},
	{"0\r\n\rX", "", &ruleCR.request},
	{"0\r\n\n", "", &ruleLF.request},
	{"0\r\na: b\n\n", "", &ruleLF.request},
	{"0\r\na: b\x00\r\n", "", &ruleControl.request},
	{"0\r\na: b\r\n c\r\n\r\n", "", &ruleFold.request},
	{"0\r\n a: b\r\n\r\n", "", &ruleFold.request},
	{"0\r\na : b\r\n\r\n", "", errSpace},
	{"0\r\n: b\r\n\r\n", "", &ruleName.request},
	{"0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "", errSpace},
	{"0\r\na\r\n\r\n", "", &ruleColon.request},
	{"0\r\n" + strings.Repeat("a: b\r\n", tight.Fields+1) + "\r\n", "", ErrFields},
	{"0\r\na: " + strings.Repeat("b", tight.Trailer-len("a: \r\n\r\n")+1) + "\r\n\r\n", "", ErrTrailer},
	{"0\r\na: " + strings.Repeat("b", 1<<20), "", ErrTrailer},
	{"0\r\na: " + strings.Repeat("b", tight.Trailer) + "\x00", "", ErrTrailer}, // however it comes, the first fault counts
}

func TestFaultsOfChunks(t *testing.T) {
	for _, c := range badChunks {
		for _, size := range []int{1, 2, 5, 1 << 21} {
			var chunks Chunks
			body, _, err := chunks.read([]byte(c.in), size, 1<<20, &tight)
			sameFault(t, c.in[:min(len(c.in), 100)], err, c.fault)
			if string(body) != c.body {
				t.Errorf("%q: the body before it is %q", c.in, body)
			}
			if _, n, again := chunks.Next([]byte("0\r\n\r\n"), 1, nil); chunks.Done() || n != 0 || again != err {
				t.Errorf("%q: after it there is more", c.in)
			}
		}
	}
}

// TestChunksBounds looks at the greatest size, and at how much is held.
func TestChunksBounds(t *testing.T) {
	var c Chunks
	data, n, err := c.Next([]byte("100000000000000\r\nabc"), 2, nil)
	if string(data) != "ab" || n != len("100000000000000\r\nab") || err != nil || c.left != 1<<56-2 {
		t.Errorf("%q, %d, %v", data, n, err)
	}
	full := strings.Repeat("1;"+strings.Repeat("x", 199)+"\r\na\r\n", extraMost/200)
	c.Reset()
	body, _, err := c.read([]byte(full+"1;"+strings.Repeat("x", extraMost%200-1)+"\r\na\r\n0\r\n\r\n"), 1<<20, 100, nil)
	if len(body) != extraMost/200+1 || err != nil {
		t.Errorf("extensions at the limit: %d bytes, %v", len(body), err)
	}
	for _, s := range []string{"5", "5;a", "5\r", "5 ", "5\r\nhello", "5\r\nhello\r", "0\r\n\r", "0\r\na"} {
		c.Reset()
		if _, _, err := c.read([]byte(s), 1, 100, nil); err != errMore {
			t.Errorf("%q: %v", s, err)
		}
	}
}
