package webtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"gozilla/stream/web"
	"gozilla/stream/web/webtest"
)

// recorder is a test that is meant to fail.
type recorder struct {
	testing.TB
	errors []string
	after  []func()
}

func (r *recorder) Helper()                      {}
func (r *recorder) Error(a ...any)               { r.errors = append(r.errors, fmt.Sprint(a...)) }
func (r *recorder) Errorf(f string, a ...any)    { r.errors = append(r.errors, fmt.Sprintf(f, a...)) }
func (r *recorder) Cleanup(f func())             { r.after = append(r.after, f) }
func get() *web.Request                          { return &web.Request{Method: "GET", Path: "/"} }
func (r *recorder) finds(t *testing.T, w string) { t.Helper(); found(t, r.errors, w) }

func found(t *testing.T, errors []string, want string) {
	t.Helper()
	got := strings.Join(errors, "; ")
	if want == "" && got != "" || !strings.Contains(got, want) {
		t.Errorf("found %q, not %q", got, want)
	}
}

func TestServe(t *testing.T) {
	r := get()
	r.Method, r.Length = "POST", 4
	a := webtest.Serve(t.Context(), t, webtest.Func(func(_ context.Context, r *web.Request, x web.Served) error {
		x.Respond(&web.Response{Status: 103})
		b, err := io.ReadAll(x)
		if err != nil {
			return err
		}
		x.Respond(&web.Response{Status: 200, Length: -1, Header: x.Trailer()})
		x.Write(b)
		return x.End(web.Fields("x", "y"))
	}), r, webtest.Body{Text: "body", Trailer: web.Fields("t", "1")})
	if a.Head.Status != 200 || a.Body != "body" || a.Head.Header.Get("t") != "1" || a.Trailer.Get("x") != "y" || len(a.Interim) != 1 || a.Read != 4 {
		t.Errorf("got %+v", a)
	}
	a = webtest.Serve(t.Context(), t, webtest.Func(func(context.Context, *web.Request, web.Served) error {
		return &web.Error{Status: 404}
	}), get(), webtest.Body{})
	if a.Head.Status != 404 {
		t.Errorf("got %+v", a)
	}
}

func TestServeIsStrict(t *testing.T) {
	for want, f := range map[string]func(x web.Served) error{
		"answered twice": func(x web.Served) error {
			web.Reply(x, 200, nil, nil)
			web.Reply(x, 200, nil, nil)
			return nil
		},
		"before Respond": func(x web.Served) error { x.Write([]byte("x")); return web.Reply(x, 200, nil, nil) },
		"longer than 2": func(x web.Served) error {
			x.Respond(&web.Response{Status: 200, Length: 2})
			x.Write([]byte("abc"))
			return errors.New("")
		},
		"shorter than 2": func(x web.Served) error { return x.Respond(&web.Response{Status: 200, Length: 2}) },
		"lower case":     func(x web.Served) error { return web.Reply(x, 200, web.Header{{Name: "ETag"}}, nil) },
		"content-length": func(x web.Served) error { return web.Reply(x, 200, web.Fields("content-length", "0"), nil) },
		"not answered":   func(x web.Served) error { return nil },
		"status is 99":   func(x web.Served) error { return web.Reply(x, 99, nil, nil) },
		"no protocol":    func(x web.Served) error { x.Respond(&web.Response{Status: 101}); return errors.New("") },
		"before the end": func(x web.Served) error { x.Trailer(); return web.Reply(x, 200, nil, nil) },
		"after End": func(x web.Served) error {
			x.Respond(&web.Response{Status: 200, Length: -1})
			x.End(nil)
			x.Write([]byte("x"))
			return nil
		},
		"": func(x web.Served) error { return web.Reply(x, 200, web.Fields("ETag", ""), nil) },
	} {
		r := &recorder{TB: t}
		webtest.Serve(t.Context(), r, webtest.Func(func(_ context.Context, _ *web.Request, x web.Served) error { return f(x) }), get(), webtest.Body{})
		r.finds(t, want)
	}
	r := &recorder{TB: t}
	var kept web.Served
	webtest.Serve(t.Context(), r, webtest.Func(func(_ context.Context, _ *web.Request, x web.Served) error {
		kept = x
		return web.Reply(x, 200, nil, nil)
	}), get(), webtest.Body{})
	kept.Flush()
	r.finds(t, "after the handler has returned")
}

func answered(r *web.Request, body string, trailer web.Header) (*webtest.Answer, webtest.Body) {
	return &webtest.Answer{Head: &web.Response{Status: 200, Length: -1, Header: trailer}, Interim: []*web.Response{{Status: 103}}},
		webtest.Body{Text: r.Path + " " + body, Trailer: web.Fields("t", "1")}
}

func TestOpener(t *testing.T) {
	o := &webtest.Opener{T: t, Answer: answered}
	r := get()
	r.Method, r.Length = "POST", 4
	a := webtest.Serve(t.Context(), t, web.Dialing(o), r, webtest.Body{Text: "body"})
	if a.Head.Status != 200 || a.Body != "/ body" || a.Trailer.Get("t") != "1" || len(a.Interim) != 0 {
		t.Errorf("got %+v", a)
	}
	r = get()
	r.Interim = true
	if a = webtest.Serve(t.Context(), t, web.Dialing(o), r, webtest.Body{}); a.Body != "/ " || len(a.Interim) != 1 {
		t.Errorf("got %+v", a)
	}
}

func TestOpenerIsStrict(t *testing.T) {
	for want, f := range map[string]func(y web.Opened){
		"longer than 2":                 func(y web.Opened) { y.Write([]byte("abc")); y.Close() },
		"shorter than 2":                func(y web.Opened) { y.End(nil); y.Close() },
		"after the end":                 func(y web.Opened) { y.Write([]byte("ab")); y.End(nil); y.Write([]byte("c")); y.Close() },
		"before there is a response":    func(y web.Opened) { y.Read(nil); y.Close() },
		"after Close":                   func(y web.Opened) { y.Close(); y.Flush() },
		"1 exchanges were not closed":   func(y web.Opened) {},
		"Trailer is called before":      func(y web.Opened) { y.Trailer(); y.Close() },
		"the name \"X\" is not in lowe": func(y web.Opened) { y.Write([]byte("ab")); y.End(web.Header{{Name: "X"}}); y.Close() },
		"":                              func(y web.Opened) { y.Write([]byte("ab")); y.End(nil); y.Close(); y.Close() },
	} {
		r := &recorder{TB: t}
		o := &webtest.Opener{T: r, Answer: answered}
		q := get()
		q.Length = 2
		y, _ := o.OpenExchange(t.Context(), q)
		f(y)
		for _, f := range r.after {
			f()
		}
		r.finds(t, want)
	}
}
