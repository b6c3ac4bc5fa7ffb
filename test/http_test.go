package test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// hosting is a configuration of an http server on a port, with these lines of its own. There is an echo, and the http
// client out, behind which is the server on the port end.
func hosting(port, end int, server string) string {
	return fmt.Sprintf(`name: example
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: in }
  in:
    type: http
    kind: server
    %s
  echo: { type: echo, kind: server }
  out: { type: http, kind: client, exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: %d } }
`, port, strings.ReplaceAll(strings.TrimSpace(server), "\n", "\n    "), end)
}

// limit is a pair of arguments that sets one.
func limit(key string, value any) []string {
	return []string{"-P", fmt.Sprintf("gozilla.limits.%s=%v", key, value)}
}

// A backend is a server that counts its connections.
type backend struct {
	*httptest.Server
	port int
	mu   sync.Mutex
	all  map[net.Conn]bool // whether it is open
}

func newBackend(t testing.TB, f http.HandlerFunc, with ...func(*http.Server)) *backend {
	t.Helper()
	b := &backend{Server: httptest.NewUnstartedServer(f), all: map[net.Conn]bool{}}
	b.Config.ConnState = func(c net.Conn, s http.ConnState) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.all[c] = s != http.StateClosed && s != http.StateHijacked
	}
	for _, set := range with {
		set(b.Config)
	}
	b.Start()
	t.Cleanup(b.Close)
	b.port = b.Listener.Addr().(*net.TCPAddr).Port
	return b
}

// connections is how many there were, and how many are open.
func (b *backend) connections() (all, open int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, is := range b.all {
		if is {
			open++
		}
	}
	return len(b.all), open
}

// tells is a handler that says what it was asked, a line each, and the sum of the body.
func tells(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	n, err := io.Copy(h, r.Body)
	if err != nil {
		return
	}
	fmt.Fprintf(w, "%s %s %s\n", r.Method, r.RequestURI, r.Proto)
	r.Header.Write(w)
	fmt.Fprintf(w, "%d %x\n", n, h.Sum(nil))
}

// A caller is a client that writes requests as bytes.
type caller struct {
	*net.TCPConn
	t testing.TB
	r *bufio.Reader
}

func call(t testing.TB, port int) *caller {
	t.Helper()
	c := &caller{TCPConn: dial(t, port), t: t}
	c.r = bufio.NewReader(c)
	return c
}

// says writes what may be a request.
func (c *caller) says(text string) *caller {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// hears reads a response with its body.
func (c *caller) hears(method string) (*http.Response, string) {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("no response: %v", err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatalf("after %d bytes: %v", len(b), err)
	}
	return r, string(b)
}

// told is what comes until the end, which must be in order.
func (c *caller) told() string {
	c.t.Helper()
	b, err := io.ReadAll(c.r)
	if err != nil {
		c.t.Errorf("after %q: %v", b, err)
	}
	return string(b)
}

// asks has one request answered with a status.
func (c *caller) asks(request string, status int) string {
	c.t.Helper()
	method, _, _ := strings.Cut(request, " ")
	r, body := c.says(request).hears(method)
	if r.StatusCode != status {
		c.t.Errorf("%.60q is answered by %s, want %d", request, r.Status, status)
	}
	return body
}

const plainGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

// exchange waits for the record of an exchange that matches.
func (g *gateway) exchange(t testing.TB, pattern string) {
	t.Helper()
	g.stderr.await(t, g, `exchange ended .*`+pattern)
}

// peak is the most memory that the process had, in MB.
func (g *gateway) peak() int {
	g.t.Helper()
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindStringSubmatch(g.proc("status"))
	if m == nil {
		g.t.Fatal("the system does not tell how much memory there was")
	}
	return atoi(g.t, m[1]) >> 10
}

// took fails if the most memory that the process had is more than it was before and so many MB. Where races are looked
// for, it is a multiple of that.
func (g *gateway) took(t testing.TB, before, most int) {
	t.Helper()
	if raced {
		most *= 6
	}
	if took := g.peak() - before; took > most {
		t.Errorf("it took %d MB, and should take %d at most", took, most)
	}
}

// fetch is a client of its own, for one request.
func fetch(t testing.TB, r *http.Request) (*http.Response, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	response, err := client.Do(r.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("after %d bytes: %v", len(b), err)
	}
	return response, string(b)
}

// request makes one to a port; fields are name: value.
func request(t testing.TB, method string, port int, path, body string, fields ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, fmt.Sprintf("http://%s%s", address(port), path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// within fails if f takes longer than d.
func within(t testing.TB, what string, d time.Duration, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if passed := time.Since(began); passed > lenient(d) {
		t.Errorf("%s takes %v, want %v at most", what, passed, d)
	}
}
