package tls_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"gozilla/binding"
	"gozilla/internal/certs"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
	"gozilla/vault"
)

// secured is a gateway that ends TLS and sends everything back. In inside stands what the tls server has besides.
func secured(inside string) string {
	return vaults + `bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: inside }
  inside:
    type: tls
    kind: server
    vault: keys
` + inside + `
  echo: { type: echo, kind: server }
`
}

const plain = "    exit: echo"

// shake connects to the gateway and agrees with it.
func shake(t testing.TB, g *gwtest.Gateway, config *tls.Config) (*tls.Conn, error) {
	t.Helper()
	c := tls.Client(g.Dial("north"), config)
	c.SetDeadline(time.Now().Add(gwtest.Patience))
	return c, c.Handshake()
}

// mustShake is shake for those who are let in.
func mustShake(t testing.TB, g *gwtest.Gateway, config *tls.Config) *tls.Conn {
	t.Helper()
	c, err := shake(t, g, config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// echoes reports whether what is sent comes back; else the connection has ended in order.
func echoes(t testing.TB, c net.Conn) bool {
	t.Helper()
	const text = "is anybody there?"
	io.WriteString(c, text)
	b := make([]byte, len(text))
	switch n, err := io.ReadFull(c, b); {
	case err == nil && string(b) == text:
		return true
	case n > 0 || err != io.EOF:
		t.Errorf("received %q and %v", b[:n], err)
	}
	return false
}

func TestTheServerChoosesACertificate(t *testing.T) {
	w := theWorld()
	names := func(rsa bool, dns ...string) *certs.Pair {
		return issue(w.ca, certs.Request{CommonName: dns[0], DNS: dns, RSA: rsa})
	}
	a, b, c := names(false, "a.example"), names(false, "*.b.example"), names(true, "a.example", "c.example")
	put(t, "keys", &vault.Contents{Keys: []vault.Key{key("a", a), key("b", b), key("c", c)}})
	g := gwtest.Start(t, secured(plain))
	f := func(name string, want *certs.Pair, edit func(*tls.Config)) {
		t.Helper()
		config := &tls.Config{ServerName: name, InsecureSkipVerify: true}
		edit(config)
		got := mustShake(t, g, config).ConnectionState().PeerCertificates[0]
		if !got.Equal(want.Leaf()) {
			t.Errorf("who asks for %q gets the certificate of %v", name, got.DNSNames)
		}
	}
	any := func(*tls.Config) {}
	onlyRSA := func(c *tls.Config) {
		c.MaxVersion = tls.VersionTLS12
		c.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	}
	f("a.example", a, any)
	f("A.Example", a, any)
	f("a.example", c, onlyRSA) // the key must be of a sort that the client knows
	f("x.b.example", b, any)
	f("c.example", c, any)
	f("unknown.example", a, any) // is not refused
	f("unknown.example", c, onlyRSA)
	f("", a, any)
	f("127.0.0.1", a, any) // an address is not sent
}

func TestTheServerAgreesOnAProtocol(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{Keys: []vault.Key{key("localhost", w.server)}})
	f := func(inside, name, offers, want string) {
		t.Helper()
		t.Run(strings.ReplaceAll(offers, " ", ",")+" for "+name, func(t *testing.T) {
			g := gwtest.Start(t, secured(inside))
			config := w.clientConfig()
			config.ServerName, config.InsecureSkipVerify, config.NextProtos = name, true, strings.Fields(offers)
			c := mustShake(t, g, config)
			if got := c.ConnectionState().NegotiatedProtocol; got != want {
				t.Errorf("agreed on %q, not on %q", got, want)
			}
		})
	}
	const routes = `    routes:
      - { when: [ { alpn: one } ], exit: echo }
      - { when: [ { alpn: two, authority: "*.example" } ], exit: echo }
      - { when: [ { alpn: "thr*" }, { alpn: four, port: 1 } ], exit: echo }
`
	const allowed = "    options: { keys: [ localhost ], alpn: [ one, five ], sni: [ localhost, a.example ] }\n"
	f(plain, "localhost", "x y", "x") // a plain exit takes the first offer
	f(plain, "", "x y", "")           // but only for the sake of a name
	f(plain, "localhost", "", "")
	f(routes, "localhost", "one", "one")
	f(routes, "localhost", "zero one", "one")
	f(routes, "localhost", "two", "") // there is no such route for localhost; the handshake succeeds
	f(routes, "a.example", "two", "two")
	f(routes, "a.example", "one two", "two")     // the last route that takes an offer
	f(routes, "a.example", "three one", "three") // a wildcard
	f(routes, "a.example", "four", "")           // not at this port
	f(routes, "", "one", "")
	f(allowed+routes, "localhost", "five one", "one")
	f(allowed+routes, "localhost", "five", "five")      // the options allow it, and no route decides
	f(allowed+routes, "b.example", "five one", "five")  // nor does one for other names
	f(allowed+routes, "A.Example", "five one", "one")   // in which upper and lower case are the same
	f(allowed+routes, "a.example", "two", "")           // which the options do not allow
	f(allowed+plain, "localhost", "x five one", "five") // of those that are allowed, the client's first
	f(allowed+plain, "localhost", "x", "")
	f(allowed+plain, "", "x one", "one")
}

// TestRoutes sends a client on by what it says; where no route takes it, the connection ends in order.
func TestRoutes(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{
		Keys:  []vault.Key{key("localhost", w.server)},
		Trust: []vault.Certificate{trust("clients", w.clients), trust("strangers", w.strangers)},
	})
	known := issue(w.clients, certs.Request{CommonName: "client-1"})
	stranger := issue(w.strangers, certs.Request{CommonName: "client-1"})
	f := func(when, name, protocol string, show *certs.Pair, want bool) {
		t.Helper()
		t.Run(when, func(t *testing.T) {
			g := gwtest.Start(t, secured("    options: { keys: [ localhost ], trust: [ clients, strangers ], mutual: requested }\n"+
				"    routes: [ { when: [ "+when+" ], exit: echo } ]"))
			config := w.clientConfig()
			config.ServerName, config.InsecureSkipVerify = name, true
			if protocol != "" {
				config.NextProtos = []string{protocol}
			}
			if show != nil {
				config.Certificates = []tls.Certificate{show.TLS()}
			}
			c := mustShake(t, g, config)
			if got := echoes(t, c); got != want {
				t.Errorf("a client with the name %q and the protocol %q was let in: %v", name, protocol, got)
			}
			c.Close()
			r := g.Record()
			if reason := map[bool]string{true: "fin", false: "no route"}[want]; r.Reason != reason {
				t.Errorf("the record says %q: %q (%s)", r.By, r.Reason, r.Err)
			}
		})
	}
	f("{ authority: localhost }", "localhost", "", nil, true)
	f("{ authority: LOCAL* }", "localhost", "", nil, true)
	f("{ authority: localhost }", "a.example", "", nil, false)
	f("{ authority: '*' }", "", "", nil, false) // a name that is not there
	f("{ alpn: one }", "localhost", "one", nil, true)
	f("{ alpn: one }", "localhost", "", nil, false)
	f("{ mutual: required }", "localhost", "", known, true)
	f("{ mutual: required }", "localhost", "", nil, false)
	f("{ mutual: none }", "localhost", "", nil, true)
	f("{ mutual: none }", "localhost", "", known, false)
	f("{ trust: [ clients ] }", "localhost", "", known, true)
	f("{ trust: [ clients ] }", "localhost", "", stranger, false)
	f("{ trust: [ clients ] }", "localhost", "", nil, false)
	f("{ trust: [ strangers, clients ], mutual: required }", "localhost", "", stranger, true)
	f("{ authority: localhost, alpn: one, mutual: none }, { alpn: two }", "a.example", "two", nil, true)
}

// TestAPortWithoutARoute is refused before anything is said.
func TestAPortWithoutARoute(t *testing.T) {
	put(t, "keys", &vault.Contents{Keys: []vault.Key{key("localhost", theWorld().server)}})
	g := gwtest.Start(t, secured("    routes: [ { when: [ { port: 1 } ], exit: echo } ]"))
	gwtest.Refused(t, g.Addr("north"))
	if r := g.Record(); r.Reason != "no route" || r.Handshake != 0 {
		t.Errorf("the record says %q after a handshake of %v", r.Reason, r.Handshake)
	}
}

func TestMutual(t *testing.T) {
	w := theWorld()
	known := issue(w.clients, certs.Request{CommonName: "client-1"})
	expired := issue(w.clients, certs.Request{CommonName: "old", NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour)})
	stranger := issue(w.strangers, certs.Request{CommonName: "client-1"})
	f := func(options string, trusted bool, show *certs.Pair, want bool, version uint16) {
		t.Helper()
		t.Run(options, func(t *testing.T) {
			now := &vault.Contents{Keys: []vault.Key{key("localhost", w.server)}}
			if trusted {
				now.Trust = []vault.Certificate{trust("clients", w.clients)}
			}
			put(t, "keys", now)
			if options != "" {
				options = "    options: { " + options + " }\n"
			}
			g := gwtest.Start(t, secured(options+plain))
			config := w.clientConfig()
			config.MaxVersion = version
			if show != nil { // whatever authorities the server names
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { c := show.TLS(); return &c, nil }
			}
			c, err := shake(t, g, config)
			if err == nil {
				_, err = io.WriteString(c, "x")
			}
			if err == nil {
				_, err = c.Read(make([]byte, 1)) // in TLS 1.3 the client learns of a refusal here
			}
			if got := err == nil; got != want {
				t.Errorf("let in: %v (%v)", got, err)
			}
			if err == nil {
				return
			}
			var alert *net.OpError
			if !errors.As(err, &alert) || alert.Op != "remote error" {
				t.Errorf("the client saw %v, and no alert", err)
			}
			g.Event("binding.tls.peer.not.verified")
			if r := g.Record(); r.Reason != "not verified" || r.By != telemetry.Client {
				t.Errorf("the record says %q: %q (%s)", r.By, r.Reason, r.Err)
			}
		})
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		f("", false, nil, true, version) // nobody is trusted, nobody asked
		f("", true, nil, false, version) // who has something to trust by, requires it
		f("", true, known, true, version)
		f("", true, stranger, false, version)
		f("", true, expired, false, version)
		f("keys: [ localhost ]", true, nil, true, version) // with keys named, trust must be too
		f("keys: [ localhost ], trust: [ clients ]", true, nil, false, version)
		f("keys: [ localhost ], trust: [ clients ]", true, known, true, version)
		f("keys: [ localhost ], trust: [ clients ], mutual: requested", true, nil, true, version)
		f("keys: [ localhost ], trust: [ clients ], mutual: requested", true, known, true, version)
		f("keys: [ localhost ], trust: [ clients ], mutual: requested", true, stranger, false, version)
		f("keys: [ localhost ], trust: [ clients ], mutual: none", true, stranger, true, version) // is not asked
	}
}

func TestVersions(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{Keys: []vault.Key{key("localhost", w.server)}})
	f := func(version string, offers, want uint16) {
		t.Helper()
		g := gwtest.Start(t, secured("    options: { keys: [ localhost ], version: "+version+" }\n"+plain))
		config := w.clientConfig()
		config.MinVersion, config.MaxVersion = offers, offers
		if offers == 0 {
			config.MinVersion = tls.VersionTLS10
		}
		c, err := shake(t, g, config)
		switch {
		case want == 0 && err == nil:
			t.Errorf("%s: a client with %s was let in", version, tls.VersionName(offers))
		case want == 0:
			g.Event("binding.tls.handshake.failed")
		case err != nil:
			t.Errorf("%s: %v", version, err)
		case c.ConnectionState().Version != want:
			t.Errorf("%s: agreed on %s", version, tls.VersionName(c.ConnectionState().Version))
		}
	}
	f("TLS", 0, tls.VersionTLS13)
	f("TLSv1.3", 0, tls.VersionTLS13)
	f("TLSv1.2", 0, tls.VersionTLS12)
	f("TLS", tls.VersionTLS12, tls.VersionTLS12)
	f("TLSv1.2", tls.VersionTLS13, 0)
	f("TLS", tls.VersionTLS11, 0)
}

// TestFacts wants what the handshake tells to travel on and to stand in the record.
func TestFacts(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{Keys: []vault.Key{key("localhost", w.server)}, Trust: []vault.Certificate{trust("clients", w.clients)}})
	facts := make(chan *stream.Info, 1)
	witness = func(about *stream.Info) { facts <- about }
	defer func() { witness = nil }()
	g := gwtest.Start(t, strings.Replace(secured("    exit: facts"), "bindings:\n", "bindings:\n  facts: { type: witness, kind: server }\n", 1))
	config := w.clientConfig(issue(w.clients, certs.Request{CommonName: "client-1"}))
	config.NextProtos = []string{"one"}
	c := mustShake(t, g, config)
	about := <-facts
	c.Close()
	want := stream.Secure{Version: "TLSv1.3", Name: "client-1", Cipher: tls.CipherSuiteName(c.ConnectionState().CipherSuite),
		Signature: "ECDSA-SHA256", Key: "ECDSA"}
	if about.Authority != "localhost" || about.ALPN != "one" || *about.Secure != want {
		t.Errorf("what came is %+v, %+v", about, about.Secure)
	}
	if about.Source.String() != c.LocalAddr().String() || about.Dest.String() != g.Addr("north") {
		t.Errorf("the addresses became %v and %v", about.Source, about.Dest)
	}
	r := g.Record()
	if r.TLS != "TLSv1.3" || r.Authority != "localhost" || r.ALPN != "one" || r.Identity != "client-1" || r.Handshake <= 0 {
		t.Errorf("the record says %+v", r)
	}
}

// TestResumption resumes a session, also that of another connection, until the vault holds something else.
func TestResumption(t *testing.T) {
	w := theWorld()
	now := &vault.Contents{Keys: []vault.Key{key("localhost", w.server)}, Trust: []vault.Certificate{trust("clients", w.clients)}}
	safe := put(t, "keys", now)
	g := gwtest.Start(t, secured(plain))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := w.clientConfig(issue(w.clients, certs.Request{CommonName: "client-1"}))
		config.ClientSessionCache, config.MaxVersion = tls.NewLRUClientSessionCache(1), version
		f := func(want bool) {
			t.Helper()
			c := mustShake(t, g, config)
			if !echoes(t, c) {
				t.Fatal("not let in")
			}
			if got := c.ConnectionState().DidResume; got != want {
				t.Errorf("%s: resumed: %v", tls.VersionName(version), got)
			}
			c.Close()
			if r := g.Record(); r.Identity != "client-1" {
				t.Errorf("the record says that it was %q", r.Identity)
			}
		}
		f(false)
		f(true)
		f(true)
		other := *now
		safe.exchange(&other)
		awaitState(t, g, config)
		f(true)
	}
}

// awaitState waits until the gateway does not resume, so that it has taken over what is new.
func awaitState(t *testing.T, g *gwtest.Gateway, config *tls.Config) {
	t.Helper()
	for deadline := time.Now().Add(gwtest.Patience); ; {
		c := mustShake(t, g, config)
		echoes(t, c)
		resumed := c.ConnectionState().DidResume
		c.Close()
		g.Record()
		switch {
		case !resumed:
			return
		case time.Now().After(deadline):
			t.Fatal("the gateway keeps to what the vault held")
		}
	}
}

// TestBadClients wants everything that a client may do wrong to be answered by an alert or an end, one event where an
// operator should know, and one record.
func TestBadClients(t *testing.T) {
	w := theWorld()
	put(t, "keys", vaultOf(w.server))
	first := hello(w.clientConfig())
	f := func(name, sends string, ends bool, alert, event, reason string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			g := gwtest.Start(t, secured(plain), gwtest.Limits(func(l *stream.Limits) { l.Handshake = 300 * time.Millisecond }))
			c := g.Dial("north")
			gwtest.Send(t, c, sends)
			if ends {
				c.CloseWrite()
			}
			c.SetReadDeadline(time.Now().Add(gwtest.Patience))
			got, err := io.ReadAll(c)
			if err != nil || !strings.HasSuffix(string(got), alert) {
				t.Errorf("it got %q and %v, and no alert %q", got, err, alert)
			}
			if event != "" {
				g.Event(event)
			}
			if r := g.Record(); r.Reason != reason {
				t.Errorf("the record says %q: %q (%s)", r.By, r.Reason, r.Err)
			}
			events := 0
			entries, _, _ := g.Host.Log.Since(0)
			for _, e := range entries {
				if e.Event != nil && e.Event.Warning {
					events++
				}
			}
			if want := min(1, len(event)); events != want {
				t.Errorf("there are %d events", events)
			}
		})
	}
	const unexpected = "\x15\x03\x03\x00\x02\x02\x0a"
	f("HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", false, unexpected, "binding.tls.tls.failed", "tls")
	f("zeros", strings.Repeat("\x00", 100), false, unexpected, "binding.tls.tls.failed", "tls")
	f("nothing", "", false, "", "binding.tls.handshake.timeout", "handshake timeout")
	f("nothing, and an end", "", true, "", "", "fin")
	f("half a hello", string(first[:40]), false, "", "binding.tls.handshake.timeout", "handshake timeout")
	f("half a hello, and an end", string(first[:40]), true, "", "", "fin")
	f("another message", "\x16\x03\x01\x00\x04\x02\x00\x00\x00", false, "\x02\x32", "binding.tls.protocol.rejected", "tls")
	f("a hello of nonsense", "\x16\x03\x01\x00\x08\x01\x00\x00\x04\x03\x03xx", false, "\x02\x32", "binding.tls.protocol.rejected", "tls")
	f("a record that is too long", "\x16\x03\x01\x48\x01"+strings.Repeat("x", 1000), false, "\x02\x16", "binding.tls.protocol.rejected", "tls")
	f("an alert that is not encrypted", string(first)+"\x15\x03\x03\x00\x02\x02\x30", false, "", "binding.tls.handshake.failed", "handshake failed")
	f("damage where the end of the handshake should be", string(first)+"\x17\x03\x03\x00\x13"+strings.Repeat("x", 19), false, "", "binding.tls.protocol.rejected", "tls")
}

// witness is told of the facts of streams that come to a binding of that type.
var witness func(*stream.Info)

type witnessing struct{}

// ServeConn tells the facts of a stream, and ends with it.
func (witnessing) ServeConn(_ context.Context, c conn.Conn, about *stream.Info) error {
	witness(about)
	_, err := io.Copy(io.Discard, c)
	return err
}

type witnessConfig struct {
	binding.Head
}

func init() {
	binding.Register(binding.Type{Name: "witness", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(func(*binding.Builder, *witnessConfig) (witnessing, error) { return witnessing{}, nil },
			binding.Face(conn.Protocol, func(w witnessing) conn.Port { return conn.Serving(w) })),
	}})
}

// TestANameThatAHeaderHasSaid holds behind a server that asks for no certificate, and not behind one that has seen none.
func TestANameThatAHeaderHasSaid(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{Keys: []vault.Key{key("localhost", w.server)}, Trust: []vault.Certificate{trust("clients", w.clients)}})
	for mutual, want := range map[string]string{"none": "client-7", "requested": ""} {
		facts := make(chan *stream.Info, 1)
		witness = func(about *stream.Info) { facts <- about }
		yaml := secured("    options: { keys: [ localhost ], trust: [ clients ], mutual: " + mutual + " }\n    exit: facts")
		yaml = strings.Replace(yaml, "exit: inside }", "exit: said }\n  said: { type: facts, kind: server, exit: inside }", 1)
		g := gwtest.Start(t, strings.Replace(yaml, "bindings:\n", "bindings:\n  facts: { type: witness, kind: server }\n", 1))
		say(stream.Info{Secure: &stream.Secure{Name: "client-7", Version: "TLSv1.1"}}, nil)
		c := mustShake(t, g, w.clientConfig())
		if got := (<-facts).Secure; got.Name != want || got.Version != "TLSv1.3" {
			t.Errorf("with mutual: %s it is said to be %q over %s", mutual, got.Name, got.Version)
		}
		c.Close()
		if r := g.Record(); r.Identity != want {
			t.Errorf("with mutual: %s the record says that it was %q", mutual, r.Identity)
		}
	}
	witness = nil
}
