package filesystem

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

var begin = []byte("-----BEGIN ")

// nextBlock is the next block of a file, and the text before it; nil at the end. pem.Decode passes over what is damaged
// or not whole: here, that is an error.
func nextBlock(b []byte) (block *pem.Block, preamble, rest []byte, err error) {
	block, rest = pem.Decode(b)
	taken := b[:len(b)-len(rest)]
	if block == nil {
		taken = b
	}
	preamble, after, found := bytes.Cut(taken, begin)
	if found != (block != nil) || bytes.Contains(after, begin) {
		return nil, nil, nil, errors.New("it is not whole, or damaged")
	}
	return block, preamble, rest, nil
}

// parsePEM reads a file of keys, certificates and revocation lists. The error is errPassword if the password does not
// open a key.
func parsePEM(name string, b []byte, password string) (*stock, error) {
	s, o := &stock{}, newOpener(password)
	for rest := b; ; {
		block, preamble, after, err := nextBlock(rest)
		if err != nil {
			return nil, err
		}
		if block == nil {
			break
		}
		if err := s.block(block, friendlyName(preamble), aliasOf(name), o); err != nil {
			return nil, err
		}
		rest = after
	}
	switch {
	case len(s.keys)+len(s.certs)+len(s.lists) > 0:
		return s, nil
	case len(b) > 0 && b[0] == 0x30: // a sequence in DER
		return nil, hinted{errors.New("it is not in PEM"), "leave the type out if it is a PKCS12 store"}
	}
	return nil, errors.New("there is neither a key nor a certificate in it")
}

// block takes what a block holds. Blocks of other kinds, such as parameters of a key, are left out.
func (s *stock) block(b *pem.Block, friendly, alias string, o *opener) (err error) {
	switch b.Type {
	case "CERTIFICATE":
		c := storedCert{alias: alias, trusted: true}
		if friendly != "" {
			c.alias = friendly
		}
		if c.cert, err = x509.ParseCertificate(b.Bytes); err != nil {
			return fmt.Errorf("its certificate %d cannot be read: %w", len(s.certs)+1, err)
		}
		s.certs = append(s.certs, c)
	case "X509 CRL":
		l, err := parseList(b.Bytes)
		if err != nil {
			return err
		}
		s.lists = append(s.lists, l)
	default:
		if !strings.HasSuffix(b.Type, "PRIVATE KEY") {
			return nil
		}
		k := storedKey{alias: friendly}
		if k.key, err = keyOf(b, o); err != nil {
			return fmt.Errorf("its private key cannot be read: %w", err)
		}
		s.keys = append(s.keys, k)
	}
	return nil
}

func keyOf(b *pem.Block, o *opener) (crypto.Signer, error) {
	if b.Headers["DEK-Info"] != "" {
		return nil, hinted{errors.New("it is encrypted as openssl did of old"), "encrypt it anew: openssl pkcs8 -topk8 -in OLD -out NEW"}
	}
	switch b.Type {
	case "PRIVATE KEY":
		return parseKey(x509.ParsePKCS8PrivateKey(b.Bytes))
	case "RSA PRIVATE KEY":
		return parseKey(x509.ParsePKCS1PrivateKey(b.Bytes))
	case "EC PRIVATE KEY":
		return parseKey(x509.ParseECPrivateKey(b.Bytes))
	case "ENCRYPTED PRIVATE KEY":
		der, err := o.shrouded(b.Bytes)
		if err != nil {
			return nil, err
		}
		key, err := parseKey(x509.ParsePKCS8PrivateKey(der))
		if err != nil {
			return nil, errPassword // by chance, what came out had an end that made sense
		}
		return key, nil
	}
	return nil, fmt.Errorf("it is of an unknown kind (%s)", b.Type)
}

// friendlyName is the name that openssl pkcs12 writes before a block, "" if there is none.
func friendlyName(preamble []byte) (name string) {
	for line := range strings.Lines(string(preamble)) {
		if after, ok := strings.CutPrefix(strings.TrimSpace(line), "friendlyName:"); ok {
			name = strings.TrimSpace(after)
		}
	}
	return name
}

// usual are the names that Kubernetes and certbot give to files whatever is in them.
var usual = []string{"tls", "ca", "cert", "chain", "fullchain", "privkey", "ca-bundle"}

// extensions are those that are no part of an alias; that of example.com is.
var extensions = []string{".pem", ".crt", ".cer", ".cert", ".key"}

// aliasOf is the alias of what is in a PEM file: the file's name, or the folder's if that tells more.
func aliasOf(name string) string {
	folder, file := path.Split(strings.ReplaceAll(name, `\`, "/"))
	alias := file
	if slices.Contains(extensions, strings.ToLower(path.Ext(file))) {
		alias = strings.TrimSuffix(file, path.Ext(file))
	}
	if folder = path.Base(folder); slices.Contains(usual, alias) && !slices.Contains([]string{".", "..", "/"}, folder) {
		return folder
	}
	return alias
}
