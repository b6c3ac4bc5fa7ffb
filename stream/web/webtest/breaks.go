package webtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"gozilla/stream"
	"gozilla/stream/web"
)

func cancel(t *test) {
	began, took := make(chan struct{}, 1), make(chan time.Duration, 1)
	var from atomic.Int64
	t.serve(waiting(began, &from, took, nil))
	y, s := t.openIn(request("GET", "/", nil))
	y.End(nil)
	answered := make(chan error, 1)
	go func() { _, err := y.Response(); answered <- err }() // ends with the exchange
	await(t, began, "the request")
	from.Store(time.Now().UnixNano())
	s.Cancel(errSuite)
	if err := await(t, answered, "the end of Response"); !errors.Is(err, errSuite) {
		t.Errorf("Response gave %v", err)
	}
	y.Close()
	t.soon(took, "the end of the handler's context")
}

func cancelWriting(t *test) {
	began, took := make(chan struct{}, 1), make(chan time.Duration, 1)
	var from atomic.Int64
	t.serve(waiting(began, &from, took, nil))
	r := request("POST", "/", nil)
	r.Length = -1
	y, s := t.openIn(r)
	y.Flush()
	wrote := make(chan error, 1)
	var count atomic.Int64
	go func() { wrote <- pour(y, 1<<30, &count) }() // ends with the exchange
	await(t, began, "the request")
	from.Store(time.Now().UnixNano())
	s.Cancel(errSuite)
	if err := await(t, wrote, "the end of Write"); err == nil {
		t.Error("Write gave no error")
	}
	y.Close()
	t.soon(took, "the end of the handler's context")
}

// closes gives an exchange up in several states, once while another goroutine writes.
func closes(t *test) {
	for _, c := range []struct {
		name  string
		r     *web.Request
		write bool
		first func(web.Served) error
	}{
		{"before the head", request("GET", "/", nil), false, nil},
		{"after the head", request("GET", "/", nil), false, func(x web.Served) error {
			if err := x.Respond(&web.Response{Status: 200, Length: -1}); err != nil {
				return err
			}
			io.WriteString(x, "half of")
			return x.Flush()
		}},
		{"in the request", &web.Request{Method: "POST", Scheme: "http", Authority: "a", Path: "/", Length: -1}, true, nil},
	} {
		began, took := make(chan struct{}, 1), make(chan time.Duration, 1)
		var from atomic.Int64
		t.serve(waiting(began, &from, took, c.first))
		y := t.open(c.r)
		wrote := make(chan error, 1)
		if c.write {
			y.Flush()
			var count atomic.Int64
			go func() { wrote <- pour(y, 1<<30, &count) }() // ends with the exchange
		} else {
			y.Flush() // else nothing need be sent before Response
			y.End(nil)
		}
		if c.first != nil {
			if _, err := y.Response(); err != nil {
				t.Error(err)
			}
			if _, err := io.ReadFull(y, make([]byte, 7)); err != nil {
				t.Error(err)
			}
		}
		await(t, began, "the request")
		from.Store(time.Now().UnixNano())
		y.Close()
		if c.write && await(t, wrote, "the end of Write") == nil {
			t.Error("Write gave no error")
		}
		t.soon(took, c.name)
	}
}

func errorsBefore(t *test) {
	table := []struct {
		err    error
		status int
	}{
		{errSuite, 502},
		{&web.Error{Status: 418, Header: web.Fields("x-tea", "yes")}, 418},
		{fmt.Errorf("wrapped: %w", &web.Error{Status: 401}), 401},
		{stream.Refuse(stream.NoRoute, "x"), 404},
		{stream.Refuse(stream.Unauthenticated, "x"), 401},
		{stream.Refuse(stream.Expired, "x"), 401},
		{stream.Refuse(stream.Forbidden, "x"), 403},
		{stream.Refuse(stream.Invalid, "x"), 400},
		{stream.Refuse(stream.Timeout, "x"), 504},
		{stream.Refuse(stream.Unavailable, "x"), 503},
		{stream.Refuse(stream.Limit, "x"), 503},
		{stream.Refuse(stream.Draining, "x"), 503},
		{&stream.Refused{Reason: "something else"}, 502},
		{&stream.Refused{Reason: stream.Limit, RetryAfter: 1500 * time.Millisecond}, 503},
		{os.ErrDeadlineExceeded, 504},
		{context.DeadlineExceeded, 504},
		{&stream.Told{Err: errSuite}, 502},
		{&web.Error{Err: errSuite}, 502},
		{io.EOF, 502},
	}
	t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
		var i int
		fmt.Sscanf(r.Path, "/%d", &i)
		return table[i].err
	}))
	for i, c := range table {
		a := t.do(request("GET", fmt.Sprint("/", i), nil), "")
		if a.head.Status != c.status || a.body != "" || a.err != nil {
			t.Errorf("%v: got %+v", c.err, a)
		}
		retry := ""
		if c.status == 503 {
			retry = "0"
			if e := new(stream.Refused); errors.As(c.err, &e) && e.RetryAfter > 0 {
				retry = "2"
			}
		}
		if got := a.head.Header.Get("retry-after"); got != retry {
			t.Errorf("%v: retry-after is %q", c.err, got)
		}
		if c.status == 418 && a.head.Header.Get("x-tea") != "yes" {
			t.Errorf("%v: the header is lost", c.err)
		}
		t.works()
	}
}

func errorsAfter(t *test) {
	for _, length := range []int64{-1, 100} {
		for _, body := range []string{"", "half of", text(50 << 10)} {
			if length > 0 {
				body = body[:min(len(body), 50)]
			}
			for _, err := range []error{errSuite, io.EOF, &stream.Told{Err: errSuite}, &web.Error{Status: 404}} {
				t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
					if err := x.Respond(&web.Response{Status: 200, Length: length}); err != nil {
						return err
					}
					io.WriteString(x, body)
					if err := x.Flush(); err != nil {
						return err
					}
					return err
				}))
				a := t.do(request("GET", "/", nil), "")
				// A relay that has sent nothing yet may still tell the client.
				told := a.head.Status >= 400 && a.body == "" && a.err == nil
				if cut := a.head.Status == 200 && a.err != nil && strings.HasPrefix(body, a.body); !cut && !told {
					t.Errorf("%v after %d bytes of %d: got %d, %d bytes, %v", err, len(body), length, a.head.Status, len(a.body), a.err)
				}
				t.works()
			}
		}
	}
}

func errorHeld(t *test) {
	t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
		if err := x.Respond(&web.Response{Status: 200, Length: -1}); err != nil {
			return err
		}
		return errSuite
	}))
	if a := t.do(request("GET", "/", nil), ""); a.head.Status != 502 {
		t.Errorf("got %+v", a)
	}
	t.works()
}

func wrongLength(t *test) {
	for _, c := range []struct{ said, written int }{{10, 9}, {10, 0}, {9, 10}, {0, 1}, {100 << 10, 50 << 10}, {50 << 10, 100 << 10}} {
		failed := make(chan bool, 1)
		t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
			if err := x.Respond(&web.Response{Status: 200, Length: int64(c.said)}); err != nil {
				return err
			}
			_, err := io.WriteString(x, text(c.written))
			if err == nil {
				err = x.End(nil)
			}
			failed <- err != nil
			return err
		}))
		a := t.do(request("GET", "/", nil), "")
		if !await(t, failed, "the end of the handler") {
			t.Errorf("%+v: the handler was not told", c)
		}
		whole := a.err == nil && a.head.Status == 200 && len(a.body) == c.said
		if whole && c.written < c.said || len(a.body) > c.said {
			t.Errorf("%+v: the client got %d, %d bytes, %v", c, a.head.Status, len(a.body), a.err)
		}
		t.works()
	}
}

func wrongRequest(t *test) {
	got := make(chan error, 1)
	began := make(chan struct{}, 1)
	t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
		began <- struct{}{}
		_, err := io.Copy(io.Discard, onlyReader{x})
		got <- err
		return err
	}))
	y := t.open(request("GET", "/again", nil))
	if n, err := io.WriteString(y, "x"); n != 0 || err == nil {
		t.Error("a byte of a body that there is not is taken")
	}
	y.End(nil)
	if a := t.receive(y); a.body != "again" || a.err != nil {
		t.Errorf("got %+v", a)
	}
	y.Close()
	for _, written := range []int{9, 11} {
		r := request("POST", "/", nil)
		r.Length = 10
		y := t.open(r)
		y.Flush()
		await(t, began, "the request")
		_, err := io.WriteString(y, text(written))
		if err == nil {
			err = y.End(nil)
		}
		if err == nil {
			t.Errorf("%d bytes of 10: there is no error", written)
		}
		y.Close()
		if err := await(t, got, "the end of the handler"); err == nil {
			t.Errorf("%d bytes of 10: the handler takes it for whole", written)
		}
		t.works()
	}
}

func cutRequest(t *test) {
	got := make(chan error, 1)
	began := make(chan struct{}, 1)
	t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
		if _, err := io.ReadFull(x, make([]byte, 7)); err != nil {
			return err
		}
		began <- struct{}{}
		_, err := io.Copy(io.Discard, onlyReader{x})
		if _, stays := x.Read(nil); err != nil && stays == nil {
			err = nil
		}
		got <- err
		return err
	}))
	for _, length := range []int64{100, -1} {
		r := request("POST", "/", nil)
		r.Length = length
		y := t.open(r)
		io.WriteString(y, "half of")
		y.Flush()
		await(t, began, "the first half")
		y.Close()
		if err := await(t, got, "the end of the handler"); err == nil {
			t.Error("the handler takes it for whole, or the error does not stay")
		}
		t.works()
	}
}
