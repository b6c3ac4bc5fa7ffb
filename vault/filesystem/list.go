package filesystem

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// skew is how much clocks may differ: a list may come from so far in the future.
const skew = 5 * time.Minute

// A list is a revocation list of an issuer, made ready to be asked.
type list struct {
	crl     *x509.RevocationList // what is needed of it, without its entries
	revoked map[string]int64     // when, in seconds of Unix, by the bytes of the serial number
	size    int                  // bytes of the list
	part    part                 // what the list is about

	mu       sync.Mutex
	verified map[string]error // by issuer's certificate
}

// part is what of an issuer's certificates a list is about: RFC 5280 section 5.2.5. All of them if it is zero.
type part struct {
	uris             []string // the list is about the certificates that name one of these
	userOnly, caOnly bool
}

// issuingDistributionPoint is the extension that says what a list is about.
type issuingDistributionPoint struct {
	Point struct {
		FullName []asn1.RawValue  `asn1:"optional,tag:0"`
		Relative pkix.RDNSequence `asn1:"optional,tag:1"`
	} `asn1:"optional,tag:0"`
	UserOnly      bool           `asn1:"optional,tag:1"`
	CAOnly        bool           `asn1:"optional,tag:2"`
	SomeReasons   asn1.BitString `asn1:"optional,tag:3"`
	Indirect      bool           `asn1:"optional,tag:4"`
	AttributeOnly bool           `asn1:"optional,tag:5"`
}

var oidIssuingDistributionPoint = asn1.ObjectIdentifier{2, 5, 29, 28}

// parseLists reads a file of lists: one in DER, or any number in PEM.
func parseLists(b []byte) (lists []*list, err error) {
	if !bytes.Contains(b, begin) {
		l, err := parseList(b)
		return []*list{l}, err
	}
	for {
		block, _, rest, err := nextBlock(b)
		if err != nil {
			return nil, err
		}
		if block == nil {
			break
		}
		if b = rest; block.Type != "X509 CRL" {
			continue
		}
		l, err := parseList(block.Bytes)
		if err != nil {
			return nil, err
		}
		lists = append(lists, l)
	}
	if len(lists) == 0 {
		return nil, errors.New("there is no revocation list in it")
	}
	return lists, nil
}

// parseList reads a list in DER. A list that must not be used by who does not understand all of it is an error, as are
// those that say only what has changed.
func parseList(der []byte) (*list, error) {
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("it is no revocation list: %w", err)
	}
	l := &list{size: len(der), revoked: make(map[string]int64, len(crl.RevokedCertificateEntries))}
	for _, e := range crl.Extensions {
		switch {
		case e.Id.Equal(oidIssuingDistributionPoint):
			if err := l.part.parse(e.Value); err != nil {
				return nil, err
			}
		case e.Critical:
			return nil, fmt.Errorf("the revocation list has a critical extension that is not understood (%s)", e.Id)
		}
	}
	for i := range crl.RevokedCertificateEntries {
		e := &crl.RevokedCertificateEntries[i]
		if critical := slices.IndexFunc(e.Extensions, func(x pkix.Extension) bool { return x.Critical }); critical >= 0 {
			return nil, fmt.Errorf("an entry of the revocation list has a critical extension that is not understood (%s)", e.Extensions[critical].Id)
		}
		l.revoked[string(e.SerialNumber.Bytes())] = e.RevocationTime.Unix()
	}
	l.crl = &x509.RevocationList{
		RawTBSRevocationList: crl.RawTBSRevocationList, RawIssuer: crl.RawIssuer, Issuer: crl.Issuer,
		Signature: crl.Signature, SignatureAlgorithm: crl.SignatureAlgorithm,
		Number: crl.Number, ThisUpdate: crl.ThisUpdate, NextUpdate: crl.NextUpdate,
	}
	return l, nil
}

func (p *part) parse(der []byte) error {
	var e issuingDistributionPoint
	if err := unmarshal(der, &e); err != nil {
		return fmt.Errorf("it cannot be told what the revocation list is about: %w", err)
	}
	if e.Indirect || e.AttributeOnly || e.SomeReasons.BitLength > 0 || len(e.Point.Relative) > 0 {
		return errors.New("the revocation list is one of several issuers, of some reasons or of attributes, which is not supported")
	}
	p.userOnly, p.caOnly = e.UserOnly, e.CAOnly
	for _, name := range e.Point.FullName {
		if name.Class == asn1.ClassContextSpecific && name.Tag == 6 { // a URI: RFC 5280 section 4.2.1.6
			p.uris = append(p.uris, string(name.Bytes))
		}
	}
	if len(e.Point.FullName) > 0 && len(p.uris) == 0 {
		return errors.New("the revocation list is for certificates that name it otherwise than by a URI, which is not supported")
	}
	return nil
}

// has reports whether the list is about a certificate.
func (p *part) has(c *x509.Certificate) bool {
	if p.userOnly && c.IsCA || p.caOnly && !c.IsCA {
		return false
	}
	return len(p.uris) == 0 ||
		slices.ContainsFunc(p.uris, func(uri string) bool { return slices.Contains(c.CRLDistributionPoints, uri) })
}

// of reports whether an issuer's name is that of the list.
func (l *list) of(issuer *x509.Certificate) bool {
	return bytes.Equal(l.crl.RawIssuer, issuer.RawSubject)
}

// inForce tells why the list cannot be taken for what an issuer says now; nil if it can.
func (l *list) inForce(issuer *x509.Certificate) error {
	now := time.Now()
	switch {
	case !l.of(issuer):
		return errors.New("the revocation list is one of another issuer")
	case now.Add(skew).Before(l.crl.ThisUpdate):
		return fmt.Errorf("the revocation list is not in force before %s", day(l.crl.ThisUpdate))
	case l.crl.NextUpdate.IsZero():
		return errors.New("the revocation list does not say how long it is in force")
	case l.over(now):
		return fmt.Errorf("the revocation list is out of date since %s", day(l.crl.NextUpdate))
	}
	if err := l.verify(issuer); err != nil {
		return fmt.Errorf("the revocation list is not signed by its issuer: %w", err)
	}
	return nil
}

// after reports whether the issuer has made the list after another one.
func (l *list) after(other *list) bool {
	if l.crl.Number != nil && other.crl.Number != nil {
		return l.crl.Number.Cmp(other.crl.Number) > 0
	}
	return l.crl.ThisUpdate.After(other.crl.ThisUpdate)
}

func (l *list) over(now time.Time) bool { return !now.Before(l.crl.NextUpdate) }

// mostVerified bounds what is remembered; one issuer seldom has more than two certificates.
const mostVerified = 16

// verify checks the signature of the list, once for each certificate of its issuer.
func (l *list) verify(issuer *x509.Certificate) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err, known := l.verified[string(issuer.Raw)]
	if known {
		return err
	}
	err = l.crl.CheckSignatureFrom(issuer) // which sees to it that the issuer may sign lists
	if l.verified == nil || len(l.verified) >= mostVerified {
		l.verified = map[string]error{}
	}
	l.verified[string(issuer.Raw)] = err
	return err
}

// since tells when a certificate was revoked.
func (l *list) since(c *x509.Certificate) (when time.Time, revoked bool) {
	seconds, revoked := l.revoked[string(c.SerialNumber.Bytes())]
	return time.Unix(seconds, 0), revoked
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
