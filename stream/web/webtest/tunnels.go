package webtest

import (
	"context"
	"fmt"
	"io"
	"strings"

	"gozilla/stream/web"
)

// talk answers an upgrade, or a CONNECT, and speaks first.
func talk(_ context.Context, r *web.Request, x web.Served) error {
	resp := &web.Response{Status: 101, Header: web.Fields("x-proto", r.Protocol), Length: -1}
	if r.Tunnel() {
		resp.Status = 200
	}
	if err := x.Respond(resp); err != nil {
		return err
	}
	io.WriteString(x, "welcome")
	if err := x.Flush(); err != nil {
		return err
	}
	b := make([]byte, 100)
	for {
		n, err := x.Read(b)
		if err == io.EOF {
			io.WriteString(x, "bye")
			return x.End(nil)
		}
		if err != nil {
			return err
		}
		x.Write(b[:n])
		if err := x.Flush(); err != nil {
			return err
		}
	}
}

// talks is the client's side of talk.
func (t *test) talks(y web.Opened, status int) {
	t.Helper()
	if err := y.Flush(); err != nil {
		t.Fatal(err)
	}
	resp, err := y.Response()
	if err != nil || resp.Status != status {
		t.Fatalf("got %+v, %v", resp, err)
	}
	if status == 101 && resp.Header.Get("x-proto") != "chat" {
		t.Errorf("got %+v", resp)
	}
	exchange := func(say, want string) {
		t.Helper()
		if say != "" {
			io.WriteString(y, say)
			if err := y.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(y, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	exchange("", "welcome")
	for i := range 10 {
		exchange(fmt.Sprintf("say %d", i), fmt.Sprintf("say %d", i))
	}
	if err := y.End(nil); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(y); string(b) != "bye" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	y.Close()
}

func upgradeRequest() *web.Request {
	r := request("GET", "/chat", nil)
	r.Protocol = "chat"
	return r
}

func upgrade(t *test) {
	t.serve(again(talk))
	for range 3 {
		t.talks(t.open(upgradeRequest()), 101)
		t.works()
	}
}

func upgradeHalf(t *test) {
	got := make(chan string, 1)
	t.serve(func(_ context.Context, r *web.Request, x web.Served) error {
		if err := x.Respond(&web.Response{Status: 101}); err != nil {
			return err
		}
		io.WriteString(x, "all I have")
		if err := x.End(nil); err != nil {
			return err
		}
		b, err := io.ReadAll(x)
		got <- string(b)
		return err
	})
	y := t.open(upgradeRequest())
	y.Flush()
	if resp, err := y.Response(); err != nil || resp.Status != 101 {
		t.Fatalf("got %+v, %v", resp, err)
	}
	if b, err := io.ReadAll(y); string(b) != "all I have" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	for range 100 {
		io.WriteString(y, "and I")
		y.Flush()
	}
	if err := y.End(nil); err != nil {
		t.Fatal(err)
	}
	if s := await(t, got, "what the client says"); s != strings.Repeat("and I", 100) {
		t.Errorf("got %q", s)
	}
}

func upgradeRefused(t *test) {
	t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
		switch r.Path {
		case "/error":
			return &web.Error{Status: 400}
		case "/then":
			if err := x.Respond(&web.Response{Status: 101}); err != nil {
				return err
			}
			return errSuite
		}
		return web.Reply(x, 400, nil, []byte("no"))
	}))
	for _, c := range []struct {
		path, body string
		status     int
	}{{"/chat", "no", 400}, {"/error", "", 400}, {"/then", "", 502}} {
		r := upgradeRequest()
		r.Path = c.path
		y := t.open(r)
		y.Flush()
		if a := t.receive(y); a.head.Status != c.status || a.body != c.body || a.err != nil {
			t.Errorf("%s: got %+v", c.path, a)
		}
		y.Close()
		t.works()
	}
}

func tunnelRequest() *web.Request {
	return &web.Request{Method: "CONNECT", Scheme: "http", Authority: "example.com:443"}
}

func tunnel(t *test) {
	t.serve(again(talk))
	t.talks(t.open(tunnelRequest()), 200)
	t.works()
}

func tunnelRefused(t *test) {
	t.serve(again(func(_ context.Context, r *web.Request, x web.Served) error {
		if r.Authority != "example.com:443" || r.Path != "" {
			return errSuite
		}
		return &web.Error{Status: 403}
	}))
	y := t.open(tunnelRequest())
	y.Flush()
	if a := t.receive(y); a.head.Status != 403 {
		t.Errorf("got %+v", a)
	}
	y.Close()
	t.works()
}
