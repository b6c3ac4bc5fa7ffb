package http_test

import (
	"bufio"
	"io"
	"net"
	nethttp "net/http"
	"strings"
	"testing"

	"gozilla/internal/gwtest"
	"gozilla/stream"
)

const relaying = `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: web }
  web: { type: http, kind: server, exit: out }
  out: { type: http, kind: client, exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: "${{env.SERVER}}" } }
`

// asking sends a request, or more, and gives the status of the answer, whose body is left.
func asking(t *testing.T, c net.Conn, text string) *nethttp.Response {
	t.Helper()
	gwtest.Send(t, c, text)
	r, err := nethttp.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// request reads one from a gateway.
func requestOf(t *testing.T, c net.Conn) *nethttp.Request {
	t.Helper()
	r, err := nethttp.ReadRequest(bufio.NewReader(c))
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, r.Body)
	return r
}

const upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: one, two\r\n\r\n"

// TestATunnelLeavesThePool so that others are not kept waiting for as long as it lives.
func TestATunnelLeavesThePool(t *testing.T) {
	s := gwtest.Listen(t, "127.0.0.1:0")
	g := gwtest.Start(t, relaying, gwtest.Env("SERVER", s.Port()), gwtest.Limits(func(l *stream.Limits) { l.Pool = 1 }))
	for range 2 {
		c := g.Dial("north")
		gwtest.Send(t, c, upgrade)
		b := s.Next()
		requestOf(t, b)
		gwtest.Send(t, b, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: two\r\n\r\nhello")
		r, err := nethttp.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || r.StatusCode != 101 || r.Header.Get("Upgrade") != "two" {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	c := g.Dial("north")
	gwtest.Send(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	b := s.Next()
	requestOf(t, b)
	gwtest.Send(t, b, "HTTP/1.1 204 No Content\r\n\r\n")
	gwtest.Receive(t, c, "HTTP/1.1 204 No Content\r\n")
}

func TestAnotherProtocol(t *testing.T) {
	for _, answer := range []string{"Connection: upgrade\r\nUpgrade: three\r\n", "Connection: upgrade\r\n", ""} {
		s := gwtest.Listen(t, "127.0.0.1:0")
		g := gwtest.Start(t, relaying, gwtest.Env("SERVER", s.Port()))
		c := g.Dial("north")
		gwtest.Send(t, c, upgrade)
		b := s.Next()
		requestOf(t, b)
		gwtest.Send(t, b, "HTTP/1.1 101 Switching Protocols\r\n"+answer+"\r\n")
		gwtest.Receive(t, c, "HTTP/1.1 502 Bad Gateway\r\n")
		g.Event("binding.http.server.failed")
	}
}

func TestBlankLines(t *testing.T) {
	g := gwtest.Start(t, strings.Replace(relaying, "exit: out", "exit: echo", 1)+"  echo: { type: echo, kind: server }\n", gwtest.Env("SERVER", "1"))
	c := g.Dial("north")
	if r := asking(t, c, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"); r.StatusCode != 200 {
		t.Errorf("after two empty lines: %s", r.Status)
	}
	if r := asking(t, c, strings.Repeat("\r\n", 9)); r.StatusCode != 400 {
		t.Errorf("after nine empty lines: %s", r.Status)
	}
}

func TestAmbiguous(t *testing.T) {
	g := gwtest.Start(t, `name: test
guards: { who: { type: inline } }
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: web }
  web:
    type: http
    kind: server
    options: { authorization: { who: { credentials: { headers: { authorization: "Bearer {credentials}" } } } } }
    routes:
      - when: [ { headers: { ":path": "/public/*" } } ]
        exit: echo
      - guarded: { who: [] }
        exit: echo
  echo: { type: echo, kind: server }
`)
	for _, test := range []struct {
		path, header string
		status       int
	}{
		{"/public/x", "", 200}, {"/public/x.y/..z/.../%2a%c3?/../%61", "", 200}, {"/secret", "", 401},
		{"/secret", "Authorization: Bearer me\r\n", 200},
		{"/public/../secret", "", 400}, {"/%73ecret", "", 400}, {"/public/%2E%2ex", "", 400}, {"/publi%63/x", "", 400}, {"/public/%2e%2E/secret", "", 400}, {"/public/..%2fsecret", "", 400}, {"/public/.", "", 400},
		{"/public/..%5Csecret", "", 400}, {"/public/..;x=y/secret", "", 400}, {`/public/..\secret`, "", 400},
		{"/secret", "Authorization: Bearer me\r\nAuthorization: Bearer you\r\n", 400},
		{"/public/x", "Origin: http://a\r\nOrigin: http://b\r\n", 400},
	} {
		if r := asking(t, g.Dial("north"), "GET "+test.path+" HTTP/1.1\r\nHost: a\r\n"+test.header+"\r\n"); r.StatusCode != test.status {
			t.Errorf("%s with %q: %s, not %d", test.path, test.header, r.Status, test.status)
		}
	}
}
