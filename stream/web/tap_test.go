package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/stream/web/webtest"
)

// tapes are the recordings of a test.
type tapes struct {
	mu  sync.Mutex
	all []*strings.Builder
}

var kinds = map[stream.ChunkKind]string{
	stream.Begun: "begun", stream.Data: "data", stream.Head: "head", stream.Body: "body", stream.Trailer: "trailer",
	stream.Finished: "finished", stream.Over: "over",
}

func (s *tapes) watch(*stream.Crossing) func(*stream.Chunk) {
	tape := &strings.Builder{}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, tape)
	return func(c *stream.Chunk) {
		s.mu.Lock()
		defer s.mu.Unlock()
		direction := ">"
		if c.Sent {
			direction = "<"
		}
		fmt.Fprintf(tape, "%s%s %s%s%s\n", direction, kinds[c.Kind], c.Data, strings.Join(c.Lines, "|"), c.Err)
	}
}

func (s *tapes) tap(to web.Port) web.Port {
	edge := stream.NewEdge(web.Protocol, &stream.Node{Name: "from"})
	edge.Store(&stream.Target[web.Port]{Node: &stream.Node{Name: "to"}, Port: to})
	edge.Tap(s.watch)
	return web.Protocol.Through(edge)
}

// expect compares what was recorded of exchange i.
func (s *tapes) expect(t *testing.T, i int, want string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.all[i].String(); got != want {
		t.Errorf("recorded is\n%s\nnot\n%s", got, want)
	}
}

// begunAndOver wants all exchanges to have begun and ended.
func (s *tapes) begunAndOver(t *testing.T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		t.Error("nothing was recorded")
	}
	for _, tape := range s.all {
		if got := tape.String(); !strings.HasPrefix(got, ">begun \n>head ") || strings.Count(got, ">over ") != 1 {
			t.Errorf("recorded is\n%s", got)
		}
	}
}

// TestTapped runs the suite through taps where exchanges are sought, where they are served, and around a relay.
func TestTapped(t *testing.T) {
	for name, around := range map[string]func(*tapes, web.Handler) web.Opener{
		"sought": func(s *tapes, h web.Handler) web.Opener { return s.tap(web.Serving(h)) },
		"served": func(s *tapes, h web.Handler) web.Opener { return web.Serving(s.tap(web.Serving(h))) },
		"relayed": func(s *tapes, h web.Handler) web.Opener {
			return web.Serving(s.tap(web.Dialing(s.tap(web.Serving(h)))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			webtest.Run(t, func(t *testing.T, h web.Handler) *webtest.Gateway {
				s := &tapes{}
				t.Cleanup(func() { s.begunAndOver(t) })
				return &webtest.Gateway{Host: webtest.NewHost(), Opener: around(s, h), Holds: 256 << 10}
			})
		})
	}
}

// seek opens an exchange with h, by way of a relay with taps on both sides, and has f do with it what it likes.
func seek(t *testing.T, r *web.Request, h webtest.Func, f func(y web.Opened)) *tapes {
	t.Helper()
	s := &tapes{}
	port := web.Serving(s.tap(web.Dialing(s.tap(web.Serving(h)))))
	scope := stream.Begin(stream.WithHost(context.Background(), webtest.NewHost()), &stream.Node{Name: "test"})
	y, err := port.OpenExchange(scope, r)
	if err != nil {
		t.Fatal(err)
	}
	f(y)
	y.Close()
	scope.End(nil)
	return s
}

func TestTapOfExchange(t *testing.T) {
	r := &web.Request{Method: "POST", Scheme: "http", Authority: "example.com", Path: "/a?b", Length: -1, Header: web.Fields("x", "1"), Trailers: true}
	s := seek(t, r, func(_ context.Context, r *web.Request, x web.Served) error {
		b, err := io.ReadAll(x)
		if err != nil {
			return err
		}
		x.Respond(&web.Response{Status: 200, Length: -1, Header: web.Fields("y", "2")})
		fmt.Fprintf(x, "%s!", b)
		return x.End(web.Fields("t", "3"))
	}, func(y web.Opened) {
		io.WriteString(y, "hello")
		y.End(web.Fields("s", "0"))
		if _, err := y.Response(); err != nil {
			t.Error(err)
		}
		io.Copy(io.Discard, y)
	})
	want := `>begun 
>head POST /a?b HTTP/1.1|host: example.com|transfer-encoding: chunked|te: trailers|x: 1
>body hello
>trailer s: 0
>finished 
<head HTTP/1.1 200 OK|transfer-encoding: chunked|y: 2
<body hello!
<trailer t: 3
<finished 
>over 
`
	s.expect(t, 0, want)
	s.expect(t, 1, want)
}

func TestTapOfUpgrade(t *testing.T) {
	r := &web.Request{Method: "GET", Scheme: "http", Authority: "example.com", Path: "/", Protocol: "echo"}
	s := seek(t, r, func(_ context.Context, r *web.Request, x web.Served) error {
		if err := x.Respond(&web.Response{Status: 101, Length: -1}); err != nil {
			return err
		}
		x.Flush()
		_, err := io.Copy(x, x)
		return err
	}, func(y web.Opened) {
		y.Flush()
		if _, err := y.Response(); err != nil {
			t.Error(err)
		}
		io.WriteString(y, "hello")
		y.End(nil)
		io.Copy(io.Discard, y)
	})
	want := `>begun 
>head GET / HTTP/1.1|host: example.com|connection: upgrade|upgrade: echo
<head HTTP/1.1 101 Switching Protocols|connection: upgrade|upgrade: echo
>data hello
`
	for i := range s.all {
		got := s.all[i].String()
		if !strings.HasPrefix(got, want) {
			t.Errorf("recorded is\n%s", got)
		}
		for _, part := range []string{">finished \n", "<data hello\n", "<finished \n", ">over \n"} {
			if strings.Count(got, part) != 1 {
				t.Errorf("%q is not there once in\n%s", part, got)
			}
		}
	}
}

func TestTapOfHead(t *testing.T) {
	r := &web.Request{Method: "HEAD", Scheme: "http", Authority: "example.com", Path: "/"}
	s := seek(t, r, func(_ context.Context, _ *web.Request, x web.Served) error {
		return web.Reply(x, 200, nil, []byte("that nobody gets"))
	}, func(y web.Opened) {
		y.End(nil)
		y.Response()
		io.Copy(io.Discard, y)
	})
	want := `>begun 
>head HEAD / HTTP/1.1|host: example.com
>finished 
<head HTTP/1.1 200 OK|content-length: 16
<finished 
>over 
`
	s.expect(t, 0, want)
	s.expect(t, 1, want)
}

func TestTapOfFailure(t *testing.T) {
	r := &web.Request{Method: "GET", Scheme: "http", Authority: "example.com", Path: "/"}
	s := seek(t, r, func(context.Context, *web.Request, web.Served) error {
		return stream.Refuse(stream.Forbidden, "not today")
	}, func(y web.Opened) {
		y.End(nil)
		y.Response()
	})
	for i := range s.all {
		if got := s.all[i].String(); !strings.Contains(got, "not today") || strings.Contains(got, "<head") {
			t.Errorf("recorded is\n%s", got)
		}
	}
}

// TestTapOfGivenUp closes an exchange before its answer has come.
func TestTapOfGivenUp(t *testing.T) {
	s := &tapes{}
	scope := stream.Begin(stream.WithHost(context.Background(), webtest.NewHost()), &stream.Node{Name: "test"})
	defer scope.End(nil)
	y, err := s.tap(web.Serving(webtest.Func(func(ctx context.Context, _ *web.Request, _ web.Served) error {
		<-ctx.Done()
		return errors.New("the client has left")
	}))).OpenExchange(scope, &web.Request{Method: "GET", Scheme: "http", Authority: "example.com", Path: "/"})
	if err != nil {
		t.Fatal(err)
	}
	y.Close()
	if got := s.all[0].String(); !strings.HasSuffix(got, ">over given up\n") {
		t.Errorf("recorded is\n%s", got)
	}
}
