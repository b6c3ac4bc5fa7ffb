package tls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/vault"
)

// A serverState is what a server makes of the contents of its vault. It is never changed: new contents make a new one,
// with ticket keys of its own, so that nobody resumes a session that other trust has begun.
type serverState struct {
	server   *server
	contents *vault.Contents
	config   *tls.Config // agrees on no protocol, and knows no revocation
	mutual   Mutual
	trust    *x509.CertPool // nil: what the system knows
	lacks    bool           // there is no key, or nothing of what is to be trusted

	mu      sync.Mutex
	byALPN  map[string]*tls.Config    // by the protocol that is agreed on
	byTrust map[string]*x509.CertPool // by aliases, with zeros between them
}

func (s *server) newState(now *vault.Contents) *serverState {
	state := &serverState{server: s, contents: now, byALPN: map[string]*tls.Config{}, byTrust: map[string]*x509.CertPool{}}
	keys, trust := s.options.choose(now)
	state.lacks = len(keys) == 0 || len(s.options.Trust) > 0 && len(trust) == 0
	state.trust = poolOf(trust)
	state.mutual = s.options.Mutual
	if state.mutual == "" {
		state.mutual = NoMutual
		if state.trust != nil {
			state.mutual = Required
		}
	}
	state.config = &tls.Config{
		Certificates: certificates(keys),
		ClientCAs:    state.trust,
		ClientAuth:   clientAuth[state.mutual],
		MinVersion:   tls.VersionTLS12,
		MaxVersion:   s.options.Version.newest(),
		CipherSuites: suites,
		// Small records at the beginning help nobody here, and cost many system calls.
		DynamicRecordSizingDisabled: true,
	}
	state.config.GetConfigForClient = state.forClient
	if len(keys) > 1 {
		state.config.GetCertificate = state.certificate
	}
	return state
}

var clientAuth = map[Mutual]tls.ClientAuthType{
	NoMutual: tls.NoClientCert, Requested: tls.VerifyClientCertIfGiven, Required: tls.RequireAndVerifyClientCert,
}

// suites are those of TLS 1.2: with forward secrecy and authenticated encryption. TLS 1.3 has no others.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// choose is what the options take from a vault: keys, and whom to trust. It is everything if they say nothing of that.
func (o *Options) choose(now *vault.Contents) ([]vault.Key, []vault.Certificate) {
	switch {
	case o.Keys == nil && o.Signers == nil && o.Trust == nil:
		return now.Keys, now.Trust
	case o.Signers != nil:
		return now.KeysSignedBy(o.Signers), now.TrustNamed(o.Trust)
	}
	return now.KeysNamed(o.Keys), now.TrustNamed(o.Trust)
}

func certificates(keys []vault.Key) []tls.Certificate {
	all := make([]tls.Certificate, len(keys))
	for i := range keys {
		all[i] = keys[i].Certificate
	}
	return all
}

// poolOf is nil for no certificates.
func poolOf(trust []vault.Certificate) *x509.CertPool {
	if len(trust) == 0 {
		return nil
	}
	pool := x509.NewCertPool()
	for i := range trust {
		pool.AddCert(trust[i].Certificate)
	}
	return pool
}

// certificate is one that has the name that the client asks for and a key of a sort that it knows; else any that it
// can use. A name that nobody has is not refused.
func (state *serverState) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	for _, name := range []string{hello.ServerName, ""} {
		asked := *hello
		asked.ServerName = name
		for i := range state.config.Certificates {
			if c := &state.config.Certificates[i]; asked.SupportsCertificate(c) == nil {
				return c, nil
			}
		}
	}
	return &state.config.Certificates[0], nil
}

// A wire is what the tls.Conn of a server's connection stands on; by it the connection is found again.
type wire struct {
	*transport
	of *serving
}

// manyProtocols is how many protocols have a configuration that is kept. There can be more where a route has a wildcard.
const manyProtocols = 64

// forClient is the configuration for one connection, once the client's hello is there; nil for that of the state.
func (state *serverState) forClient(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	v := hello.Conn.(*wire).of
	protocol := ""
	if len(hello.SupportedProtos) > 0 {
		protocol = state.server.protocol(hello, v.about)
	}
	revoked := state.contents.Revoked != nil && state.mutual != NoMutual
	switch {
	case revoked:
		c := state.agreeing(protocol).Clone()
		c.VerifyConnection = func(said tls.ConnectionState) error {
			ctx, cancel := withLimit(v.scope, v.scope.Limits().Handshake)
			defer cancel()
			return unrevoked(ctx, state.contents, said.VerifiedChains)
		}
		return c, nil
	case protocol == "":
		return nil, nil
	}
	return state.agreeing(protocol), nil
}

// agreeing is the configuration that agrees on a protocol.
func (state *serverState) agreeing(protocol string) *tls.Config {
	if protocol == "" {
		return state.config
	}
	state.mu.Lock()
	defer state.mu.Unlock()
	if c := state.byALPN[protocol]; c != nil {
		return c
	}
	c := state.config.Clone()
	c.NextProtos = []string{protocol}
	if len(state.byALPN) < manyProtocols {
		state.byALPN[protocol] = c
	}
	return c
}

// unrevoked is nil if one of the chains is not revoked, or if there are none, since the peer has shown no certificate.
func unrevoked(ctx context.Context, by *vault.Contents, chains [][]*x509.Certificate) error {
	var last error
	for _, chain := range chains {
		if last = by.Revoked(ctx, chain); last == nil {
			return nil
		}
	}
	if last != nil {
		return fmt.Errorf("%w: %w", errUnverified, last)
	}
	return nil
}

// verify tells why a client is not trusted.
func (state *serverState) verify(ctx context.Context, chain []*x509.Certificate) error {
	chains, err := verified(state.trust, chain)
	if err != nil || state.contents.Revoked == nil {
		return err
	}
	return unrevoked(ctx, state.contents, chains)
}

// verified are the ways to trust a client's certificates, leaf first, by a pool.
func verified(pool *x509.CertPool, chain []*x509.Certificate) ([][]*x509.Certificate, error) {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	return chain[0].Verify(x509.VerifyOptions{
		Roots: pool, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// trusts reports whether a client's certificates are trusted by those of the vault with the aliases.
func (state *serverState) trusts(aliases []string, chain []*x509.Certificate) bool {
	key := strings.Join(aliases, "\x00")
	state.mu.Lock()
	pool, ok := state.byTrust[key]
	if !ok {
		pool = poolOf(state.contents.TrustNamed(aliases))
		state.byTrust[key] = pool
	}
	state.mu.Unlock()
	if pool == nil {
		return false // of the system's authorities a route knows nothing
	}
	_, err := verified(pool, chain)
	return err == nil
}

// checkAliases tells of aliases that a vault does not have, which are left out.
func checkAliases(b *binding.Builder, ref vault.Ref, now *vault.Contents, o *Options) {
	warnMissing(b, ref, "key", o.Keys, vault.Aliases(now.Keys))
	warnMissing(b, ref, "signer", o.Signers, vault.Aliases(now.Signers))
	warnMissing(b, ref, "trusted certificate", o.Trust, vault.Aliases(now.Trust))
}

// checkTrust does so for the routes.
func checkTrust[X any](b *binding.Builder, ref vault.Ref, now *vault.Contents, routes []binding.Route[When, X]) {
	for i := range routes {
		for j := range routes[i].When {
			warnMissing(b, ref, "trusted certificate", routes[i].When[j].Trust, vault.Aliases(now.Trust))
		}
	}
}

// checkFound tells of trust that is asked for and not there: it would become trust in whom the system knows, or in
// anybody.
func (o *Options) checkFound(b *binding.Builder, ref vault.Ref, trust []vault.Certificate) {
	if len(o.Trust) > 0 && len(trust) == 0 {
		b.Report.Errorf(b.Report.At(&o.Trust), "the vault %s has nothing of what is to be trusted", ref)
	}
}

// checkAsked tells of routes that want a certificate of clients who are not asked for one.
func (state *serverState) checkAsked(b *binding.Builder, routes []binding.Route[When, config.None]) {
	if state.mutual != NoMutual {
		return
	}
	for i := range routes {
		for j := range routes[i].When {
			if w := &routes[i].When[j]; len(w.Trust) > 0 || w.Mutual == Shown(Required) {
				b.Report.Warnf(b.Report.At(w), "this never holds: no client is asked for a certificate").Hintf("say mutual: requested in the options")
			}
		}
	}
}

func warnMissing(b *binding.Builder, ref vault.Ref, what string, wanted, have []string) {
	for i := range wanted {
		if slices.ContainsFunc(have, func(alias string) bool { return strings.EqualFold(alias, wanted[i]) }) {
			continue
		}
		f := b.Report.Warnf(b.Report.At(&wanted[i]), "the vault %s has no %s %q", ref, what, wanted[i])
		if like, ok := config.Like(wanted[i], have); ok {
			f.Hintf("did you mean %q?", like)
		} else if len(have) > 0 {
			f.Hintf("it has %s", config.Words(have))
		}
	}
}

// A register has the connections that a certificate has let in.
type register struct {
	mu   sync.Mutex
	open map[*serving]struct{}
}

func (r *register) add(v *serving) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = map[*serving]struct{}{}
	}
	r.open[v] = struct{}{}
}

func (r *register) remove(v *serving) {
	r.mu.Lock()
	delete(r.open, v)
	r.mu.Unlock()
}

// each calls f with those that are open now.
func (r *register) each(f func(*serving)) {
	r.mu.Lock()
	all := slices.Collect(maps.Keys(r.open))
	r.mu.Unlock()
	for _, v := range all {
		f(v)
	}
}
