package filesystem

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
)

// What to do about stores that cannot be read.
const (
	convertHint = "convert it: keytool -importkeystore -srckeystore OLD -destkeystore NEW.p12 -deststoretype pkcs12"
	encryptHint = "write it again by openssl or keytool of today, which encrypt by AES"
)

// hinted is an error with what could be done about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Object identifiers of RFC 7292 (PKCS12), RFC 2315 (PKCS7) and RFC 2985 (PKCS9).
var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidKeyBag        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedKey   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidX509          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidFriendlyName  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}
	oidLocalKeyID    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 21}

	// Java tells trusted certificates from those of chains by this attribute, whose value is the usages that they are
	// trusted for.
	oidTrustedKeyUsage = asn1.ObjectIdentifier{2, 16, 840, 1, 113894, 746875, 1, 1}
)

// The structures of RFC 7292 section 4, and of those that it borrows.
type (
	pfx struct {
		Version  int
		AuthSafe contentInfo
		MAC      macData `asn1:"optional"`
	}
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"` // Bytes is what is inside the tag
	}
	encryptedData struct {
		Version int
		Content struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
			Content   []byte `asn1:"tag:0,optional"`
		}
	}
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	safeBag struct {
		ID         asn1.ObjectIdentifier
		Value      asn1.RawValue `asn1:"tag:0,explicit"`
		Attributes []attribute   `asn1:"set,optional"`
	}
	attribute struct {
		ID     asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}
	certBag struct {
		ID   asn1.ObjectIdentifier
		Data []byte `asn1:"tag:0,explicit"`
	}
)

// first is the first value of an attribute of a bag.
func (b *safeBag) first(id asn1.ObjectIdentifier) []byte {
	for _, a := range b.Attributes {
		if a.ID.Equal(id) && len(a.Values) > 0 {
			return a.Values[0].Bytes
		}
	}
	return nil
}

// friendlyName is the alias of a bag, "" if it has none.
func (b *safeBag) friendlyName() string {
	text := b.first(oidFriendlyName)
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(text[2*i:])
	}
	return string(utf16.Decode(units))
}

// parsePKCS12 reads a store. The error is errPassword if the password does not open it.
func parsePKCS12(b []byte, password string) (*stock, error) { return newOpener(password).parse(b) }

func (o *opener) parse(b []byte) (*stock, error) {
	if bytes.HasPrefix(b, []byte{0xFE, 0xED, 0xFE, 0xED}) || bytes.HasPrefix(b, []byte{0xCE, 0xCE, 0xCE, 0xCE}) {
		return nil, hinted{errors.New("it is a store of the type jks"), convertHint}
	}
	if bytes.Contains(b, begin) {
		return nil, hinted{errors.New("it is in PEM"), "say type: pem"}
	}
	var p pfx
	if err := unmarshal(b, &p); err != nil {
		return nil, hinted{errors.New("it is not in DER, or not whole"), "openssl pkcs12 tells more; it can also write it again, in DER"}
	}
	if p.Version != 3 || !p.AuthSafe.Type.Equal(oidData) {
		return nil, errors.New("it is of a version that is not supported")
	}
	var content []byte
	if err := unmarshal(p.AuthSafe.Content.Bytes, &content); err != nil {
		return nil, err
	}
	if p.MAC.MAC.Algorithm.Algorithm != nil {
		if err := o.verify(&p.MAC, content); err != nil {
			return nil, err
		}
	}
	var safes []contentInfo
	if err := unmarshal(content, &safes); err != nil {
		return nil, err
	}
	var bags []safeBag
	for i := range safes {
		more, err := o.safe(&safes[i])
		if err != nil {
			return nil, err
		}
		bags = append(bags, more...)
	}
	return o.stock(bags)
}

// safe opens one of the parts of a store.
func (o *opener) safe(c *contentInfo) (bags []safeBag, err error) {
	var content []byte
	switch {
	case c.Type.Equal(oidData):
		err = unmarshal(c.Content.Bytes, &content)
	case c.Type.Equal(oidEncryptedData):
		var e encryptedData
		if err = unmarshal(c.Content.Bytes, &e); err == nil {
			content, err = o.decrypt(e.Content.Algorithm, e.Content.Content)
		}
	default:
		err = unsupported(c.Type)
	}
	if err == nil {
		err = unmarshal(content, &bags)
	}
	return bags, err
}

// stock is what the bags hold. Bags of other things, such as the secret keys of Java, are left out.
func (o *opener) stock(bags []safeBag) (*stock, error) {
	s, unnamed := &stock{}, 0
	// Java numbers the keys and the trusted certificates that have no name.
	nameOf := func(b *safeBag) string {
		if name := b.friendlyName(); name != "" {
			return name
		}
		unnamed++
		return strconv.Itoa(unnamed)
	}
	for i := range bags {
		b := &bags[i]
		switch {
		case b.ID.Equal(oidKeyBag), b.ID.Equal(oidShroudedKey):
			k := storedKey{alias: nameOf(b), id: string(b.first(oidLocalKeyID))}
			var err error
			if k.key, err = o.key(b); err != nil {
				return nil, fmt.Errorf("its key %s cannot be read: %w", k.alias, err)
			}
			s.keys = append(s.keys, k)
		case b.ID.Equal(oidCertBag):
			c, err := certificate(b)
			if err != nil {
				return nil, err
			}
			if c == nil {
				continue
			}
			stored := storedCert{alias: b.friendlyName(), id: string(b.first(oidLocalKeyID)), cert: c}
			if b.first(oidTrustedKeyUsage) != nil {
				stored.alias, stored.trusted = nameOf(b), true
			}
			s.certs = append(s.certs, stored)
		}
	}
	s.trustStrangers(&unnamed)
	return s, nil
}

func (o *opener) key(b *safeBag) (crypto.Signer, error) {
	der := b.Value.Bytes
	if b.ID.Equal(oidShroudedKey) {
		var err error
		if der, err = o.shrouded(der); err != nil {
			return nil, err
		}
	}
	return parseKey(x509.ParsePKCS8PrivateKey(der))
}

// shrouded opens an encrypted key in PKCS8.
func (o *opener) shrouded(der []byte) ([]byte, error) {
	var e encryptedKey
	if err := unmarshal(der, &e); err != nil {
		return nil, err
	}
	return o.decrypt(e.Algorithm, e.Data)
}

// parseKey takes a key that was parsed, if it is one that can sign.
func parseKey(key any, err error) (crypto.Signer, error) {
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("it is of a kind that cannot sign")
	}
	return signer, nil
}

// certificate reads the certificate of a bag; nil if it is none of X.509.
func certificate(b *safeBag) (*x509.Certificate, error) {
	var bag certBag
	if err := unmarshal(b.Value.Bytes, &bag); err != nil {
		return nil, err
	}
	if !bag.ID.Equal(oidX509) {
		return nil, nil
	}
	c, err := x509.ParseCertificate(bag.Data)
	if err != nil {
		return nil, fmt.Errorf("its certificate %s cannot be read: %w", b.friendlyName(), err)
	}
	return c, nil
}
