package sse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/sse"
	"gozilla/stream/sse/ssetest"
	"gozilla/stream/web"
)

// reading is a gateway without a network: somebody reads events that come by http from back.
const reading = `name: test
bindings:
  reader: { type: reader, kind: client, exit: source }
  source: { type: sse, kind: client, exit: back }
  back: { type: back, kind: server }
`

var asked = &sse.Request{Scheme: "http", Authority: "a:80", Path: "/events"}

// streams is a server of events, that has all its clients hear the same.
type streams struct {
	fake ssetest.Fake
	mu   sync.Mutex
	gone bool // who comes is told that there is nothing
}

func (s *streams) ServeExchange(ctx context.Context, r *web.Request, x web.Served) error {
	s.mu.Lock()
	gone := s.gone
	s.mu.Unlock()
	if gone {
		return web.Reply(x, 404, nil, nil)
	}
	e, err := s.fake.OpenEvents(ctx, &sse.Request{Path: r.Path})
	if err != nil {
		return err
	}
	defer e.Close()
	if err := eventStream(x); err != nil {
		return err
	}
	for {
		b, err := e.Next()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := send(x, string(b.Text())); err != nil {
			return err
		}
	}
}

func eventStream(x web.Served) error {
	if err := x.Respond(&web.Response{Status: 200, Header: web.Fields("content-type", "text/event-stream"), Length: -1}); err != nil {
		return err
	}
	return x.Flush()
}

func send(x web.Served, text string) error {
	if _, err := io.WriteString(x, text); err != nil {
		return err
	}
	return x.Flush()
}

// TestConformance wants of a client what the protocol says.
func TestConformance(t *testing.T) {
	for name, opts := range map[string][]gwtest.Option{"alone": nil, "watched": {gwtest.Watched()}} {
		t.Run(name, func(t *testing.T) {
			ssetest.Run(t, func(t *testing.T) ssetest.Source {
				gwtest.Start(t, strings.Replace(reading, "exit: back", "options: { retry: 1 }, exit: back", 1), opts...)
				s := &streams{}
				backOf("back").set(s.ServeExchange)
				return ssetest.Source{Port: readerOf("reader"), Emit: s.fake.Emit, End: s.fake.End, Cut: func() {
					s.mu.Lock()
					s.gone = true
					s.mu.Unlock()
					s.fake.Cut(errors.New("cut off"))
				}}
			})
		})
	}
}

// script is what a server does next, and when it was asked.
type script struct {
	mu     sync.Mutex
	start  time.Time
	at     []time.Duration
	status int
	header web.Header
	text   string
}

func (s *script) does(status int, header web.Header, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.header, s.text = status, header, text
}

func (s *script) asked() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

// ServeExchange gives what the script says, and breaks off.
func (s *script) ServeExchange(_ context.Context, _ *web.Request, x web.Served) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Since(s.start))
	if s.status != 200 {
		return web.Reply(x, s.status, s.header, nil)
	}
	eventStream(x)
	send(x, s.text)
	return errors.New("cut off")
}

// TestBackOff has a server that is lost, and sees when it is asked again.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gwtest.Start(t, reading)
		s := &script{start: time.Now(), status: 200, text: "retry:1000\nid:1\ndata:x\n\n"}
		backOf("back").set(s.ServeExchange)
		e, err := readerOf("reader").OpenEvents(scopeOn(t, g), asked)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if _, err := e.Next(); err != nil {
			t.Fatal(err)
		}
		// next waits until the server is asked again, and wants that to be after want, or up to half as much more.
		next := func(want time.Duration) {
			t.Helper()
			n := len(s.asked())
			for len(s.asked()) == n {
				time.Sleep(10 * time.Millisecond)
			}
			at := s.asked()
			if d := at[n] - at[n-1]; want > 0 && (d < want || d > want+want/2) {
				t.Errorf("it was asked again after %v, not %v or up to half as much more", d, want)
			}
		}
		s.does(503, nil, "")
		over := make(chan error, 1)
		go func() { // ends with the server's last word
			_, err := e.Next()
			if err == nil {
				_, err = e.Next()
			}
			over <- err
		}()
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			next(want * time.Second)
		}
		s.does(503, web.Fields("retry-after", "100"), "")
		next(0)
		next(100 * time.Second)
		s.does(200, nil, "id:2\ndata:y\n\n")
		next(0) // and there is an event
		s.does(410, nil, "")
		next(time.Second)
		if err := <-over; err == nil || errors.Is(err, io.EOF) {
			t.Errorf("it ends with %v", err)
		}
		if n := len(g.Events("binding.sse.stream.lost")); n != 2 {
			t.Errorf("%d losses were told", n)
		}
	})
}

// TestWaitEnds stops, and cancels, one who waits to ask again.
func TestWaitEnds(t *testing.T) {
	for name, end := range map[string]func(sse.Events, context.CancelFunc){
		"stop": func(e sse.Events, _ context.CancelFunc) { e.Stop() }, "cancel": func(_ sse.Events, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := gwtest.Start(t, reading)
				backOf("back").set(func(ctx context.Context, r *web.Request, x web.Served) error {
					eventStream(x)
					return errors.New("cut off")
				})
				ctx, cancel := context.WithCancel(scopeOn(t, g))
				defer cancel()
				e, err := readerOf("reader").OpenEvents(ctx, asked)
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				over := make(chan error, 1)
				go func() { _, err := e.Next(); over <- err }() // ends with the wait
				synctest.Wait()
				begun := time.Now()
				end(e, cancel)
				err = <-over
				if want := sse.ErrStopped; name == "stop" && !errors.Is(err, want) || name == "cancel" && !errors.Is(err, context.Canceled) {
					t.Errorf("it ends with %v", err)
				}
				if time.Since(begun) > 0 {
					t.Errorf("it has waited on, for %v", time.Since(begun))
				}
			})
		})
	}
}

// TestTooLarge cuts off a server whose event is larger than it may be, and holds no more of it than that.
func TestTooLarge(t *testing.T) {
	g := gwtest.Start(t, reading, gwtest.Limits(func(l *stream.Limits) { l.Message = 100_000 }))
	sent := 0
	piece := strings.Repeat("x", 32<<10)
	for name, begin := range map[string]string{"data": "data:1\n\ndata:", "comment": "data:1\n\n:"} {
		backOf("back").set(func(ctx context.Context, r *web.Request, x web.Served) error {
			eventStream(x)
			err := send(x, begin)
			for sent = 0; err == nil && sent < 20<<20; sent += len(piece) {
				_, err = io.WriteString(x, piece)
			}
			if err == nil {
				err = send(x, "\ndata:2\n\n")
			}
			return err
		})
		scope := scopeOn(t, g)
		e, err := readerOf("reader").OpenEvents(scope, asked)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for err == nil {
			var b *sse.Batch
			if b, err = e.Next(); err == nil {
				for i := range b.Events {
					got = append(got, ssetest.Show(&b.Events[i]))
				}
			}
		}
		e.Close()
		var cut *stream.Cut
		large := errors.As(err, &cut) && cut.Why == "event too large"
		if name == "data" && (!large || len(got) != 1 || sent > 1<<20) || name == "comment" && (err != io.EOF || len(got) != 2) {
			t.Errorf("after %q and %d bytes, %s ends with %v", got, sent, name, err)
		}
	}
}

// TestBatches wants what is at hand to be one batch.
func TestBatches(t *testing.T) {
	g := gwtest.Start(t, reading)
	var all strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&all, "id:%d\ndata:x\n\n", i)
	}
	backOf("back").set(func(ctx context.Context, r *web.Request, x web.Served) error {
		eventStream(x)
		return send(x, all.String())
	})
	e, err := readerOf("reader").OpenEvents(scopeOn(t, g), asked)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	batches, events := 0, 0
	for {
		b, err := e.Next()
		if err != nil {
			break
		}
		batches++
		events += len(b.Events)
	}
	if events != 1000 || batches > 10 {
		t.Errorf("%d events in %d batches", events, batches)
	}
}

// TestSilence asks a server again that has sent nothing for as long as it may.
func TestSilence(t *testing.T) {
	const yaml = `name: test
bindings:
  reader: { type: reader, kind: client, exit: source }
  source: { type: sse, kind: client, options: { retry: 1 }, exit: out }
  out: { type: http, kind: client, exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: ${{env.SERVER}} } }
`
	const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
	s := serve(t, fmt.Sprintf("open %q\nopen %q\n", head+"f\r\nid:1\ndata:one\n\n\r\n", head+"a\r\ndata:two\n\n\r\n"))
	g := gwtest.Start(t, yaml, gwtest.Env("SERVER", s.port), gwtest.Limits(func(l *stream.Limits) { l.Pause = 100 * time.Millisecond }))
	e, err := readerOf("reader").OpenEvents(scopeOn(t, g), asked)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, want := range []string{`id="1" data="one"`, `data="two"`} {
		b, err := e.Next()
		if err != nil || len(b.Events) != 1 || ssetest.Show(&b.Events[0]) != want {
			t.Fatalf("%+v, %v is not %s", b, err, want)
		}
	}
	if got := s.text(); !strings.HasSuffix(got, "last-event-id: [\"1\"]\n") {
		t.Errorf("asked was %s", got)
	}
}
