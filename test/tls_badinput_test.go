//go:build linux

package test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A siege is a tls server, to whom some come that do not behave. What goes to the port echo comes back; what goes to the
// port relay goes on to a server that tells how its connections end.
type siege struct {
	*gateway
	*stage
	echo, relay int
	ends        chan error
	records     int // so far
	events      int
}

func besiegeTLS(t *testing.T, args ...string) *siege {
	t.Helper()
	s := &siege{stage: newStage(t), echo: freePort(t), relay: freePort(t), ends: make(chan error, 1000)}
	end := freePort(t)
	serving(t, end, func(c *net.TCPConn) {
		defer c.Close()
		_, err := io.Copy(c, c)
		s.ends <- err
	})
	zilla := strings.Replace(secured(s.echo, keys(""), fmt.Sprintf(`
routes:
  - when: [ { port: %d } ]
    exit: south
exit: echo`, s.relay)), fmt.Sprintf("port: %d }", s.echo), fmt.Sprintf("port: [ %d, %d ] }", s.echo, s.relay), 1)
	s.gateway = s.stage.gateway(t, zilla+to(end), append([]string{"--diagnostics-directory=diagnostics"}, args...)...)
	return s
}

// next is the record of the connection that has just ended, and its events since the record before.
func (s *siege) next(t testing.TB) (r map[string]any, events []string) {
	t.Helper()
	s.gateway.t = t
	s.records++
	r = s.record(s.records)
	all := s.gateway.events()
	events, s.events = all[s.events:], len(all)
	return r, events
}

// answer is what comes until the end, which must be in order.
func answer(t testing.TB, c net.Conn) []byte {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("after % x: %v", b, err)
	}
	return b
}

func alertBytes(version uint16, code byte) []byte {
	return append(append16([]byte{21}, version), 0, 2, 2, code)
}

// Codes of alerts: RFC 8446, section 6.2.
const (
	unexpectedMessage = 10
	badRecordMAC      = 20
	recordOverflow    = 22
	decodeError       = 50
	protocolVersion   = 70
)

// TestNotTLS has clients that say what is no ClientHello, or a bad one. Each is told so by an alert and a FIN, the
// operator by one event, and there is one record.
func TestNotTLS(t *testing.T) {
	s := besiegeTLS(t)
	record := func(kind byte, version uint16, body ...byte) []byte {
		b := append16([]byte{kind}, version)
		return append(append16(b, uint16(len(body))), body...)
	}
	const failed, rejected, unsecured = "binding.tls.tls.failed", "binding.tls.protocol.rejected", "binding.tls.handshake.failed"
	for _, c := range []struct {
		name   string
		says   []byte
		event  string
		reason string
		alerts []byte // those that may be said
	}{
		{"nothing", nil, "", "fin", nil},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), failed, "tls", []byte{unexpectedMessage}},
		{"zeros", make([]byte, 1000), failed, "tls", []byte{unexpectedMessage}},
		{"PROXY header", []byte("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), failed, "tls", []byte{unexpectedMessage}},
		{"SSH", []byte("SSH-2.0-OpenSSH_9.2\r\n"), failed, "tls", []byte{unexpectedMessage}},
		{"SSL 2.0", append([]byte{0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10}, make([]byte, 0x25)...), "*", "*", []byte{unexpectedMessage, protocolVersion}},
		{"application data", record(23, 0x0301, 1, 2, 3), failed, "tls", []byte{unexpectedMessage}},
		{"ChangeCipherSpec", record(20, 0x0301, 1), failed, "tls", []byte{unexpectedMessage}},
		{"an unknown sort of record", record(99, 0x0301, 1), "*", "tls", []byte{unexpectedMessage}},
		{"a Finished", record(22, 0x0301, 20, 0, 0, 0), rejected, "tls", []byte{unexpectedMessage}},
		{"an empty ClientHello", record(22, 0x0301, 1, 0, 0, 0), rejected, "tls", []byte{unexpectedMessage, decodeError}},
		{"a ClientHello of noise", record(22, 0x0301, append([]byte{1, 0, 1, 0}, noise(256)...)...), "*", "*", []byte{unexpectedMessage, decodeError, protocolVersion}},
		{"a ClientHello without an end", record(22, 0x0301, append([]byte{1, 0xff, 0xff, 0xff}, noise(256)...)...), rejected, "tls", []byte{80, recordOverflow, decodeError, 47, unexpectedMessage}},
		{"a record that is too long", record(22, 0x0301, make([]byte, 1<<14+2049)...), rejected, "tls", []byte{recordOverflow}},
		{"the head of a record that is too long", []byte{22, 3, 1, 0xff, 0xff}, rejected, "tls", []byte{recordOverflow}},
		{"close_notify", record(21, 0x0301, 1, 0), "", "fin", nil},
		{"a fatal alert", record(21, 0x0301, 2, 40), unsecured, "handshake failed", nil},
		{"empty records", slices.Repeat(record(22, 0x0301), 100), rejected, "tls", []byte{unexpectedMessage}},
		{"warnings", slices.Repeat(record(21, 0x0301, 1, 90), 100), rejected, "tls", []byte{unexpectedMessage}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := dial(t, s.echo)
			conn.Write(c.says)
			if c.reason == "fin" {
				conn.CloseWrite()
			}
			got := answer(t, conn)
			conn.Close()
			r, events := s.next(t)
			var want []string
			if c.event != "" {
				want = []string{c.event}
			}
			if c.event == "*" && len(events) != 1 || c.event != "*" && !slices.Equal(events, want) {
				t.Errorf("events: %q, want %q", events, want)
			}
			says(t, r, "by=client")
			if c.reason != "*" {
				says(t, r, "reason="+c.reason)
			}
			if c.alerts == nil && len(got) > 0 {
				t.Errorf("it is told % x", got)
			} else if c.alerts != nil && (len(got) != 7 || got[0] != 21 || got[5] != 2 || !slices.Contains(c.alerts, got[6])) {
				t.Errorf("it is told % x, not one of the alerts %v", got, c.alerts)
			}
		})
	}
	s.gateway.t = t
	s.honest(t)
	s.terminate()
}

// honest checks that those are served who behave.
func (s *siege) honest(t testing.TB) {
	t.Helper()
	for _, port := range []int{s.echo, s.relay} {
		c, err := secure(t, port, s.config())
		if err == nil {
			err = echoes(c, "hello")
		}
		if err != nil {
			t.Fatalf("an honest client: %v", err)
		}
		c.CloseWrite()
		if _, err := io.ReadAll(c); err != nil {
			t.Errorf("an honest client: %v", err)
		}
		c.Close()
		r, events := s.next(t)
		says(t, r, "by=client", "reason=fin")
		if len(events) > 0 {
			t.Errorf("events: %q", events)
		}
	}
	if err := <-s.ends; err != nil {
		t.Errorf("the server of an honest client: %v", err)
	}
}

// TestSlowHandshake has clients that say a byte now and then, or nothing.
func TestSlowHandshake(t *testing.T) {
	const limit = 700 * time.Millisecond
	s := besiegeTLS(t, "-P", fmt.Sprintf("gozilla.limits.handshake=%v", limit))
	hello := firstFlight(t, s.config())
	for _, c := range []struct {
		name string
		says []byte
		each time.Duration
	}{
		{"silent", nil, 0},
		{"a byte at a time", hello, 20 * time.Millisecond},
		{"half a hello", hello[:len(hello)/2], 0},
		{"a hello and no more", hello, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := dial(t, s.echo)
			began := time.Now()
			if c.each == 0 {
				conn.Write(c.says)
			} else {
				go func() { // ends with the connection
					for i := range c.says {
						if _, err := conn.Write(c.says[i : i+1]); err != nil {
							return
						}
						time.Sleep(c.each)
					}
				}()
			}
			_, err := io.ReadAll(conn)
			passed := time.Since(began)
			// Who still sends when it is closed may find it reset.
			if err != nil && !(c.each > 0 && errors.Is(err, syscall.ECONNRESET)) {
				t.Errorf("the end is %v", err)
			}
			if passed < limit-50*time.Millisecond || passed > limit+lenient(5*time.Second) {
				t.Errorf("the end comes after %v", passed)
			}
			conn.Close()
			r, events := s.next(t)
			says(t, r, "by=gateway", "reason=handshake timeout")
			if !slices.Equal(events, []string{"binding.tls.handshake.timeout"}) {
				t.Errorf("events: %q", events)
			}
		})
	}
	s.gateway.t = t
	s.honest(t)
	// The limit is on the handshake, not on what comes after it.
	c, err := secure(t, s.echo, s.config())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(limit + 100*time.Millisecond)
	if err := echoes(c, "still there"); err != nil {
		t.Error(err)
	}
	c.Close()
	s.terminate()
}

// A tap is a connection whose bytes a test sees, changes or cuts on their way out.
type tap struct {
	net.Conn
	sent   int
	change func(p []byte) []byte // nil: none
	cut    int                   // so many bytes go out, if it is not negative
	ended  func(net.Conn)        // is called at the cut
	seen   func(p []byte)        // nil: nobody
}

var errCut = errors.New("it was cut here")

// Write is part of net.Conn.
func (t *tap) Write(p []byte) (int, error) {
	if t.seen != nil {
		t.seen(p)
	}
	if t.change != nil {
		p = t.change(slices.Clone(p))
	}
	if t.cut >= 0 && t.sent+len(p) >= t.cut {
		if t.sent <= t.cut {
			t.Conn.Write(p[:t.cut-t.sent])
			t.ended(t.Conn)
		}
		t.sent += len(p)
		return 0, errCut
	}
	t.sent += len(p)
	return t.Conn.Write(p)
}

// firstFlight is what a client says first.
func firstFlight(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	var hello []byte
	c := &tap{Conn: nowhere{}, cut: 0, ended: func(net.Conn) {}, seen: func(p []byte) { hello = append(hello, p...) }}
	if err := tls.Client(c, config).Handshake(); err == nil || len(hello) == 0 {
		t.Fatalf("%d bytes, %v", len(hello), err)
	}
	return hello
}

// nowhere is a connection that leads there.
type nowhere struct{ net.Conn }

func (nowhere) Write(p []byte) (int, error)      { return len(p), nil }
func (nowhere) SetDeadline(time.Time) error      { return nil }
func (nowhere) SetWriteDeadline(time.Time) error { return nil }
func (nowhere) Close() error                     { return nil }

// TestCutTLS cuts connections after each so many bytes of the client: in the hello, in the rest of the handshake, in what
// it says then, and between.
func TestCutTLS(t *testing.T) {
	t.Parallel()
	s := besiegeTLS(t)
	s.honest(t)
	base, running := s.quiet()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := s.config()
		config.MaxVersion, config.CurvePreferences = version, []tls.CurveID{tls.X25519} // a short hello
		// Where the phases end.
		var flights []int
		total := 0
		whole := &tap{Conn: dial(t, s.relay), cut: -1, seen: func(p []byte) { total += len(p); flights = append(flights, total) }}
		c := tls.Client(whole, config)
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		shaken := total
		if err := echoes(c, "hello"); err != nil {
			t.Fatal(err)
		}
		spoken := total
		c.Close()
		whole.Conn.Close()
		s.next(t)
		<-s.ends
		for _, end := range []string{"fin", "rst"} {
			t.Run(fmt.Sprintf("%s %s", tls.VersionName(version), end), func(t *testing.T) {
				cuts := slices.Clone(flights[:len(flights)-1])
				for cut := 0; cut <= spoken; cut += 11 {
					cuts = append(cuts, cut)
				}
				for cut := shaken; cut <= spoken; cut += 3 {
					cuts = append(cuts, cut)
				}
				for _, cut := range cuts {
					conn := &tap{Conn: dial(t, s.relay), cut: cut, ended: func(c net.Conn) {
						if end == "rst" {
							reset(c.(*net.TCPConn))
							return
						}
						c.(*net.TCPConn).CloseWrite()
					}}
					c := tls.Client(conn, config)
					if cut == 0 {
						conn.ended(conn.Conn)
					} else if err := c.Handshake(); err == nil {
						io.WriteString(c, "hello")
					}
					if end == "fin" {
						io.ReadAll(conn.Conn) // until the gateway ends too
					}
					conn.Conn.Close()
					r, events := s.next(t)
					if len(events) > 0 {
						t.Errorf("cut after %d bytes: events: %q", cut, events)
					}
					want := end
					if cut >= shaken && end == "fin" {
						want = "truncated"
					}
					if r["by"] != "client" || r["reason"] != want {
						t.Errorf("cut after %d bytes, of %d and %d: by %v, reason %v, want %s: %v", cut, shaken, spoken, r["by"], r["reason"], want, r)
					}
					if r["tls"] == nil { // it never got to the server
						if cut >= shaken && end == "fin" {
							t.Errorf("cut after %d bytes the handshake is not done: %v", cut, r)
						}
						continue
					}
					select {
					case err := <-s.ends:
						if !errors.Is(err, syscall.ECONNRESET) {
							t.Errorf("cut after %d bytes, of %d and %d: the server gets %v, not a reset: %v", cut, shaken, spoken, err, r)
						}
					case <-time.After(patience):
						if fmt.Sprint(r["path"]) == "example:north exit > example:inside routes[0] > example:south" && r["target"] != nil {
							t.Errorf("cut after %d bytes: the server gets no end: %v", cut, r)
						}
					}
				}
			})
		}
	}
	s.gateway.t = t
	s.settled(base, running)
	s.honest(t)
	s.terminate()
}

// running is how many goroutines the process has, by its diagnostics.
func (s *siege) running() int {
	t := s.gateway.t
	t.Helper()
	written := func() (files []string) {
		for _, m := range regexp.MustCompile(`"msg":"diagnostics were written","file":"([^"]+)"`).FindAllStringSubmatch(s.stderr.String(), -1) {
			files = append(files, m[1])
		}
		return files
	}
	n := len(written())
	s.signal(syscall.SIGUSR2)
	eventually(t, "the diagnostics are written", func() bool { return len(written()) > n })
	total := regexp.MustCompile(`^goroutine profile: total (\d+)`).FindStringSubmatch(unzip(t, s.path(written()[n]))["goroutines.txt"])
	if total == nil {
		t.Fatal("the diagnostics do not tell how many goroutines there are")
	}
	return atoi(t, total[1])
}

// quiet is how many descriptors and goroutines there are when nothing goes on.
func (s *siege) quiet() (descriptors, goroutines int) {
	s.gateway.t.Helper()
	eventually(s.gateway.t, "all is quiet", func() bool {
		n := s.running()
		d, _ := s.descriptors()
		same := d == descriptors && n == goroutines
		descriptors, goroutines = d, n
		return same
	})
	return descriptors, goroutines
}

// settled waits until the process holds no more than it did.
func (s *siege) settled(descriptors, goroutines int) {
	t := s.gateway.t
	t.Helper()
	eventually(t, "the descriptors are closed", func() bool {
		others, pipes := s.descriptors()
		return others <= descriptors && pipes <= keptPipes
	})
	eventually(t, "the goroutines are over", func() bool { return s.running() <= goroutines })
}

// TestBadRecords has clients that misbehave after the handshake. They are told so by an alert, the server behind gets an
// abort, the operator one event.
func TestBadRecords(t *testing.T) {
	s := besiegeTLS(t)
	s.honest(t)
	base, running := s.quiet()
	long := func(n int) []byte {
		return append(append16([]byte{23, 3, 3}, uint16(n)), make([]byte, n)...)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, c := range []struct {
			name  string
			f     func(c *tls.Conn, below *tap)
			alert string
		}{
			{"record that is too long", func(_ *tls.Conn, below *tap) { below.Conn.Write(long(1<<14 + 2049)) }, "record overflow"},
			{"head of a record that is too long", func(_ *tls.Conn, below *tap) { below.Conn.Write(long(0xffff)[:5]) }, "record overflow"},
			{"bad MAC", func(c *tls.Conn, below *tap) {
				below.change = func(p []byte) []byte { p[len(p)-1] ^= 1; return p }
				io.WriteString(c, "hello")
			}, "bad record MAC"},
			{"noise", func(_ *tls.Conn, below *tap) { below.Conn.Write(long(100)) }, "bad record MAC"},
			{"replay", func(c *tls.Conn, below *tap) {
				below.change = func(p []byte) []byte { return append(p, p...) }
				io.WriteString(c, "hello")
			}, "bad record MAC"},
			{"HTTP", func(_ *tls.Conn, below *tap) { io.WriteString(below.Conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") }, "*"},
			{"empty record that is not encrypted", func(_ *tls.Conn, below *tap) { below.Conn.Write([]byte{23, 3, 3, 0, 0}) }, "*"},
			{"alert that is not encrypted", func(_ *tls.Conn, below *tap) { below.Conn.Write(alertBytes(0x0303, 80)) }, "*"},
			{"bad record after much", func(c *tls.Conn, below *tap) {
				go io.Copy(io.Discard, c) // ends with the connection
				c.Write(noise(1_000_000))
				below.Conn.Write(long(100))
			}, ""},
		} {
			t.Run(c.name+" "+tls.VersionName(version), func(t *testing.T) {
				config := s.config()
				config.MaxVersion = version
				below := &tap{Conn: dial(t, s.relay), cut: -1}
				conn := tls.Client(below, config)
				if err := conn.Handshake(); err != nil {
					t.Fatal(err)
				}
				if err := echoes(conn, "hello"); err != nil {
					t.Fatal(err)
				}
				c.f(conn, below)
				if c.alert != "" {
					_, err := io.ReadAll(conn)
					if c.alert == "*" && (err == nil || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, os.ErrDeadlineExceeded)) {
						t.Errorf("the client gets %v", err)
					} else if c.alert != "*" && (err == nil || !strings.Contains(err.Error(), "remote error: tls: "+c.alert)) {
						t.Errorf("the client gets %v, not %s", err, c.alert)
					}
				}
				r, events := s.next(t)
				below.Conn.Close()
				says(t, r, "by=client", "reason=tls")
				if r["error"] == nil {
					t.Errorf("the record does not say why: %v", r)
				}
				if !slices.Equal(events, []string{"binding.tls.protocol.rejected"}) {
					t.Errorf("events: %q", events)
				}
				// Who writes finds that it is over if who reads was told of the reset.
				if err := <-s.ends; !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
					t.Errorf("the server gets %v, not a reset", err)
				}
			})
		}
	}
	s.gateway.t = t
	s.settled(base, running)
	s.honest(t)
	s.terminate()
}

// What the client may do that looks odd.
func TestOddRecords(t *testing.T) {
	s := besiegeTLS(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run("records in bytes "+tls.VersionName(version), func(t *testing.T) {
			config := s.config()
			config.MaxVersion = version
			raw := dial(t, s.relay)
			raw.SetNoDelay(true)
			c := tls.Client(bytewise{raw}, config)
			if err := c.Handshake(); err != nil {
				t.Fatal(err)
			}
			b := bytes.Repeat([]byte("hello"), 500)
			if err := echoes(c, string(b)); err != nil {
				t.Error(err)
			}
			c.CloseWrite()
			if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
				t.Errorf("%q, %v", rest, err)
			}
			c.Close()
			r, events := s.next(t)
			says(t, r, "by=client", "reason=fin")
			if err := <-s.ends; err != nil || len(events) > 0 {
				t.Errorf("%v, events %q", err, events)
			}
		})
		t.Run("close_notify, and then more "+tls.VersionName(version), func(t *testing.T) {
			config := s.config()
			config.MaxVersion = version
			below := &tap{Conn: dial(t, s.relay), cut: -1}
			c := tls.Client(below, config)
			if err := echoes(c, "hello"); err != nil {
				t.Fatal(err)
			}
			c.CloseWrite()
			below.Conn.Write(bytes.Repeat([]byte("x"), 1000)) // which nobody reads
			if rest, err := io.ReadAll(c); len(rest) > 0 {
				t.Errorf("%q, %v", rest, err)
			}
			below.Conn.Close()
			_, events := s.next(t)
			if err := <-s.ends; err != nil || len(events) > 0 {
				t.Errorf("%v, events %q", err, events)
			}
		})
	}
	s.gateway.t = t
	s.honest(t)
	s.terminate()
}

// bytewise is a connection that sends every byte in a segment of its own.
type bytewise struct{ net.Conn }

func (b bytewise) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := b.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func append16(b []byte, v uint16) []byte { return append(b, byte(v>>8), byte(v)) }
