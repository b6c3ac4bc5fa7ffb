package tls_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"gozilla/internal/gwtest"
	"gozilla/stream"
)

// passing is a gateway that passes TLS on. In pass stands what the tls proxy has besides.
func passing(pass string) string {
	return `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: pass }
  pass:
    type: tls
    kind: proxy
` + pass + `
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: "${{env.SERVER}}" } }
`
}

// hello is the first message of a client.
func hello(config *tls.Config) []byte {
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() { // ends with the pipe
		tls.Client(theirs, config).Handshake()
		theirs.Close()
	}()
	b := make([]byte, 64<<10)
	n, _ := ours.Read(b)
	return b[:n]
}

// inRecords is a hello whose message is split into records with so many bytes.
func inRecords(hello []byte, size int) []byte {
	var b []byte
	for message := hello[5:]; len(message) > 0; {
		n := min(size, len(message))
		b = append(append(b, 22, 3, 1, byte(n>>8), byte(n)), message[:n]...)
		message = message[n:]
	}
	return b
}

func TestTheProxysRoutes(t *testing.T) {
	f := func(when string, config *tls.Config, want string) {
		t.Helper()
		t.Run(when, func(t *testing.T) {
			server := gwtest.Listen(t, "")
			g := gwtest.Start(t, passing("    routes: [ { when: [ "+when+" ], exit: south } ]"), gwtest.Env("SERVER", server.Port()))
			config.InsecureSkipVerify = true
			c := g.Dial("north")
			first := hello(config)
			gwtest.Send(t, c, string(first)+"and more")
			if want != "" {
				gwtest.Sees(t, c, "fin")
				if r := g.Record(); r.Reason != "no route" || r.Authority != config.ServerName || r.Path[1].Route != "" {
					t.Errorf("the record says %q (%s), for %q by %v", r.Reason, r.Err, r.Authority, r.Path)
				}
				return
			}
			to := server.Next()
			gwtest.Receive(t, to, string(first)+"and more")
			c.Close()
			to.Close()
			if r := g.Record(); r.Authority != config.ServerName {
				t.Errorf("the record says that it asked for %q", r.Authority)
			}
		})
	}
	f("{ authority: a.example }", &tls.Config{ServerName: "A.example"}, "")
	f("{ authority: '*.EXAMPLE' }", &tls.Config{ServerName: "a.example"}, "")
	f("{ authority: a.example }", &tls.Config{ServerName: "b.example"}, "fin")
	f("{ authority: '*' }", &tls.Config{}, "fin")
	f("{ mutual: none }", &tls.Config{}, "")
	f("{ alpn: two }", &tls.Config{NextProtos: []string{"one", "two"}}, "")
	f("{ alpn: three }", &tls.Config{NextProtos: []string{"one", "two"}}, "fin")
	f("{ alpn: two }", &tls.Config{}, "fin")
	f("{ alpn: 'tw*', authority: a.example }", &tls.Config{ServerName: "a.example", NextProtos: []string{"two"}}, "")
	f("{ authority: b.example }, { alpn: two, port: 1 }", &tls.Config{ServerName: "a.example", NextProtos: []string{"two"}}, "fin")
}

// TestHellos passes on hellos however they come, and nothing else.
func TestHellos(t *testing.T) {
	first := hello(&tls.Config{ServerName: "a.example", NextProtos: []string{strings.Repeat("x", 200)}})
	f := func(name string, text []byte, piece int, how, event string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			server := gwtest.Listen(t, "")
			g := gwtest.Start(t, passing("    exit: south"), gwtest.Env("SERVER", server.Port()), gwtest.Limits(func(l *stream.Limits) {
				l.HeadTime = 300 * time.Millisecond
			}))
			c := g.Dial("north")
			for rest := text; len(rest) > 0; {
				n := min(piece, len(rest))
				if _, err := c.Write(rest[:n]); err != nil {
					break // it was refused before
				}
				rest = rest[n:]
			}
			switch {
			case how == "":
				gwtest.Receive(t, server.Next(), string(text))
				return
			case how == "silent":
				c.CloseWrite()
				gwtest.Sees(t, c, "fin")
			default:
				gwtest.Sees(t, c, how)
			}
			if event != "" {
				g.Event(event)
			} else if n := len(g.Events("binding.tls.tls.failed")); n > 0 {
				t.Error("there is an event")
			}
			g.Record()
		})
	}
	const all = 1 << 20
	f("at once", first, all, "", "")
	f("byte by byte", first, 1, "", "")
	f("in records of 100 bytes", inRecords(first, 100), all, "", "")
	f("in records of a byte", inRecords(first, 1), 3, "", "")
	f("with records behind", append(bytes.Clone(first), "\x17\x03\x03\x00\x01x"...), all, "", "")
	f("HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), all, "rst", "binding.tls.tls.failed")
	f("cut", first[:50], all, "fin", "binding.tls.handshake.timeout")
	f("nothing", nil, all, "silent", "")
	f("a name of a length that is wrong", bytes.Replace(first, []byte("\x00\x09a.example"), []byte("\x00\x0aa.example"), 1), all, "rst", "binding.tls.tls.failed")
	long := []byte{22, 3, 1, 0x40, 0, 1, 1, 0, 0} // of 65,536 bytes, and more with the heads of its records
	f("too long", append(long, bytes.Repeat([]byte{0}, 0x4000-4)...), all, "fin", "")
	f("longer", append(append(long, bytes.Repeat([]byte{0}, 0x4000-4)...), bytes.Repeat(append([]byte{22, 3, 1, 0x40, 0}, make([]byte, 0x4000)...), 4)...), all, "fin", "binding.tls.tls.failed")
}

// pieces is a connection that writes piece by piece.
type pieces struct {
	*net.TCPConn
	size int
}

func (p pieces) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = p.TCPConn.Write(b[n:min(len(b), n+p.size)])
		n += m
	}
	return n, err
}

// TestRecordsInPieces has records come in pieces of all sizes, so that their heads are cut too.
func TestRecordsInPieces(t *testing.T) {
	w := theWorld()
	put(t, "keys", vaultOf(w.server))
	g := gwtest.Start(t, secured(plain))
	for _, size := range []int{1, 2, 3, 4, 5, 6, 7, 13, 100, 4096, 16384 + 22, 32 << 10, 40000} {
		c := tls.Client(pieces{g.Dial("north"), size}, w.clientConfig())
		c.SetDeadline(time.Now().Add(gwtest.Patience))
		text := bytes.Repeat([]byte("0123456789abcdef"), min(size*40, 200<<10)/16+1)
		done := make(chan error, 1)
		go func() {
			_, err := c.Write(text)
			done <- err
		}()
		got := make([]byte, len(text))
		if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, text) {
			t.Errorf("pieces of %d bytes: %d of %d bytes came back, %v", size, n, len(text), err)
		}
		if err := <-done; err != nil {
			t.Errorf("pieces of %d bytes: %v", size, err)
		}
		c.Close()
	}
}
