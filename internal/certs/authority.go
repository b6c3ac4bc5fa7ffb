package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"
)

// How long certificates are valid that do not say.
const (
	skew           = 5 * time.Minute // clocks may differ by this much
	authorityYears = 10
	pairYears      = 1
)

// An Authority issues certificates.
type Authority struct {
	Certificate *x509.Certificate
	Key         crypto.Signer

	chain []*x509.Certificate // what a peer that trusts the root must be sent besides a leaf
}

// An Option changes the certificate of an authority before it is signed.
type Option func(*x509.Certificate)

// Valid says from when until when.
func Valid(notBefore, notAfter time.Time) Option {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = notBefore, notAfter }
}

// Subject says who the authority is, its common name included.
func Subject(name pkix.Name) Option { return func(c *x509.Certificate) { c.Subject = name } }

// NewAuthority makes an authority that signs itself, with an ECDSA key on P-256.
func NewAuthority(commonName string, opts ...Option) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, cannotMake(commonName, err)
	}
	template := authorityTemplate(commonName, opts)
	c, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, cannotMake(commonName, err)
	}
	return &Authority{Certificate: c, Key: key}, nil
}

// ParseAuthority reads an authority that PEM and KeyPEM have written.
func ParseAuthority(certPEM, keyPEM []byte) (*Authority, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !pair.Leaf.IsCA {
		return nil, errors.New("it is not an authority's certificate")
	}
	return &Authority{Certificate: pair.Leaf, Key: key}, nil
}

// Intermediate makes an authority below a. The chains that it issues include its certificate.
func (a *Authority) Intermediate(commonName string, opts ...Option) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, cannotMake(commonName, err)
	}
	c, err := sign(authorityTemplate(commonName, opts), a.Certificate, key.Public(), a.Key)
	if err != nil {
		return nil, cannotMake(commonName, err)
	}
	return &Authority{Certificate: c, Key: key, chain: append([]*x509.Certificate{c}, a.chain...)}, nil
}

func authorityTemplate(commonName string, opts []Option) *x509.Certificate {
	now := time.Now()
	c := &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.AddDate(authorityYears, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	for _, o := range opts {
		o(c)
	}
	return c
}

// PEM is the certificate of the authority.
func (a *Authority) PEM() []byte { return certPEM(a.Certificate) }

// KeyPEM is the key of the authority, in PKCS8.
func (a *Authority) KeyPEM() []byte { return keyPEM(a.Key) }

// Pool holds the authority's certificate, for those who are to trust it.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate)
	return pool
}

// A Request says what a certificate is to be.
type Request struct {
	CommonName string
	Subject    pkix.Name // the rest of its name
	DNS        []string
	IPs        []net.IP
	Emails     []string
	URIs       []*url.URL
	NotBefore  time.Time               // zero: a moment ago
	NotAfter   time.Time               // zero: in a year
	CRLs       []string                // where the lists are that may revoke it
	Usages     []x509.ExtKeyUsage      // none: server and client
	RSA        bool                    // a key of 2048 bits, rather than ECDSA on P-256
	Edit       func(*x509.Certificate) // has the last word before the certificate is signed
}

// Issue makes a key and its certificate.
func (a *Authority) Issue(r Request) (*Pair, error) {
	key, err := newKey(r.RSA)
	if err != nil {
		return nil, cannotMake(r.CommonName, err)
	}
	c, err := sign(r.template(), a.Certificate, key.Public(), a.Key)
	if err != nil {
		return nil, cannotMake(r.CommonName, err)
	}
	return &Pair{Chain: append([]*x509.Certificate{c}, a.chain...), Key: key}, nil
}

func newKey(isRSA bool) (crypto.Signer, error) {
	if isRSA {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func (r *Request) template() *x509.Certificate {
	now := time.Now()
	c := &x509.Certificate{
		Subject:               r.Subject,
		NotBefore:             r.NotBefore,
		NotAfter:              r.NotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           r.Usages,
		BasicConstraintsValid: true,
		DNSNames:              r.DNS,
		IPAddresses:           r.IPs,
		EmailAddresses:        r.Emails,
		URIs:                  r.URIs,
		CRLDistributionPoints: r.CRLs,
	}
	if r.CommonName != "" {
		c.Subject.CommonName = r.CommonName
	}
	if c.NotBefore.IsZero() {
		c.NotBefore = now.Add(-skew)
	}
	if c.NotAfter.IsZero() {
		c.NotAfter = now.AddDate(pairYears, 0, 0)
	}
	if len(c.ExtKeyUsage) == 0 {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	if r.RSA {
		c.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	if r.Edit != nil {
		r.Edit(c)
	}
	return c
}

// sign makes the certificate that the template describes, with a serial number of its own.
func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Revoke makes a revocation list in DER: the number-th of the authority, which says when the next one is to be expected,
// and holds the certificates that are revoked as of now.
func (a *Authority) Revoke(number int64, nextUpdate time.Time, revoked ...*x509.Certificate) (der []byte, err error) {
	now := time.Now()
	list := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now.Add(-skew), NextUpdate: nextUpdate}
	if !nextUpdate.After(list.ThisUpdate) { // a list that is out of date already
		list.ThisUpdate = nextUpdate.Add(-skew)
	}
	for _, c := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: list.ThisUpdate})
	}
	der, err = x509.CreateRevocationList(rand.Reader, list, a.Certificate, a.Key)
	if err != nil {
		return nil, fmt.Errorf("cannot make a revocation list of %s: %w", a.Certificate.Subject.CommonName, err)
	}
	return der, nil
}

func cannotMake(name string, err error) error {
	return fmt.Errorf("cannot make a certificate for %s: %w", name, err)
}

// A Pair is a key, and the certificates that tell whose it is.
type Pair struct {
	Chain []*x509.Certificate // the leaf first, without the root
	Key   crypto.Signer
}

// Leaf is the certificate of the key.
func (p *Pair) Leaf() *x509.Certificate { return p.Chain[0] }

// TLS is the pair as crypto/tls takes it.
func (p *Pair) TLS() tls.Certificate {
	c := tls.Certificate{PrivateKey: p.Key, Leaf: p.Leaf()}
	for _, link := range p.Chain {
		c.Certificate = append(c.Certificate, link.Raw)
	}
	return c
}

// CertPEM is the chain.
func (p *Pair) CertPEM() []byte { return certPEM(p.Chain...) }

// KeyPEM is the key, in PKCS8.
func (p *Pair) KeyPEM() []byte { return keyPEM(p.Key) }

func certPEM(chain ...*x509.Certificate) []byte {
	var b []byte
	for _, c := range chain {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return b
}

func keyPEM(key crypto.Signer) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic("certs: " + err.Error()) // not of a key that this package has made or read
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
