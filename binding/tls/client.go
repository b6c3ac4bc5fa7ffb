package tls

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"gozilla/binding"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
	"gozilla/vault"
	"gozilla/wire/x501"
)

type client struct {
	b       *binding.Builder
	options Options     // all zero if the file has none
	vault   vault.Vault // nil: none
	routes  *binding.Routes[When, With, conn.Port]

	state atomic.Pointer[clientState]
}

// A clientState is what a client makes of the contents of its vault.
type clientState struct {
	contents *vault.Contents
	config   *tls.Config
	keys     []vault.Key
	lacks    bool // there is nothing of what is to be trusted
	sessions tls.ClientSessionCache
}

// manySessions is how many servers a client remembers the sessions of.
const manySessions = 256

func newClient(b *binding.Builder, c *Client) (*client, error) {
	t := &client{b: b, vault: b.Vault(c.Vault), routes: binding.RoutesOf(b, &c.Routed, conn.Protocol)}
	if c.Options != nil {
		t.options = c.Options.Options
	}
	if t.vault != nil && c.Options != nil {
		now := t.vault.Contents()
		checkAliases(b, c.Vault, now, &c.Options.Options)
		c.Options.checkFound(b, c.Vault, now.TrustNamed(c.Options.Trust))
	}
	t.state.Store(t.newState())
	t.checkKeys(c)
	return t, nil
}

// checkKeys warns of routes that choose among no keys.
func (t *client) checkKeys(c *Client) {
	if len(t.state.Load().keys) > 0 {
		return
	}
	for i := range c.Routes {
		if choice := c.Routes[i].With.Certificate; choice != nil {
			t.b.Report.Warnf(t.b.Report.At(choice), "the client has no key to choose from").Hintf("name some with keys or signers in the options")
		}
	}
}

func (t *client) conn() conn.Port { return conn.Dialing(t) }

// now is the state for what the vault holds now.
func (t *client) now() *clientState {
	state := t.state.Load()
	if t.vault == nil || t.vault.Contents() == state.contents {
		return state
	}
	fresh := t.newState()
	if fresh.lacks {
		fresh.config, fresh.keys = state.config, state.keys // better than to trust in whom the system knows
		faultKey.tell(t.b, nil)
	}
	if t.state.CompareAndSwap(state, fresh) {
		return fresh
	}
	return t.state.Load()
}

func (t *client) newState() *clientState {
	state := &clientState{contents: &vault.Contents{}, sessions: tls.NewLRUClientSessionCache(manySessions)}
	if t.vault != nil {
		state.contents = t.vault.Contents()
	}
	keys, trust := t.options.choose(state.contents)
	state.keys, state.lacks = keys, len(t.options.Trust) > 0 && len(trust) == 0
	state.config = &tls.Config{
		RootCAs:                     t.roots(trust),
		MinVersion:                  tls.VersionTLS12,
		MaxVersion:                  t.options.Version.newest(),
		DynamicRecordSizingDisabled: true,
	}
	return state
}

// roots are whom a client trusts: what the vault says, and the authorities that the system knows where the options want
// them or nothing else is there. nil is the latter.
func (t *client) roots(trust []vault.Certificate) *x509.CertPool {
	pool := poolOf(trust)
	if pool == nil || !t.options.TrustCACerts {
		return pool
	}
	system, err := x509.SystemCertPool()
	if err != nil {
		return pool // the system knows none
	}
	for i := range trust {
		system.AddCert(trust[i].Certificate)
	}
	return system
}

// DialConn dials the exit and secures what it gives. The name and the protocols that the server is asked for are those
// of the options, else those of the stream; of several protocols only the stream's own, if that is one of them.
func (t *client) DialConn(ctx context.Context, about *stream.Info) (conn.Conn, *stream.Info, error) {
	way, err := t.pick(ctx, about.Authority, about.ALPN, about)
	if err != nil {
		return nil, nil, err
	}
	below, reached, err := way.Exit.DialConn(ctx, about)
	if err != nil {
		return nil, nil, err
	}
	c, secured, err := t.secure(ctx, below, about, reached, way)
	if err != nil {
		conn.Abort(below)
		return nil, nil, err
	}
	return c, secured, nil
}

func (t *client) pick(ctx context.Context, authority, alpn string, about *stream.Info) (*binding.Way[When, With, conn.Port], error) {
	return t.routes.Pick(ctx, func(w *When) bool {
		return w.holdsFor(authority, alpn, about.Dest.Port) && len(w.Trust) == 0 && w.Mutual != Shown(Required)
	})
}

// secure agrees with the server.
func (t *client) secure(ctx context.Context, below conn.Conn, about, reached *stream.Info, way *binding.Way[When, With, conn.Port]) (conn.Conn, *stream.Info, error) {
	s := stream.From(ctx)
	state := t.now()
	config := state.config.Clone()
	if config.ServerName = t.serverName(about, reached); config.ServerName == "" {
		return nil, nil, stream.Refuse(stream.Invalid, "there is no name to verify the server by: set options.sni")
	}
	config.NextProtos = t.protocols(about)
	identity := t.present(s, state, config, about, way.With)
	config.ClientSessionCache = sessionsOf{state.sessions, identity}
	if state.contents.Revoked != nil {
		config.VerifyConnection = func(said tls.ConnectionState) error { return unrevoked(ctx, state.contents, said.VerifiedChains) }
	}
	c := &Conn{broke: func(err error) { tell(err, t.b, s) }}
	c.init(below, telemetry.Server, s.Flow())
	c.tls = tls.Client(&c.transport, config)
	if err := c.handshake(ctx, s.Limits().Handshake); err != nil {
		return nil, nil, t.failed(ctx, s, err)
	}
	said := c.tls.ConnectionState()
	again, err := t.pick(ctx, config.ServerName, said.NegotiatedProtocol, about)
	if err != nil || again.Index != way.Index {
		return nil, nil, stream.Refuse(stream.NoRoute, "the server has agreed on the protocol %q, for which the route does not hold", said.NegotiatedProtocol)
	}
	secured := *reached
	secured.Authority, secured.ALPN, secured.Secure = config.ServerName, said.NegotiatedProtocol, secureOf(&said)
	return c, &secured, nil
}

// serverName is the name that the server is asked for and verified by.
func (t *client) serverName(about, reached *stream.Info) string {
	name := about.Authority
	switch {
	case len(t.options.SNI) > 0:
		name = t.options.SNI[0]
	case name != "":
	case about.Dest.Host != "":
		name = about.Dest.Host
	case reached.Dest.IP.IsValid():
		name = reached.Dest.IP.String() // which is not sent, but verified
	}
	return strings.TrimSuffix(name, ".")
}

// protocols are those that the server is offered.
func (t *client) protocols(about *stream.Info) []string {
	if about.ALPN != "" && (t.options.ALPN == nil || slices.Contains(t.options.ALPN, about.ALPN)) {
		return []string{about.ALPN}
	}
	return t.options.ALPN
}

// Offers is part of conn.Offerer.
func (t *client) Offers() []conn.Offer {
	return []conn.Offer{{By: t.b.Node, Protocols: t.options.ALPN}}
}

// failed is how a dial ends that could not be secured.
func (t *client) failed(ctx context.Context, s *stream.Scope, err error) error {
	var refused *stream.Refused
	switch {
	case ctx.Err() != nil:
		return &stream.Refused{Reason: stream.Timeout, Err: context.Cause(ctx)}
	case errors.As(err, &refused):
		return refused
	}
	f := tell(err, t.b, s)
	cut := &stream.Cut{By: telemetry.Server, Why: f.reason, Err: named(err)}
	if f.event == "" { // it has gone, or ended: of a server that is a failure
		cut.Why = faultHandshake.reason
	}
	if f == faultTimeout {
		cut.By = telemetry.Gateway
		return &stream.Refused{Reason: stream.Timeout, Err: cut}
	}
	return &stream.Refused{Reason: stream.Unavailable, Err: cut}
}

// sessionsOf are the sessions of one identity, which nobody with another one resumes.
type sessionsOf struct {
	all      tls.ClientSessionCache
	identity string
}

func (s sessionsOf) Get(key string) (*tls.ClientSessionState, bool) {
	return s.all.Get(s.identity + key)
}

func (s sessionsOf) Put(key string, state *tls.ClientSessionState) { s.all.Put(s.identity+key, state) }

// present says which certificate is shown if the server asks for one: that which the route chooses, or that with the
// common name that came with the stream, else any that the server accepts. The identity is that of the choice.
func (t *client) present(s *stream.Scope, state *clientState, config *tls.Config, about *stream.Info, with *With) (identity string) {
	field, value, chosen := t.wanted(s, about, with)
	keys := state.keys
	if chosen {
		keys = matchingKeys(keys, field, value) // none for no value: nobody is to be taken for somebody else
		identity = field + "=" + value + "\x00"
	}
	config.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		for i := range keys {
			if c := &keys[i].Certificate; asked.SupportsCertificate(c) == nil {
				return c, nil
			}
		}
		if chosen && value != "" {
			t.b.Warn(s, "binding.tls.client.certificate.not.matched",
				"The route certificate properties (%s=%s) matched no candidate key, so no client certificate was presented.", field, value)
		}
		return &tls.Certificate{}, nil
	}
	return identity
}

// The properties that keys are chosen by.
const (
	subjectCN = "subject.cn"
	subjectDN = "subject.dn"
)

// canonical is a distinguished name of the file in the form in which guards give it too.
func canonical(text string) (string, error) {
	name, err := x501.ParseText(text)
	if err != nil {
		return "", err
	}
	return name.Canonical(), nil
}

// wanted is what the route, or the stream, wants the certificate to be.
func (t *client) wanted(s *stream.Scope, about *stream.Info, with *With) (field, value string, chosen bool) {
	if c := with.Certificate; c != nil {
		field, text := subjectCN, c.SubjectCN
		if c.SubjectDN != "" {
			field, text = subjectDN, c.SubjectDN
		}
		if value = text.Of(s, t.b.Node.Namespace); value == "" {
			t.b.Warn(s, "binding.tls.client.certificate.not.resolved",
				"The route certificate property (%s) resolved to no value, so no client certificate was presented.", field)
			return field, "", true
		}
		if field == subjectDN && text.IsLiteral() {
			value, _ = canonical(value) // which Check has read
		}
		return field, value, true
	}
	if about.Secure != nil && about.Secure.Name != "" && len(t.state.Load().keys) > 0 {
		return subjectCN, about.Secure.Name, true
	}
	return "", "", false
}

// matchingKeys are the keys whose certificate has the property, the newest first, then by fingerprint.
func matchingKeys(keys []vault.Key, field, value string) []vault.Key {
	if value == "" {
		return nil
	}
	matching := slices.DeleteFunc(slices.Clone(keys), func(k vault.Key) bool {
		leaf := k.Certificate.Leaf
		if field == subjectDN {
			name, err := x501.Parse(leaf.RawSubject)
			return err != nil || name.Canonical() != value
		}
		return leaf.Subject.CommonName != value
	})
	slices.SortFunc(matching, func(a, b vault.Key) int {
		x, y := a.Certificate.Leaf, b.Certificate.Leaf
		if c := y.NotBefore.Compare(x.NotBefore); c != 0 {
			return c
		}
		p, q := sha256.Sum256(x.Raw), sha256.Sum256(y.Raw)
		return cmp.Compare(string(q[:]), string(p[:]))
	})
	return matching
}
