package test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gozilla/internal/certs"
)

const (
	reloaded     = "vault.filesystem.reloaded"
	reloadFailed = "vault.filesystem.reload.failed"
	unverified   = "binding.tls.peer.not.verified"
)

// A layout is a way to keep a server's certificate in files.
type layout struct {
	name    string
	store   string                               // of the keys, in the file
	replace func(s *stage, n int, p *certs.Pair) // n counts from 0
}

var layouts = []layout{
	{"PKCS12", "store: localhost.p12, password: generated", func(s *stage, _ int, p *certs.Pair) { s.pair("localhost", p) }},
	{"PEM", "store: [ localhost.crt, localhost.key ], type: pem", func(s *stage, n int, p *certs.Pair) {
		// Either file may come first.
		if n%2 == 0 {
			s.write("localhost.crt", p.CertPEM())
		}
		s.write("localhost.key", p.KeyPEM())
		s.write("localhost.crt", p.CertPEM())
	}},
	{"Kubernetes", "store: [ volume/tls.crt, volume/tls.key ], type: pem", volume},
}

// volume replaces the files of a volume as Kubernetes does: they are links to what is in ..data, itself a link to a
// folder, which is exchanged.
func volume(s *stage, n int, p *certs.Pair) {
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	s.t.Helper()
	root := s.path("volume")
	folder := fmt.Sprintf("..2026_11_25_%d", n)
	must(os.MkdirAll(filepath.Join(root, folder), 0o755))
	must(os.WriteFile(filepath.Join(root, folder, "tls.crt"), p.CertPEM(), 0o600))
	must(os.WriteFile(filepath.Join(root, folder, "tls.key"), p.KeyPEM(), 0o600))
	must(os.Symlink(folder, filepath.Join(root, "..data_tmp")))
	before, _ := os.Readlink(filepath.Join(root, "..data")) // else there is none
	must(os.Rename(filepath.Join(root, "..data_tmp"), filepath.Join(root, "..data")))
	if n == 0 {
		for _, name := range []string{"tls.crt", "tls.key"} {
			must(os.Symlink(filepath.Join("..data", name), filepath.Join(root, name)))
		}
	}
	if before != "" {
		must(os.RemoveAll(filepath.Join(root, before)))
	}
}

// TestTLSRotation exchanges the certificate of a server a hundred times while clients come and go and stay. None of them
// notices, but by the new certificate.
func TestTLSRotation(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	rotations, burst := 100, 10
	if raced {
		rotations = 30
	}
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			l.replace(s, 0, s.server)
			port := freePort(t)
			g := s.gateway(t, secured(port, "vaults: { safe: { type: filesystem, options: { keys: { "+l.store+" } } } }\n", "exit: echo"))
			var stay []*tls.Conn
			for range 20 {
				c, err := secure(t, port, s.config())
				if err != nil {
					t.Fatal(err)
				}
				stay = append(stay, c)
			}
			alive := func() {
				t.Helper()
				for i, c := range stay {
					if err := echoes(c, fmt.Sprintf("hello %d", i)); err != nil {
						t.Fatalf("a connection that stays: %v", err)
					}
				}
			}
			// The load: some clients resume their sessions.
			var over atomic.Bool
			var shaken, resumed, failed atomic.Int64
			var loading sync.WaitGroup
			for i := range 3 {
				loading.Go(func() {
					config := s.config()
					if i > 0 {
						config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
					}
					for !over.Load() {
						c, err := secureNow(port, config)
						if err == nil {
							shaken.Add(1)
							if c.ConnectionState().DidResume {
								resumed.Add(1)
							}
							err = echoes(c, strings.Repeat("hello", 1000))
							c.Close()
						}
						if err != nil && failed.Add(1) < 10 {
							t.Errorf("after %d handshakes: %v", shaken.Load(), err)
						}
					}
				})
			}
			defer loading.Wait()
			defer over.Store(true)
			began := time.Now()
			for n := 1; n <= rotations; n++ {
				next := issue(t, s.ca, localhost())
				l.replace(s, n, next)
				if n%burst != 0 {
					time.Sleep(time.Duration(n%7) * 10 * time.Millisecond)
					continue
				}
				eventually(t, fmt.Sprintf("the %d. certificate is shown", n), func() bool { return shows(t, port, s.config(), next) })
				alive()
			}
			over.Store(true)
			loading.Wait()
			t.Logf("%d rotations in %v, %d handshakes, %d of them by resumption", rotations, time.Since(began).Round(time.Second), shaken.Load(), resumed.Load())
			if shaken.Load() < int64(rotations) || resumed.Load() == 0 || failed.Load() > 0 {
				t.Errorf("%d handshakes, %d failed", shaken.Load(), failed.Load())
			}
			alive()
			for _, c := range stay {
				c.Close()
			}
			g.terminate()
			for _, event := range g.told(false) {
				if event["event"] != reloaded {
					t.Errorf("event: %v", event)
				}
			}
			for _, r := range g.told(true) {
				if r["reason"] != "fin" || r["by"] != "client" {
					t.Errorf("record: %v", r)
				}
			}
		})
	}
}

// secureNow is secure, for any goroutine.
func secureNow(port int, config *tls.Config) (*tls.Conn, error) {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: config}
	c, err := d.Dial("tcp", address(port))
	if err != nil {
		return nil, err
	}
	return c.(*tls.Conn), nil
}

// shows reports whether a server shows a certificate now.
func shows(t testing.TB, port int, config *tls.Config, p *certs.Pair) bool {
	t.Helper()
	c, err := secureNow(port, config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := echoes(c, "hello"); err != nil {
		t.Fatal(err)
	}
	return c.ConnectionState().PeerCertificates[0].Equal(p.Leaf())
}

// What cannot be read is not taken, and is told once; when it is mended, it is.
func TestTLSBadFiles(t *testing.T) {
	t.Parallel()
	f := func(name, store string, spoil, mend func(s *stage, p *certs.Pair), why string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			volume(s, 0, s.server)
			port := freePort(t)
			g := s.gateway(t, secured(port, "vaults: { safe: { type: filesystem, options: { keys: { "+store+" } } } }\n", "exit: echo"))
			if !shows(t, port, s.config(), s.server) {
				t.Error("another certificate is shown")
			}
			stays, err := secure(t, port, s.config())
			if err != nil {
				t.Fatal(err)
			}
			next := issue(t, s.ca, localhost())
			spoil(s, next)
			eventually(t, "the operator is told", func() bool { return slices.Contains(g.events(), reloadFailed) })
			if !shows(t, port, s.config(), s.server) {
				t.Error("what is spoilt is shown")
			}
			if text := fmt.Sprint(g.told(false)[0]["msg"]); !strings.Contains(text, why) {
				t.Errorf("it is told that %s, not that %s", text, why)
			}
			mend(s, next)
			eventually(t, "the new certificate is shown", func() bool { return shows(t, port, s.config(), next) })
			if err := echoes(stays, "hello"); err != nil {
				t.Error(err)
			}
			stays.Close()
			g.terminate()
			if events := g.events(); !slices.Equal(events, []string{reloadFailed, reloaded}) {
				t.Errorf("events: %q", events)
			}
		})
	}
	// inPlace writes a file as a careless program does: there is a time when half of it is there.
	inPlace := func(s *stage, name string, b []byte) {
		if err := os.WriteFile(s.path(name), b, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	p12 := func(s *stage, p *certs.Pair) []byte {
		b, err := certs.PKCS12(password, certs.Entry{Alias: "localhost", Pair: p})
		if err != nil {
			s.t.Fatal(err)
		}
		return b
	}
	const store, pem = "store: localhost.p12, password: generated", "store: [ localhost.crt, localhost.key ], type: pem"
	whole := func(s *stage, p *certs.Pair) { inPlace(s, "localhost.p12", p12(s, p)) }
	f("half a store", store, func(s *stage, p *certs.Pair) { b := p12(s, p); inPlace(s, "localhost.p12", b[:len(b)/2]) }, whole, "cannot read localhost.p12")
	f("an empty store", store, func(s *stage, _ *certs.Pair) { inPlace(s, "localhost.p12", nil) }, whole, "cannot read localhost.p12")
	f("no store", store, func(s *stage, _ *certs.Pair) {
		if err := os.Remove(s.path("localhost.p12")); err != nil {
			s.t.Fatal(err)
		}
	}, whole, "localhost.p12")
	f("another password", store, func(s *stage, p *certs.Pair) {
		b, err := certs.PKCS12("another", certs.Entry{Alias: "localhost", Pair: p})
		if err != nil {
			s.t.Fatal(err)
		}
		inPlace(s, "localhost.p12", b)
	}, whole, "the password does not open localhost.p12")
	f("the certificate before its key", pem, func(s *stage, p *certs.Pair) { s.write("localhost.crt", p.CertPEM()) },
		func(s *stage, p *certs.Pair) { s.write("localhost.key", p.KeyPEM()) }, "no certificate fits the private key")
	f("half a key", pem, func(s *stage, p *certs.Pair) {
		s.write("localhost.crt", p.CertPEM())
		inPlace(s, "localhost.key", p.KeyPEM()[:100])
	}, func(s *stage, p *certs.Pair) { inPlace(s, "localhost.key", p.KeyPEM()) }, "localhost.key")
	f("a volume without its data", "store: [ volume/tls.crt, volume/tls.key ], type: pem", func(s *stage, _ *certs.Pair) {
		if err := os.Remove(s.path("volume/..data")); err != nil {
			s.t.Fatal(err)
		}
	}, func(s *stage, p *certs.Pair) { volume(s, 1, p) }, "tls.crt")
}

// TestTLSDistrust takes the trust from clients that are connected. Their connections end within seconds; those of the
// others live.
func TestTLSDistrust(t *testing.T) {
	t.Parallel()
	const trust = ", trust: { store: trust.p12, password: generated }"
	store := func(s *stage, all ...*certs.Authority) {
		var entries []certs.Entry
		for i, a := range all {
			entries = append(entries, certs.Entry{Alias: fmt.Sprint("ca-", i), Trusted: a.Certificate})
		}
		s.store("trust.p12", entries...)
	}
	f := func(name, vault string, prepare func(s *stage, l *lists), distrust func(s *stage, l *lists, client *certs.Pair), fetched bool) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			var l lists
			l.serve(t)
			store(s, s.clients, s.others)
			prepare(s, &l)
			request := certs.Request{CommonName: "good"}
			good := issue(t, s.clients, request)
			request = certs.Request{CommonName: "bad"}
			if fetched {
				request.CRLs = []string{l.url}
			}
			bad := issue(t, s.others, request)
			port := freePort(t)
			g := s.gateway(t, secured(port, keys(vault), "options: { keys: [ localhost ], trust: [ ca-0, ca-1 ], mutual: requested }\nexit: echo"))
			// showing is the configuration of a client that shows its certificate whomever the server trusts.
			showing := func(show ...*certs.Pair) *tls.Config {
				config := s.config()
				for _, p := range show {
					c := p.TLS()
					config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
				}
				return config
			}
			join := func(show ...*certs.Pair) *tls.Conn {
				config := showing(show...)
				c, err := secure(t, port, config)
				if err == nil {
					err = echoes(c, "hello")
				}
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			var lives, ends []*tls.Conn
			for range 5 {
				lives = append(lives, join(good), join())
				ends = append(ends, join(bad))
			}
			again := showing(bad)
			again.ClientSessionCache = tls.NewLRUClientSessionCache(0)
			c, err := secure(t, port, again) // leaves a session
			if err == nil {
				err = echoes(c, "hello")
			}
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			distrust(s, &l, bad)
			for _, c := range ends {
				c.SetDeadline(time.Now().Add(patience))
				if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("who is not trusted any longer gets %v, not a reset", err)
				}
			}
			for _, c := range lives {
				if err := echoes(c, "hello"); err != nil {
					t.Errorf("who is trusted gets %v", err)
				}
			}
			// Neither a new session nor the old one helps.
			for _, config := range []*tls.Config{showing(bad), again} {
				c, err := secure(t, port, config)
				if err == nil {
					err = echoes(c, "hello")
				}
				if err == nil {
					t.Errorf("who is not trusted any longer is let in, by resumption: %v", c.ConnectionState().DidResume)
				}
				c.Close()
			}
			join(good).Close()
			for _, c := range lives {
				c.Close()
			}
			g.terminate()
			told, refused := 0, 0
			for _, r := range g.told(true) {
				switch r["reason"] {
				case "no longer trusted":
					told++
					says(t, r, "by=gateway", "identity=bad")
					if r["error"] == nil {
						t.Errorf("the record does not say why: %v", r)
					}
				case "not verified":
					refused++
				case "fin":
				default:
					t.Errorf("record: %v", r)
				}
			}
			if told != len(ends) || refused != 2 {
				t.Errorf("%d records say that somebody is no longer trusted, %d that somebody is not, want %d and 2", told, refused, len(ends))
			}
			if n := count(g.events(), func(id string) bool { return id == unverified }); n != len(ends)+2 {
				t.Errorf("events: %q", g.events())
			}
		})
	}
	nothing := func(*stage, *lists) {}
	f("an authority is removed", trust, nothing, func(s *stage, _ *lists, _ *certs.Pair) { store(s, s.clients) }, false)
	f("a list of a file", trust+", revocation: crl, crls: [ clients.crl, others.crl ]", func(s *stage, _ *lists) {
		s.write("clients.crl", revocations(s.t, s.clients, 1))
		s.write("others.crl", revocations(s.t, s.others, 1))
	}, func(s *stage, _ *lists, client *certs.Pair) {
		s.write("others.crl", revocations(s.t, s.others, 2, client))
	}, false)
	f("a fetched list", trust+", revocation: crl, crls: clients.crl", func(s *stage, l *lists) {
		s.write("clients.crl", revocations(s.t, s.clients, 1))
		b, err := s.others.Revoke(1, time.Now().Add(13*time.Second)) // it is fetched again after ten
		if err != nil {
			s.t.Fatal(err)
		}
		l.put("/", b)
	}, func(s *stage, l *lists, client *certs.Pair) { l.put("/", revocations(s.t, s.others, 2, client)) }, true)
}
