package tls_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
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

// securing is a gateway that begins TLS. In outside stands what the tls client has besides; the streams' facts are those
// of the binding facts in front of it.
func securing(outside string) string {
	return vaults + `guards:
  who: { type: test }
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: facts }
  facts: { type: facts, kind: proxy, exit: outside }
  outside:
    type: tls
    kind: client
    vault: trust
` + outside + `
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: "${{env.SERVER}}" } }
`
}

// told is what the binding facts adds to a stream.
var told struct {
	sync.Mutex
	about   stream.Info
	session stream.Session
	learned *stream.Info // what the dial told
}

// tells is a binding that adds facts to a stream, and keeps those of what it opens.
type tells struct{ exit conn.Port }

type tellsConfig struct {
	binding.Head
	binding.Exited
}

// DialConn is part of conn.Dialer.
func (f *tells) DialConn(ctx context.Context, about *stream.Info) (conn.Conn, *stream.Info, error) {
	told.Lock()
	to := told.about
	to.Source = about.Source
	if told.session != nil {
		stream.From(ctx).Admit("test:who", told.session)
	}
	told.Unlock()
	c, learned, err := f.exit.DialConn(ctx, &to)
	told.Lock()
	told.learned = learned
	told.Unlock()
	return c, learned, err
}

// ServeConn is part of conn.Server.
func (f *tells) ServeConn(ctx context.Context, c conn.Conn, about *stream.Info) error {
	told.Lock()
	to := told.about
	told.Unlock()
	to.Source, to.Dest = about.Source, about.Dest
	return f.exit.ServeConn(ctx, c, &to)
}

func init() {
	binding.Register(binding.Type{Name: "facts", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(func(b *binding.Builder, _ *tellsConfig) (*tells, error) {
			return &tells{binding.ExitOf(b, conn.Protocol)}, nil
		}, binding.Face(conn.Protocol, func(f *tells) conn.Port { return conn.Serving(f) }), binding.Exits[*tells](conn.Protocol)),
		binding.Proxy: binding.In(func(b *binding.Builder, _ *tellsConfig) (*tells, error) {
			return &tells{binding.ExitOf(b, conn.Protocol)}, nil
		}, binding.Face(conn.Protocol, func(f *tells) conn.Port { return conn.Dialing(f) }), binding.Exits[*tells](conn.Protocol)),
	}})
}

// answering is a TLS server that says what it has seen of each client, as one line, and closes.
func answering(t testing.TB, config *tls.Config) *gwtest.Server {
	server := gwtest.Listen(t, "")
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { answer(c, config) })
		}
	})
	t.Cleanup(func() { server.Close(); wg.Wait() })
	return server
}

func answer(c net.Conn, config *tls.Config) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(gwtest.Patience))
	secured := tls.Server(c, config)
	if secured.Handshake() != nil {
		return
	}
	said := secured.ConnectionState()
	name := "-"
	if len(said.PeerCertificates) > 0 {
		name = said.PeerCertificates[0].Subject.String()
	}
	fmt.Fprintf(secured, "sni=%s alpn=%s cert=%s resumed=%v version=%s\n", said.ServerName, said.NegotiatedProtocol, name, said.DidResume, tls.VersionName(said.Version))
	secured.CloseWrite()
	io.Copy(io.Discard, secured)
}

// asked is the answer to one connection through the gateway, or how it was refused.
func asked(t testing.TB, g *gwtest.Gateway) string {
	t.Helper()
	c := gwtest.DialAny(t, g.Addr("north"))
	if c == nil {
		return "rst"
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(gwtest.Patience))
	b, err := io.ReadAll(c)
	if err != nil {
		return gwtest.How(err)
	}
	return strings.TrimSpace(string(b))
}

func say(about stream.Info, session stream.Session) {
	told.Lock()
	defer told.Unlock()
	told.about, told.session, told.learned = about, session, nil
}

func (w *world) serverConfig() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{w.server.TLS()}}
}

// TestTheClientAsksFor checks names and protocols: those of the options, else those of the stream.
func TestTheClientAsksFor(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{})
	put(t, "trust", &vault.Contents{Trust: []vault.Certificate{trust("ca", w.ca)}})
	f := func(outside string, about stream.Info, want string) {
		t.Helper()
		t.Run(outside, func(t *testing.T) {
			config := w.serverConfig()
			config.NextProtos = []string{"one", "two"}
			server := answering(t, config)
			g := gwtest.Start(t, securing(outside), gwtest.Env("SERVER", server.Port()))
			say(about, nil)
			if got := asked(t, g); got != want {
				t.Errorf("got %q, not %q", got, want)
			}
		})
	}
	const rest = " cert=- resumed=false version=TLS 1.3"
	f("    exit: south", stream.Info{Authority: "localhost"}, "sni=localhost alpn="+rest)
	f("    exit: south", stream.Info{Authority: "localhost."}, "sni=localhost alpn="+rest)
	f("    exit: south", stream.Info{Authority: "localhost", ALPN: "two"}, "sni=localhost alpn=two"+rest)
	f("    exit: south", stream.Info{Dest: stream.Addr{Host: "localhost", Port: 1}}, "sni=localhost alpn="+rest)
	f("    exit: south", stream.Info{}, "sni= alpn="+rest) // verified by the address that was dialled
	f("    exit: south", stream.Info{Authority: "a.example"}, "rst")
	f("    options: { sni: [ localhost, a.example ] }\n    exit: south", stream.Info{Authority: "a.example"}, "sni=localhost alpn="+rest)
	f("    options: { alpn: [ zero, two ] }\n    exit: south", stream.Info{Authority: "localhost", ALPN: "one"}, "sni=localhost alpn=two"+rest)
	f("    options: { alpn: [ one, two ] }\n    exit: south", stream.Info{Authority: "localhost"}, "sni=localhost alpn=one"+rest)
	f("    options: { alpn: [ one, two ] }\n    exit: south", stream.Info{Authority: "localhost", ALPN: "two"}, "sni=localhost alpn=two"+rest)
	f("    options: { version: TLSv1.2 }\n    exit: south", stream.Info{Authority: "localhost"}, "sni=localhost alpn= cert=- resumed=false version=TLS 1.2")
}

// TestTheClientsRoutes must hold before the handshake and after it.
func TestTheClientsRoutes(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{})
	put(t, "trust", &vault.Contents{Trust: []vault.Certificate{trust("ca", w.ca)}})
	f := func(when string, about stream.Info, reason string) {
		t.Helper()
		t.Run(when, func(t *testing.T) {
			config := w.serverConfig()
			config.NextProtos = []string{"one"}
			g := gwtest.Start(t, securing("    routes: [ { when: [ "+when+" ], exit: south } ]"), gwtest.Env("SERVER", answering(t, config).Port()))
			say(about, nil)
			got := asked(t, g)
			if (got == "rst") != (reason != "fin") {
				t.Errorf("got %q", got)
			}
			if r := g.Record(); r.Reason != reason {
				t.Errorf("the record says %q (%s)", r.Reason, r.Err)
			}
		})
	}
	f("{ authority: local* }", stream.Info{Authority: "localhost"}, "fin")
	f("{ authority: other }", stream.Info{Authority: "localhost"}, "no route")
	f("{ alpn: one }", stream.Info{Authority: "localhost", ALPN: "one"}, "fin")
	f("{ alpn: one }", stream.Info{Authority: "localhost"}, "no route")
	f("{ port: 7 }", stream.Info{Authority: "localhost", Dest: stream.Addr{Host: "localhost", Port: 7}}, "fin")
	f("{ port: 7 }", stream.Info{Authority: "localhost", Dest: stream.Addr{Host: "localhost", Port: 8}}, "no route")
	f("{ mutual: none }", stream.Info{Authority: "localhost"}, "fin")
	f("{ mutual: required }", stream.Info{Authority: "localhost"}, "no route")

	// The server agrees on nothing although the route wants a protocol.
	g := gwtest.Start(t, securing("    routes: [ { when: [ { alpn: one } ], exit: south } ]"), gwtest.Env("SERVER", answering(t, w.serverConfig()).Port()))
	say(stream.Info{Authority: "localhost", ALPN: "one"}, nil)
	if got := asked(t, g); got != "rst" {
		t.Errorf("got %q", got)
	}
	if r := g.Record(); r.Reason != "no route" || !strings.Contains(r.Err, "agreed on the protocol") {
		t.Errorf("the record says %q (%s)", r.Reason, r.Err)
	}
}

// TestTheClientTells wants what was agreed on to come back with the stream.
func TestTheClientTells(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{})
	put(t, "trust", &vault.Contents{Trust: []vault.Certificate{trust("ca", w.ca)}})
	config := w.serverConfig()
	config.NextProtos = []string{"one"}
	server := answering(t, config)
	g := gwtest.Start(t, securing("    exit: south"), gwtest.Env("SERVER", server.Port()))
	say(stream.Info{Authority: "localhost", ALPN: "one"}, nil)
	asked(t, g)
	told.Lock()
	defer told.Unlock()
	got := told.learned
	if got == nil || got.Authority != "localhost" || got.ALPN != "one" || got.Secure.Version != "TLSv1.3" || got.Secure.Name != "localhost" ||
		got.Dest.String() != server.Addr().String() {
		t.Errorf("the dial told %+v", got)
	}
}

// TestTheClientTrusts checks whom a client believes, and what is told of whom it does not.
func TestTheClientTrusts(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{})
	expired := issue(w.ca, certs.Request{CommonName: "localhost", DNS: []string{"localhost"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour)})
	f := func(name string, now *vault.Contents, server *certs.Pair, asks, event, reason string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			put(t, "trust", now)
			config := &tls.Config{Certificates: []tls.Certificate{server.TLS()}}
			g := gwtest.Start(t, securing("    exit: south"), gwtest.Env("SERVER", answering(t, config).Port()))
			say(stream.Info{Authority: asks}, nil)
			if got := asked(t, g); (got == "rst") != (event != "") {
				t.Errorf("got %q", got)
			}
			if event != "" {
				g.Event(event)
			}
			if r := g.Record(); r.Reason != reason {
				t.Errorf("the record says %q: %q (%s)", r.By, r.Reason, r.Err)
			}
		})
	}
	trusting := &vault.Contents{Trust: []vault.Certificate{trust("ca", w.ca)}}
	const event = "binding.tls.peer.not.verified"
	f("known", trusting, w.server, "localhost", "", "fin")
	f("wrong name", trusting, w.server, "a.example", event, "not verified")
	f("expired", trusting, expired, "localhost", event, "not verified")
	f("unknown authority", &vault.Contents{Trust: []vault.Certificate{trust("clients", w.clients)}}, w.server, "localhost", event, "not verified")
	f("the system's authorities only", &vault.Contents{}, w.server, "localhost", event, "not verified")
	f("revoked", &vault.Contents{Trust: trusting.Trust, Revoked: func(context.Context, []*x509.Certificate) error { return errors.New("revoked") }},
		w.server, "localhost", event, "not verified")
	f("not revoked", &vault.Contents{Trust: trusting.Trust, Revoked: func(context.Context, []*x509.Certificate) error { return nil }},
		w.server, "localhost", "", "fin")
}

// TestTheSystemsAuthorities are trusted where nobody else is named, or where they are wanted too.
func TestTheSystemsAuthorities(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what the system knows cannot be said here")
	}
	w := theWorld()
	put(t, "keys", &vault.Contents{})
	put(t, "trust", &vault.Contents{Trust: []vault.Certificate{trust("ca", w.ca)}})
	stranger := issue(w.strangers, certs.Request{CommonName: "localhost", DNS: []string{"localhost"}})
	f := func(options string, ours, strangers bool) {
		t.Helper()
		t.Run(options, func(t *testing.T) {
			for server, want := range map[*certs.Pair]bool{w.server: ours, stranger: strangers} {
				config := &tls.Config{Certificates: []tls.Certificate{server.TLS()}}
				yaml := securing("    options: { " + options + " }\n    exit: south")
				if !strings.Contains(options, "trust:") {
					yaml = strings.Replace(yaml, "    vault: trust\n", "", 1)
				}
				g := gwtest.Start(t, yaml, gwtest.Env("SERVER", answering(t, config).Port()))
				say(stream.Info{Authority: "localhost"}, nil)
				if got := asked(t, g); (got != "rst") != want {
					t.Errorf("a server of %s: %q", server.Leaf().Issuer.CommonName, got)
				}
			}
		})
	}
	f("trust: [ ca ]", true, false)
	f("trust: [ ca ], trustcacerts: true", true, true)
	f("trustcacerts: true", false, true)
	f("trustcacerts: false", false, true) // there is nobody else
}

// known is a session of the guard who.
type known struct{ identity, attribute string }

func (s known) Identity() string                  { return s.identity }
func (s known) Attribute(k string) (string, bool) { return s.attribute, k == "cn" && s.attribute != "" }
func (known) Verify([]string) bool                { return true }
func (known) Expires() time.Time                  { return time.Time{} }
func (known) Release()                            {}

// TestTheClientShows checks which certificate a client shows.
func TestTheClientShows(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{})
	pair := func(a *certs.Authority, cn string, age time.Duration) *certs.Pair {
		return issue(a, certs.Request{CommonName: cn, Subject: pkix.Name{Organization: []string{cn + " Inc"}}, NotBefore: time.Now().Add(-age)})
	}
	one, two := pair(w.clients, "client-1", time.Hour), pair(w.clients, "client-2", 2*time.Hour)
	stranger := pair(w.strangers, "stranger", time.Hour)
	old := issue(w.clients, certs.Request{CommonName: "client-1", Subject: pkix.Name{Organization: []string{"old"}}, NotBefore: time.Now().Add(-3 * time.Hour)})
	put(t, "trust", &vault.Contents{
		Trust:   []vault.Certificate{trust("ca", w.ca)},
		Keys:    []vault.Key{key("stranger", stranger), key("old", old), key("two", two), key("one", one)},
		Signers: []vault.Certificate{trust("strangers", w.strangers)},
	})
	f := func(outside string, about stream.Info, session stream.Session, want, event string) {
		t.Helper()
		t.Run(outside, func(t *testing.T) {
			config := w.serverConfig()
			config.ClientAuth, config.ClientCAs = tls.RequestClientCert, certPool(w.clients.Certificate)
			if strings.Contains(outside, "signers") {
				config.ClientCAs = certPool(w.strangers.Certificate)
			}
			g := gwtest.Start(t, securing(outside), gwtest.Env("SERVER", answering(t, config).Port()))
			about.Authority = "localhost"
			say(about, session)
			for i := range 2 { // the second one resumes, as nobody else
				got := asked(t, g)
				if !strings.Contains(got, " cert="+want+" resumed="+fmt.Sprint(i == 1 && want == "-")) && !strings.Contains(got, " cert="+want+" resumed=true") {
					t.Errorf("got %q, not %q", got, want)
				}
				if event != "" && (i == 0 || strings.HasSuffix(event, "resolved")) {
					g.Event(event)
				}
			}
		})
	}
	const (
		isOne = "CN=client-1,O=client-1 Inc"
		isTwo = "CN=client-2,O=client-2 Inc"
		isOld = "CN=client-1,O=old"
	)
	chosen := func(how string) string {
		return "    routes: [ { with: { certificate: { " + how + " } }, exit: south } ]"
	}
	exit := "    exit: south"
	came := stream.Info{Secure: &stream.Secure{Name: "client-2"}}
	f(exit, stream.Info{}, nil, isOld, "")                                                                  // the first that the server's authorities allow
	f("    options: { keys: [ two, one ], trust: [ ca ] }\n    exit: south", stream.Info{}, nil, isTwo, "") // of those that the options name
	f("    options: { signers: [ strangers ], trust: [ ca ] }\n    exit: south", stream.Info{}, nil, "CN=stranger,O=stranger Inc", "")
	f(exit, came, nil, isTwo, "") // whose name came with the stream
	f(exit, stream.Info{Secure: &stream.Secure{Name: "nobody"}}, nil, "-", "binding.tls.client.certificate.not.matched")
	f(chosen("subject.cn: client-2"), stream.Info{}, nil, isTwo, "")
	f(chosen("subject.cn: client-1"), came, nil, isOne, "") // the newest of two
	f(chosen("subject.dn: 'cn=CLIENT-1,  o=Old'"), stream.Info{}, nil, isOld, "")
	f(chosen("subject.cn: nobody"), stream.Info{}, nil, "-", "binding.tls.client.certificate.not.matched")
	f(chosen("subject.cn: \"${guarded['who'].identity}\""), stream.Info{}, known{"client-2", ""}, isTwo, "")
	f(chosen("subject.cn: \"${guarded['who'].attributes.cn}\""), stream.Info{}, known{"x", "client-1"}, isOne, "")
	f(chosen("subject.dn: \"${guarded['who'].identity}\""), stream.Info{}, known{"cn=client-2,o=client-2 inc", ""}, isTwo, "")
	f(chosen("subject.cn: \"${guarded['who'].attributes.none}\""), stream.Info{}, known{"x", "client-1"}, "-", "binding.tls.client.certificate.not.resolved")
	f(chosen("subject.cn: \"${guarded['who'].identity}\""), came, nil, "-", "binding.tls.client.certificate.not.resolved") // nobody is taken for somebody else
}

// TestSessionsAreNotShared wants nobody to resume the session of another identity.
func TestSessionsAreNotShared(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{})
	one, two := issue(w.clients, certs.Request{CommonName: "client-1"}), issue(w.clients, certs.Request{CommonName: "client-2"})
	put(t, "trust", &vault.Contents{Trust: []vault.Certificate{trust("ca", w.ca)}, Keys: []vault.Key{key("one", one), key("two", two)}})
	config := w.serverConfig()
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, w.clients.Pool()
	g := gwtest.Start(t, securing("    exit: south"), gwtest.Env("SERVER", answering(t, config).Port()))
	for _, step := range []struct{ name, want string }{
		{"client-1", "client-1 resumed=false"}, {"client-1", "client-1 resumed=true"},
		{"client-2", "client-2 resumed=false"}, {"client-2", "client-2 resumed=true"}, {"client-1", "client-1 resumed=true"},
	} {
		say(stream.Info{Authority: "localhost", Secure: &stream.Secure{Name: step.name}}, nil)
		if got := asked(t, g); !strings.Contains(got, "cert=CN="+step.want) {
			t.Errorf("%s: got %q", step.name, got)
		}
	}
}

// TestTheServerDoesNotAnswer wants a handshake to be bounded.
func TestTheServerDoesNotAnswer(t *testing.T) {
	put(t, "keys", &vault.Contents{})
	put(t, "trust", &vault.Contents{})
	server := gwtest.Listen(t, "")
	g := gwtest.Start(t, securing("    exit: south"), gwtest.Env("SERVER", server.Port()),
		gwtest.Limits(func(l *stream.Limits) { l.Handshake = 50 * time.Millisecond }))
	say(stream.Info{Authority: "localhost"}, nil)
	c := g.Dial("north")
	gwtest.Sees(t, afterHello(t, server), "rst")
	gwtest.Sees(t, c, "rst")
	g.Event("binding.tls.handshake.timeout")
	if r := g.Record(); r.By != telemetry.Gateway || r.Reason != "handshake timeout" {
		t.Errorf("the record says %q: %q (%s)", r.By, r.Reason, r.Err)
	}
}

// afterHello is the next connection of a server, from which a first message was read.
func afterHello(t testing.TB, server *gwtest.Server) net.Conn {
	t.Helper()
	c := server.Next()
	if _, err := c.Read(make([]byte, 64<<10)); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestABrokenServer passes on as an abort what breaks the rules of TLS, or breaks off by an alert: else half a stream
// would look whole.
func TestABrokenServer(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{})
	put(t, "trust", &vault.Contents{Trust: []vault.Certificate{trust("ca", w.ca)}})
	f := func(name, event, reason string, breaks func(*tls.Conn, net.Conn)) {
		t.Run(name, func(t *testing.T) {
			server := gwtest.Listen(t, "")
			g := gwtest.Start(t, securing("    exit: south"), gwtest.Env("SERVER", server.Port()))
			say(stream.Info{Authority: "localhost"}, nil)
			c := g.Dial("north")
			below := server.Next()
			secured := tls.Server(below, w.serverConfig())
			if _, err := io.WriteString(secured, "half"); err != nil {
				t.Fatal(err)
			}
			gwtest.Receive(t, c, "half")
			breaks(secured, below)
			gwtest.Sees(t, c, "rst")
			if event != "" {
				g.Event(event)
			}
			if r := g.Record(); r.By != telemetry.Server || r.Reason != reason {
				t.Errorf("the record says %q: %q (%s)", r.By, r.Reason, r.Err)
			}
		})
	}
	f("damage", "binding.tls.protocol.rejected", "tls", func(_ *tls.Conn, below net.Conn) {
		gwtest.Send(t, below, "\x17\x03\x03\x00\x13"+strings.Repeat("x", 19))
	})
	f("a record that is too long", "binding.tls.protocol.rejected", "tls", func(_ *tls.Conn, below net.Conn) {
		gwtest.Send(t, below, "\x17\x03\x03\x48\x01"+strings.Repeat("x", 1<<14+2049))
	})
	f("an end without a close_notify", "", "truncated", func(_ *tls.Conn, below net.Conn) { below.Close() })
	f("an end within a record", "", "truncated", func(_ *tls.Conn, below net.Conn) {
		gwtest.Send(t, below, "\x17\x03\x03\x00\x13x")
		below.Close()
	})
	f("a reset", "", "rst", func(_ *tls.Conn, below net.Conn) { conn.Abort(below) })
}
