package test

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// lasting is a server that answers /slow in two halves, the second once it is let.
func lasting(t testing.TB, name string) (b *backend, begun, release chan bool) {
	begun, release = make(chan bool, 100), make(chan bool)
	b = newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex() // else it reads the body before it answers
		switch r.URL.Path {
		case "/slow":
			io.WriteString(w, name+", half, ")
			w.(http.Flusher).Flush()
			begun <- true
			<-release
		case "/late":
			begun <- true
			<-release
		}
		io.WriteString(w, name)
		io.Copy(io.Discard, r.Body)
	}, bilingual)
	return b, begun, release
}

// goneAway waits for the GOAWAY that says the last stream.
func (k *talker) goneAway(last uint32) {
	k.t.Helper()
	k.await(fmt.Sprintf("GOAWAY after stream %d", last), func(h heard) bool {
		return h.Type == http2.FrameGoAway && h.code == http2.ErrCodeNo && h.last == last
	})
}

// TestHTTP2Drain stops a gateway that has streams under way and idle connections, on both sides.
func TestHTTP2Drain(t *testing.T) {
	t.Parallel()
	for _, versions := range behind() {
		t.Run("before "+versions, func(t *testing.T) {
			t.Parallel()
			b, begun, release := lasting(t, "one")
			port := freePort(t)
			g := h2Gateway(t, port, setting{server: "exit: out", client: speaks(versions), end: b.port, args: []string{"--drain", "1h"}})
			idle, busy := speaking(t, port), speaking(t, port)
			idle.has(1, "200", get("/")...)
			busy.asks(1, true, get("/slow")...)
			<-begun
			busy.asks(3, true, get("/late")...)
			<-begun
			g.signal(syscall.SIGTERM)
			g.stderr.await(t, g, "waiting for streams to end")
			idle.goneAway(1)
			idle.ended()
			busy.goneAway(3)
			eventually(t, "the port is closed", func() bool { return refused(port) })
			// What comes now is not served.
			busy.try(func() error { return busy.headers(5, true, get("/")...) })
			close(release)
			if a := busy.hears(1); !a.whole || a.body != "one, half, one" {
				t.Errorf("a stream that was under way: %q, %q, %v", a.status, a.body, a.code)
			}
			if a := busy.hears(3); !a.whole || a.body != "one" {
				t.Errorf("a stream that is answered late: %q, %q, %v", a.status, a.body, a.code)
			}
			if h, ok := busy.take(of(5)); ok && h.code != http2.ErrCodeRefusedStream {
				t.Errorf("a stream that came too late: %v", h)
			}
			busy.ended()
			if status := g.end(10 * time.Second); status != 0 {
				t.Errorf("status %d", status)
			}
			eventually(t, "the server has no connection left", func() bool { _, open := b.connections(); return open == 0 })
		})
	}
}

// TestHTTP2DrainIsOver has streams go on for longer than a gateway waits.
func TestHTTP2DrainIsOver(t *testing.T) {
	b, begun, release := lasting(t, "one")
	defer close(release)
	port := freePort(t)
	g := h2Gateway(t, port, setting{server: "exit: out", client: speaks("h2"), end: b.port, args: []string{"--drain", "300ms"}})
	k := speaking(t, port)
	k.asks(1, true, get("/slow")...)
	<-begun
	g.signal(syscall.SIGTERM)
	if status := g.end(10 * time.Second); status != 0 {
		t.Errorf("status %d", status)
	}
	if h, ok := k.take(func(h heard) bool { return h.StreamID == 1 && h.ends() && h.Type == http2.FrameData }); ok {
		t.Errorf("half an answer looks whole: %v", h)
	}
}

// TestHTTP2Change changes the file again and again under running streams, none of which notices.
func TestHTTP2Change(t *testing.T) {
	t.Parallel()
	one, begun, release := lasting(t, "one")
	two, _, _ := lasting(t, "two")
	for _, versions := range behind() {
		t.Run("before "+versions, func(t *testing.T) {
			port := freePort(t)
			file := func(end int, server string) string {
				return setting{server: server, client: speaks(versions), end: end}.zilla(port)
			}
			g := change(t, file(one.port, "exit: out"))
			k := speaking(t, port)
			if a := k.has(1, "200", get("/")...); a.body != "one" {
				t.Errorf("it says %q", a.body)
			}
			k.asks(3, true, get("/slow")...)
			<-begun
			k.asks(5, false, fieldsOf("POST", "/slow")...)
			<-begun
			stream := uint32(7)
			ask := func(want string) {
				t.Helper()
				if a := k.has(stream, "200", get("/")...); a.body != want {
					t.Errorf("stream %d: it says %q, want %q", stream, a.body, want)
				}
				stream += 2
			}
			for i := range 6 {
				end, want := two.port, "two"
				if i%2 == 1 {
					end, want = one.port, "one"
				}
				g.writes(file(end, "exit: out")).takes()
				ask(want)
			}
			g.writes(file(two.port, `routes: [ { when: [ { headers: { ":path": /new } } ], exit: out } ]`)).takes()
			k.has(stream, "404", get("/")...)
			stream += 2
			k.data(5, true, []byte("a body"))
			release <- true
			release <- true
			for _, s := range []uint32{3, 5} {
				if a := k.hears(s); !a.whole || a.body != "one, half, one" {
					t.Errorf("stream %d, under way: %q, %q, %v", s, a.status, a.body, a.code)
				}
			}
			// The server itself is made anew, and its connections are to be drained.
			g.writes(file(one.port, "exit: out")).takes()
			k.asks(stream, true, get("/slow")...)
			<-begun
			g.writes(file(two.port, "streams: drain\noptions: { overrides: { x-set: here } }\nexit: out")).takes()
			k.goneAway(stream)
			release <- true
			if a := k.hears(stream); !a.whole || a.body != "one, half, one" {
				t.Errorf("the stream under way: %q, %q, %v", a.status, a.body, a.code)
			}
			k.ended()
			if a := speaking(t, port).has(1, "200", get("/")...); a.body != "two" {
				t.Errorf("then it says %q", a.body)
			}
			g.terminate()
		})
	}
}

// TestHTTP2ChangesUnderLoad has clients of HTTP/2 ask all the time while the file changes.
func TestHTTP2ChangesUnderLoad(t *testing.T) {
	b, _, _ := lasting(t, "one")
	port := freePort(t)
	file := func(i int) string {
		s := setting{server: fmt.Sprintf("routes: [ { when: [ { headers: { \":path\": /%d } } ], exit: echo } ]\nexit: out", i), client: speaks("h2"), end: b.port}
		if i%2 == 1 {
			s.client = speaks("http/1.1")
		}
		return s.zilla(port)
	}
	g := change(t, file(0))
	var stop atomic.Bool
	var n atomic.Int64
	done := make(chan error, 4)
	for range 4 {
		c := clientOf(t, true)
		go func() { // ends when stop is set
			for !stop.Load() {
				r, err := c.Get(fmt.Sprintf("http://%s/", address(port)))
				if err != nil {
					done <- err
					return
				}
				body, err := io.ReadAll(r.Body)
				r.Body.Close()
				if err != nil || r.StatusCode != 200 || string(body) != "one" {
					done <- fmt.Errorf("%s, %q, %w", r.Status, body, err)
					return
				}
				n.Add(1)
			}
			done <- nil
		}()
	}
	for i := 1; i <= 20; i++ {
		g.writes(file(i)).takes()
	}
	stop.Store(true)
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d requests", n.Load())
	g.terminate()
}
