package tls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/guard"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
	"gozilla/vault"
)

type server struct {
	b       *binding.Builder
	options ServerOptions // all zero if the file has none
	vault   vault.Vault
	guard   guard.Guard // nil: none is told of the client's certificates
	guarded string      // its qualified name
	routes  *binding.Routes[When, config.None, conn.Port]

	state atomic.Pointer[serverState]
	open  register   // connections that a certificate has let in
	at    config.Pos // of the protocols in the file
}

func newServer(b *binding.Builder, c *Server) (*server, error) {
	s := &server{b: b, vault: b.Vault(c.Vault), routes: binding.RoutesOf(b, &c.Routed, conn.Protocol)}
	if c.Options != nil {
		s.options = *c.Options
		s.at = b.Report.At(&c.Options.ALPN)
	}
	for ref := range s.options.Authorization {
		s.guard, s.guarded = b.Guard(ref), config.Ref(ref).Qualified(b.Node.Namespace)
	}
	now := s.vault.Contents()
	if c.Options != nil {
		checkAliases(b, c.Vault, now, &c.Options.Options)
		c.Options.checkFound(b, c.Vault, now.TrustNamed(c.Options.Trust))
	}
	checkTrust(b, c.Vault, now, c.Routes)
	state := s.newState(now)
	state.checkAsked(b, c.Routes)
	if state.mutual != NoMutual && state.trust == nil {
		b.Report.Warnf(b.Report.At(&c.Options.Mutual), "certificates of every authority that the system knows are good here").
			Hintf("say whom to trust with trust")
	}
	if len(state.config.Certificates) == 0 {
		at := b.Report.At(c)
		if c.Options != nil {
			at = b.Report.At(&c.Options.Keys)
		}
		b.Report.Errorf(at, "a tls server needs a key, and the vault %s has none for it", c.Vault)
		return s, nil
	}
	s.state.Store(state)
	b.Go("vault", s.follow)
	return s, nil
}

func (s *server) conn() conn.Port { return conn.Serving(s) }

// verifyEvery is how often the clients of open connections are verified again without a change.
const verifyEvery = time.Hour

// follow keeps the server's state that of the vault. It ends with ctx.
func (s *server) follow(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	undo := s.vault.OnChange(func() {
		select {
		case changed <- struct{}{}:
		default: // it will be looked at anyway
		}
	})
	defer undo()
	again := time.NewTicker(verifyEvery)
	defer again.Stop()
	for {
		s.takeOver() // first what has changed before there was somebody to tell
		select {
		case <-changed:
		case <-again.C: // certificates run out, and revocation lists that nobody asks for are not fetched again
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// takeOver uses what the vault holds now, and ends the connections of clients that it does not trust any more. The
// vault may hold the same as before, and know more of what was revoked.
func (s *server) takeOver() {
	state := s.state.Load()
	if now := s.vault.Contents(); now != state.contents {
		state = s.newState(now)
		if state.lacks {
			faultKey.tell(s.b, nil) // the keys and the trust of before are better than none
			return
		}
		s.state.Store(state)
	}
	s.open.each(func(v *serving) { v.verifyAgain(state) })
}

// serving is one connection.
type serving struct {
	Conn
	server *server
	scope  *stream.Scope
	about  *stream.Info // as it arrived; after the handshake, as it goes on
	state  *serverState
	chain  []*x509.Certificate // the client's, verified, leaf first; nil if it has shown none
	exit   conn.Port
	err    error
}

// ServeConn secures a stream and passes it on. Handshakes need a large stack, so each has a goroutine of its own that
// ends: what then waits for bytes has a small one.
func (s *server) ServeConn(ctx context.Context, c conn.Conn, about *stream.Info) error {
	v := s.newServing(ctx, c, about)
	if v.begin(); v.err != nil {
		return v.err
	}
	return v.goodbye(ctx, v.exit.ServeConn(ctx, v, v.about))
}

//go:noinline
func (s *server) newServing(ctx context.Context, c conn.Conn, about *stream.Info) *serving {
	v := &serving{server: s, scope: stream.From(ctx), about: about, state: s.state.Load()}
	v.Conn.init(c, telemetry.Client, v.scope.Flow())
	v.broke = func(err error) { tell(err, s.b, v.scope) }
	return v
}

// begin waits until the connection is secured and its exit chosen, or v.err says why not.
//
//go:noinline
func (v *serving) begin() {
	done := make(chan struct{})
	conn.Briefly(func() {
		defer close(done)
		v.err = stream.Contained(v.scope, v.secure)
	})
	<-done
}

// secure agrees with the client and chooses an exit.
func (v *serving) secure() error {
	if err := v.known(); err != nil {
		return err
	}
	limit := v.scope.Limits().Handshake
	v.scope.Mark(stream.ShakeBegan)
	v.tls = tls.Server(&wire{&v.transport, v}, v.state.config)
	err := v.handshake(v.scope, limit)
	v.scope.Mark(stream.ShakeEnded)
	if err != nil {
		return v.failed(err)
	}
	return v.route()
}

// known is nil if some route takes the port.
func (v *serving) known() error {
	ways, port := v.server.routes.All(), v.about.Dest.Port
	for i := range ways {
		way := &ways[i]
		if len(way.When) == 0 || slices.ContainsFunc(way.When, func(w When) bool { return w.holdsForPort(port) }) {
			return nil
		}
		v.server.routes.Missed(v.scope, way, func(w *When) bool { return w.holdsForPort(port) })
	}
	return stream.Refuse(stream.NoRoute, "no route takes the port %d", port)
}

// withLimit is context.WithTimeout, where 0 is no limit.
func withLimit(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}

// failed is how a connection ends with which no agreement was reached. The client knows by the alert that tls.Conn has
// sent, or gets one.
func (v *serving) failed(err error) error {
	if v.scope.Err() != nil {
		return context.Cause(v.scope)
	}
	var refused *stream.Refused
	if errors.As(err, &refused) {
		return refused
	}
	f := tell(err, v.server.b, v.scope)
	cut := &stream.Cut{By: telemetry.Client, Why: f.reason, Err: named(err)}
	switch f {
	case faultGone:
		return cut
	case faultTimeout:
		cut.By = telemetry.Gateway
	case faultFailed:
		v.transport.Write(unexpectedMessage)
	}
	return &stream.Told{Err: cut}
}

// unexpectedMessage is the alert for what is no TLS at all, which tls.Conn does not answer (RFC 8446, section 6.2).
var unexpectedMessage = []byte{21, 3, 3, 0, 2, 2, 10}

// route chooses the exit. A client whom no route takes has its connection closed in order.
func (v *serving) route() error {
	said := v.tls.ConnectionState()
	if err := v.choose(&said); err != nil {
		if v.CloseWrite() != nil {
			return err
		}
		return &stream.Told{Err: err}
	}
	if v.chain != nil {
		v.server.open.add(v)
		v.scope.OnEnd(func(error) { v.server.open.remove(v) })
		if now := v.server.state.Load(); now != v.state {
			v.verifyAgain(now) // it changed before the register knew of the connection
		}
	}
	return nil
}

// choose learns what the client has said of itself and takes the way that is for it.
func (v *serving) choose(said *tls.ConnectionState) error {
	v.know(said)
	s := v.server
	if s.guard != nil && v.chain != nil {
		if session, err := s.guard.Authorize(v.scope, pemOf(v.chain)); err == nil {
			v.scope.Admit(s.guarded, session)
			v.scope.SetRecord(func(r *telemetry.Record) { r.Identity = session.Identity() })
		}
	}
	way, err := s.routes.Pick(v.scope, func(w *When) bool {
		return w.holdsFor(said.ServerName, said.NegotiatedProtocol, v.about.Dest.Port) && v.shows(w, said)
	})
	if err == nil {
		v.exit = way.Exit
	}
	return err
}

// know notes the facts of the handshake.
func (v *serving) know(said *tls.ConnectionState) {
	about := *v.about
	about.Secure = secureOf(said)
	if before := v.about.Secure; before != nil && v.state.mutual == NoMutual {
		// The client was not asked for a certificate here; what a PROXY header has said of it holds.
		about.Secure.Name, about.Secure.Signature, about.Secure.Key = before.Name, before.Signature, before.Key
	}
	if said.NegotiatedProtocol != "" {
		about.ALPN = said.NegotiatedProtocol
	}
	if said.ServerName != "" {
		about.Authority = said.ServerName
	}
	if len(said.VerifiedChains) > 0 {
		v.chain = said.VerifiedChains[0]
	}
	v.about = &about
	v.scope.SetRecord(func(r *telemetry.Record) {
		r.TLS, r.ALPN, r.Authority, r.Identity = about.Secure.Version, about.ALPN, about.Authority, about.Secure.Name
	})
}

// secureOf is what is known of a handshake.
func secureOf(said *tls.ConnectionState) *stream.Secure {
	secure := &stream.Secure{Version: versionName(said.Version), Cipher: tls.CipherSuiteName(said.CipherSuite)}
	if len(said.PeerCertificates) > 0 {
		leaf := said.PeerCertificates[0]
		secure.Name = leaf.Subject.CommonName
		secure.Signature, secure.Key = leaf.SignatureAlgorithm.String(), leaf.PublicKeyAlgorithm.String()
	}
	return secure
}

// versionName is a version as zilla names it: TLSv1.3.
func versionName(version uint16) string {
	return strings.Replace(tls.VersionName(version), " ", "v", 1)
}

// shows reports whether the client has shown what a condition wants.
func (v *serving) shows(w *When, said *tls.ConnectionState) bool {
	switch {
	case len(w.Trust) > 0:
		return v.chain != nil && v.state.trusts(w.Trust, said.PeerCertificates)
	case w.Mutual == Shown(Required):
		return v.chain != nil
	case w.Mutual == Shown(NoMutual):
		return v.chain == nil
	}
	return true
}

// verifyAgain ends a connection whose client is not trusted any more.
func (v *serving) verifyAgain(state *serverState) {
	ctx, cancel := withLimit(v.scope, v.scope.Limits().Handshake)
	defer cancel()
	err := state.verify(ctx, v.chain)
	if err == nil {
		return
	}
	faultPeer.tell(v.server.b, v.scope)
	v.scope.Cancel(&stream.Cut{By: telemetry.Gateway, Why: "no longer trusted", Err: err})
}

// goodbye ends what the client is sent as the stream has ended: in order, unless it was cut.
func (v *serving) goodbye(ctx context.Context, err error) error {
	var told *stream.Told
	switch {
	case err == nil:
		if end := v.CloseWrite(); end != nil {
			return &stream.Cut{By: telemetry.Client, Why: "rst", Err: end}
		}
		return nil
	case errors.As(err, &told):
		v.sendLast()
		return err
	case errors.Is(err, stream.ErrDrained) || errors.Is(context.Cause(ctx), stream.ErrDrained):
		if v.CloseWrite() == nil {
			return &stream.Told{Err: stream.ErrDrained}
		}
	}
	return err
}

// pemOf is a chain as a guard is told of it, without the root.
func pemOf(chain []*x509.Certificate) string {
	var text strings.Builder
	for i, c := range chain {
		if i > 0 && i == len(chain)-1 && string(c.RawIssuer) == string(c.RawSubject) {
			break
		}
		pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return text.String()
}
