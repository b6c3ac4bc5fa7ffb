package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	coder "github.com/coder/websocket"
	"golang.org/x/net/http2"
)

// switching is a server of HTTP/1.1 that goes on in another protocol, in which all that comes goes back.
func switching(t testing.TB) (port int) {
	t.Helper()
	port = freePort(t)
	serving(t, port, func(c *net.TCPConn) {
		defer c.Close()
		r := bufio.NewReader(c)
		for {
			request, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if request.Header.Get("Upgrade") == "" || request.URL.Path == "/refused" {
				io.Copy(io.Discard, request.Body)
				io.WriteString(c, "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno")
				continue
			}
			fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: %s\r\nsec-websocket-protocol: mine\r\n\r\n%s %s %s\n", request.Header.Get("Upgrade"),
				request.Method, request.URL.Path, request.Header.Get("Sec-Websocket-Version"))
			io.Copy(c, r)
			return
		}
	})
	return port
}

// TestHTTP2WebSocket has a client of HTTP/2 begin websockets, by CONNECT (RFC 8441), to a server of HTTP/1.1.
func TestHTTP2WebSocket(t *testing.T) {
	port := freePort(t)
	g := h2Gateway(t, port, setting{server: "exit: out", client: speaks("http/1.1"), end: switching(t)})
	k := speaking(t, port)
	s := k.await("SETTINGS", func(h heard) bool { return h.Type == http2.FrameSettings && !h.Flags.Has(http2.FlagSettingsAck) })
	if s.settings[http2.SettingEnableConnectProtocol] != 1 {
		t.Fatalf("the gateway does not say that it takes websockets: %v", s.settings)
	}
	begins := func(path string, more ...string) []string {
		return append([]string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", "a", ":path", path, "sec-websocket-version", "13",
			"sec-websocket-protocol", "mine, other", "origin", "http://a"}, more...)
	}
	piece := func(stream uint32, want string) (ended bool) {
		t.Helper()
		got := ""
		for len(got) < len(want) {
			h := k.await("DATA", of(stream))
			if h.Type != http2.FrameData {
				t.Fatalf("%v", h)
			}
			got, ended = got+string(h.data), h.ends()
		}
		if got != want {
			t.Errorf("%q comes back, want %q", got, want)
		}
		return ended
	}
	for i := range 3 { // several at a time
		stream := uint32(2*i + 1)
		k.asks(stream, false, begins("/chat")...)
		if h := k.await("answer", of(stream)); h.field(":status") != "200" || h.ends() || h.field("sec-websocket-protocol") != "mine" || h.field("upgrade") != "" || h.field("connection") != "" {
			t.Fatalf("%v", h)
		}
		piece(stream, "GET /chat 13\n")
	}
	for i := range 10 {
		for _, stream := range []uint32{1, 3, 5} {
			said := strings.Repeat(fmt.Sprint(stream, i), 100)
			k.data(stream, false, []byte(said))
			piece(stream, said)
		}
	}
	k.data(1, true, []byte("bye"))
	for ended := piece(1, "bye"); !ended; {
		h := k.await("end", of(1))
		ended = h.ends() || h.Type == http2.FrameRSTStream
	}
	k.say(func() error { return k.fr.WriteRSTStream(3, http2.ErrCodeCancel) })
	k.data(5, false, []byte("still there"))
	piece(5, "still there")
	if a := k.has(7, "403", begins("/refused")...); a.body != "no" {
		t.Errorf("who is refused is told %q", a.body)
	}
	// Without :scheme and :path it is no such request; :protocol is for CONNECT only.
	for i, fields := range [][]string{
		{":method", "CONNECT", ":protocol", "websocket", ":authority", "a"}, get("/", ":protocol", "websocket"),
	} {
		k.asks(uint32(9+2*i), true, fields...)
		if a := k.hears(uint32(9 + 2*i)); a.code != http2.ErrCodeProtocol && a.status != "400" {
			t.Errorf("%q gets %q, %v", fields, a.status, a.code)
		}
	}
	k.alive()
	k.conn.Close() // a stream is open still
	g.terminate()
}

// TestWebSocketBesideHTTP2 goes to a server that agrees on HTTP/2 and takes no websockets there, as nginx: they go by HTTP/1.1,
// with the bindings for messages in between or without, and all else by HTTP/2.
func TestWebSocketBesideHTTP2(t *testing.T) {
	s := newStage(t)
	end, port := freePort(t), freePort(t)
	nginx(t, fmt.Sprintf(`http {
    access_log off;
    server {
        listen 127.0.0.1:%d ssl http2;
        ssl_certificate %s;
        ssl_certificate_key %s;
        location / { return 200 $server_protocol; }
        location /chat {
            proxy_pass http://127.0.0.1:%d;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
        }
    }
}
`, end, s.path("localhost.crt"), s.path("localhost.key"), coderServer(t, coder.CompressionDisabled)), end)
	g := s.gateway(t, fmt.Sprintf(`name: example
vaults: { safe: { type: filesystem, options: { trust: { store: ca.crt, type: pem } } } }
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: in }
  in:
    type: http
    kind: server
    routes:
      - { when: [ { headers: { ":path": /chat/messages } } ], exit: messages }
    exit: out
  messages: { type: ws, kind: server, options: { compression: none }, exit: sought }
  sought: { type: ws, kind: client, options: { compression: none }, exit: out }
  out: { type: http, kind: client, exit: secure }
  secure: { type: tls, kind: client, vault: safe, options: { sni: [ localhost ], alpn: [ h2, http/1.1 ] }, exit: south }
`, port)+to(end))
	plain := func() {
		t.Helper()
		if status, body := asked(t, "GET", port, "/", ""); status != 200 || body != "HTTP/2.0" {
			t.Errorf("got %d, %q", status, body)
		}
	}
	for range 2 {
		for _, path := range []string{"/chat", "/chat/messages"} {
			coderTalks(t, fmt.Sprintf("ws://127.0.0.1:%d%s", port, path), nil)
			plain()
		}
	}
	g.terminate()
	if events := g.events(); len(events) > 0 {
		t.Errorf("events: %q", events)
	}
}
