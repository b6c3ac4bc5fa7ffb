package test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestHTTPKeepAlive has a thousand requests on one connection of a client, and many clients at once; there are few
// connections to the server.
func TestHTTPKeepAlive(t *testing.T) {
	b := newBackend(t, tells)
	port := freePort(t)
	g := start(t, hosting(port, b.port, "exit: out"))
	c := call(t, port)
	for i := range 1000 {
		if body := c.asks(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i), 200); !strings.HasPrefix(body, fmt.Sprintf("GET /%d HTTP/1.1\n", i)) {
			t.Fatalf("request %d gets %q", i, body)
		}
	}
	if all, _ := b.connections(); all != 1 {
		t.Errorf("%d connections to the server for one client", all)
	}
	var clients sync.WaitGroup
	for n := range 8 {
		clients.Go(func() {
			c := call(t, port)
			for i := range 200 {
				r, body := c.says(fmt.Sprintf("POST /%d/%d HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", n, i)).hears("POST")
				if r.StatusCode != 200 || !strings.HasPrefix(body, fmt.Sprintf("POST /%d/%d HTTP/1.1\n", n, i)) {
					t.Errorf("request %d of client %d gets %s, %q", i, n, r.Status, body)
					return
				}
			}
		})
	}
	clients.Wait()
	if all, open := b.connections(); all > 9 || open > 8 {
		t.Errorf("%d connections to the server for 8 clients, %d of them open", all, open)
	}
	g.terminate()
	eventually(t, "the server has no connection left", func() bool { _, open := b.connections(); return open == 0 })
}

// A server that ends its connections after each answer, or some time later, is not noticed.
func TestHTTPShortLivedServer(t *testing.T) {
	var n atomic.Int64
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%3 == 0 {
			w.Header().Set("Connection", "close")
		}
		tells(w, r)
	}, func(s *http.Server) { s.IdleTimeout = 2 * time.Millisecond })
	port := freePort(t)
	g := start(t, hosting(port, b.port, "exit: out"))
	var clients sync.WaitGroup
	for n := range 4 {
		clients.Go(func() {
			c := call(t, port)
			for i := range 200 {
				c.asks(fmt.Sprintf("GET /%d/%d HTTP/1.1\r\nHost: a\r\n\r\n", n, i), 200)
				if i%10 == n {
					time.Sleep(time.Duration(i%5) * time.Millisecond) // about as long as the server waits
				}
			}
		})
	}
	clients.Wait()
	g.terminate()
}

// TestHTTPThousand has a thousand exchanges under way at once.
func TestHTTPThousand(t *testing.T) {
	const clients = 1000
	var here sync.WaitGroup
	here.Add(clients)
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		here.Done()
		here.Wait() // for all of them
		io.WriteString(w, r.URL.Path)
	})
	port := freePort(t)
	g := start(t, hosting(port, b.port, "exit: out"))
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			c := call(t, port).says(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i))
			if r, body := c.hears("GET"); r.StatusCode != 200 || body != fmt.Sprintf("/%d", i) {
				t.Errorf("client %d gets %s, %q", i, r.Status, body)
			}
			c.Close()
		})
	}
	all.Wait()
	if n, _ := b.connections(); n != clients {
		t.Errorf("%d connections to the server", n)
	}
	g.terminate()
}

// TestHTTPPoolFull has more exchanges than connections to the server: some wait, those for whom it takes too long are told.
func TestHTTPPoolFull(t *testing.T) {
	begun, go_ := make(chan bool, 100), make(chan bool)
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		if r.URL.Path == "/slow" {
			<-go_
		}
		io.WriteString(w, r.URL.Path)
	})
	port := freePort(t)
	g := start(t, hosting(port, b.port, "exit: out"), append(limit("pool", 2), append(limit("dial", "2s"), append(limit("waiting", 3), "--records")...)...)...)
	var slow []*caller
	for range 2 {
		slow = append(slow, call(t, port).says("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"))
		<-begun
	}
	var waiting []*caller
	for range 5 {
		waiting = append(waiting, call(t, port).says(plainGet))
	}
	for _, c := range waiting {
		within(t, "503", 5*time.Second, func() {
			if r, _ := c.hears("GET"); r.StatusCode != 503 || r.Header.Get("Retry-After") != "0" {
				t.Errorf("it gets %s, retry-after %q", r.Status, r.Header.Get("Retry-After"))
			}
		})
	}
	// Who waits when a connection becomes free has it.
	for _, c := range waiting[:3] {
		c.says(plainGet)
	}
	close(go_)
	for _, c := range append(waiting[:3], slow...) {
		if r, _ := c.hears("GET"); r.StatusCode != 200 {
			t.Errorf("it gets %s", r.Status)
		}
	}
	if all, _ := b.connections(); all != 2 {
		t.Errorf("%d connections to the server", all)
	}
	g.exchange(t, `http.status=503 .*by=gateway reason=(limit|unavailable|timeout)`)
	g.terminate()
}

// TestHTTPRestartedServer has a server that ends and comes back. While it is away nobody is told anything but 503.
func TestHTTPRestartedServer(t *testing.T) {
	end, port := freePort(t), freePort(t)
	serve := func() *http.Server {
		s := &http.Server{Addr: address(end), Handler: http.HandlerFunc(tells)}
		go s.ListenAndServe()
		awaitServerAt(t, end)
		return s
	}
	s := serve()
	g := start(t, hosting(port, end, "exit: out"))
	var over atomic.Bool
	var good, away atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			c := call(t, port)
			for !over.Load() {
				response, _ := c.says(plainGet).hears("GET")
				switch {
				case response.StatusCode == 200:
					good.Add(1)
				case response.StatusCode == 503 && response.Header.Get("Retry-After") == "0":
					away.Add(1)
				default:
					t.Errorf("a client gets %s", response.Status)
					return
				}
			}
		})
	}
	more := func(what string, n *atomic.Int64) {
		t.Helper()
		from := n.Load()
		eventually(t, what, func() bool { return n.Load() > from+20 })
	}
	for range 3 {
		more("requests are served", &good)
		s.Close()
		more("requests are refused", &away)
		s = serve()
	}
	more("requests are served again", &good)
	over.Store(true)
	clients.Wait()
	before := away.Load()
	call(t, port).asks(plainGet, 200)
	if away.Load() != before {
		t.Error("it is still away")
	}
	s.Close()
	g.terminate()
}

// awaitServerAt waits until somebody listens at an address, without connecting.
func awaitServerAt(t testing.TB, port int) {
	t.Helper()
	entry := regexp.MustCompile(fmt.Sprintf(`: 0100007F:%04X 0+:0000 0A `, port))
	eventually(t, fmt.Sprintf("somebody listens on %d", port), func() bool { return entry.Match(mustRead(t, "/proc/net/tcp")) })
}

// TestHTTPDrain stops a gateway with a response under way and idle connections on both sides.
func TestHTTPDrain(t *testing.T) {
	begun, go_ := make(chan bool, 1), make(chan bool)
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/late":
			begun <- true
			<-go_
		case "/half":
			io.WriteString(w, "half, ")
			w.(http.Flusher).Flush()
			begun <- true
			<-go_
		}
		io.WriteString(w, "done")
	})
	port := freePort(t)
	g := start(t, hosting(port, b.port, "exit: out"), "--drain", "1h", "--records")
	idle := call(t, port)
	idle.asks(plainGet, 200)
	fresh := call(t, port)
	late := call(t, port).says("GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
	<-begun
	half := call(t, port).says("GET /half HTTP/1.1\r\nHost: a\r\n\r\n")
	<-begun
	if status, out, errs := run(t, g.dir, "stop"); status != 0 {
		t.Fatalf("gozilla stop: %d %s%s", status, out, errs)
	}
	g.stderr.await(t, g, "waiting for streams to end")
	for _, c := range []*caller{idle, fresh} {
		if rest := c.told(); rest != "" {
			t.Errorf("an idle connection is told %q", rest)
		}
	}
	eventually(t, "the port is closed", func() bool { return refused(port) })
	close(go_)
	if r, body := late.hears("GET"); r.StatusCode != 200 || body != "done" || !r.Close {
		t.Errorf("a response that begins late: %s, %q, close %v", r.Status, body, r.Close)
	}
	if r, body := half.hears("GET"); r.StatusCode != 200 || body != "half, done" {
		t.Errorf("a response that was under way: %s, %q", r.Status, body)
	}
	late.told()
	half.told()
	if status := g.end(5 * time.Second); status != 0 {
		t.Errorf("status %d", status)
	}
	if _, open := b.connections(); open > 0 {
		eventually(t, "the server has no connection left", func() bool { _, open := b.connections(); return open == 0 })
	}
}
