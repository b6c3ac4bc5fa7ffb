package x509guard

import (
	"crypto/x509"
	"encoding/base64"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gozilla/wire/x501"
)

// A leaf is a certificate whose fields are read.
type leaf struct {
	*x509.Certificate
	fingerprint     string // SHA-256
	subject, issuer x501.Name
}

// A reader gives the values of a field of a certificate, in order.
type reader func(*leaf) []string

// readers are those of all fields but attributes of names.
var readers = map[Field]reader{
	"subject.dn": func(c *leaf) []string { return []string{c.subject.Canonical()} },
	"issuer.dn":  func(c *leaf) []string { return []string{c.issuer.Canonical()} },
	"san.dns":    func(c *leaf) []string { return c.DNSNames },
	"san.email":  func(c *leaf) []string { return c.EmailAddresses },
	"san.uri":    uris,
	"san.ip":     addresses,
	"x5t.s256":   func(c *leaf) []string { return []string{base64.RawURLEncoding.EncodeToString([]byte(c.fingerprint))} },
}

func uris(c *leaf) []string {
	var all []string
	for _, u := range c.URIs {
		all = append(all, u.String())
	}
	return all
}

// addresses gives each address as people write it; of IPv6 then also as Java does, with all its zeros.
func addresses(c *leaf) []string {
	var all []string
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
		if ip.To4() == nil {
			all = append(all, long(ip))
		}
	}
	return all
}

func long(ip net.IP) string {
	groups := make([]string, 8)
	for i := range groups {
		groups[i] = strconv.FormatUint(uint64(ip[2*i])<<8|uint64(ip[2*i+1]), 16)
	}
	return strings.Join(groups, ":")
}

// dotted is what a type is written as that has no name.
var dotted = regexp.MustCompile(`^[0-2](\.(0|[1-9][0-9]*))+$`)

// reader is what reads the field; nil if there is none of that name.
func (f Field) reader() reader {
	if r := readers[f]; r != nil {
		return r
	}
	of, kind, _ := strings.Cut(string(f), ".")
	oid, ok := x501.Type(kind)
	ok = ok && kind == strings.ToLower(kind)
	if !ok && dotted.MatchString(kind) {
		oid, ok = kind, true
	}
	switch {
	case !ok:
	case of == "subject":
		return func(c *leaf) []string { return c.subject.Values(oid) }
	case of == "issuer":
		return func(c *leaf) []string { return c.issuer.Values(oid) }
	}
	return nil
}

// fieldNames are the names of all fields, but those with a number.
func fieldNames() []string {
	var all []string
	for f := range readers {
		all = append(all, string(f))
	}
	for _, kind := range x501.TypeNames() {
		all = append(all, "subject."+kind, "issuer."+kind)
	}
	slices.Sort(all)
	return all
}
