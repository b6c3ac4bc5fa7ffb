package http1

import (
	"bytes"
	"io"
	"net/http/httputil"
	"slices"
	"testing"
)

// FuzzChunks: however the bytes come, and however much is asked for, a body is the same; and it is that of net/http.
func FuzzChunks(f *testing.F) {
	for _, c := range badChunks {
		f.Add([]byte(c.in[:min(len(c.in), 1000)]), uint8(1), uint8(1))
	}
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"), uint8(1), uint8(2))
	f.Add([]byte("5;a=b\r\nhello\r\n6 ;c\r\n world\r\n0\r\nA: b\r\n\r\nGET"), uint8(3), uint8(0))
	f.Fuzz(func(t *testing.T, in []byte, size, most uint8) {
		var one, two Chunks
		l := Limits{Trailer: 200, Fields: 10}
		body, rest, err := one.read(in, 1<<20, 1<<20, &l)
		body2, rest2, err2 := two.read(in, int(size)+1, int(most)+1, &l)
		if err != err2 || !bytes.Equal(body, body2) || !bytes.Equal(rest, rest2) || !slices.Equal(one.Trailer(), two.Trailer()) {
			t.Fatalf("at once %q, %q, %v; in parts %q, %q, %v", body, rest, err, body2, rest2, err2)
		}
		if fault, ok := err.(*Fault); err != nil && err != errMore && (!ok || fault.Status != 400 && fault.Status != 431) {
			t.Fatalf("%#v", err)
		}
		if cap(one.held) > 1024 {
			t.Fatalf("%d bytes of a trailer are held", cap(one.held))
		}
		// net/http reads the trailer in another place, and knows no white space between a size and an extension.
		std, stdErr := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(in)))
		blank := bytes.Contains(in, []byte(" ;")) || bytes.Contains(in, []byte("\t;"))
		if err == nil && (!bytes.Equal(body, std) || stdErr != nil) && !blank {
			t.Fatalf("net/http reads %q, %v; not %q", std, stdErr, body)
		}
		if err == nil {
			rewrite(t, body, one.Trailer())
		}
	})
}

// rewrite writes a body and its trailer, and reads them again.
func rewrite(t *testing.T, body []byte, trailer []Field) {
	var out []byte
	for part := range slices.Chunk(body, 7) {
		out = append(append(AppendChunk(out, len(part)), part...), "\r\n"...)
	}
	out, err := AppendEnd(out, trailer)
	if err != nil {
		t.Fatal(err)
	}
	var c Chunks
	got, rest, err := c.read(out, 1<<20, 1<<20, nil)
	if err != nil || !bytes.Equal(got, body) || len(rest) > 0 || !slices.Equal(c.Trailer(), trailer) {
		t.Fatalf("%q becomes %q, %q, %v", out, got, c.Trailer(), err)
	}
}
