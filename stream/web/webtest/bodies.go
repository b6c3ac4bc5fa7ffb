package webtest

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"gozilla/stream/web"
)

// What has a body, and what has none.

// echo sends the body back, and its trailer.
func echo(_ context.Context, r *web.Request, x web.Served) error {
	if err := x.Respond(&web.Response{Status: 200, Length: r.Length}); err != nil {
		return err
	}
	if _, err := io.Copy(x, x); err != nil {
		return err
	}
	return x.End(x.Trailer())
}

// text is n bytes, no part of which looks like another.
func text(n int) string { return longText()[:n] }

var longText = sync.OnceValue(func() string {
	var b strings.Builder
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.String()
})

func bodies(t *test) {
	t.serve(echo)
	for _, n := range []int{0, 1, 100, 8 << 10, 16<<10 + 1, 40 << 10, 1 << 20} {
		for _, length := range []int64{int64(n), -1} {
			if n > 16<<10 { // an echo takes no more than it can give
				t.echoLarge(n, length)
				continue
			}
			r := request("POST", "/", nil)
			r.Length = length
			a := t.do(r, text(n))
			if a.head.Status != 200 || a.body != text(n) || a.err != nil {
				t.Errorf("%d bytes, length %d: got %d, %d bytes, %v", n, length, a.head.Status, len(a.body), a.err)
			}
			if a.head.Length != length && n > 0 { // HTTP/2 says at once that nothing comes
				t.Errorf("%d bytes, length %d: the response has length %d", n, length, a.head.Length)
			}
		}
	}
}

// echoLarge is an exchange whose body is written beside.
func (t *test) echoLarge(n int, length int64) {
	t.Helper()
	r := request("POST", "/", nil)
	r.Length = length
	y := t.open(r)
	wrote := make(chan error, 1)
	go func() { // ends with the body
		_, err := io.WriteString(y, text(n))
		if err == nil {
			err = y.End(nil)
		}
		wrote <- err
	}()
	a := t.receive(y)
	if err := await(t, wrote, "the end of the body"); err != nil || a.head.Status != 200 || a.body != text(n) || a.err != nil {
		t.Errorf("%d bytes, length %d: wrote %v, got %d, %d bytes, %v", n, length, err, a.head.Status, len(a.body), a.err)
	}
	y.Close()
}

func bodyless(t *test) {
	t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
		resp := &web.Response{Status: 200, Length: -1}
		fmt.Sscanf(r.Path, "/%d/%d", &resp.Status, &resp.Length)
		if err := x.Respond(resp); err != nil {
			return err
		}
		_, err := io.WriteString(x, "nobody gets this")
		return err
	}))
	for _, c := range []struct {
		method         string
		status, length int
	}{{"HEAD", 200, -1}, {"HEAD", 200, 0}, {"HEAD", 200, 1234}, {"HEAD", 404, 5}, {"GET", 304, -1}, {"GET", 304, 99}, {"HEAD", 304, 7}} {
		a := t.do(request(c.method, fmt.Sprintf("/%d/%d", c.status, c.length), nil), "")
		if a.head.Status != c.status || a.head.Length != int64(c.length) || a.body != "" || a.err != nil {
			t.Errorf("%s, %d, %d: got %+v", c.method, c.status, c.length, a)
		}
		t.works()
	}
	if a := t.do(request("GET", "/204/-1", nil), ""); a.head.Status != 204 || a.body != "" || a.err != nil {
		t.Errorf("204: got %+v", a)
	}
	t.works()
}

func trailers(t *test) {
	var got atomic.Value
	t.serve(func(_ context.Context, r *web.Request, x web.Served) error {
		if err := x.Respond(&web.Response{Status: 200, Length: -1}); err != nil {
			return err
		}
		if _, err := io.Copy(x, x); err != nil {
			return err
		}
		got.Store(own(x.Trailer()) + fmt.Sprint(r.Trailers))
		return x.End(web.Fields("grpc-status", "0", "x-sum", "a", "x-sum", "b"))
	})
	for _, body := range []string{"text", ""} {
		r := request("POST", "/", nil)
		r.Length, r.Trailers = -1, true
		y := t.open(r)
		io.WriteString(y, body)
		if err := y.End(web.Fields("x-mine", "1", "x-mine", "2")); err != nil {
			t.Fatal(err)
		}
		a := t.receive(y)
		if a.body != body || a.err != nil || own(a.trailer) != "grpc-status: 0\nx-sum: a\nx-sum: b\n" {
			t.Errorf("got %+v", a)
		}
		if got := got.Load(); got != "x-mine: 1\nx-mine: 2\ntrue" {
			t.Errorf("the handler got %q", got)
		}
		y.Close()
	}
}
