package sse_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/component"
	"gozilla/guard"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/sse"
	"gozilla/stream/sse/ssetest"
	"gozilla/stream/web"
	"gozilla/telemetry"
)

// sending is a gateway without a network: a browser asks for the events of the stage.
const sending = `name: test
bindings:
  browser: { type: browser, kind: client, exit: events }
  events: { type: sse, kind: server, options: { compression: gzip }, exit: stage }
  stage: { type: stage, kind: server }
`

// get asks for events, and waits until there is a stream of them.
func get(t testing.TB, ctx context.Context, fields ...string) web.Opened {
	t.Helper()
	y, err := browserOf("browser").OpenExchange(ctx, &web.Request{Method: "GET", Scheme: "http", Authority: "a:80", Path: "/events", Header: web.Fields(fields...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { y.Close() })
	if r, err := y.Response(); err != nil || r.Status != 200 {
		t.Fatalf("the answer is %+v, %v", r, err)
	}
	return y
}

// reads wants what comes next to be that text.
func reads(t testing.TB, y io.Reader, want string) {
	t.Helper()
	b := make([]byte, len(want))
	n, err := io.ReadFull(y, b)
	if string(b[:n]) != want {
		t.Fatalf("got %q, %v, not %q", b[:n], err, want)
	}
}

// TestMetrics is what is counted of events. One of them is not what the server wants of their data.
func TestMetrics(t *testing.T) {
	g := gwtest.Start(t, `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: web }
  web: { type: http, kind: server, exit: events }
  events: { type: sse, kind: server, options: { requests: [ { path: /events, content: int32 } ] }, exit: source }
  source: { type: sse, kind: client, exit: back }
  back: { type: back, kind: server }
`)
	backOf("back").set(func(_ context.Context, _ *web.Request, x web.Served) error {
		if err := eventStream(x); err != nil {
			return err
		}
		return send(x, "data:1\n\ndata:x\n\n:comment\n\nid:3\n\ndata:never whole\n")
	})
	c := g.Dial("north")
	gwtest.Send(t, c, "GET /events HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
	if got, _ := io.ReadAll(c); !strings.Contains(string(got), "data:1\n\nid:3\n\n") {
		t.Errorf("the answer is %q", got)
	}
	for binding, want := range map[string][2]int64{"source": {3, 3}, "events": {3, 2}} {
		if received, sent := g.Metric(binding, "sse.events.received"), g.Metric(binding, "sse.events.sent"); received != want[0] || sent != want[1] {
			t.Errorf("%s has received %d events and sent %d", binding, received, sent)
		}
	}
}

// TestQuiet sends comments while there are no events.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gwtest.Start(t, sending, gwtest.Habits(stream.Habits{Quiet: 10 * time.Second}))
		y := get(t, scopeOn(t, g))
		fake := fakeOf("stage")
		since := time.Now()
		within := func(least time.Duration, want string) {
			t.Helper()
			reads(t, y, want)
			if d := time.Since(since); d < least || d > least+2*time.Second {
				t.Errorf("%q came after %v, not %v", want, d, least)
			}
			since = time.Now()
		}
		within(10*time.Second, ":\n\n")
		within(10*time.Second, ":\n\n")
		time.Sleep(5 * time.Second)
		fake.Emit(ssetest.Data("x"))
		within(5*time.Second, "data:x\n\n")
		within(10*time.Second, ":\n\n")
		fake.End()
		reads(t, y, "")
		if n, err := y.Read(make([]byte, 1)); n > 0 || err != io.EOF {
			t.Errorf("it ends with %v", err)
		}
	})
}

func init() {
	guard.Register("brief", func(*component.Builder, *struct{ guard.Head }) (guard.Guard, error) {
		return &brief{guard.Sessions{Ahead: 10 * time.Second}}, nil
	})
}

// brief is a test guard whose sessions last a minute from when credentials were shown last.
type brief struct{ sessions guard.Sessions }

func (b *brief) Authorize(_ context.Context, who string) (stream.Session, error) {
	return b.sessions.Join(who, &guard.Claims{Identity: who, Expires: time.Now().Add(time.Minute)}, who)
}

// TestChallenge asks for new credentials before a session ends, and goes on if there are some.
func TestChallenge(t *testing.T) {
	const yaml = `name: test
guards:
  who: { type: brief }
bindings:
  browser: { type: browser, kind: client, exit: events }
  events: { type: sse, kind: server, exit: stage }
  stage: { type: stage, kind: server }
`
	synctest.Test(t, func(t *testing.T) {
		g := gwtest.Start(t, yaml, gwtest.Habits(stream.Habits{Challenge: "renew"}))
		b := &brief{guard.Sessions{Ahead: 10 * time.Second}}
		scope := scopeOn(t, g)
		admit := func(s *stream.Scope) {
			session, err := b.Authorize(s, "somebody")
			if err != nil {
				t.Fatal(err)
			}
			s.Admit("test:who", session)
		}
		admit(scope)
		y := get(t, scope)
		since := time.Now()
		const challenge = "event:renew\ndata:{\"method\":\"POST\",\"headers\":{\"content-type\":\"application/x-challenge-response\"}}\n\n"
		within := func(least time.Duration, want string) {
			t.Helper()
			reads(t, y, want)
			if d := time.Since(since); d < least || d > least+2*time.Second {
				t.Errorf("%.20q came after %v, not %v", want, d, least)
			}
		}
		within(50*time.Second, challenge)
		fakeOf("stage").Emit(ssetest.Data("x"))
		within(50*time.Second, "data:x\n\n")
		time.Sleep(5 * time.Second)
		since = time.Now()
		post := stream.Begin(stream.WithHost(context.Background(), g.Host), &stream.Node{Name: "post"})
		admit(post) // as an http server does for one that brings credentials
		post.End(nil)
		within(50*time.Second, challenge)
		_, err := y.Read(make([]byte, 100))
		var cut *stream.Cut
		if d := time.Since(since); !errors.As(err, &cut) || cut.Why != "session expired" || d < 60*time.Second || d > 62*time.Second {
			t.Errorf("after %v it ends with %v", d, err)
		}
	})
}

// TestGzip sends the same blocks to all, whenever they have come, and nothing of it is lost.
func TestGzip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gwtest.Start(t, sending, gwtest.Habits(stream.Habits{Quiet: 10 * time.Second, Comment: true}))
		fake := fakeOf("stage")
		type one struct {
			zipped *bytes.Buffer
			text   func() string
		}
		var all []one
		done := make(chan error, 10)
		join := func() {
			y := get(t, scopeOn(t, g), "accept-encoding", "br, gzip;q=0.5")
			if r, _ := y.Response(); r.Header.Get("content-encoding") != "gzip" || r.Header.Get("vary") != "accept-encoding" {
				t.Errorf("the header is %v", r.Header)
			}
			c := one{zipped: &bytes.Buffer{}}
			c.text = func() string {
				z, err := gzip.NewReader(c.zipped)
				if err != nil {
					return err.Error()
				}
				b, err := io.ReadAll(z)
				return fmt.Sprint(string(b), err)
			}
			all = append(all, c)
			go func() { _, err := io.Copy(c.zipped, y); done <- err }() // ends with the stream
			synctest.Wait()
		}
		join()
		long := strings.Repeat("again and ", 1000)
		fake.Emit(sse.Event{ID: "1", HasID: true, Data: []byte(long), HasData: true})
		synctest.Wait()
		join()
		fake.Emit(ssetest.Data("two"), ssetest.Data("three"))
		time.Sleep(12 * time.Second)
		fake.Emit(ssetest.Data(long))
		fake.End()
		for range all {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		rest := "data:two\n\ndata:three\n\n:\n\ndata:" + long + "\n\n<nil>"
		for i, want := range []string{":\n\nid:1\ndata:" + long + "\n\n" + rest, ":\n\n" + rest} {
			if n := all[i].zipped.Len(); n > 1000 {
				t.Errorf("%d bytes were sent", n)
			}
			if got := all[i].text(); got != want {
				t.Errorf("%d gets %.100q", i, got)
			}
		}
	})
}

// TestGzipUnasked sends plain text to who does not take another one, or no end to one that was cut off.
func TestGzipUnasked(t *testing.T) {
	g := gwtest.Start(t, sending)
	for value, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "gzip;q=0": false, "gzip; q=0.000": false, "gzip;q=0.001": true, "*": true, "*;q=0": false, "*, gzip;q=0": false,
		"br": false, "deflate, x-gzip": true, "identity": false,
	} {
		scope := stream.Begin(stream.WithHost(context.Background(), g.Host), &stream.Node{Name: "somebody"})
		y := get(t, scope, "accept-encoding", value)
		r, _ := y.Response()
		if got := r.Header.Get("content-encoding") == "gzip"; got != want {
			t.Errorf("%q: compressed is %v", value, got)
		}
		y.Close()
		scope.End(nil)
	}
}

// TestLeave ends streams in order when the gateway leaves, after what is at hand.
func TestLeave(t *testing.T) {
	g := gwtest.Start(t, sending)
	scope := scopeOn(t, g)
	y := get(t, scope)
	fakeOf("stage").Emit(ssetest.Data("x"))
	reads(t, y, "data:x\n\n")
	scope.Leave()
	if n, err := y.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		t.Errorf("it ends with %v", err)
	}
	if r := scope.Record(); r.By != telemetry.Gateway || r.Reason != "drain" {
		t.Errorf("the record is %s", r.Text())
	}
	if _, err := get(t, scope).Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("who comes late sees %v", err)
	}
}

// TestSlowClient disconnects a client that does not read, and no other.
func TestSlowClient(t *testing.T) {
	const yaml = `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: web }
  web: { type: http, kind: server, exit: events }
  events: { type: sse, kind: server, exit: stage }
  stage: { type: stage, kind: server }
`
	g := gwtest.Start(t, yaml, gwtest.Limits(func(l *stream.Limits) { l.Body = time.Second }))
	fake := fakeOf("stage")
	slow, quick := g.Dial("north"), g.Dial("north")
	slow.SetReadBuffer(4 << 10)
	gwtest.Send(t, slow, "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
	gwtest.Send(t, quick, "GET /quick HTTP/1.1\r\nhost: a\r\n\r\n")
	ctx, cancel := context.WithTimeout(t.Context(), gwtest.Patience)
	defer cancel()
	if err := fake.Await(ctx, 2); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 1<<20)
	got := make(chan int64, 1)
	go func() { // ends with the stream
		quick.SetReadDeadline(time.Now().Add(gwtest.Patience))
		n, _ := io.Copy(io.Discard, quick)
		got <- n
	}()
	const pieces = 20
	for range pieces {
		fake.Emit(ssetest.Data(text))
	}
	r := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Path == "/slow" })
	if r.Reason != "slow reader" || r.SSE.Events >= pieces {
		t.Errorf("the record is %s", r.Text())
	}
	fake.End()
	if r := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Path == "/quick" }); r.By != telemetry.Server || r.Reason != "fin" || r.SSE.Events != pieces {
		t.Errorf("the record is %s", r.Text())
	}
	quick.CloseWrite()
	if n := <-got; n < pieces<<20 {
		t.Errorf("%d bytes came", n)
	}
}

// TestAbort tells who gives events that the client is gone.
func TestAbort(t *testing.T) {
	g := gwtest.Start(t, sending)
	ctx, cancel := context.WithTimeout(t.Context(), gwtest.Patience)
	defer cancel()
	y := get(t, scopeOn(t, g))
	if err := fakeOf("stage").Await(ctx, 1); err != nil {
		t.Fatal(err)
	}
	y.Close()
	if err := fakeOf("stage").Await(ctx, 0); err != nil {
		t.Fatal(err)
	}
}
