package echo_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gozilla/internal/gwtest"
)

const web = `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: http }
  http: { type: http, kind: server, exit: echo }
  echo: { type: echo, kind: server }
`

// answer reads the answer to a request of that method, and gives what it says.
func answer(t *testing.T, c net.Conn, in *bufio.Reader, method string) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(gwtest.Patience))
	resp, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	said := []string{resp.Status, resp.Header.Get("content-type"), resp.Header.Get("content-length"), string(body)}
	for name := range resp.Trailer {
		said = append(said, name+": "+resp.Trailer.Get(name))
	}
	return strings.Join(said, "|")
}

func TestWeb(t *testing.T) {
	g := gwtest.Start(t, web)
	c := g.Dial("north")
	in := bufio.NewReader(c)
	f := func(method, head, body, want string) {
		t.Helper()
		gwtest.Send(t, c, method+" / HTTP/1.1\r\nHost: a\r\n"+head+"\r\n"+body)
		if got := answer(t, c, in, method); got != want {
			t.Errorf("%s, %q, %q: %s, not %s", method, head, body, got, want)
		}
	}
	f("GET", "", "", "200 OK||0|")
	f("HEAD", "", "", "200 OK||0|")
	f("POST", "Content-Length: 0\r\nContent-Type: a/b\r\n", "", "200 OK||0|")
	f("POST", "Content-Length: 5\r\nContent-Type: a/b\r\n", "hello", "200 OK|a/b|5|hello")
	f("GET", "Content-Length: 5\r\n", "hello", "200 OK||5|hello")
	f("PUT", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", "200 OK|||hello")
	f("PUT", "Transfer-Encoding: chunked\r\n", "0\r\nx-sum: 1\r\n\r\n", "200 OK||||X-Sum: 1")
	f("PUT", "Content-Length: 200000\r\n", strings.Repeat("x", 200000), "200 OK||200000|"+strings.Repeat("x", 200000))
}

// TestWebStreams has pieces come back before the next one is sent.
func TestWebStreams(t *testing.T) {
	g := gwtest.Start(t, web)
	c := g.Dial("north")
	in := bufio.NewReader(c)
	gwtest.Send(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
	c.SetReadDeadline(time.Now().Add(gwtest.Patience))
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{"he", "llo", "world"} {
		gwtest.Send(t, c, piece)
		b := make([]byte, len(piece))
		if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != piece {
			t.Fatalf("%q, %v", b, err)
		}
	}
}

// TestWebContinue asks for a body that waits to be asked for.
func TestWebContinue(t *testing.T) {
	g := gwtest.Start(t, web)
	c := g.Dial("north")
	in := bufio.NewReader(c)
	gwtest.Send(t, c, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	c.SetReadDeadline(time.Now().Add(gwtest.Patience))
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
		if line, err := in.ReadString('\n'); err != nil || line != want {
			t.Fatalf("%q, %v", line, err)
		}
	}
	gwtest.Send(t, c, "hello")
	if got := answer(t, c, in, "POST"); got != "200 OK||5|hello" {
		t.Error(got)
	}
}

// TestWebConnect sends back what comes behind a CONNECT.
func TestWebConnect(t *testing.T) {
	g := gwtest.Start(t, web)
	c := g.Dial("north")
	in := bufio.NewReader(c)
	gwtest.Send(t, c, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")
	c.SetReadDeadline(time.Now().Add(gwtest.Patience))
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	gwtest.Send(t, c, "hello")
	b := make([]byte, 5)
	if _, err := io.ReadFull(in, b); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	c.CloseWrite()
	if rest, err := io.ReadAll(in); err != nil || len(rest) != 0 {
		t.Errorf("%q, %v", rest, err)
	}
}
