package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

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
