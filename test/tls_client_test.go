package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gozilla/internal/certs"
)

// originating is a configuration of a tcp server and, behind it, a tls client with these lines of its own, whose exit is
// south.
func originating(port int, vault, tls string, end int) string {
	text := strings.Replace(secured(port, vault, tls+"\nexit: south"), "    kind: server\n    vault", "    kind: client\n    vault", 1)
	return text + to(end)
}

// trustCA is a vault that trusts the authority of servers, and has more options.
func trustCA(more string) string {
	return "vaults: { safe: { type: filesystem, options: { trust: { store: ca.crt, type: pem }" + more + " } } }\n"
}

// opensslServer runs openssl s_server, which answers with a page about the connection, and gives what it writes.
func opensslServer(t testing.TB, s *stage, pair string, args ...string) (port int, out *output) {
	t.Helper()
	port, out = freePort(t), newOutput()
	cmd := exec.Command(need(t, "openssl", "openssl"), append([]string{"s_server", "-accept", address(port), "-www",
		"-cert", s.path(pair + ".crt"), "-key", s.path(pair + ".key")}, args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("openssl s_server: %s", out)
		}
	})
	awaitListener(t, port)
	return port, out
}

// curl fetches something; it fails if the end is not in order.
func curl(t testing.TB, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, need(t, "curl", "curl"), append([]string{"-sS", "--max-time", "15"}, args...)...).CombinedOutput()
	return string(out), err
}

// TestTLSClient has openssl as the server.
func TestTLSClient(t *testing.T) {
	need(t, "openssl", "openssl")
	need(t, "curl", "curl")
	s := newStage(t)
	s.pair("other", issue(t, s.ca, certs.Request{CommonName: "other", DNS: []string{"other.example"}}))
	s.pair("stranger", issue(t, s.others, localhost()))
	old := localhost()
	old.NotBefore, old.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	s.pair("expired", issue(t, s.ca, old))
	s.client("client-1", s.clients, certs.Request{CommonName: "client-1"})
	s.client("client-2", s.clients, certs.Request{CommonName: "client-2"})
	s.client("unknown", s.others, certs.Request{CommonName: "client-1"})
	both := trustCA(", keys: { store: [ client-1.crt, client-1.key, client-2.crt, client-2.key ], type: pem }")
	asks := []string{"-Verify", "5", "-CAfile", s.path("client-ca.crt"), "-verify_return_error"}
	const sni = "options: { sni: [ localhost ] }"
	const failed, rejected, unsecured = "binding.tls.tls.failed", "binding.tls.protocol.rejected", "binding.tls.handshake.failed"
	for _, c := range []struct {
		name, vault, tls, pair string
		args                   []string
		page                   string // a pattern
		log                    string // of the server
		event, reason          string // "" if all is well
	}{
		{"good", trustCA(""), sni, "localhost", nil, `New, TLSv1.3`, "", "", "fin"},
		{"by its address", trustCA(""), "", "localhost", nil, `New, TLSv1.3`, "", "", "fin"},
		{"other name", trustCA(""), "options: { sni: [ other.example. ] }", "other", nil, `New, TLSv1.3`, "", "", "fin"},
		{"TLS 1.2 only", trustCA(""), sni, "localhost", []string{"-tls1_2"}, `New, TLSv1.2`, "", "", "fin"},
		{"at most 1.2", trustCA(""), "options: { sni: [ localhost ], version: TLSv1.2 }", "localhost", nil, `New, TLSv1.2`, "", "", "fin"},
		{"at most 1.2, and 1.3 only", trustCA(""), "options: { sni: [ localhost ], version: TLSv1.2 }", "localhost", []string{"-tls1_3"}, "", "", unsecured, "handshake failed"},
		{"TLS 1.1 only", trustCA(""), sni, "localhost", []string{"-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"}, "", "", unsecured, "handshake failed"},
		{"wrong name", trustCA(""), sni, "other", nil, "", "bad certificate", unverified, "not verified"},
		{"unknown authority", trustCA(""), sni, "stranger", nil, "", "(bad certificate|unknown ca)", unverified, "not verified"},
		{"expired", trustCA(""), sni, "expired", nil, "", "(bad certificate|certificate expired)", unverified, "not verified"},
		{"one certificate of two", both, "routes:\n  - with: { certificate: { subject.cn: client-2 } }\n    exit: south\n" + sni, "localhost", asks, `Subject: CN\s*=\s*client-2`, "", "", "fin"},
		{"by its whole name", both, "routes:\n  - with: { certificate: { subject.dn: \"cn=Client-1\" } }\n    exit: south\n" + sni, "localhost", asks, `Subject: CN\s*=\s*client-1`, "", "", "fin"},
		{"any certificate", both, sni, "localhost", asks, `Subject: CN\s*=\s*client-1`, "", "", "fin"},
		{"any certificate, TLS 1.2", both, sni, "localhost", append([]string{"-tls1_2"}, asks...), `Subject: CN\s*=\s*client-1`, "", "", "fin"},
		{"not the certificate that is chosen", both, "routes:\n  - with: { certificate: { subject.cn: nobody } }\n    exit: south\n" + sni, "localhost", asks, "", "peer did not return a certificate", "*", "*"},
		{"no certificate", trustCA(""), sni, "localhost", asks, "", "peer did not return a certificate", "*", "*"},
		{"no certificate, TLS 1.2", trustCA(""), sni, "localhost", append([]string{"-tls1_2"}, asks...), "", "peer did not return a certificate", unsecured, "handshake failed"},
		{"protocol", trustCA(""), "options: { sni: [ localhost ], alpn: [ h2, http/1.1 ] }", "localhost", []string{"-alpn", "http/1.1"}, `New, TLSv1.3`, "", "", "fin"},
		{"protocol that is not agreed on", trustCA(""), "options: { sni: [ localhost ], alpn: [ h2 ] }", "localhost", nil, `New, TLSv1.3`, "", "", "fin"},
		{"protocol of a route that is not agreed on", trustCA(""), "routes:\n  - when: [ { alpn: h2 } ]\n    exit: south\noptions: { sni: [ localhost ], alpn: [ h2 ] }", "localhost", nil, "", "", "", "no route"},
		{"protocol that the server refuses", trustCA(""), "options: { sni: [ localhost ], alpn: [ h2 ] }", "localhost", []string{"-alpn", "http/1.1"}, "", "no application protocol", unsecured, "handshake failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			end, log := opensslServer(t, s, c.pair, c.args...)
			port := freePort(t)
			zilla := originating(port, c.vault, c.tls, end)
			if strings.Contains(c.tls, "routes:") && c.page == "" {
				zilla = strings.Replace(zilla, "\n    exit: south\n", "\n", 1) // only the route
			}
			g := s.gateway(t, zilla)
			out, err := curl(t, "--http0.9", fmt.Sprintf("http://%s/", address(port)))
			r := g.record(1)
			if c.page == "" {
				if err == nil || strings.Contains(out, "TLSv1") {
					t.Errorf("there is a page:\n%s", out)
				}
			} else if err != nil || !regexp.MustCompile(c.page).MatchString(out) {
				t.Errorf("curl: %v, no %s:\n%s", err, c.page, out)
			}
			if c.log != "" {
				eventually(t, "the server says "+c.log, func() bool { return regexp.MustCompile(c.log).MatchString(log.String()) })
			}
			if c.reason != "*" {
				says(t, r, "reason="+c.reason)
			}
			if c.reason != "fin" && c.reason != "no route" {
				says(t, r, "by=server")
				if r["error"] == nil {
					t.Errorf("the record does not say why: %v", r)
				}
			}
			g.terminate()
			var want []string
			if c.event != "" {
				want = []string{c.event}
			}
			if events := g.events(); c.event == "*" && len(events) == 0 || c.event != "*" && !slices.Equal(events, want) {
				t.Errorf("events: %q, want %q", events, want)
			}
		})
	}
}

// The session of a connection is resumed by the next one, but not with another identity.
func TestTLSClientResumption(t *testing.T) {
	s := newStage(t)
	for _, flag := range []string{"-tls1_2", "-tls1_3"} {
		end, _ := opensslServer(t, s, "localhost", flag)
		port := freePort(t)
		g := s.gateway(t, originating(port, trustCA(""), "options: { sni: [ localhost ] }", end))
		for i, want := range []string{"New, ", "Reused, ", "Reused, "} {
			out, err := curl(t, fmt.Sprintf("http://%s/", address(port)))
			if err != nil || !strings.Contains(out, want+versions[flag]) {
				t.Errorf("%d, %s: %v, no %q in\n%s", i, flag, err, want, out)
			}
		}
		g.terminate()
	}
}

// Servers that do not behave.
func TestTLSClientBadServers(t *testing.T) {
	s := newStage(t)
	for _, c := range []struct {
		name          string
		f             func(c *net.TCPConn)
		event, reason string
		by            string
	}{
		{"closes at once", func(c *net.TCPConn) { c.Close() }, "*", "*", "server"},
		{"resets at once", reset, "*", "*", "server"},
		{"closes after the hello", func(c *net.TCPConn) { c.Read(make([]byte, 10000)); c.CloseWrite(); io.Copy(io.Discard, c); c.Close() }, "*", "*", "server"},
		{"resets after the hello", func(c *net.TCPConn) { c.Read(make([]byte, 10000)); reset(c) }, "*", "*", "server"},
		{"is no TLS", func(c *net.TCPConn) {
			c.Read(make([]byte, 10000))
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
			c.CloseWrite()
			io.Copy(io.Discard, c)
			c.Close()
		}, "binding.tls.tls.failed", "tls", "server"},
		{"says noise", func(c *net.TCPConn) {
			c.Read(make([]byte, 10000))
			c.Write(append([]byte{22, 3, 3, 0x40, 0}, noise(1<<14)...))
			io.Copy(io.Discard, c)
			c.Close()
		}, "binding.tls.protocol.rejected", "tls", "server"},
		{"says nothing", func(c *net.TCPConn) { io.Copy(io.Discard, c); c.Close() }, "binding.tls.handshake.timeout", "handshake timeout", "gateway"},
	} {
		t.Run(c.name, func(t *testing.T) {
			end, port := freePort(t), freePort(t)
			serving(t, end, c.f)
			g := s.gateway(t, originating(port, trustCA(""), "options: { sni: [ localhost ] }", end), "-P", "gozilla.limits.handshake=500ms")
			// A connection that is refused at once may never come to be for the client.
			if conn, err := net.DialTimeout("tcp", address(port), patience); err == nil {
				conn.SetDeadline(time.Now().Add(patience))
				io.WriteString(conn, "hello")
				if got, err := io.ReadAll(conn); len(got) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the client gets %q, %v", got, err)
				}
				conn.Close()
			}
			r := g.record(1)
			g.terminate()
			says(t, r, "by="+c.by)
			if c.reason != "*" {
				says(t, r, "reason="+c.reason)
			}
			events := g.events()
			if c.event != "*" && !slices.Equal(events, []string{c.event}) || len(events) > 1 {
				t.Errorf("events: %q, want %s", events, c.event)
			}
		})
	}
}

// curl over TLS to what the gateway has behind it.
func TestCurlTLS(t *testing.T) {
	need(t, "curl", "curl")
	t.Run("terminate", func(t *testing.T) {
		s := newStage(t)
		port := freePort(t)
		g := s.gateway(t, secured(port, keys(""), "options: { keys: [ localhost ], alpn: [ http/1.1 ] }\nexit: south")+to(webServer(t)))
		url := fmt.Sprintf("https://localhost:%d/", port)
		n := 0
		for _, args := range [][]string{{}, {"--tlsv1.3"}, {"--tls-max", "1.2"}, {"--http1.0"}, {"--no-alpn"}, {"--no-sessionid"}, {"-d", strings.Repeat("x", 100_000)}} {
			n++
			out, err := curl(t, append([]string{"-4", "--cacert", s.path("ca.crt"), url}, args...)...)
			if err != nil || out != "hello" {
				t.Errorf("curl %.50q: %q, %v", args, out, err)
			}
			reason := "fin"
			r := g.record(n)
			if slices.Contains(args, "--http1.0") && r["reason"] == "rst" {
				reason = "rst" // the server ends, and curl may leave without having read that
			}
			says(t, r, "reason="+reason, "authority=localhost")
		}
		if out, err := curl(t, "-4", "--cacert", s.path("other-ca.crt"), url); err == nil {
			t.Errorf("curl trusts another authority: %s", out)
		}
		says(t, g.record(n+1), "reason=handshake failed", "by=client")
		g.terminate()
		if events := g.events(); !slices.Equal(events, []string{"binding.tls.handshake.failed"}) {
			t.Errorf("events: %q", events)
		}
	})
	t.Run("pass through", func(t *testing.T) {
		s := newStage(t)
		for _, name := range []string{"one", "two"} {
			s.pair(name, issue(t, s.ca, certs.Request{CommonName: name, DNS: []string{name + ".example"}}))
		}
		one, _ := opensslServer(t, s, "one")
		two, _ := opensslServer(t, s, "two")
		port := freePort(t)
		g := s.gateway(t, passing(port, `
routes:
  - { when: [ { authority: one.example } ], exit: one }
  - { when: [ { authority: "*.EXAMPLE" } ], exit: two }
`, map[string]int{"one": one, "two": two}))
		for i, name := range []string{"one.example", "two.example", "ONE.example"} {
			out, err := curl(t, "--cacert", s.path("ca.crt"), "--resolve", fmt.Sprintf("%s:%d:127.0.0.1", name, port), fmt.Sprintf("https://%s:%d/", name, port))
			if err != nil || !strings.Contains(out, "New, TLSv1.3") {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
			says(t, g.record(i+1), "reason=fin", "target="+address(map[string]int{"o": one, "t": two}[strings.ToLower(name[:1])]))
		}
		if out, err := curl(t, "-k", fmt.Sprintf("https://%s/", address(port))); err == nil {
			t.Errorf("without a name: %s", out)
		}
		says(t, g.record(4), "reason=no route", "by=gateway")
		g.terminate()
		if events := g.events(); len(events) > 0 {
			t.Errorf("events: %q", events)
		}
	})
	t.Run("originate", func(t *testing.T) {
		s := newStage(t)
		s.client("client-1", s.clients, certs.Request{CommonName: "client-1"})
		end, port := freePort(t), freePort(t)
		nginx(t, fmt.Sprintf(`http {
    access_log off;
    server {
        listen 127.0.0.1:%d ssl;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate %s;
        ssl_certificate_key %s;
        ssl_client_certificate %s;
        ssl_verify_client on;
        return 200 "$ssl_protocol $ssl_client_verify $ssl_client_s_dn $ssl_server_name $ssl_session_reused $ssl_alpn_protocol";
    }
}
`, end, s.path("localhost.crt"), s.path("localhost.key"), s.path("client-ca.crt")), end)
		g := s.gateway(t, originating(port, trustCA(", keys: { store: client-1.p12, password: generated }"), "options: { sni: [ localhost ], alpn: [ http/1.1 ] }", end))
		for range 3 {
			out, err := curl(t, fmt.Sprintf("http://%s/", address(port)))
			if err != nil || !regexp.MustCompile(`^TLSv1.3 SUCCESS CN=client-1 localhost [.r] http/1.1$`).MatchString(out) {
				t.Errorf("curl: %q, %v", out, err)
			}
		}
		g.terminate()
		if events := g.events(); len(events) > 0 {
			t.Errorf("events: %q", events)
		}
	})
}

// TestTLSChains passes on who the client is: from HAProxy, which has seen its certificate, and to it.
func TestTLSChains(t *testing.T) {
	need(t, "haproxy", "haproxy")
	need(t, "curl", "curl")
	t.Run("from HAProxy", func(t *testing.T) {
		s := newStage(t)
		s.client("client-1", s.clients, certs.Request{CommonName: "client-1"})
		s.write("localhost.pem", append(s.server.CertPEM(), s.server.KeyPEM()...))
		front, middle := freePort(t), freePort(t)
		// HAProxy ends the client's TLS, says so, and begins TLS of its own.
		zilla := strings.Replace(secured(middle, keys(""), "exit: echo"), "exit: inside }\n",
			"exit: said }\n  said: { type: proxy, kind: server, options: { trusted: 127.0.0.0/8 }, exit: inside }\n", 1)
		g := s.gateway(t, zilla)
		haproxy(t, fmt.Sprintf(`listen front
    mode tcp
    bind 127.0.0.1:%d ssl crt %s ca-file %s verify required
    server gateway 127.0.0.1:%d send-proxy-v2-ssl-cn ssl ca-file %s sni str(localhost)
`, front, s.path("localhost.pem"), s.path("client-ca.crt"), middle, s.path("ca.crt")), front)
		conn := dial(t, front)
		c, err := s.shown(conn, "client-1")
		if err == nil {
			err = echoes(c, "hello")
		}
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		r := g.record(1)
		says(t, r, "reason=fin", "source="+conn.LocalAddr().String(), "dest="+address(front), "identity=client-1", "authority=localhost", "tls=TLSv1.3")
		g.terminate()
		if events := g.events(); len(events) > 0 {
			t.Errorf("events: %q", events)
		}
	})
	t.Run("to HAProxy", func(t *testing.T) {
		s := newStage(t)
		s.client("client-1", s.clients, certs.Request{CommonName: "client-1"})
		port, end := freePort(t), freePort(t)
		haproxy(t, fmt.Sprintf(`frontend end
    mode http
    bind 127.0.0.1:%d accept-proxy
    http-request return status 200 content-type text/plain lf-string "%%[src]|%%[src_port]|%%[dst_port]|%%[fc_pp_authority]|%%[ssl_fc]|"
`, end), end)
		zilla := strings.Replace(secured(port, keys(trustClients), "options: { keys: [ localhost ], trust: [ client-ca ], alpn: [ http/1.1 ] }\nexit: say"), "  echo:",
			"  say: { type: proxy, kind: client, exit: south }\n  echo:", 1)
		g := s.gateway(t, zilla+to(end))
		out, err := curl(t, "-4", "--cacert", s.path("ca.crt"), "--cert", s.path("client-1.crt"), "--key", s.path("client-1.key"), "-w", "%{local_port}", fmt.Sprintf("https://localhost:%d/", port))
		fields := strings.Split(out, "|")
		if err != nil || len(fields) != 6 || fields[0] != "127.0.0.1" || fields[1] != fields[5] || fields[2] != fmt.Sprint(port) || fields[3] != "localhost" {
			t.Errorf("HAProxy has been told %q, %v", out, err)
		}
		says(t, g.record(1), "identity=client-1", "reason=fin")
		// What HAProxy does not show, of the client's certificate, is in the header.
		headers := freePort(t)
		got := make(chan []byte, 1)
		serving(t, headers, func(c *net.TCPConn) {
			b := make([]byte, 4096)
			n, _ := c.Read(b) // else it is empty
			got <- b[:n]
			c.Close()
		})
		g.terminate()
		again := s.gateway(t, zilla+to(headers))
		conn := dial(t, port)
		c, err := s.shown(conn, "client-1")
		if err != nil {
			t.Fatal(err)
		}
		b := <-got
		c.Close()
		for _, want := range []string{"\x22\x00\x08client-1", "\x21\x00\x07TLSv1.3", "\x02\x00\x09localhost"} {
			if !bytes.Contains(b, []byte(want)) {
				t.Errorf("the header has no %q: %q", want, b)
			}
		}
		again.terminate()
	})
}
