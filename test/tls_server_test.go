package test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gozilla/internal/certs"
)

// versions are those that are spoken: what openssl calls them, and what records do.
var versions = map[string]string{"-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3"}

// What openssl agrees on with a server: the certificate is chosen by the name, the protocol by what routes take. Whom no
// route takes is told so in order.
func TestTLSServer(t *testing.T) {
	need(t, "openssl", "openssl")
	s := newStage(t)
	s.server = issue(t, s.ca, certs.Request{CommonName: "localhost", DNS: []string{"localhost"}})
	first := issue(t, s.ca, certs.Request{CommonName: "first", DNS: []string{"first.example"}})
	second := issue(t, s.ca, certs.Request{CommonName: "second", DNS: []string{"*.second.example"}, RSA: true})
	s.store("localhost.p12", certs.Entry{Alias: "localhost", Pair: s.server}, certs.Entry{Alias: "first", Pair: first}, certs.Entry{Alias: "second", Pair: second})
	port := freePort(t)
	g := s.gateway(t, secured(port, keys(""), `
options: { keys: [ localhost, first, second ], alpn: [ echo, other, unroutable ] }
routes:
  - when: [ { alpn: echo }, { alpn: other } ]
    exit: echo
  - when: [ { authority: "*.example" }, { authority: LOCALHOST } ]
    exit: echo
`))
	n := 0
	for _, c := range []struct {
		name, ask, protocols string
		issued               string // the name of the certificate
		agreed               string
		taken                bool
	}{
		{"name", "localhost", "", "localhost", "", true},
		{"name in any case", "LocalHost", "", "localhost", "", true},
		{"other name", "first.example", "", "first", "", true},
		{"wildcard", "a.second.example", "", "second", "", true},
		{"unknown name", "nobody.example", "", "localhost", "", true},
		{"no name, no protocol", "", "", "localhost", "", false},
		{"protocol, no name", "", "echo", "localhost", "echo", true},
		{"protocol", "localhost", "echo", "localhost", "echo", true},
		{"first of two protocols", "elsewhere", "other,echo", "localhost", "other", true},
		{"second of two protocols", "elsewhere", "h2,echo", "localhost", "echo", true},
		{"unknown protocols", "elsewhere", "h2,http/1.1", "localhost", "", false},
		{"protocol without a route", "elsewhere", "unroutable", "localhost", "unroutable", false},
	} {
		for flag, version := range versions {
			n++
			t.Run(c.name+" "+version, func(t *testing.T) {
				args := []string{flag, "-CAfile", s.path("ca.crt"), "-verify_return_error"}
				if c.ask == "" {
					args = append(args, "-noservername")
				} else {
					args = append(args, "-servername", c.ask)
				}
				if c.protocols != "" {
					args = append(args, "-alpn", c.protocols)
				}
				until, by, reason := "hello\n", "client", "fin"
				if !c.taken { // it is the gateway that ends, so the input stays open
					until, by, reason = "nothing", "gateway", "no route"
				}
				got := opensslClient(t, port, "hello\n", until, args...)
				if got.status != 0 {
					t.Errorf("status %d: %s", got.status, got.errs)
				}
				got.has(t, "subject=CN = "+c.issued+"\n", "Verification: OK", version)
				if c.agreed == "" {
					got.has(t, "No ALPN negotiated")
				} else {
					got.has(t, "ALPN protocol: "+c.agreed+"\n")
				}
				if c.taken != strings.Contains(got.out, "hello\n") {
					t.Errorf("the echo: %s", got.out)
				}
				if !c.taken && (!slices.Equal(got.alerts, []string{"warning close_notify"}) || !strings.Contains(got.out, "closed\n")) {
					t.Errorf("whom no route takes gets %q:\n%s%s", got.alerts, got.out, got.errs)
				}
				says(t, g.in(t).record(n), "tls="+version, "alpn="+c.agreed, "authority="+c.ask, "by="+by, "reason="+reason)
			})
		}
	}
	if events := g.events(); len(events) > 0 {
		t.Errorf("events: %q", events)
	}
	g.terminate()
}

// What clients show, and what becomes of it.
func TestTLSServerMutual(t *testing.T) {
	need(t, "openssl", "openssl")
	s := newStage(t)
	var points lists
	points.serve(t)
	s.client("good", s.clients, certs.Request{CommonName: "client-1"})
	between, err := s.clients.Intermediate("Between")
	if err != nil {
		t.Fatal(err)
	}
	s.client("chained", between, certs.Request{CommonName: "client-2"})
	s.client("rsa", s.clients, certs.Request{CommonName: "client-3", RSA: true})
	s.client("expired", s.clients, certs.Request{CommonName: "client-4", NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	s.client("future", s.clients, certs.Request{CommonName: "client-5", NotBefore: time.Now().Add(time.Hour)})
	s.client("stranger", s.others, certs.Request{CommonName: "client-1"})
	s.pair("wrong-use", issue(t, s.clients, certs.Request{CommonName: "client-6", Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}))
	revoked := s.client("revoked", s.clients, certs.Request{CommonName: "client-7"})
	s.client("point-good", s.others, certs.Request{CommonName: "client-8", CRLs: []string{points.url}})
	pointRevoked := s.client("point-revoked", s.others, certs.Request{CommonName: "client-9", CRLs: []string{points.url}})
	s.client("point-gone", s.others, certs.Request{CommonName: "client-10", CRLs: []string{points.url + "/gone"}})
	s.write("clients.crl", revocations(t, s.clients, 1, revoked))
	points.put("/", revocations(t, s.others, 1, pointRevoked))

	const both = ", trust: { store: [ client-ca.crt, other-ca.crt ], type: pem }, revocation: crl, crls: clients.crl"
	mutual := func(policy string) string {
		return "options: { keys: [ localhost ], trust: [ client-ca ], mutual: " + policy + " }\nexit: echo"
	}
	for _, c := range []struct {
		name, vault, tls, show string
		alert                  string // "" if the client is let in
		identity               string
	}{
		{"required, none", trustClients, mutual("required"), "", "certificate required", ""},
		{"required, good", trustClients, mutual("required"), "good", "", "client-1"},
		{"required, by way of an intermediate", trustClients, mutual("required"), "chained", "", "client-2"},
		{"required, RSA", trustClients, mutual("required"), "rsa", "", "client-3"},
		{"required, expired", trustClients, mutual("required"), "expired", "certificate expired", ""},
		{"required, not yet valid", trustClients, mutual("required"), "future", "certificate", ""},
		{"required, unknown authority", trustClients, mutual("required"), "stranger", "unknown ca", ""},
		{"required, of a server", trustClients, mutual("required"), "wrong-use", "certificate", ""},
		{"by default required, none", trustClients, "exit: echo", "", "certificate required", ""},
		{"by default required, good", trustClients, "exit: echo", "good", "", "client-1"},
		{"requested, none", trustClients, mutual("requested"), "", "", ""},
		{"requested, good", trustClients, mutual("requested"), "good", "", "client-1"},
		{"requested, unknown authority", trustClients, mutual("requested"), "stranger", "unknown ca", ""},
		{"requested, expired", trustClients, mutual("requested"), "expired", "certificate expired", ""},
		{"not asked", trustClients, mutual("none"), "good", "", ""},
		{"on no list", both, "exit: echo", "good", "", "client-1"},
		{"intermediate without a list", both, "exit: echo", "chained", "certificate", ""},
		{"on the list of a file", both, "exit: echo", "revoked", "certificate", ""},
		{"on no fetched list", both, "exit: echo", "point-good", "", "client-8"},
		{"on a fetched list", both, "exit: echo", "point-revoked", "certificate", ""},
		{"a list that is not to be had", both, "exit: echo", "point-gone", "certificate", ""},
		{"no list at all", both, "exit: echo", "stranger", "certificate", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := freePort(t)
			g := s.gateway(t, secured(port, keys(c.vault), c.tls))
			n := 0
			for flag, version := range versions {
				n++
				args := []string{flag, "-CAfile", s.path("ca.crt"), "-verify_return_error", "-servername", "localhost"}
				if c.show != "" {
					args = append(args, "-cert", s.path(c.show+".crt"), "-key", s.path(c.show+".key"), "-cert_chain", s.path(c.show+".crt"))
				}
				got := opensslClient(t, port, "hello\n", "hello\n", args...)
				if c.alert == "" {
					if got.status != 0 || !strings.Contains(got.out, "hello\n") {
						t.Errorf("%s: status %d: %s", version, got.status, got.errs)
					}
					says(t, g.in(t).record(n), "tls="+version, "by=client", "reason=fin", "identity="+c.identity)
					continue
				}
				want := c.alert
				if version == "TLSv1.2" && c.alert == "certificate required" {
					want = "handshake failure" // the alert is of TLS 1.3
				}
				if got.status == 0 || strings.Contains(got.out, "hello\n") || len(got.alerts) != 1 || !strings.HasPrefix(got.alerts[0], "fatal") {
					t.Errorf("%s: status %d, alerts %q: %s\n%s", version, got.status, got.alerts, got.out, got.errs)
				}
				if alert := strings.Join(got.alerts, " "); !strings.Contains(strings.NewReplacer("_", " ").Replace(strings.ToLower(alert)), want) {
					t.Errorf("%s: the alert is %q, not %s", version, alert, want)
				}
				r := g.in(t).record(n)
				says(t, r, "by=client", "reason=not verified", "identity=")
				if r["error"] == nil {
					t.Errorf("the record does not say why: %v", r)
				}
			}
			g.terminate()
			want := 0
			if c.alert != "" {
				want = n
			}
			if events := g.events(); len(events) != want || count(events, func(id string) bool { return id == "binding.tls.peer.not.verified" }) != want {
				t.Errorf("events: %q", events)
			}
		})
	}
}

// lists is a server of revocation lists.
type lists struct {
	url string
	mu  sync.Mutex
	all map[string][]byte // by path
}

func (l *lists) serve(t testing.TB) {
	t.Helper()
	l.all = map[string][]byte{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		list, ok := l.all[r.URL.Path]
		l.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(list)
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
}

func (l *lists) put(path string, list []byte) {
	l.mu.Lock()
	l.all[path] = list
	l.mu.Unlock()
}

// revocations is a list of an authority.
func revocations(t testing.TB, a *certs.Authority, number int64, revoked ...*certs.Pair) []byte {
	t.Helper()
	var all []*x509.Certificate
	for _, p := range revoked {
		all = append(all, p.Leaf())
	}
	b, err := a.Revoke(number, time.Now().Add(time.Hour), all...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Sessions are resumed, but not by who is not trusted, and the record of a resumed one says the same.
func TestTLSServerResumption(t *testing.T) {
	need(t, "openssl", "openssl")
	s := newStage(t)
	s.client("good", s.clients, certs.Request{CommonName: "client-1"})
	port := freePort(t)
	g := s.gateway(t, secured(port, keys(trustClients), "options: { keys: [ localhost ], trust: [ client-ca ], alpn: [ echo ] }\nexit: echo"))
	n := 0
	for flag, version := range versions {
		t.Run(version, func(t *testing.T) {
			session := s.path("session")
			args := []string{flag, "-CAfile", s.path("ca.crt"), "-servername", "localhost", "-alpn", "echo", "-cert", s.path("good.crt"), "-key", s.path("good.key")}
			for i, how := range []string{"New, ", "Reused, ", "Reused, "} {
				with := append(slices.Clone(args), "-sess_out", session)
				if i > 0 {
					with = append(with, "-sess_in", session)
				}
				got := opensslClient(t, port, "hello\n", "hello\n", with...)
				if got.status != 0 {
					t.Errorf("status %d: %s", got.status, got.errs)
				}
				got.has(t, how+version, "hello\n")
				n++
				says(t, g.in(t).record(n), "tls="+version, "alpn=echo", "authority=localhost", "identity=client-1", "reason=fin")
			}
		})
	}
	t.Run("reconnect", func(t *testing.T) {
		got := opensslClient(t, port, "hello\n", "hello\n", "-tls1_2", "-CAfile", s.path("ca.crt"), "-servername", "localhost",
			"-cert", s.path("good.crt"), "-key", s.path("good.key"), "-reconnect")
		if got.status != 0 || strings.Count(got.out, "Reused, TLSv1.2") != 5 {
			t.Errorf("status %d, %d times resumed:\n%s", got.status, strings.Count(got.out, "Reused, TLSv1.2"), got.errs)
		}
		says(t, g.in(t).record(n+6), "identity=client-1", "reason=fin")
	})
	if events := g.events(); len(events) > 0 {
		t.Errorf("events: %q", events)
	}
	g.terminate()
}

// What openssl can do in the middle of a connection.
func TestTLSServerCommands(t *testing.T) {
	need(t, "openssl", "openssl")
	s := newStage(t)
	port := freePort(t)
	g := s.gateway(t, secured(port, keys(""), "exit: echo"))
	n := 0
	for _, c := range []struct{ name, flag, input, until, alert string }{
		{"update of our key", "-tls1_3", "one\nk\ntwo\n", "two\n", ""},
		{"update of both keys", "-tls1_3", "one\nK\ntwo\nK\nthree\n", "three\n", ""},
		// RFC 5246 has a warning no_renegotiation for this; crypto/tls ends the connection instead.
		{"renegotiation", "-tls1_2", "one\nR\ntwo\n", "two\n", "fatal unexpected_message"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n++
			// A command is a line that openssl reads at once.
			got := commanded(t, port, strings.SplitAfter(strings.TrimSuffix(c.input, "\n"), "\n"), c.flag, "-CAfile", s.path("ca.crt"), "-servername", "localhost")
			r := g.in(t).record(n)
			if c.alert == "" {
				if got.status != 0 {
					t.Errorf("status %d: %s", got.status, got.errs)
				}
				got.has(t, "one\n", c.until, "KEYUPDATE")
				says(t, r, "reason=fin", "by=client")
				return
			}
			if !slices.Equal(got.alerts, []string{c.alert}) {
				t.Errorf("alerts %q, status %d:\n%s%s", got.alerts, got.status, got.out, got.errs)
			}
			says(t, r, "reason=tls", "by=client")
		})
	}
	c, err := secure(t, port, s.config())
	if err == nil {
		err = echoes(c, "still there")
	}
	if err != nil {
		t.Error(err)
	}
	c.Close()
	g.terminate()
	if events := g.events(); !slices.Equal(events, []string{"binding.tls.protocol.rejected"}) {
		t.Errorf("events: %q", events)
	}
}

// commanded runs openssl s_client and gives it lines, each when the one before has come back, or is a command.
func commanded(t testing.TB, port int, lines []string, args ...string) said {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	messages := filepath.Join(t.TempDir(), "messages")
	out, errs := newOutput(), newOutput()
	cmd := exec.Command(need(t, "openssl", "openssl"), append([]string{"s_client", "-connect", address(port), "-no_ign_eof", "-msg", "-msgfile", messages}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, out, errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for i, line := range lines {
		io.WriteString(w, strings.TrimSuffix(line, "\n")+"\n")
		said := map[string]string{"k": "KEYUPDATE", "K": "KEYUPDATE", "R": "RENEGOTIATING"}[strings.TrimSpace(line)]
		where, want, times := errs, said, 0
		if said == "" {
			where, want = out, "\n"+strings.TrimSuffix(line, "\n")+"\n" // a whole line: what openssl says of the session has None in it
		}
		for _, before := range lines[:i+1] {
			if strings.TrimSpace(before) == strings.TrimSpace(line) {
				times++
			}
		}
		over := false
		eventually(t, fmt.Sprintf("openssl has done line %d, %q", i, line), func() bool {
			select {
			case err := <-done:
				done <- err
				over = true
			default:
			}
			return over || strings.Count(where.String(), want) >= times
		})
		if over {
			break
		}
	}
	w.Close()
	select {
	case <-done:
	case <-time.After(patience):
		cmd.Process.Kill()
		t.Fatalf("openssl does not end:\n%s%s", out, errs)
	}
	got := said{out: out.String(), errs: errs.String(), status: cmd.ProcessState.ExitCode()}
	for _, m := range regexp.MustCompile(`(?m)^<<< .*, Alert .*, (.*)$`).FindAllStringSubmatch(string(mustRead(t, messages)), -1) {
		got.alerts = append(got.alerts, m[1])
	}
	return got
}

// One side may end while the other goes on.
func TestTLSServerHalfClose(t *testing.T) {
	s := newStage(t)
	port, end := freePort(t), freePort(t)
	summing(t, end)
	g := s.gateway(t, secured(port, keys(""), "routes:\n  - when: [ { alpn: sum } ]\n    exit: south\nexit: echo")+to(end))
	n := 0
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, size := range []int{0, 1, 100_000, 5_000_000} {
			n++
			config := s.config()
			config.MaxVersion, config.NextProtos = version, []string{"sum"}
			c, err := secure(t, port, config)
			if err != nil {
				t.Fatal(err)
			}
			b := noise(size)
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
			c.CloseWrite()
			got, err := io.ReadAll(c)
			if err != nil || string(got) != sumOf(b) {
				t.Errorf("%s of %d bytes, %v", got, size, err)
			}
			c.Close()
			says(t, g.in(t).record(n), "by=client", "reason=fin", "alpn=sum")
		}
	}
	t.Run("openssl", func(t *testing.T) {
		// openssl does not read on when its input ends. What was sent then is thrown away, in order.
		n++
		got := opensslClient(t, port, "hello\n", "", "-CAfile", s.path("ca.crt"), "-servername", "localhost")
		if got.status != 0 {
			t.Errorf("status %d: %s", got.status, got.errs)
		}
		r := g.in(t).record(n)
		says(t, r, "by=client", "reason=fin")
	})
	t.Run("socat", func(t *testing.T) {
		// socat ends its direction and waits for the other one.
		n++
		input := strings.Repeat("hello\n", 100_000)
		cmd := exec.Command(need(t, "socat", "socat"), "-t", "20", "-", fmt.Sprintf("OPENSSL:localhost:%d,pf=ip4,cafile=%s", port, s.path("ca.crt")))
		cmd.Stdin = strings.NewReader(input)
		got, err := cmd.Output()
		if err != nil || string(got) != input {
			t.Errorf("%d of %d bytes come back, %v", len(got), len(input), err)
		}
		says(t, g.in(t).record(n), "by=client", "reason=fin")
	})
	if events := g.events(); len(events) > 0 {
		t.Errorf("events: %q", events)
	}
	g.terminate()
}

// The versions and groups that a server takes.
func TestTLSServerGroups(t *testing.T) {
	openssl := need(t, "openssl", "openssl")
	s := newStage(t)
	port := freePort(t)
	g := s.gateway(t, secured(port, keys(""), "exit: echo"))
	groups := []string{"X25519", "P-256", "P-384", "P-521"}
	if out, err := exec.Command(openssl, "list", "-kem-algorithms").CombinedOutput(); err == nil && bytes.Contains(out, []byte("X25519MLKEM768")) {
		groups = append(groups, "X25519MLKEM768")
	}
	n := 0
	for _, group := range groups {
		n++
		got := opensslClient(t, port, "hello\n", "hello\n", "-CAfile", s.path("ca.crt"), "-groups", group)
		if got.status != 0 || !strings.Contains(got.out, "hello\n") {
			t.Errorf("%s: status %d: %s", group, got.status, got.errs)
		}
		says(t, g.in(t).record(n), "reason=fin", "tls=TLSv1.3")
	}
	// crypto/tls of this test knows the hybrid group in any case.
	config := s.config()
	config.CurvePreferences = []tls.CurveID{tls.X25519MLKEM768}
	c, err := secure(t, port, config)
	if err != nil {
		t.Fatal(err)
	}
	if err := echoes(c, "hello"); err != nil || c.ConnectionState().CurveID != tls.X25519MLKEM768 {
		t.Errorf("%v, %v", err, c.ConnectionState().CurveID)
	}
	c.Close()
	n++
	says(t, g.in(t).record(n), "reason=fin")
	for _, args := range [][]string{
		{"-groups", "X448", "-tls1_3"}, {"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"}, {"-tls1_2", "-cipher", "AES128-GCM-SHA256"},
		{"-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"}, {"-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"},
	} {
		n++
		got := opensslClient(t, port, "hello\n", "hello\n", append([]string{"-CAfile", s.path("ca.crt")}, args...)...)
		if got.status == 0 || len(got.alerts) != 1 || !regexp.MustCompile(`fatal (handshake_failure|protocol_version)`).MatchString(got.alerts[0]) {
			t.Errorf("%q: status %d, alerts %q: %s", args, got.status, got.alerts, got.errs)
		}
		says(t, g.in(t).record(n), "reason=handshake failed", "by=client", "tls=")
	}
	g.terminate()
	want := slices.Repeat([]string{"binding.tls.handshake.failed"}, 5)
	if events := g.events(); !slices.Equal(events, want) {
		t.Errorf("events: %q", events)
	}
}

// A server that speaks 1.2 at most.
func TestTLSServerVersion(t *testing.T) {
	need(t, "openssl", "openssl")
	s := newStage(t)
	port := freePort(t)
	g := s.gateway(t, secured(port, keys(""), "options: { keys: [ localhost ], version: TLSv1.2 }\nexit: echo"))
	got := opensslClient(t, port, "hello\n", "hello\n", "-CAfile", s.path("ca.crt"))
	got.has(t, "New, TLSv1.2", "hello\n")
	says(t, g.record(1), "tls=TLSv1.2", "reason=fin")
	if got := opensslClient(t, port, "hello\n", "hello\n", "-tls1_3"); !slices.Equal(got.alerts, []string{"fatal protocol_version"}) {
		t.Errorf("alerts %q", got.alerts)
	}
	says(t, g.record(2), "reason=handshake failed")
	g.terminate()
	if events := g.events(); !slices.Equal(events, []string{"binding.tls.handshake.failed"}) {
		t.Errorf("events: %q", events)
	}
}

// How a server behind the gateway ends is told to the client: in order by a close_notify, else by a reset without one.
func TestTLSServerEnds(t *testing.T) {
	s := newStage(t)
	orderly, rude := freePort(t), freePort(t)
	serving(t, orderly, func(c *net.TCPConn) {
		io.WriteString(c, "bye")
		c.CloseWrite()
		io.Copy(io.Discard, c)
		c.Close()
	})
	serving(t, rude, func(c *net.TCPConn) {
		io.WriteString(c, "bye")
		io.ReadFull(c, make([]byte, 3))
		reset(c)
	})
	for _, c := range []struct {
		name string
		port int
		want error
		by   string
	}{{"fin", orderly, nil, "server"}, {"rst", rude, syscall.ECONNRESET, "server"}} {
		t.Run(c.name, func(t *testing.T) {
			port := freePort(t)
			g := s.gateway(t, secured(port, keys(""), "exit: south")+to(c.port))
			conn, err := secure(t, port, s.config())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(conn, make([]byte, 3)); err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, "bye")
			_, err = io.ReadAll(conn)
			if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("the end is %v, want %v", err, c.want)
			}
			conn.Close()
			says(t, g.record(1), "by="+c.by, "reason="+c.name)
			g.terminate()
		})
	}
}
