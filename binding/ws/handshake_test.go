package ws_test

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"gozilla/internal/gwtest"
	"gozilla/stream/web"
	"gozilla/telemetry"
)

// routed is a gateway whose ws server has a route for each condition.
const routed = `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: http }
  http: { type: http, kind: server, exit: ws }
  ws:
    type: ws
    kind: server
    routes:
      - { when: [ { protocol: mqtt, path: "/mqtt*" } ], exit: echo }
      - { when: [ { protocol: "chat.v*" }, { protocol: talk } ], exit: echo }
      - { when: [ { protocol: soap, authority: "b.*" } ], exit: echo }
      - { when: [ { scheme: https } ], exit: echo }
      - { when: [ { path: "/search?q=*" } ], exit: echo }
      - { when: [ { path: /gone } ], exit: gone }
      - { when: [ { path: /far } ], exit: far }
      - { when: [ { path: / } ], exit: echo }
  echo: { type: echo, kind: server }
  gone: { type: tcp, kind: client, options: { host: 127.0.0.1, port: "${{env.CLOSED}}" } }
  far: { type: ws, kind: client, exit: web }
  web: { type: http, kind: client, exit: gone }
`

// TestHandshake is requests for a WebSocket, each a good one in which something is replaced, and the answers.
func TestHandshake(t *testing.T) {
	g := gwtest.Start(t, routed, gwtest.Env("CLOSED", gwtest.ClosedPort(t)))
	good := handshake("/", "Origin: http://a")
	for _, c := range []struct {
		name, old, new string
		status         int
		field, value   string // of the answer
	}{
		{"a good one", "", "", 101, "Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
		{"with cookies", "Origin: http://a", "Cookie: a=b\r\nCookie: c=d", 101, "Set-Cookie", ""},
		{"names and values in other letters", "Connection: Upgrade\r\nUpgrade: websocket", "CONNECTION: uPGRADE\r\nupGRADE: WebSOCKET", 101, "Upgrade", "websocket"},
		{"names of fields in other letters", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key", "SEC-websocket-VERSION: 13\r\nsec-websocket-key", 101, "", ""},
		{"Connection with more", "Connection: Upgrade", "Connection: keep-alive, Upgrade", 101, "Connection", "upgrade"},
		{"Connection on two lines", "Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade", 101, "", ""},
		{"Upgrade with more", "Upgrade: websocket", "Upgrade: h3, websocket", 101, "Upgrade", "websocket"},
		{"no Connection", "Connection: Upgrade\r\n", "", 400, "", ""},
		{"another Connection", "Connection: Upgrade", "Connection: keep-alive", 400, "", ""},
		{"no Upgrade", "Upgrade: websocket\r\n", "", 400, "", ""},
		{"an empty Upgrade", "Upgrade: websocket", "Upgrade:", 400, "", ""},
		{"another Upgrade", "Upgrade: websocket", "Upgrade: h3", 400, "", ""},
		{"one that begins alike", "Upgrade: websocket", "Upgrade: websocket2", 400, "", ""},
		{"no Host", "Host: a\r\n", "", 400, "", ""},
		{"two Hosts", "Host: a", "Host: a\r\nHost: b", 400, "", ""},
		{"no version", "Sec-WebSocket-Version: 13\r\n", "", 426, "Sec-WebSocket-Version", "13"},
		{"version 8", "Version: 13", "Version: 8", 426, "Sec-WebSocket-Version", "13"},
		{"version 14", "Version: 13", "Version: 14", 426, "Sec-WebSocket-Version", "13"},
		{"version 013", "Version: 13", "Version: 013", 426, "Sec-WebSocket-Version", "13"},
		{"two versions", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8", 400, "", ""},
		{"the version twice", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13", 400, "", ""},
		{"two keys", "Sec-WebSocket-Key: ", "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\nSec-WebSocket-Key: ", 400, "", ""},
		{"the key twice", "Sec-WebSocket-Key: ", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: ", 400, "", ""},
		{"no key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400, "", ""},
		{"an empty key", "dGhlIHNhbXBsZSBub25jZQ==", "", 400, "", ""},
		{"a key of 15 bytes", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", 400, "", ""},
		{"a key of 18 bytes", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZXh4", 400, "", ""},
		{"a key that is no base64", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j!Q==", 400, "", ""},
		{"a key without its end", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", 400, "", ""},
		{"POST", "GET", "POST", 400, "", ""},
		{"HEAD", "GET", "HEAD", 400, "", ""},
		{"HTTP/1.0", "HTTP/1.1", "HTTP/1.0", 400, "", ""},
		{"with a body", "Origin: http://a", "Content-Length: 2", 400, "", ""},
		{"a protocol that is none", "Origin: http://a", "Sec-WebSocket-Protocol: a b", 400, "", ""},
		{"an empty protocol", "Origin: http://a", "Sec-WebSocket-Protocol: ,", 101, "Sec-WebSocket-Protocol", ""},
		{"an extension", "Origin: http://a", "Sec-WebSocket-Extensions: permessage-deflate", 101, "Sec-WebSocket-Extensions", ""},
		{"an extension nobody knows", "Origin: http://a", "Sec-WebSocket-Extensions: x-zip; level=9", 101, "Sec-WebSocket-Extensions", ""},
		{"extensions nobody knows, with empty ones", "Origin: http://a", "Sec-WebSocket-Extensions: , x-zip;a=\"b\" ; c ,, y,", 101, "Sec-WebSocket-Extensions", ""},
		{"empty extensions", "Origin: http://a", "Sec-WebSocket-Extensions:", 101, "Sec-WebSocket-Extensions", ""},
		{"extensions that are none", "Origin: http://a", "Sec-WebSocket-Extensions: ;;;", 400, "", ""},
		{"an extension without an end", "Origin: http://a", "Sec-WebSocket-Extensions: permessage-deflate;", 400, "", ""},
		{"extensions that are none on a second line", "Origin: http://a", "Sec-WebSocket-Extensions: x-zip\r\nSec-WebSocket-Extensions: a b", 400, "", ""},
		{"no route", "GET /", "GET /nowhere", 404, "", ""},
		{"a server that cannot be reached", "GET /", "GET /gone", 503, "", ""},
		{"a server that cannot be reached by a client", "GET /", "GET /far", 503, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := g.Dial("north")
			gwtest.Send(t, conn, strings.Replace(good, c.old, c.new, 1))
			if c.field == "" || c.status != 101 {
				gwtest.Send(t, conn, "xx") // a body, which is not looked at
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != c.status || c.field != "" && resp.Header.Get(c.field) != c.value {
				t.Errorf("%s, %q", resp.Status, resp.Header)
			}
			if resp.StatusCode != 101 && resp.Header.Get("Sec-WebSocket-Accept") != "" {
				t.Error("refused, and accepted")
			}
		})
	}
}

// TestRoutes is which route a socket takes, and which protocol is spoken then.
func TestRoutes(t *testing.T) {
	g := gwtest.Start(t, routed, gwtest.Env("CLOSED", gwtest.ClosedPort(t)))
	for _, c := range []struct{ path, host, offers, route, speaks string }{
		{"/", "a", "", "routes[7]", ""},
		{"/", "a", "mqtt", "routes[7]", "mqtt"},
		{"/mqtt", "a", "mqtt", "routes[0]", "mqtt"},
		{"/mqtt?x=1", "a", "mqtt", "routes[0]", "mqtt"},
		{"/mqtt", "a", "mqttv3, mqtt", "routes[0]", "mqtt"},
		{"/mqtt", "a", "chat.v2, mqtt", "routes[0]", "mqtt"}, // the first route, not the first protocol
		{"/", "a", "other, chat.v2, chat.v1, mqtt", "routes[1]", "chat.v2"},
		{"/", "a", "talk", "routes[1]", "talk"},
		{"/", "a", "talk, chat.v3", "routes[1]", "talk"},
		{"/", "a", "TALK", "routes[7]", "TALK"},
		{"/", "b.example", "soap", "routes[2]", "soap"},
		{"/", "a", "soap", "routes[7]", "soap"},
		{"/search?q=x", "a", "", "routes[4]", ""},
		{"/search?q=x", "a", "a, b", "routes[4]", "a"},
		{"/search?q=", "a", "", "routes[4]", ""},
		{"/mqtt", "a", "", "", ""},
		{"/mqtt", "a", "MQTT", "", ""},
		{"/search", "a", "", "", ""},
	} {
		t.Run(c.path+" "+c.host+" "+c.offers, func(t *testing.T) {
			conn := g.Dial("north")
			var fields []string
			for p := range strings.SplitSeq(c.offers, ", ") {
				if p != "" {
					fields = append(fields, "Sec-WebSocket-Protocol: "+p)
				}
			}
			gwtest.Send(t, conn, strings.Replace(handshake(c.path, fields...), "Host: a", "Host: "+c.host, 1))
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if opened := resp.StatusCode == 101; opened != (c.route != "") || resp.Header.Get("Sec-WebSocket-Protocol") != c.speaks || !opened && resp.StatusCode != 404 {
				t.Errorf("%s, %q", resp.Status, resp.Header)
			}
			conn.Close()
			r := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Path == c.path })
			if got := r.Path[1].Route; got != c.route {
				t.Errorf("it took %s, not %s", got, c.route)
			}
		})
	}
}

// TestHandshakeOfServers is what a server answers to the gateway's client, a good answer in which something is replaced, and the status
// that the gateway's own client gets.
func TestHandshakeOfServers(t *testing.T) {
	back := gwtest.Listen(t, "")
	g := gwtest.Start(t, leading, gwtest.Env("BACK", back.Port()))
	const agreed = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover"
	for _, c := range []struct {
		name, old, new string
		status         int
		deflate        bool
	}{
		{name: "a good one", status: 101},
		{"names and values in other letters", "Connection: Upgrade\r\nUpgrade: websocket", "connection: UPGRADE\r\nUPGRADE: WebSocket", 101, false},
		{"no Connection", "Connection: Upgrade\r\n", "", 502, false},
		{"another Connection", "Connection: Upgrade", "Connection: keep-alive", 502, false},
		{"no Upgrade", "Upgrade: websocket\r\n", "", 502, false},
		{"another Upgrade", "Upgrade: websocket", "Upgrade: h3", 502, false},
		{"no accept", "Sec-WebSocket-Accept: ", "X: ", 502, false},
		{"a wrong accept", "Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x", 502, false},
		{"the accept twice", "Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Accept: ", 502, false},
		{"the accept twice, the right one first", "\r\n\r\n", "\r\nSec-WebSocket-Accept: x\r\n\r\n", 502, false},
		{"a protocol that was offered", "\r\n\r\n", "\r\nSec-WebSocket-Protocol: two\r\n\r\n", 101, false},
		{"a protocol that was not", "\r\n\r\n", "\r\nSec-WebSocket-Protocol: three\r\n\r\n", 502, false},
		{"a protocol in other letters", "\r\n\r\n", "\r\nSec-WebSocket-Protocol: Two\r\n\r\n", 502, false},
		{"two protocols", "\r\n\r\n", "\r\nSec-WebSocket-Protocol: one, two\r\n\r\n", 502, false},
		{"an extension that was not offered", "\r\n\r\n", "\r\n" + agreed + "\r\n\r\n", 502, false},
		{"an extension nobody knows", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: x-zip\r\n\r\n", 502, true},
		{"the extension that was offered", "\r\n\r\n", "\r\n" + agreed + "\r\n\r\n", 101, true},
		{"not the extension that was offered", "", "", 101, true},
		{"the extension, all terms", "\r\n\r\n", "\r\n" + agreed + "; client_no_context_takeover; server_max_window_bits=10\r\n\r\n", 101, true},
		{"the extension, terms in another order", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n\r\n", 101, true},
		{"the extension, with takeover", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 502, true},
		{"the extension, a window for the client", "\r\n\r\n", "\r\n" + agreed + "; client_max_window_bits=10\r\n\r\n", 502, true},
		{"the extension, a term nobody knows", "\r\n\r\n", "\r\n" + agreed + "; x=1\r\n\r\n", 502, true},
		{"the extension twice", "\r\n\r\n", "\r\n" + agreed + ", permessage-deflate; server_no_context_takeover\r\n\r\n", 502, true},
		{"200", "101 Switching Protocols", "200 OK\r\nContent-Length: 0", 502, false},
		{"302", "101 Switching Protocols", "302 Found\r\nContent-Length: 0", 502, false},
		{"400", "101 Switching Protocols", "400 Bad Request\r\nContent-Length: 0", 400, false},
		{"401", "101 Switching Protocols", "401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0", 401, false},
		{"403", "101 Switching Protocols", "403 Forbidden\r\nContent-Length: 0", 403, false},
		{"404", "101 Switching Protocols", "404 Not Found\r\nContent-Length: 0", 404, false},
		{"407", "101 Switching Protocols", "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0", 407, false},
		{"426", "101 Switching Protocols", "426 Upgrade Required\r\nContent-Length: 0", 502, false},
		{"429", "101 Switching Protocols", "429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0", 429, false},
		{"500", "101 Switching Protocols", "500 Internal Server Error\r\nContent-Length: 0", 502, false},
		{"503", "101 Switching Protocols", "503 Service Unavailable\r\nContent-Length: 0", 503, false},
		{"504", "101 Switching Protocols", "504 Gateway Timeout\r\nContent-Length: 0", 504, false},
		{"no HTTP", "HTTP/1.1", "SSH/2.0", 502, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := map[bool]string{false: "/plain", true: "/deflate"}[c.deflate]
			told := len(g.Events("binding.ws.server.rejected"))
			conn := g.Dial("north")
			asks(t, conn, path, "Sec-WebSocket-Protocol: one, two")
			far := back.Next()
			r, err := http.ReadRequest(bufio.NewReader(far))
			if err != nil {
				t.Fatal(err)
			}
			if offer := r.Header.Get("Sec-WebSocket-Extensions"); (offer != "") != c.deflate {
				t.Errorf("it offers %q", offer)
			}
			good := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + web.AcceptKey(r.Header.Get("Sec-WebSocket-Key")) + "\r\n\r\n"
			gwtest.Send(t, far, strings.Replace(good, c.old, c.new, 1))
			far.CloseWrite()
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != c.status || (c.status == 401) != (resp.Header.Get("WWW-Authenticate") == "Bearer") || (c.status == 407) != (resp.Header.Get("Proxy-Authenticate") == "Basic") || (c.status == 429) != (resp.Header.Get("Retry-After") == "7") && c.status != 503 {
				t.Errorf("%s, %q", resp.Status, resp.Header)
			}
			broken := c.status == 502 && (strings.Contains(c.name, "accept") || strings.Contains(c.name, "protocol") || strings.Contains(c.name, "extension"))
			if all := g.Events("binding.ws.server.rejected"); (len(all) > told) != broken {
				t.Errorf("there are these events: %v", all)
			}
			if want := map[bool]string{true: "two"}[strings.Contains(c.name, "was offered") && strings.Contains(c.name, "protocol")]; resp.Header.Get("Sec-WebSocket-Protocol") != want {
				t.Errorf("the protocol is %q", resp.Header.Get("Sec-WebSocket-Protocol"))
			}
		})
	}
}

// TestOffers is what clients offer of permessage-deflate, in one line or several, and what they get, or the status.
func TestOffers(t *testing.T) {
	g := gwtest.Start(t, echoing)
	const agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for i, c := range []struct{ offers, want string }{
		{"permessage-deflate", agreed},
		{"Permessage-Deflate", ""},
		{"permessage-deflate; client_max_window_bits", agreed},
		{"permessage-deflate; client_max_window_bits=10", agreed},
		{"permessage-deflate; client_max_window_bits=\"10\"", agreed},
		{"permessage-deflate; client_max_window_bits=7", ""},
		{"permessage-deflate; server_max_window_bits=10", ""},
		{"permessage-deflate; server_max_window_bits=15", agreed + "; server_max_window_bits=15"},
		{"permessage-deflate; server_max_window_bits=16", ""},
		{"permessage-deflate; server_max_window_bits", ""},
		{"permessage-deflate; server_no_context_takeover; client_no_context_takeover", agreed},
		{"permessage-deflate; server_no_context_takeover=1", ""},
		{"permessage-deflate; server_no_context_takeover; server_no_context_takeover", ""},
		{"permessage-deflate; x", ""},
		{"permessage-deflate; server_max_window_bits=10, permessage-deflate", agreed},
		{"x-zip, permessage-deflate", agreed},
		{"x-zip\npermessage-deflate; server_max_window_bits=9\npermessage-deflate; client_max_window_bits", agreed},
		{"permessage-deflate;", "400"},
		{"permessage-deflate x", "400"},
		{"permessage-deflate\n;;;", "400"},
		{"x-webkit-deflate-frame", ""},
	} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			conn := g.Dial("north")
			asks(t, conn, "/", "Sec-WebSocket-Extensions: "+strings.ReplaceAll(c.offers, "\n", "\r\nSec-WebSocket-Extensions: "))
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Header.Get("Sec-WebSocket-Extensions"); (resp.StatusCode != 101 || got != c.want) && strconv.Itoa(resp.StatusCode) != c.want {
				t.Errorf("%q: %s, %q", c.offers, resp.Status, got)
			}
		})
	}
}

// TestNameOverHTTP2 is a client of HTTP/2 that writes the name of the protocol in letters of its own.
func TestNameOverHTTP2(t *testing.T) {
	p := asksH2(t, gwtest.Start(t, echoing), "WebSocket", "/", false)
	p.say(0, frame{op: text, data: "hello"})
	p.wants(int(text), "hello")
	p.say(0, frame{op: bye, data: closing(1000, "")})
	p.leaves(1000)
}
