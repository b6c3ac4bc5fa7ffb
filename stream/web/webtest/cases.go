package webtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/stream/web"
)

var cases = []struct {
	name string
	run  func(*test)
}{
	{"a plain GET", plain},
	{"heads are kept", headsKept},
	{"bodies of requests and responses", bodies},
	{"no body", bodyless},
	{"trailers", trailers},
	{"interim heads if wanted", interim},
	{"100 when the body is read", continueAsked},
	{"no 100 when it is answered before", continueAnswered},
	{"an answer before the body", early},
	{"an error before the body", earlyError},
	{"full duplex", duplex},
	{"back-pressure on the request", pressureUp},
	{"back-pressure on the response", pressureDown},
	{"cancel", cancel},
	{"cancel while the body is written", cancelWriting},
	{"the client closes", closes},
	{"errors before the head", errorsBefore},
	{"errors after the head", errorsAfter},
	{"an error before the head has gone out", errorHeld},
	{"the handler's body has another length", wrongLength},
	{"the client's body has another length", wrongRequest},
	{"a request that is cut off", cutRequest},
	{"upgrade", upgrade},
	{"upgrade and half-close", upgradeHalf},
	{"upgrade refused", upgradeRefused},
	{"tunnel", tunnel},
	{"tunnel refused", tunnelRefused},
	{"many exchanges in turn", manyInTurn},
	{"many exchanges at once", manyAtOnce},
	{"StopRead by the handler", stopServed},
	{"StopRead by the client", stopOpened},
	{"panic", panics},
	{"no answer", noAnswer},
	{"two answers", twice},
	{"the handler changes the request", changed},
	{"answers that are none", noStatus},
}

func hello(_ context.Context, r *web.Request, x web.Served) error {
	return web.Reply(x, 200, web.Fields("content-type", "text/plain"), []byte("hello "+r.Path))
}

func plain(t *test) {
	t.serve(hello)
	a := t.do(request("GET", "/you?and=me", nil), "")
	if a.head.Status != 200 || a.body != "hello /you?and=me" || a.err != nil || a.head.Length != int64(len(a.body)) {
		t.Errorf("got %+v", a)
	}
	if got := a.head.Header.Get("content-type"); got != "text/plain" {
		t.Errorf("content-type is %q", got)
	}
}

// oddHead has what may be lost on the way: order, repeats, empty values, odd names and characters.
var oddHead = web.Fields(
	"accept", "*/*", "x-twice", "1", "!#$%&'*+-.^_`|~0", "odd", "x-empty", "", "x-twice", "2", "cookie", "a=b", "x-spaces",
	"a  b\tc", "x-latin", "caf\xe9", "x-twice", "1", "x-utf", "日本", "accept", "text/html;q=0.9, x/y",
)

func headsKept(t *test) {
	var got atomic.Pointer[web.Request]
	t.serve(func(_ context.Context, r *web.Request, x web.Served) error {
		got.Store(r.Clone())
		return web.Reply(x, 299, oddHead, nil)
	})
	const path = "/a//b/../c%2F%2f%00/./?q=%20+&&x=[]|\\^`{}\""
	a := t.do(request("PROPFIND", path, oddHead), "")
	r := got.Load()
	if r.Method != "PROPFIND" || r.Path != path || r.Authority != "example.com" || r.Scheme != "http" || r.Length != 0 || r.Protocol != "" {
		t.Errorf("the handler got %+v", r)
	}
	if got, want := own(r.Header), own(oddHead); got != want {
		t.Errorf("the handler got\n%s", got)
	}
	if got, want := own(a.head.Header), own(oddHead); got != want || a.head.Status != 299 {
		t.Errorf("the client got %d\n%s", a.head.Status, got)
	}
}

func interim(t *test) {
	t.serve(func(_ context.Context, _ *web.Request, x web.Served) error {
		for i := range 3 {
			if err := x.Respond(&web.Response{Status: 103, Header: web.Fields("link", fmt.Sprint(i))}); err != nil {
				return err
			}
			if err := x.Flush(); err != nil {
				return err
			}
		}
		return web.Reply(x, 200, nil, []byte("done"))
	})
	for _, wanted := range []bool{true, false, true} {
		r := request("GET", "/", nil)
		r.Interim = wanted
		a := t.do(r, "")
		if a.head.Status != 200 || a.body != "done" || a.err != nil {
			t.Errorf("got %+v", a)
		}
		switch {
		case !wanted && len(a.heads) > 0, wanted && len(a.heads) != 3:
			t.Errorf("wanted: %v, got %+v", wanted, a.heads)
		case wanted:
			for i, h := range a.heads {
				if h.Status != 103 || h.Header.Get("link") != fmt.Sprint(i) {
					t.Errorf("head %d is %+v", i, h)
				}
			}
		}
	}
}

func continueAsked(t *test) {
	t.serve(again(echo2))
	for _, length := range []int64{4, -1} {
		r := request("POST", "/", nil)
		r.Length, r.Continue = length, true
		y := t.open(r)
		if err := y.Flush(); err != nil {
			t.Fatal(err)
		}
		resp, err := y.Response()
		if err != nil || resp.Status != 100 {
			t.Fatalf("got %+v, %v", resp, err)
		}
		io.WriteString(y, "body")
		if err := y.End(nil); err != nil {
			t.Fatal(err)
		}
		if a := t.receive(y); a.head.Status != 200 || a.body != "body" || a.err != nil {
			t.Errorf("got %+v", a)
		}
		y.Close()
		t.works()
	}
}

// echo2 reads before it answers.
func echo2(_ context.Context, r *web.Request, x web.Served) error {
	b, err := io.ReadAll(x)
	if err != nil {
		return err
	}
	return web.Reply(x, 200, nil, b)
}

func continueAnswered(t *test) {
	t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
		return web.Reply(x, 403, nil, []byte("no"))
	}))
	for range 3 {
		r := request("POST", "/", nil)
		r.Length, r.Continue = 1000, true
		y := t.open(r)
		if err := y.Flush(); err != nil {
			t.Fatal(err)
		}
		if a := t.receive(y); len(a.heads) != 0 || a.head.Status != 403 || a.body != "no" || a.err != nil {
			t.Errorf("got %+v", a)
		}
		y.Close()
		t.works()
	}
}

func early(t *test) { t.early(func(x web.Served) error { return web.Reply(x, 413, nil, nil) }) }
func earlyError(t *test) {
	t.early(func(x web.Served) error { return &web.Error{Status: 413} })
}

// early opens exchanges that are answered before their bodies are sent, with less and more to come.
func (t *test) early(reply func(web.Served) error) {
	t.serve(again(func(_ context.Context, _ *web.Request, x web.Served) error { return reply(x) }))
	for _, length := range []int64{100, -1, 10 << 20} {
		for _, sent := range []int{0, 50} {
			r := request("POST", "/", nil)
			r.Length = length
			y := t.open(r)
			io.WriteString(y, text(sent))
			y.Flush() // which may find it answered
			if resp, err := y.Response(); statusOf(resp, err).Status != 413 {
				t.Errorf("length %d, %d sent: got %+v, %v", length, sent, resp, err)
			}
			y.Close()
			t.works()
		}
		// And the client sends all of it, as many do.
		if length == 100 {
			r := request("POST", "/", nil)
			r.Length = length
			if a := t.do(r, text(100)); a.head.Status != 413 {
				t.Errorf("got %+v", a)
			}
			t.works()
		}
	}
}

func duplex(t *test) {
	t.serve(func(_ context.Context, r *web.Request, x web.Served) error {
		if err := x.Respond(&web.Response{Status: 200, Length: -1}); err != nil {
			return err
		}
		b := make([]byte, 100)
		for {
			if err := x.Flush(); err != nil {
				return err
			}
			n, err := x.Read(b)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if _, err := x.Write(b[:n]); err != nil {
				return err
			}
		}
	})
	r := request("POST", "/", nil)
	r.Length = -1
	y := t.open(r)
	if err := y.Flush(); err != nil {
		t.Fatal(err)
	}
	if resp, err := y.Response(); err != nil || resp.Status != 200 {
		t.Fatalf("got %+v, %v", resp, err)
	}
	for i := range 100 {
		ping := fmt.Sprintf("ping %d", i)
		io.WriteString(y, ping)
		if err := y.Flush(); err != nil {
			t.Fatal(err)
		}
		pong := make([]byte, len(ping))
		if _, err := io.ReadFull(y, pong); err != nil || string(pong) != ping {
			t.Fatalf("got %q, %v", pong, err)
		}
	}
	if err := y.End(nil); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(y); len(b) != 0 || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}

var errSuite = errors.New("the suite says so")

func manyInTurn(t *test) {
	t.serve(echo2)
	n := 10_000
	if t.g.Few || race {
		n = 1000
	}
	s := t.begin()
	for i := range n {
		body := fmt.Sprint("body ", i)
		r := request("POST", "/", nil)
		if i%3 == 0 {
			body = ""
		}
		r.Length = int64(len(body))
		if i%5 == 1 {
			r.Length = -1
		}
		y, err := t.g.Opener.OpenExchange(s, r)
		if err != nil {
			t.Fatal(err)
		}
		if body != "" {
			io.WriteString(y, body)
		}
		if err := y.End(nil); err != nil {
			t.Fatal(err)
		}
		a := t.receive(y)
		if y.Close(); a.body != body || a.err != nil || a.head.Status != 200 {
			t.Fatalf("exchange %d got %+v", i, a)
		}
	}
}

func manyAtOnce(t *test) {
	t.serve(echo)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() { t.echoLarge(1<<20, []int64{1 << 20, -1}[i%2]) })
	}
	all.Wait()
}

func stopServed(t *test) {
	t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
		go func() { x.StopRead() }() // ends at once
		_, err := io.Copy(io.Discard, onlyReader{x})
		if err != web.ErrStopped {
			return fmt.Errorf("Read gave %w", err)
		}
		return web.Reply(x, 200, nil, []byte("stopped"))
	}))
	r := request("POST", "/", nil)
	r.Length = 100
	y := t.open(r)
	y.Flush()
	if a := t.receive(y); a.head.Status != 200 || a.body != "stopped" || a.err != nil {
		t.Errorf("got %+v", a)
	}
	y.Close()
	t.works()
}

func stopOpened(t *test) {
	began, took := make(chan struct{}, 1), make(chan time.Duration, 1)
	var from atomic.Int64
	t.serve(again(waiting(began, &from, took, func(x web.Served) error {
		if err := x.Respond(&web.Response{Status: 200, Length: -1}); err != nil {
			return err
		}
		return x.Flush()
	})))
	y := t.open(request("GET", "/", nil))
	y.End(nil)
	if resp, err := y.Response(); err != nil || resp.Status != 200 {
		t.Fatalf("got %+v, %v", resp, err)
	}
	await(t, began, "the request")
	from.Store(time.Now().UnixNano())
	read := make(chan error, 1)
	go func() { _, err := y.Read(make([]byte, 1)); read <- err }() // ends when it is stopped
	y.StopRead()
	if err := await(t, read, "the end of Read"); err != web.ErrStopped {
		t.Errorf("Read gave %v", err)
	}
	y.Close()
	t.soon(took, "the end of the handler's context")
	t.works()
}

func panics(t *test) {
	t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
		if r.Path == "/after" {
			if err := x.Respond(&web.Response{Status: 200, Length: -1}); err != nil {
				return err
			}
			io.WriteString(x, "half of")
			x.Flush()
		}
		panic("a fault of ours")
	}))
	if a := t.do(request("GET", "/", nil), ""); a.head.Status != 502 {
		t.Errorf("got %+v", a)
	}
	t.works()
	if a := t.do(request("GET", "/after", nil), ""); a.head.Status != 200 || a.err == nil {
		t.Errorf("got %+v", a)
	}
	t.works()
}

func noAnswer(t *test) {
	t.serve(again(func(context.Context, *web.Request, web.Served) error { return nil }))
	if a := t.do(request("GET", "/", nil), ""); a.head.Status != 502 {
		t.Errorf("got %+v", a)
	}
	t.works()
}

func twice(t *test) {
	t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
		if err := web.Reply(x, 200, nil, []byte("once")); err != nil {
			return err
		}
		if web.Reply(x, 404, nil, nil) == nil {
			return errSuite
		}
		return nil
	}))
	if a := t.do(request("GET", "/", nil), ""); a.head.Status != 200 || a.body != "once" || a.err != nil {
		t.Errorf("got %+v", a)
	}
	t.works()
}

// noStatus is a handler that answers with a status that there is not, or that it may not give.
func noStatus(t *test) {
	t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
		var status int
		fmt.Sscanf(r.Path, "/%d", &status)
		if err := x.Respond(&web.Response{Status: status, Length: -1}); err == nil {
			return nil
		} else {
			return err
		}
	}))
	for _, status := range []string{"/0", "/7", "/-1", "/99", "/1000", "/101"} {
		if a := t.do(request("GET", status, nil), ""); a.head.Status != 502 || a.body != "" {
			t.Errorf("%s: got %+v", status, a)
		}
		t.works()
	}
}

// changed is a handler that makes use of its right to change the request: how the answer is framed depends on what came.
func changed(t *test) {
	t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
		r.Method, r.Protocol, r.Path = "GET", "", "/again"
		r.Header = nil
		return web.Reply(x, 200, nil, []byte("body"))
	}))
	if a := t.do(request("HEAD", "/", nil), ""); a.head.Status != 200 || a.body != "" || a.head.Length != 4 || a.err != nil {
		t.Errorf("got %+v", a)
	}
	t.works()
	r := request("GET", "/", nil)
	if a := t.do(r, ""); a.body != "body" || r.Path != "/" {
		t.Errorf("got %+v, %+v", a, r)
	}
}
