package test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gozilla/internal/certs"
)

// A stage has who trusts whom in a test of tls, and the folder in which its files are. PASSWORD is that of all stores.
type stage struct {
	t                   testing.TB
	dir                 string
	ca, clients, others *certs.Authority
	server              *certs.Pair // localhost, and its addresses
}

const password = "generated"

func newStage(t testing.TB) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir()}
	s.ca, s.clients, s.others = authority(t, "Test CA"), authority(t, "Test Client CA"), authority(t, "Other CA")
	s.server = issue(t, s.ca, localhost())
	for name, a := range map[string]*certs.Authority{"ca": s.ca, "client-ca": s.clients, "other-ca": s.others} {
		s.write(name+".crt", a.PEM())
	}
	s.pair("localhost", s.server)
	return s
}

func localhost() certs.Request {
	return certs.Request{CommonName: "localhost", DNS: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}}
}

func authority(t testing.TB, name string) *certs.Authority {
	t.Helper()
	a, err := certs.NewAuthority(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t testing.TB, a *certs.Authority, r certs.Request) *certs.Pair {
	t.Helper()
	p, err := a.Issue(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// path is that of a file of the stage.
func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// write makes a file, or replaces it as a whole.
func (s *stage) write(name string, b []byte) {
	s.t.Helper()
	next := s.path("." + name + ".next")
	if err := os.WriteFile(next, b, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(next, s.path(name)); err != nil {
		s.t.Fatal(err)
	}
}

// pair writes NAME.crt, NAME.key and NAME.p12, in which the alias is NAME.
func (s *stage) pair(name string, p *certs.Pair) {
	s.t.Helper()
	s.write(name+".crt", p.CertPEM())
	s.write(name+".key", p.KeyPEM())
	s.store(name+".p12", certs.Entry{Alias: name, Pair: p})
}

// client makes the files of a client.
func (s *stage) client(name string, a *certs.Authority, r certs.Request) *certs.Pair {
	s.t.Helper()
	r.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	p := issue(s.t, a, r)
	s.pair(name, p)
	return p
}

// store writes a PKCS12 store.
func (s *stage) store(name string, entries ...certs.Entry) {
	s.t.Helper()
	b, err := certs.PKCS12(password, entries...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(name, b)
}

// keys is a vault with what a server needs, which is the store localhost.p12, and with more options.
func keys(more string) string {
	return fmt.Sprintf(`vaults:
  safe:
    type: filesystem
    options: { keys: { store: localhost.p12, password: %s }%s }
`, password, more)
}

// trustClients is the option of a vault that trusts what client-ca has issued.
const trustClients = ", trust: { store: client-ca.crt, type: pem }"

// secured is a configuration of a tcp server and, behind it, a tls server with these lines of its own.
func secured(port int, vault, tls string) string {
	return fmt.Sprintf(`name: example
%sbindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: inside }
  inside:
    type: tls
    kind: server
    vault: safe
    %s
  echo: { type: echo, kind: server }
`, vault, port, strings.ReplaceAll(strings.TrimSpace(tls), "\n", "\n    "))
}

// to is a line of a configuration: the tcp client south.
func to(port int) string {
	return fmt.Sprintf("  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: %d } }\n", port)
}

// gateway starts a gateway in the folder of the stage, which writes events and records as JSON.
func (s *stage) gateway(t testing.TB, zilla string, args ...string) *gateway {
	t.Helper()
	write(t, s.path("zilla.yaml"), zilla)
	g := launch(t, s.dir, append([]string{"start", "--records", "--log-format", "json"}, args...)...)
	g.awaitStart()
	return g
}

// in is the gateway as a part of a test sees it.
func (g *gateway) in(t testing.TB) *gateway {
	mine := *g
	mine.t = t
	return &mine
}

// told are the lines of the log so far, of records or of events.
func (g *gateway) told(records bool) (lines []map[string]any) {
	g.t.Helper()
	whole := newOutput()
	for _, line := range g.stderr.lines() {
		io.WriteString(whole, line+"\n")
	}
	for _, line := range jsonLines(g.t, whole) {
		event, _ := line["event"].(string)
		if records && line["msg"] == "connection ended" || !records && event != "" && !strings.HasPrefix(event, "engine.") {
			lines = append(lines, line)
		}
	}
	return lines
}

// record waits for the n-th record, which begins with 1.
func (g *gateway) record(n int) (r map[string]any) {
	g.t.Helper()
	eventually(g.t, fmt.Sprintf("there is a %d. record", n), func() bool {
		if all := g.told(true); len(all) >= n {
			r = all[n-1]
		}
		return r != nil
	})
	return r
}

// events are the ids of those that were told so far, those of the engine aside.
func (g *gateway) events() (ids []string) {
	g.t.Helper()
	for _, line := range g.told(false) {
		ids = append(ids, line["event"].(string))
	}
	return ids
}

// says checks some values of a record.
func says(t testing.TB, r map[string]any, want ...string) {
	t.Helper()
	for _, w := range want {
		key, value, _ := strings.Cut(w, "=")
		got := ""
		if v, ok := r[key]; ok {
			got = fmt.Sprint(v)
		}
		if got != value {
			t.Errorf("the record says %s=%q, not %q: %v", key, got, value, r)
		}
	}
}

// opensslClient runs openssl s_client, which says what was agreed on. The input ends as soon as the text has come out, or
// at once if there is none.
func opensslClient(t testing.TB, port int, input, until string, args ...string) said {
	t.Helper()
	messages := filepath.Join(t.TempDir(), "messages")
	got := talk(t, input, until, need(t, "openssl", "openssl"),
		append([]string{"s_client", "-connect", address(port), "-no_ign_eof", "-msg", "-msgfile", messages}, args...)...)
	for _, line := range strings.Split(string(mustRead(t, messages)), "\n") {
		if what, ok := strings.CutPrefix(line, "<<< "); ok && strings.Contains(what, ", Alert ") {
			got.alerts = append(got.alerts, what[strings.LastIndex(what, ", ")+2:])
		}
	}
	return got
}

// A said is what a program has said that has come to its end.
type said struct {
	out, errs string
	status    int
	alerts    []string // that openssl has got: "fatal certificate_required"
}

// has checks that a program has written some lines, or parts of them.
func (s said) has(t testing.TB, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(s.out+s.errs, w) {
			t.Errorf("there is no %q in\n%s\n%s", w, s.out, s.errs)
		}
	}
}

// talk runs a program, whose input ends as soon as the text has come out.
func talk(t testing.TB, input, until, name string, args ...string) said {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var errs bytes.Buffer
	out := newOutput()
	cmd.Stdout, cmd.Stderr = out, &errs
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() { // ends with the program
		defer in.Close()
		if _, err := io.WriteString(in, input); err != nil {
			return // it has ended before
		}
		for {
			text, changed := out.now()
			if strings.Contains(text, until) {
				return
			}
			select {
			case <-changed:
			case <-over:
				return
			}
		}
	}()
	err = cmd.Wait()
	close(over)
	if ctx.Err() != nil {
		t.Errorf("%s %q does not end:\n%s\n%s", name, args, out, &errs)
	} else if cmd.ProcessState.ExitCode() < 0 {
		t.Errorf("%s: %v", name, err)
	}
	return said{out: out.String(), errs: errs.String(), status: cmd.ProcessState.ExitCode()}
}

// shown shakes hands over a connection, and shows the certificate of one of the stage's files.
func (s *stage) shown(c net.Conn, pair string) (*tls.Conn, error) {
	show, err := tls.LoadX509KeyPair(s.path(pair+".crt"), s.path(pair+".key"))
	if err != nil {
		return nil, err
	}
	config := s.config()
	config.Certificates = []tls.Certificate{show}
	secured := tls.Client(c, config)
	return secured, secured.Handshake()
}

// secure dials a port and shakes hands.
func secure(t testing.TB, port int, config *tls.Config) (*tls.Conn, error) {
	t.Helper()
	c := tls.Client(dial(t, port), config)
	return c, c.Handshake()
}

// config is that of a client that trusts the server, and asks for localhost.
func (s *stage) config(show ...*certs.Pair) *tls.Config {
	c := &tls.Config{RootCAs: s.ca.Pool(), ServerName: "localhost"}
	for _, p := range show {
		c.Certificates = append(c.Certificates, p.TLS())
	}
	return c
}

// echoes sends a text over a connection to an echo, and wants it back.
func echoes(c net.Conn, text string) error {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	b := make([]byte, len(text))
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	if string(b) != text {
		return fmt.Errorf("%q comes back, not %q", b, text)
	}
	return nil
}

// sumOf is what a summing server answers.
func sumOf(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
