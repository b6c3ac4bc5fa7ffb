package filesystem

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// revocation knows which certificates have been revoked: by the lists of the vault's files, and by those that are
// fetched. It is replaced when the files are.
type revocation struct {
	files  []*list
	remote *remote
}

// check tells why a chain, leaf first and root last, is not good any more.
func (r *revocation) check(ctx context.Context, chain []*x509.Certificate) error {
	for i := range len(chain) - 1 {
		if err := r.status(ctx, chain[i], chain[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (r *revocation) status(ctx context.Context, c, issuer *x509.Certificate) error {
	l, err := r.find(ctx, c, issuer)
	if err != nil {
		return fmt.Errorf("cannot find out whether the certificate of %s has been revoked: %w", nameOf(c), err)
	}
	if when, revoked := l.since(c); revoked {
		return fmt.Errorf("the certificate of %s has been revoked on %s", nameOf(c), day(when))
	}
	return nil
}

// find is the list that a certificate would be on: the latest one of the files, or else one that is fetched.
func (r *revocation) find(ctx context.Context, c, issuer *x509.Certificate) (best *list, err error) {
	var why []error
	for _, l := range r.files {
		if !l.of(issuer) || !l.part.has(c) {
			continue
		}
		if err := l.inForce(issuer); err != nil {
			why = append(why, err)
			continue
		}
		if best == nil || l.after(best) {
			best = l
		}
	}
	if best != nil {
		return best, nil
	}
	for _, address := range points(c) {
		l, err := r.remote.find(ctx, address, c, issuer)
		if err == nil {
			return l, nil
		}
		why = append(why, err)
	}
	if len(why) == 0 {
		return nil, errors.New("no file has a list of its issuer, and it names no place where one could be fetched")
	}
	return nil, errors.Join(why...)
}

// points are the addresses of http and https that a certificate names for its list.
func points(c *x509.Certificate) (addresses []string) {
	for _, address := range c.CRLDistributionPoints {
		u, err := url.Parse(address)
		if err == nil && u.Host != "" && (strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https")) {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// nameOf is whose a certificate is.
func nameOf(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return fmt.Sprintf("%q", c.Subject.CommonName)
	}
	return fmt.Sprintf("%q (serial number %x)", c.Subject.String(), c.SerialNumber)
}
