package webtest

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"gozilla/stream/web"
)

// What of a body is on its way while nobody takes it.

// pour writes pieces until n bytes are written, and counts them.
func pour(w io.Writer, n int, count *atomic.Int64) error {
	piece := []byte(text(4 << 10))
	for n > 0 {
		m, err := w.Write(piece[:min(n, len(piece))])
		count.Add(int64(m))
		if err != nil {
			return err
		}
		n -= m
	}
	return nil
}

// stuck waits until nothing more is written, and gives how much was.
func stuck(count *atomic.Int64) int64 {
	const quiet = 100 * time.Millisecond
	for last := int64(-1); ; {
		if n := count.Load(); n == last && n > 0 {
			return n
		} else {
			last = n
		}
		time.Sleep(quiet) // nothing tells that nothing happens
	}
}

func pressureUp(t *test) {
	read := make(chan struct{})
	var got atomic.Int64
	t.serve(func(_ context.Context, r *web.Request, x web.Served) error {
		<-read
		m, err := io.Copy(io.Discard, x)
		got.Store(m)
		if err != nil {
			return err
		}
		return web.Reply(x, 200, nil, nil)
	})
	n := 2*t.g.Holds + 1<<20
	r := request("POST", "/", nil)
	r.Length = int64(n)
	y := t.open(r)
	var count atomic.Int64
	wrote := make(chan error, 1)
	go func() { // ends with the body
		err := pour(y, n, &count)
		if err == nil {
			err = y.End(nil)
		}
		wrote <- err
	}()
	if m := stuck(&count); m > int64(t.g.Holds) {
		t.Errorf("%d bytes were taken, and nobody reads", m)
	}
	close(read)
	if err := await(t, wrote, "the end of the body"); err != nil {
		t.Fatal(err)
	}
	if a := t.receive(y); a.head.Status != 200 || got.Load() != int64(n) {
		t.Errorf("got %+v, and %d bytes", a, got.Load())
	}
}

func pressureDown(t *test) {
	var count atomic.Int64
	size := make(chan int, 1)
	wrote := make(chan error, 1)
	t.serve(func(_ context.Context, r *web.Request, x web.Served) error {
		err := x.Respond(&web.Response{Status: 200, Length: -1})
		if err == nil {
			err = pour(x, <-size, &count)
		}
		wrote <- err
		return err
	})
	n := 2*t.g.Holds + 1<<20
	size <- n
	y := t.open(request("GET", "/", nil))
	y.End(nil)
	if resp, err := y.Response(); err != nil || resp.Status != 200 {
		t.Fatalf("got %+v, %v", resp, err)
	}
	if m := stuck(&count); m > int64(t.g.Holds) {
		t.Errorf("%d bytes were taken, and nobody reads", m)
	}
	m, err := io.Copy(io.Discard, onlyReader{y})
	if err != nil || m != int64(n) {
		t.Errorf("got %d bytes of %d, %v", m, n, err)
	}
	if err := await(t, wrote, "the end of the body"); err != nil {
		t.Error(err)
	}
}

// waiting is a handler that waits for the end of its context, and says how long that took after it was told to.
func waiting(began chan<- struct{}, from *atomic.Int64, took chan<- time.Duration, first func(x web.Served) error) Func {
	return func(ctx context.Context, r *web.Request, x web.Served) error {
		if first != nil {
			if err := first(x); err != nil {
				return err
			}
		}
		began <- struct{}{}
		<-ctx.Done()
		took <- time.Since(time.Unix(0, from.Load()))
		return context.Cause(ctx)
	}
}
