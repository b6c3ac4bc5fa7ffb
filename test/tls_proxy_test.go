//go:build linux

package test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gozilla/internal/certs"
)

// passing is a configuration of a tcp server and a tls proxy, with tcp clients as its exits.
func passing(port int, tls string, ends map[string]int) string {
	var text strings.Builder
	fmt.Fprintf(&text, `name: example
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: pass }
  pass:
    type: tls
    kind: proxy
    %s
`, port, strings.ReplaceAll(strings.TrimSpace(tls), "\n", "\n    "))
	for _, name := range slices.Sorted(maps.Keys(ends)) {
		fmt.Fprintf(&text, "  %s: { type: tcp, kind: client, options: { host: 127.0.0.1, port: %d } }\n", name, ends[name])
	}
	return text.String()
}

// echoingTLS is a server that secures what comes to it, and sends it back.
func echoingTLS(t testing.TB, p *certs.Pair) (port int) {
	t.Helper()
	port = freePort(t)
	config := &tls.Config{Certificates: []tls.Certificate{p.TLS()}}
	serving(t, port, func(c *net.TCPConn) {
		secured := tls.Server(c, config)
		io.Copy(secured, secured)
		secured.Close()
	})
	return port
}

// A splitter sends what is written first in pieces, each in a record of its own.
type splitter struct {
	net.Conn
	piece int
	done  bool
}

func (s *splitter) Write(p []byte) (int, error) {
	if s.done {
		return s.Conn.Write(p)
	}
	s.done = true
	var b []byte
	for rest := p; len(rest) > 0; { // it may be of several records
		n := int(rest[3])<<8 | int(rest[4])
		for body := rest[5 : 5+n]; len(body) > 0; {
			piece := body[:min(len(body), s.piece)]
			b = append(append16(append(b, rest[:3]...), uint16(len(piece))), piece...)
			body = body[len(piece):]
		}
		rest = rest[5+n:]
	}
	if _, err := s.Conn.Write(b); err != nil {
		return 0, err
	}
	return len(p), nil
}

// TestTLSProxy has clients whose hellos come in any shape. They are routed by what these say.
func TestTLSProxy(t *testing.T) {
	s := newStage(t)
	pair := func(name string) *certs.Pair {
		return issue(t, s.ca, certs.Request{CommonName: name, DNS: []string{"one.example", "two.example", "three.example", "localhost"}})
	}
	ends := map[string]int{"one": echoingTLS(t, pair("one")), "two": echoingTLS(t, pair("two")), "alpn": echoingTLS(t, pair("alpn")), "rest": echoingTLS(t, pair("rest"))}
	port := freePort(t)
	g := s.gateway(t, passing(port, `
routes:
  - { when: [ { authority: One.Example } ], exit: one }
  - { when: [ { alpn: special } ], exit: alpn }
  - { when: [ { authority: "*.example" } ], exit: two }
exit: rest
`, ends), "--diagnostics-directory=diagnostics")
	many := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("%0250d", i))
		}
		return all
	}
	plain := func(c net.Conn) net.Conn { return c }
	split := func(n int) func(net.Conn) net.Conn {
		return func(c net.Conn) net.Conn { return &splitter{Conn: c, piece: n} }
	}
	bytes := func(c net.Conn) net.Conn { c.(*net.TCPConn).SetNoDelay(true); return bytewise{c} }
	n := 0
	for _, c := range []struct {
		name, ask string
		protocols []string
		wrap      func(net.Conn) net.Conn
		want      string
	}{
		{"name", "one.example", nil, plain, "one"},
		{"name in any case", "ONE.eXample", nil, plain, "one"},
		{"wildcard", "two.EXAMPLE", nil, plain, "two"},
		{"protocol", "two.example", []string{"h2", "special"}, plain, "alpn"},
		{"name before protocol", "one.example", []string{"special"}, plain, "one"},
		{"other protocols", "three.example", []string{"h2", "Special"}, plain, "two"},
		{"no route but the exit", "localhost", []string{"h2"}, plain, "rest"},
		{"no name", "", nil, plain, "rest"},
		{"segments of one byte", "one.example", nil, bytes, "one"},
		{"records of one byte", "one.example", nil, split(1), "one"},
		{"records of seven bytes", "two.example", []string{"h2"}, split(7), "two"},
		{"records of 100 bytes in segments of one", "one.example", nil, func(c net.Conn) net.Conn { return split(100)(bytes(c)) }, "one"},
		{"16 KiB", "one.example", many(62), plain, "one"},
		{"25 KiB", "two.example", append(many(98), "special"), plain, "alpn"},
		{"50 KiB", "one.example", many(200), plain, "one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n++
			config := s.config()
			config.ServerName, config.NextProtos = c.ask, c.protocols
			if c.ask == "" {
				config.InsecureSkipVerify = true
			}
			conn := tls.Client(c.wrap(dial(t, port)), config)
			conn.SetDeadline(time.Now().Add(patience))
			if err := conn.Handshake(); err != nil {
				t.Fatal(err)
			}
			if err := echoes(conn, strings.Repeat("hello", 100)); err != nil {
				t.Error(err)
			}
			if got := conn.ConnectionState().PeerCertificates[0].Subject.CommonName; got != c.want {
				t.Errorf("it gets to %s, not %s", got, c.want)
			}
			conn.CloseWrite()
			if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
				t.Errorf("at the end there is %q, %v", rest, err)
			}
			conn.Close()
			says(t, g.in(t).record(n), "authority="+c.ask, "reason=fin", "target="+address(ends[c.want]))
		})
	}
	if events := g.events(); len(events) > 0 {
		t.Errorf("events: %q", events)
	}
	g.terminate()
}

// hello makes a ClientHello in records: with a name, and more extensions as they are.
func hello(name string, extensions ...[]byte) []byte {
	sni := append16(nil, uint16(len(name)))
	sni = append(append([]byte{0}, sni...), name...)
	all := extension(0, append(append16(nil, uint16(len(sni))), sni...))
	for _, e := range extensions {
		all = append(all, e...)
	}
	body := append(append([]byte{3, 3}, noise(32)...), 0) // no session
	body = append(append16(body, 4), 0x0a, 0x0a, 0x13, 0x01)
	body = append(body, 1, 0)
	body = append(append16(body, uint16(len(all))), all...)
	message := append([]byte{1, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	var b []byte
	for len(message) > 0 {
		piece := message[:min(len(message), 1<<14)]
		b = append(append16(append(b, 22, 3, 1), uint16(len(piece))), piece...)
		message = message[len(piece):]
	}
	return b
}

func extension(id uint16, data []byte) []byte {
	return append(append16(append16(nil, id), uint16(len(data))), data...)
}

// TestTLSProxyBytes passes on what a client says byte by byte, whatever it is, or refuses it.
func TestTLSProxyBytes(t *testing.T) {
	const limit = 600 * time.Millisecond
	s := newStage(t)
	end, port := freePort(t), freePort(t)
	got := make(chan []byte, 1)
	serving(t, end, func(c *net.TCPConn) {
		b, _ := io.ReadAll(c) // what has come
		got <- b
		c.Close()
	})
	g := s.gateway(t, passing(port, "routes:\n  - { when: [ { authority: localhost } ], exit: south }", map[string]int{"south": end}),
		"-P", fmt.Sprintf("gozilla.limits.headtime=%v", limit))
	n := 0
	normal := hello("localhost")
	long := hello("localhost", extension(21, make([]byte, 65000)))
	for _, c := range []struct {
		name string
		says []byte
	}{
		{"plain", normal},
		{"data behind it", append(slices.Clone(normal), noise(100_000)...)},
		{"GREASE", hello("localhost", extension(0x0a0a, nil), extension(0xfafa, []byte{0}), extension(43, []byte{4, 0x1a, 0x1a, 3, 4}))},
		{"what looks like ECH", hello("localhost", extension(0xfe0d, append([]byte{0, 0, 1, 0, 1, 7, 0, 32}, noise(200)...)))},
		{"padding to 65,000 bytes", long},
		{"in any case", hello("LOCALHOST")},
	} {
		t.Run(c.name, func(t *testing.T) {
			n++
			conn := dial(t, port)
			conn.Write(c.says)
			conn.CloseWrite()
			if b, err := io.ReadAll(conn); err != nil || len(b) > 0 {
				t.Errorf("%d bytes, %v", len(b), err)
			}
			if b := <-got; !bytes.Equal(b, c.says) {
				t.Errorf("%d bytes come, of %d, or others", len(b), len(c.says))
			}
			conn.Close()
			says(t, g.in(t).record(n), "reason=fin")
		})
	}
	for _, c := range []struct {
		name   string
		says   []byte
		ends   bool // after what it says
		event  string
		reason string
		reset  bool // it may be
	}{
		{"nothing", nil, true, "", "fin", false},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), false, "binding.tls.tls.failed", "invalid", true},
		{"no ClientHello", []byte{22, 3, 1, 0, 4, 2, 0, 0, 0}, false, "binding.tls.tls.failed", "invalid", true},
		{"half a hello", normal[:40], true, "binding.tls.tls.failed", "invalid", false},
		{"a slow hello", normal[:40], false, "binding.tls.handshake.timeout", "timeout", false},
		{"silence", nil, false, "binding.tls.handshake.timeout", "timeout", false},
		{"more than 64 KiB", hello("localhost", extension(21, make([]byte, 40000)), extension(0x1234, make([]byte, 40000))), false, "binding.tls.tls.failed", "invalid", true},
		{"more than the limit on heads", hello("localhost", extension(21, make([]byte, 65460)))[:65536], false, "binding.tls.tls.failed", "invalid", false},
		{"no route", hello("elsewhere"), false, "", "no route", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n++
			before := len(g.events())
			conn := dial(t, port)
			conn.Write(c.says)
			if c.ends {
				conn.CloseWrite()
			}
			b, err := io.ReadAll(conn)
			if errors.Is(err, os.ErrDeadlineExceeded) || err != nil && !c.reset || len(b) > 0 {
				t.Errorf("%d bytes, %v", len(b), err)
			}
			conn.Close()
			r := g.in(t).record(n)
			says(t, r, "reason="+c.reason)
			var want []string
			if c.event != "" {
				want = []string{c.event}
			}
			if events := g.events()[before:]; !slices.Equal(events, want) {
				t.Errorf("events: %q, want %q", events, want)
			}
		})
	}
	g.terminate()
}

// TestTLSProxySplices looks whether the bytes after the hello stay in the system.
func TestTLSProxySplices(t *testing.T) {
	const bulk = 32 << 20
	s := newStage(t)
	port := freePort(t)
	write(t, s.path("zilla.yaml"), passing(port, "routes:\n  - { when: [ { authority: localhost } ], exit: south }", map[string]int{"south": echoingTLS(t, s.server)}))
	spliced, copied := 0, 0
	for _, c := range traced(t, s.dir, func() {
		c, err := secure(t, port, s.config())
		if err != nil {
			t.Fatal(err)
		}
		thereAndBack(t, c, bulk)
	}) {
		switch {
		case c.on != "TCP":
		case c.name == "splice":
			spliced += c.result
		default:
			copied += c.result
		}
	}
	t.Logf("%d bytes by splice, %d otherwise", spliced, copied)
	if spliced < 2*bulk-bulk/8 || copied > bulk/8 {
		t.Errorf("%d bytes are spliced, %d are not", spliced, copied)
	}
}
