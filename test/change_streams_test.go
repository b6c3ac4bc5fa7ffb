package test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// relayingTLS is a configuration of a tls server with these lines of its own, and a plain server, before the same tcp
// client; and lines of other bindings.
func relayingTLS(port, plain, end int, tls, options, more string) string {
	return secured(port, keys(""), "exit: south\n"+tls) + to(end) +
		fmt.Sprintf("  plain: { type: tcp, kind: server, streams: drain, options: { host: 127.0.0.1, port: %d%s }, exit: south }\n", plain, options) + more
}

// TestTLSOverAChange goes on over a change of something else. When it is asked to leave and does not, the client is told
// that it has all: close_notify and FIN. A plain connection has no words for that, and is reset.
func TestTLSOverAChange(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	port, plain, end, more := freePort(t), freePort(t), freePort(t), freePort(t)
	echoing(t, end)
	file := func(tls, options, more string) string { return relayingTLS(port, plain, end, tls, options, more) }
	g := &changing{gateway: s.gateway(t, file("", "", ""), "--drain", "300ms")}
	secured, err := secure(t, port, s.config())
	if err == nil {
		err = echoes(secured, "hello")
	}
	if err != nil {
		t.Fatal(err)
	}
	c := converse(t, plain)
	other := tcpServer("more", "127.0.0.1", more, "", "echo")
	g.writes(file("", "", other)).takes()
	converse(t, more).end()
	g.writes(file("", "", "")).takes()
	if err := echoes(secured, "still there"); err != nil {
		t.Error(err)
	}
	c.say("still there")
	// keep: what is made anew is for those who come.
	g.writes(file("options: { keys: [ localhost ] }", "", "")).takes()
	if err := echoes(secured, "still there"); err != nil {
		t.Error(err)
	}
	began := time.Now()
	g.writes(file("options: { keys: [ localhost ] }", ", nodelay: false", "")).takes()
	if b, err := c.r.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the plain client gets %q, %v, want a reset", b, err)
	}
	if passed := time.Since(began); passed < 300*time.Millisecond {
		t.Errorf("it was reset after %v", passed)
	}
	if err := echoes(secured, "not concerned"); err != nil {
		t.Error(err)
	}
	newer, err := secure(t, port, s.config())
	if err == nil {
		err = echoes(newer, "hello")
	}
	if err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	g.writes(file("streams: drain", ", nodelay: false", "")).takes()
	newest, err := secure(t, port, s.config())
	if err == nil {
		err = echoes(newest, "hello")
	}
	if err != nil {
		t.Fatal(err)
	}
	if n, err := newer.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client gets %d bytes and %v, not the end", n, err)
	}
	if passed := time.Since(began); passed < 300*time.Millisecond {
		t.Errorf("it was ended after %v", passed)
	}
	if err := echoes(secured, "kept by a change before"); err != nil {
		t.Error(err)
	}
	if err := echoes(newest, "of the new one"); err != nil {
		t.Error(err)
	}
	converse(t, plain).end()
	secured.Close()
	newest.Close()
	g.terminate()
	drained := 0
	for _, r := range g.told(true) {
		if r["reason"] == "drain" && r["by"] == "gateway" {
			drained++
		}
	}
	if drained != 2 {
		t.Errorf("%d records tell of a drain, not 2:\n%s", drained, g.stderr)
	}
}

// TestEndsForOpenSSL as another client sees it: when its connection is drained, and when it is closed at once.
func TestEndsForOpenSSL(t *testing.T) {
	t.Parallel()
	for _, streams := range []string{"drain", "close"} {
		t.Run(streams, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			port, plain, end := freePort(t), freePort(t), freePort(t)
			heard := make(chan bool, 1)
			serving(t, end, func(c *net.TCPConn) {
				defer c.Close()
				if line, err := bufio.NewReader(c).ReadString('\n'); err == nil {
					io.WriteString(c, line)
					heard <- true
					io.Copy(io.Discard, c)
				}
			})
			g := s.gateway(t, relayingTLS(port, plain, end, "streams: "+streams, "", ""), "--drain", "300ms")
			changed := make(chan error, 1)
			go func() { // ends when the client is there, or gives up
				select {
				case <-heard:
					text := relayingTLS(port, plain, end, "streams: "+streams+"\noptions: { keys: [ localhost ] }", "", "")
					changed <- os.WriteFile(s.path("zilla.yaml"), []byte(text), 0o600)
				case <-time.After(patience):
					changed <- errors.New("no client comes")
				}
			}()
			said := opensslClient(t, port, "hello\n", "a text that nobody sends", "-CAfile", s.path("ca.crt"), "-servername", "localhost")
			if err := <-changed; err != nil {
				t.Fatal(err)
			}
			said.has(t, "hello\n")
			if len(said.alerts) == 0 || said.alerts[len(said.alerts)-1] != "warning close_notify" {
				t.Errorf("the client is told %q, status %d\n%s", said.alerts, said.status, said.errs)
			}
			g.terminate()
		})
	}
}

// TestHTTPOverAChange takes the next request of a connection the new way, and leaves the connection when it is to be
// drained: at once if no request is under way, else with the answer.
func TestHTTPOverAChange(t *testing.T) {
	t.Parallel()
	arrived, released := make(chan bool, 1), make(chan bool, 1)
	release := func() { released <- true }
	one := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			arrived <- true
			select {
			case <-released:
			case <-r.Context().Done():
			}
		}
		io.WriteString(w, "one")
	})
	two := newBackend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "two "+r.Header.Get("X-Set")) })
	port := freePort(t)
	file := func(end int, server string) string { return hosting(port, end, server) }
	g := change(t, file(one.port, "exit: out"))
	c := call(t, port)
	ask := func(c *caller, path, want string) {
		t.Helper()
		answer, body := c.says("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n").hears("GET")
		if answer.StatusCode != 200 || body != want || answer.Close {
			t.Errorf("%s: %s, %q, close %v", path, answer.Status, body, answer.Close)
		}
	}
	ask(c, "/", "one")
	// Another server behind the client: the connection to the old one is not used any more.
	g.writes(file(two.port, "exit: out")).takes()
	ask(c, "/", "two ")
	eventually(t, "the connection to the server before is closed", func() bool { _, open := one.connections(); return open == 0 })
	// As soon as it is told that a change is in service, no request goes the old way.
	for i := range 10 {
		end, want := one.port, "one"
		if i%2 == 1 {
			end, want = two.port, "two "
		}
		g.writes(file(end, "exit: out")).takes()
		ask(c, "/", want)
		ask(c, "/", want)
	}
	// Other routes of the server, on the same connection.
	g.writes(file(one.port, "routes:\n  - { when: [ { headers: { \":path\": /echo } } ], exit: echo }\n  - { exit: out }")).takes()
	ask(c, "/", "one")
	if body := c.asks("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200); body != "hello" {
		t.Errorf("it says %q", body)
	}
	// A request under way goes on as it was.
	slow := call(t, port).says("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-arrived
	g.writes(file(two.port, "routes: [ { when: [ { headers: { \":path\": /new } } ], exit: out } ]")).takes()
	ask(c, "/new", "two ")
	c.asks(plainGet, 404)
	release()
	if answer, body := slow.hears("GET"); answer.StatusCode != 200 || body != "one" || answer.Close {
		t.Errorf("the request under way: %s, %q, close %v", answer.Status, body, answer.Close)
	}
	ask(slow, "/new", "two ")

	// The server itself is made anew, and its connections are to be drained.
	g.writes(file(one.port, "exit: out")).takes()
	idle := call(t, port)
	ask(idle, "/", "one")
	slow.says("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-arrived
	g.writes(file(two.port, "streams: drain\noptions: { overrides: { x-set: here } }\nexit: out")).takes()
	for name, c := range map[string]*caller{"idle": idle, "used": c} {
		if rest := c.told(); rest != "" {
			t.Errorf("the %s connection ends with %q", name, rest)
		}
	}
	release()
	if answer, body := slow.hears("GET"); answer.StatusCode != 200 || body != "one" || !answer.Close {
		t.Errorf("the request under way: %s, %q, close %v", answer.Status, body, answer.Close)
	}
	if rest := slow.told(); rest != "" {
		t.Errorf("after the last answer there is %q", rest)
	}
	ask(call(t, port), "/", "two here")
	g.terminate()
	if strings.Contains(g.stderr.String(), "WARN") {
		t.Errorf("something went wrong:\n%s", g.stderr)
	}
}
