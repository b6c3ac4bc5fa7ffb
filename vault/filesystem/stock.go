package filesystem

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strconv"

	"gozilla/vault"
)

// A stock is what a file holds, or what several files hold together.
type stock struct {
	keys  []storedKey
	certs []storedCert
	lists []*list // of revocations
}

// storedKey is a key in a file.
type storedKey struct {
	alias string // "": that of its certificate
	key   crypto.Signer
	id    string // what joins it to its certificate in a PKCS12 store, "" if nothing does
	file  string // for messages
}

// storedCert is a certificate in a file.
type storedCert struct {
	alias   string
	cert    *x509.Certificate
	id      string
	trusted bool // rather than a part of a chain only
}

// add takes all of the stock of a file.
func (s *stock) add(file string, more *stock) {
	for _, k := range more.keys {
		k.file = file
		s.keys = append(s.keys, k)
	}
	s.certs = append(s.certs, more.certs...)
	s.lists = append(s.lists, more.lists...)
}

// trustStrangers trusts the certificates that belong to no key, unless the store says itself which are trusted: openssl
// does not. unnamed is how many entries have been numbered.
func (s *stock) trustStrangers(unnamed *int) {
	if slices.ContainsFunc(s.certs, func(c storedCert) bool { return c.trusted }) {
		return
	}
	links := map[string]bool{}
	for i := range s.keys {
		if leaf := s.leaf(&s.keys[i]); leaf != nil {
			for _, link := range s.chain(leaf.cert) {
				links[string(link.Raw)] = true
			}
		}
	}
	for i := range s.certs {
		c := &s.certs[i]
		if c.trusted = !links[string(c.cert.Raw)]; c.trusted && c.alias == "" {
			*unnamed++
			c.alias = strconv.Itoa(*unnamed)
		}
	}
}

// leaf is the certificate of a key, nil if there is none. If there are several, it is the one that the store joins to
// it, or the first one.
func (s *stock) leaf(k *storedKey) (leaf *storedCert) {
	public, ok := k.key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return nil
	}
	for i := range s.certs {
		c := &s.certs[i]
		if fits := public.Equal(c.cert.PublicKey); fits && (leaf == nil || c.id == k.id && leaf.id != k.id) {
			leaf = c
		}
	}
	return leaf
}

// chain is a certificate and those of its issuers, as far as they are here.
func (s *stock) chain(leaf *x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{leaf}
	for c := leaf; !bytes.Equal(c.RawSubject, c.RawIssuer); {
		if c = s.issuer(c); c == nil || slices.ContainsFunc(chain, c.Equal) {
			break
		}
		chain = append(chain, c)
	}
	return chain
}

// issuer is the certificate that another one can be verified by, nil if it is not here.
func (s *stock) issuer(of *x509.Certificate) *x509.Certificate {
	for i := range s.certs {
		c := s.certs[i].cert
		if bytes.Equal(c.RawSubject, of.RawIssuer) && c.CheckSignature(of.SignatureAlgorithm, of.RawTBSCertificate, of.Signature) == nil {
			return c
		}
	}
	return nil
}

// pairs are the keys with their chains. Faults are told at store's place.
func (s *stock) pairs(store *Store, found *findings) (pairs []vault.Key) {
	for i := range s.keys {
		k := &s.keys[i]
		leaf := s.leaf(k)
		switch {
		case leaf != nil:
		case len(s.certs) == 0:
			f := found.errorf(&store.Store, "there is no certificate for the private key in %s", k.title())
			if store.Type.known() == PEM {
				f.hint = "name the file of the certificate too: [ tls.crt, tls.key ]"
			}
			continue
		default:
			found.errorf(&store.Store, "no certificate fits the private key in %s", k.title())
			continue
		}
		pair := vault.Key{Alias: k.alias, Certificate: tls.Certificate{PrivateKey: k.key, Leaf: leaf.cert}}
		if pair.Alias == "" {
			pair.Alias = leaf.alias
		}
		for _, link := range s.chain(leaf.cert) {
			pair.Certificate.Certificate = append(pair.Certificate.Certificate, link.Raw)
		}
		pairs = append(pairs, pair)
	}
	return pairs
}

func (k *storedKey) title() string {
	if k.alias == "" {
		return k.file
	}
	return k.file + " (" + k.alias + ")"
}

// trusted are the certificates that are trusted, each once.
func (s *stock) trusted() (trusted []vault.Certificate) {
	seen := map[string]bool{}
	for _, c := range s.certs {
		if id := c.alias + "\x00" + string(c.cert.Raw); c.trusted && !seen[id] {
			seen[id] = true
			trusted = append(trusted, vault.Certificate{Alias: c.alias, Certificate: c.cert})
		}
	}
	return trusted
}
