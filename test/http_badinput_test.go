//go:build linux

package test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fill is what a faulty server answers with, by the path that it is asked for.
var fill = map[string]string{
	"/garbage":        "no HTTP at all\r\n\r\n",
	"/version":        "HTTP/3.7 200 OK\r\n\r\n",
	"/status":         "HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n",
	"/lengths":        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
	"/both":           "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
	"/folded":         "HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 0\r\n\r\n",
	"/space":          "HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n",
	"/huge":           "HTTP/1.1 200 OK\r\n" + strings.Repeat("a: "+strings.Repeat("b", 1000)+"\r\n", 100) + "\r\n",
	"/nothing":        "",
	"/half-head":      "HTTP/1.1 200 OK\r\ncontent-le",
	"/short":          "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello",
	"/short-chunks":   "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
	"/bad-chunk":      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n",
	"/until-the-end":  "HTTP/1.1 200 OK\r\n\r\nhello",
	"/old":            "HTTP/1.0 200 OK\r\n\r\nhello",
	"/switch-unasked": "HTTP/1.1 101 Switching Protocols\r\nupgrade: mine\r\n\r\nhello",
}

// faultyServer answers as fill says and ends the connection, in order or not.
func faultyServer(t testing.TB, abort bool) int {
	t.Helper()
	port := freePort(t)
	serving(t, port, func(c *net.TCPConn) {
		defer c.Close()
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		io.Copy(io.Discard, r.Body)
		io.WriteString(c, fill[r.URL.Path])
		if abort {
			c.SetLinger(0)
		}
	})
	return port
}

// TestHTTPBadServers has servers that break the rules, or break off. Whoever asks is told so, or sees that what came is
// not whole.
func TestHTTPBadServers(t *testing.T) {
	port, rude := freePort(t), freePort(t)
	zilla := hosting(port, faultyServer(t, false), "exit: out")
	g := start(t, zilla, "--records")
	rudely := start(t, hosting(rude, faultyServer(t, true), "exit: out"), "--records")
	for _, c := range []struct {
		path   string
		status int    // 0: the response breaks off
		body   string // if it is whole
	}{
		{"/garbage", 502, ""}, {"/version", 502, ""}, {"/status", 502, ""}, {"/lengths", 502, ""},
		{"/huge", 502, ""}, {"/switch-unasked", 502, ""},
		{"/nothing", 503, ""}, {"/half-head", 503, ""},
		{"/short", 0, ""}, {"/short-chunks", 0, ""}, {"/bad-chunk", 0, ""},
		{"/until-the-end", 200, "hello"}, {"/old", 200, "hello"},
		{"/both", 200, ""}, {"/folded", 200, ""}, {"/space", 200, ""}, // of servers this is taken, and made right (RFC 9112)
	} {
		t.Run(c.path[1:], func(t *testing.T) {
			r := call(t, port).says("GET " + c.path + " HTTP/1.1\r\nHost: a\r\n\r\n")
			response, err := http.ReadResponse(r.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			switch {
			case c.status == 0 && err == nil && response.StatusCode < 500: // its head may not have left yet
				t.Errorf("half a response looks whole: %s, %q", response.Status, body)
			case c.status != 0 && (err != nil || response.StatusCode != c.status || string(body) != c.body):
				t.Errorf("%s, %q, %v, want %d", response.Status, body, err, c.status)
			}
			if made := map[string]string{"/both": "[] [chunked] []", "/folded": "[0] [] [b   c]", "/space": "[0] [] []"}[c.path]; made != "" {
				if got := fmt.Sprint(response.Header["Content-Length"], response.TransferEncoding, response.Header["A"]); got != made {
					t.Errorf("it is passed on as %s, want %s", got, made)
				}
			}
			if retry := response.Header.Get("Retry-After"); (c.status == 503) != (retry == "0") {
				t.Errorf("retry-after is %q", retry)
			}
			if c.status >= 500 { // it may ask something else
				r.says("GET /until-the-end HTTP/1.1\r\nHost: a\r\n\r\n")
				if _, body := r.hears("GET"); body != "hello" {
					t.Errorf("the next request gets %q", body)
				}
			}
			// The same, but that the server resets the connection behind it: what is whole by then may get lost.
			if c.status == 200 {
				return
			}
			r = call(t, rude).says("GET " + c.path + " HTTP/1.1\r\nHost: a\r\n\r\n")
			response, err = http.ReadResponse(r.r, nil)
			if err == nil {
				_, err = io.ReadAll(response.Body)
			}
			if err == nil && response.StatusCode < 500 {
				t.Errorf("with a reset it is %s", response.Status)
			}
		})
	}
	g.terminate()
	rudely.terminate()
}

// TestHTTPSlowServers has servers that do not answer, or stop.
func TestHTTPSlowServers(t *testing.T) {
	end, port := freePort(t), freePort(t)
	serving(t, end, func(c *net.TCPConn) {
		defer c.Close()
		r := bufio.NewReader(c)
		if request, err := http.ReadRequest(r); err == nil {
			if request.URL.Path == "/stops" {
				io.WriteString(c, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello")
			}
			io.Copy(io.Discard, r)
		}
	})
	g := start(t, hosting(port, end, "exit: out"), append(limit("answer", "2s"), append(limit("body", "300ms"), "--records")...)...)
	c := call(t, port)
	within(t, "504", 5*time.Second, func() { c.asks(plainGet, 504) })
	g.exchange(t, `http.status=504 .*by=server reason="no answer"`)
	c = call(t, port).says("GET /stops HTTP/1.1\r\nHost: a\r\n\r\n")
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r.Body); err == nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	g.exchange(t, `http.status=200 .*by=server reason="slow body"`)
	g.terminate()
}

// TestHTTPSlowClients has clients that are slow with what they say, or do not listen. They are cut in time, others served.
func TestHTTPSlowClients(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	big := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Write(make([]byte, 64<<20))
	})
	g := start(t, hosting(port, big.port, "routes: [ { when: [ { headers: { ':path': /echo } } ], exit: echo } ]\nexit: out"),
		append(limit("headtime", "2s"), append(limit("body", "2s"), append(limit("idle", "3s"), "--records")...)...)...)
	t.Run("clients", func(t *testing.T) {
		for _, c := range []struct{ name, says, status, record string }{
			{"head", "POST / HTTP/1.1\r\nHost: a\r\nX-", "408", `http.status=408 .*by=client reason="slow head"`},
			{"body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n", "408", `by=client reason="slow body"`},
			{"second half of a body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello", "408", `by=client reason="slow body"`},
			{"body that comes back", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello", "200", `by=client reason="slow body"`},
			{"chunk that comes back", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "200", `by=client reason="slow body"`},
			{"second request", "", "", ""},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				conn := call(t, port)
				if c.says == "" { // an idle connection ends without a word
					conn.asks("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200)
					if rest := conn.told(); rest != "" {
						t.Errorf("it is told %q", rest)
					}
					return
				}
				conn.says(c.says)
				var got []byte
				within(t, "the end", 5*time.Second, func() { got, _ = io.ReadAll(conn.r) })
				if c.status != "" && !bytes.HasPrefix(got, []byte("HTTP/1.1 "+c.status+" ")) || bytes.HasSuffix(got, []byte("0\r\n\r\n")) && c.status != "408" {
					t.Errorf("it is told %q", got)
				}
				g.exchange(t, c.record)
			})
		}
	})
	t.Run("reader", func(t *testing.T) {
		conn := call(t, port).says(plainGet)
		g.exchange(t, `http.method=GET .*by=gateway reason="slow reader"`)
		if n, err := io.Copy(io.Discard, conn); err == nil || n >= 64<<20 {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
	g.terminate()
}

// TestHTTPWrongLengths has clients that say less or more than they have announced.
func TestHTTPWrongLengths(t *testing.T) {
	seen := make(chan error, 10)
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		seen <- err
		io.WriteString(w, "ok")
	})
	port := freePort(t)
	g := start(t, hosting(port, b.port, "exit: out"), "--records")
	for _, says := range []string{"Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"} {
		for _, end := range []func(*caller){func(c *caller) { c.CloseWrite() }, func(c *caller) { reset(c.TCPConn) }} {
			c := call(t, port).says("POST / HTTP/1.1\r\nHost: a\r\n" + says)
			end(c)
			if err := <-seen; err == nil {
				t.Errorf("%q looks whole to the server", says)
			}
			if got, _ := io.ReadAll(c.r); bytes.Contains(got, []byte(" 200 ")) {
				t.Errorf("%q is answered by %q", says, got)
			}
		}
	}
	// What is too much is another request, and no good one.
	c := call(t, port)
	c.asks("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello, world\r\n\r\n", 200)
	if rest := c.told(); !strings.HasPrefix(rest, "HTTP/1.1 400 ") || !strings.Contains(rest, "connection: close\r\n") {
		t.Errorf("then it is told %q", rest)
	}
	if err := <-seen; err != nil {
		t.Error(err)
	}
	g.terminate()
}

// A server may answer without having seen the body. The answer gets to who still sends.
func TestHTTPEarlyAnswer(t *testing.T) {
	end, port := freePort(t), freePort(t)
	serving(t, end, func(c *net.TCPConn) {
		r := bufio.NewReader(c)
		if _, err := http.ReadRequest(r); err == nil {
			io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nno!")
			c.CloseWrite()
			io.Copy(io.Discard, r)
		}
		c.Close()
	})
	g := start(t, hosting(port, end, "exit: out"), "--records")
	c := call(t, port).says("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
	go func() { // ends with the connection
		for b := make([]byte, 1<<16); ; {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}()
	if r, body := c.hears("POST"); r.StatusCode != 413 || body != "no!" {
		t.Errorf("%s, %q", r.Status, body)
	}
	c.Close()
	g.terminate()
}

// TestHTTPHugeHead has a client whose head does not end. It is told so soon, and costs no memory.
func TestHTTPHugeHead(t *testing.T) {
	port := freePort(t)
	g := start(t, hosting(port, 1, "exit: echo"), "--records")
	call(t, port).asks("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200)
	before := g.peak()
	for _, c := range []struct{ name, begin, more, status string }{
		{"lines", "GET / HTTP/1.1\r\nHost: a\r\n", "X-Filler: " + strings.Repeat("x", 1000) + "\r\n", "431"},
		{"one line", "GET / HTTP/1.1\r\nHost: a\r\nX: ", strings.Repeat("x", 1000), "431"},
		{"target", "GET /", strings.Repeat("x", 1000), "414"},
		{"trailer", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-Filler: " + strings.Repeat("x", 1000) + "\r\n", ""},
		{"chunk extension", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;", "a=" + strings.Repeat("x", 1000) + ";", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := call(t, port)
			sent := len(c.begin)
			answer := make(chan []byte, 1)
			go func() { b, _ := io.ReadAll(conn.r); answer <- b }() // ends with the connection
			io.WriteString(conn, c.begin)
			more := strings.Repeat(c.more, 64)
			for sent < 1<<30 {
				n, err := io.WriteString(conn, more)
				if sent += n; err != nil {
					break
				}
			}
			conn.Close()
			if sent >= 1<<30 {
				t.Error("it has taken a gigabyte")
			}
			got := <-answer
			// The answer may get lost by what was sent after it.
			if c.status != "" && len(got) > 0 && !bytes.HasPrefix(got, []byte("HTTP/1.1 "+c.status+" ")) {
				t.Errorf("it is told %q", got)
			}
			if c.status != "" {
				g.exchange(t, "http.status="+c.status+" ")
			}
		})
	}
	g.took(t, before, 20)
	// Who says no more than is too much, is told so for certain.
	for head, status := range map[string]int{"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 70000) + "\r\n\r\n": 431, "GET /" + strings.Repeat("x", 70000) + " HTTP/1.1\r\nHost: a\r\n\r\n": 414} {
		c := call(t, port)
		c.asks(head, status)
		c.told()
	}
	g.terminate()
}

// TestHTTPPipelined has a client who does not wait: neither between requests, nor with reading.
func TestHTTPPipelined(t *testing.T) {
	const requests = 100_000
	port := freePort(t)
	g := start(t, hosting(port, 1, "exit: echo"))
	c := call(t, port)
	go func() { // ends with the connection
		w := bufio.NewWriterSize(c, 1<<16)
		for i := range requests {
			body := strconv.Itoa(i)
			fmt.Fprintf(w, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		}
		w.Flush()
	}()
	for i := range requests {
		if status, body := c.hearsShort(); status != "HTTP/1.1 200 OK\r\n" || body != strconv.Itoa(i) {
			t.Fatalf("request %d gets %q, %q", i, status, body)
		}
	}
	g.took(t, 0, 100)
	g.terminate()
}

// hearsShort reads a response that has a length, and fast.
func (c *caller) hearsShort() (status, body string) {
	c.t.Helper()
	length := 0
	for n := 0; ; n++ {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			c.t.Fatalf("after %q: %v", status, err)
		}
		if n == 0 {
			status = string(line)
		} else if value, ok := bytes.CutPrefix(line, []byte("content-length: ")); ok {
			length = atoi(c.t, string(bytes.TrimSpace(value)))
		} else if len(line) == 2 {
			break
		}
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(c.r, b); err != nil {
		c.t.Fatal(err)
	}
	return status, string(b)
}

// TestHTTPSmuggling sends what has made two parties disagree to a gateway in front of nginx. Nobody gets more answers than
// requests, and connections of others are not harmed.
func TestHTTPSmuggling(t *testing.T) {
	end, port := freePort(t), freePort(t)
	nginx(t, fmt.Sprintf("http { access_log off; server { listen 127.0.0.1:%d; location / { return 200 $request_uri; } location /admin { return 200 secret; } } }", end), end)
	g := start(t, hosting(port, end, `options: { versions: [ http/1.1 ] }
routes: [ { when: [ { headers: { ":path": /admin* } } ], exit: echo } ]
exit: out`), append(limit("body", "2s"), limit("headtime", "2s")...)...)
	healthy := call(t, port)
	ask := func() {
		t.Helper()
		if r, body := healthy.says("GET /healthy HTTP/1.1\r\nHost: a\r\n\r\n").hears("GET"); r.StatusCode != 200 || body != "/healthy" {
			t.Fatalf("a healthy connection gets %s, %q", r.Status, body)
		}
	}
	n, refused := 0, 0
	for _, s := range smuggling(t) {
		if !s.bad && len(s.text) > 60000 {
			continue
		}
		ask()
		c := call(t, port).says(s.text)
		c.CloseWrite()
		b, err := io.ReadAll(c.r)
		c.Close()
		if errors.Is(err, syscall.ECONNRESET) && len(b) == 0 && !s.bad {
			err = nil // it was cut in the middle
		}
		n++
		if bytes.Contains(b, []byte("secret")) {
			t.Errorf("%s gets to where it must not: %q", s.name, b)
		}
		if s.bad {
			refused++
			// It may follow a good one.
			last := b[max(bytes.LastIndex(b, []byte("HTTP/1.1 ")), 0):]
			if !regexp.MustCompile(`\AHTTP/1\.1 (4..|50[15]) `).Match(last) || !bytes.Contains(last, []byte("connection: close\r\n")) || err != nil {
				t.Errorf("%s: %q is answered by %q, %v", s.name, s.text, b, err)
			}
		}
		ask()
	}
	if n < 50 || refused < 40 {
		t.Errorf("there were only %d samples, %d of them bad", n, refused)
	}
	g.terminate()
}

type smuggled struct {
	name, text string
	bad        bool // the verdict is a status
}

// smuggling are the samples of the codec.
func smuggling(t testing.TB) (all []smuggled) {
	t.Helper()
	var s smuggled
	for _, line := range strings.Split(string(mustRead(t, filepath.Join("..", "wire", "http1", "testdata", "smuggling.txt"))), "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
			s.name = strings.TrimPrefix(line, "# ")
		case strings.HasPrefix(line, `"`):
			text, err := strconv.Unquote(line)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			s.text += text
		case strings.HasPrefix(line, "\t"):
			verdict := strings.Fields(line)
			_, err := strconv.Atoi(verdict[0])
			s.bad = err == nil
			all = append(all, s)
			s = smuggled{}
		}
	}
	return all
}
