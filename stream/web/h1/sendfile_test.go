package h1_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/webtest"
)

// noise is n bytes of which no two parts are the same.
func noise(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.Bytes()[:n]
}

// TestSendFile sends parts of a file, over sockets and over pipes, which have no file sent by the system.
func TestSendFile(t *testing.T) {
	const size = 3 << 20
	content := noise(size)
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name              string
		method            string
		at, n, said, read int64
		sent              int64
		fails             bool
	}{
		{"all of it", "GET", 0, size, size, 0, size, false},
		{"a part", "GET", 100_000, 1 << 20, 1 << 20, 0, 1 << 20, false},
		{"the rest of a part", "GET", 100_000, 1 << 20, 1<<20 - 5, 5, 1<<20 - 5, false},
		{"a small part", "GET", 5, 100, 100, 0, 100, false},
		{"nothing", "GET", 5, 0, 0, 0, 0, false},
		{"in chunks", "GET", 0, size, -1, 0, size, false},
		{"for HEAD", "HEAD", 0, size, size, 0, 0, false},
		{"more than there is", "GET", size - 100_000, 200_000, 200_000, 0, 100_000, true},
	} {
		for _, o := range webtest.Over {
			t.Run(o.Name+"/"+c.name, func(t *testing.T) {
				r := newRig(t)
				sent := make(chan int64, 1)
				d := o.Of(r.Rig, &h1.Server{Node: node("server"), Handler: webtest.Func(func(_ context.Context, _ *web.Request, x web.Served) error {
					f, err := os.Open(name)
					if err != nil {
						return err
					}
					defer f.Close()
					if err = x.Respond(&web.Response{Status: 200, Length: c.said}); err != nil {
						return err
					}
					s := io.NewSectionReader(f, c.at, c.n)
					io.CopyN(io.Discard, s, c.read)
					n, err := web.Send(x, s)
					sent <- n
					return err
				})})
				near, e := d()
				if e != nil {
					t.Fatal(e)
				}
				defer near.Close()
				near.SetDeadline(time.Now().Add(patience))
				io.WriteString(near, c.method+" / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				req, _ := http.NewRequestWithContext(t.Context(), c.method, "http://x/", nil)
				resp, e := http.ReadResponse(bufio.NewReader(near), req)
				if e != nil {
					t.Fatal(e)
				}
				b, e := io.ReadAll(resp.Body)
				resp.Body.Close()
				want := content[c.at+c.read : min(c.at+c.n, size)]
				if c.method == "HEAD" {
					want = nil
				}
				if c.fails { // the last of it may be lost
					want = want[:len(b)]
				}
				if !bytes.Equal(b, want) || (e != nil) != c.fails {
					t.Errorf("%d bytes have come, %v, want %d", len(b), e, len(want))
				}
				if rec, n := r.record(), <-sent; n != c.sent || rec.Sent != c.sent {
					t.Errorf("%d bytes were sent, and %d are in the record, want %d", n, rec.Sent, c.sent)
				}
			})
		}
	}
}
