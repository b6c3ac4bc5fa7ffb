package tls_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gozilla/component"
	"gozilla/internal/certs"
	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
	"gozilla/stream/conn"
	"gozilla/vault"
)

// TestMain has the system know one authority, that of strangers.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "authorities")
	if err != nil {
		panic(err)
	}
	file := filepath.Join(dir, "strangers.crt")
	if err := os.WriteFile(file, theWorld().strangers.PEM(), 0o600); err != nil {
		panic(err)
	}
	os.Setenv("SSL_CERT_FILE", file)
	os.Setenv("SSL_CERT_DIR", dir)
	x509.SystemCertPool() // reads them, once and for all
	os.RemoveAll(dir)
	leak.Main(m)
}

// Safe is a test vault in a file: what it holds is what the test has put under its name.
type Safe struct {
	vault.Head
	Options struct{ Holds string }
}

// safes are what tests have put there, by name.
var safes sync.Map

// safe is a vault whose contents a test exchanges.
type safe struct {
	mu      sync.Mutex
	now     *vault.Contents
	waiting map[int]func()
	last    int
}

func init() {
	vault.Register("test", func(*component.Loader, *Safe) struct{} { return struct{}{} },
		func(_ *component.Builder, c *Safe, _ struct{}) (vault.Vault, error) {
			if s, ok := safes.Load(c.Options.Holds); ok {
				return s.(*safe), nil
			}
			return &safe{now: &vault.Contents{}}, nil
		})
}

// put makes a vault that files name with "type: test, options: { holds: NAME }".
func put(t testing.TB, name string, now *vault.Contents) *safe {
	s := &safe{now: now, waiting: map[int]func(){}}
	safes.Store(name, s)
	t.Cleanup(func() { safes.Delete(name) })
	return s
}

func (s *safe) Contents() *vault.Contents {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *safe) OnChange(f func()) (undo func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	i := s.last
	s.waiting[i] = f
	return func() {
		s.mu.Lock()
		delete(s.waiting, i)
		s.mu.Unlock()
	}
}

// exchange replaces the contents.
func (s *safe) exchange(now *vault.Contents) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
	for _, f := range s.waiting {
		f()
	}
}

// world is who trusts whom in the tests of this package; it is made once.
type world struct {
	ca, clients, strangers *certs.Authority
	server                 *certs.Pair // localhost, 127.0.0.1
}

var theWorld = sync.OnceValue(func() *world {
	w := &world{ca: authority("Test CA"), clients: authority("Test Client CA"), strangers: authority("Stranger CA")}
	w.server = issue(w.ca, certs.Request{CommonName: "localhost", DNS: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	return w
})

func authority(name string) *certs.Authority {
	a, err := certs.NewAuthority(name)
	if err != nil {
		panic(err)
	}
	return a
}

func issue(a *certs.Authority, r certs.Request) *certs.Pair {
	p, err := a.Issue(r)
	if err != nil {
		panic(err)
	}
	return p
}

func key(alias string, p *certs.Pair) vault.Key { return vault.Key{Alias: alias, Certificate: p.TLS()} }

func trust(alias string, a *certs.Authority) vault.Certificate {
	return vault.Certificate{Alias: alias, Certificate: a.Certificate}
}

// vaultOf is a vault with keys and nothing else.
func vaultOf(pairs ...*certs.Pair) *vault.Contents {
	now := &vault.Contents{}
	for _, p := range pairs {
		now.Keys = append(now.Keys, key(p.Leaf().Subject.CommonName, p))
	}
	return now
}

// clientConfig is that of a client that trusts the server, and asks for localhost.
func (w *world) clientConfig(show ...*certs.Pair) *tls.Config {
	c := &tls.Config{RootCAs: w.ca.Pool(), ServerName: "localhost"}
	for _, p := range show {
		c.Certificates = append(c.Certificates, p.TLS())
	}
	return c
}

// watched is a net.Conn that knows whether it has ended.
type watched struct {
	net.Conn
	mu    sync.Mutex
	ended bool
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err == io.EOF {
		w.mu.Lock()
		w.ended = true
		w.mu.Unlock()
	}
	return n, err
}

// peer is the end of a TLS connection over c as a test uses it: bytes and their ends, of which an abort is a reset, and
// an end without a close_notify counts as one. crypto/tls alone would forgive that, and cannot go on after a write that
// took too long.
func peer(t testing.TB, c *net.TCPConn, make func(net.Conn, *tls.Config) *tls.Conn, config *tls.Config) conn.Conn {
	t.Helper()
	below := &watched{Conn: c}
	secured := make(below, config)
	c.SetDeadline(time.Now().Add(gwtest.Patience))
	if err := secured.Handshake(); err != nil {
		t.Fatalf("no handshake: %v", err)
	}
	c.SetDeadline(time.Time{})
	near, far := conn.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := io.Copy(secured, far); err != nil {
			conn.Abort(c)
			far.Abort()
			return
		}
		secured.CloseWrite()
		c.CloseWrite()
	})
	wg.Go(func() {
		_, err := io.Copy(far, secured)
		below.mu.Lock()
		defer below.mu.Unlock()
		if err != nil || below.ended {
			conn.Abort(c)
			far.Abort()
			return
		}
		far.CloseWrite()
	})
	end := &side{near, c}
	t.Cleanup(func() { end.Abort(); wg.Wait() })
	return end
}

// side is the near end of a peer. An abort does not wait for what is on its way.
type side struct {
	*conn.PipeConn
	below *net.TCPConn
}

// truncate ends the connection below an end of TLS without a close_notify.
func truncate(c conn.Conn) bool {
	s, ok := c.(*side)
	return ok && s.below.CloseWrite() == nil
}

func (s *side) Abort() {
	conn.Abort(s.below)
	s.PipeConn.Abort()
}

func certPool(all ...*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range all {
		pool.AddCert(c)
	}
	return pool
}
