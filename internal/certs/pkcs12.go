package certs

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// An Entry is what a store holds under an alias: a key with its chain, or a certificate that is trusted.
type Entry struct {
	Alias   string
	Pair    *Pair
	Trusted *x509.Certificate
}

// iterations make it slower to try passwords. So many are usual, and take some milliseconds.
const iterations = 10000

// Object identifiers of RFC 7292 (PKCS12), RFC 2315 (PKCS7) and RFC 8018 (PKCS5).
var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidShroudedKey   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidX509          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidFriendlyName  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}
	oidLocalKeyID    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 21}
	oidPBES2         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA256    = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidAES256CBC     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}

	// Java tells trusted certificates from those of chains by an attribute of Oracle's, whose value is the usages that
	// they are trusted for: any.
	oidTrustedKeyUsage = asn1.ObjectIdentifier{2, 16, 840, 1, 113894, 746875, 1, 1}
	oidAnyKeyUsage     = asn1.ObjectIdentifier{2, 5, 29, 37, 0}
)

// The structures of RFC 7292 section 4, and of those that it borrows.
type (
	pfx struct {
		Version  int
		AuthSafe contentInfo
		MAC      macData
	}
	macData struct {
		MAC        digestInfo
		Salt       []byte
		Iterations int
	}
	digestInfo struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue // explicit
	}
	encryptedData struct {
		Version int
		Content encryptedContent
	}
	encryptedContent struct {
		Type      asn1.ObjectIdentifier
		Algorithm pkix.AlgorithmIdentifier
		Content   []byte `asn1:"tag:0"`
	}
	safeBag struct {
		ID         asn1.ObjectIdentifier
		Value      asn1.RawValue // explicit
		Attributes []attribute   `asn1:"set,omitempty"`
	}
	attribute struct {
		ID     asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}
	certBag struct {
		ID   asn1.ObjectIdentifier
		Data []byte `asn1:"tag:0,explicit"`
	}
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2Params struct {
		Derivation pkix.AlgorithmIdentifier
		Encryption pkix.AlgorithmIdentifier
	}
	pbkdf2Params struct {
		Salt       []byte
		Iterations int
		KeyLength  int
		PRF        pkix.AlgorithmIdentifier
	}
)

// PKCS12 makes a store of entries: the certificates in one encrypted safe, then, if there are any, the keys in another
// safe, each encrypted. Aliases differ in more than case, because Java does not tell apart those that do not.
func PKCS12(password string, entries ...Entry) ([]byte, error) {
	b, err := pkcs12(password, entries)
	if err != nil {
		return nil, fmt.Errorf("cannot make a PKCS12 store: %w", err)
	}
	return b, nil
}

func pkcs12(password string, entries []Entry) ([]byte, error) {
	bmp, ok := bmpString(password)
	if !ok {
		return nil, errors.New("the password has characters that it may not have")
	}
	certs, keys, err := bags(password, entries)
	if err != nil {
		return nil, err
	}
	safe, err := encryptedSafe(password, certs)
	if err != nil {
		return nil, err
	}
	safes := []contentInfo{safe}
	if len(keys) > 0 {
		if safe, err = plainSafe(keys); err != nil {
			return nil, err
		}
		safes = append(safes, safe)
	}
	content, err := asn1.Marshal(safes)
	if err != nil {
		return nil, err
	}
	return seal(content, append(bmp, 0, 0)) // RFC 7292 appendix B.1: with its end
}

// bags are those of all entries. Those of certificates that are only links of chains have no name.
func bags(password string, entries []Entry) (certs, keys []safeBag, err error) {
	var seen []string
	var links []*x509.Certificate
	for i, e := range entries {
		name, ok := bmpString(e.Alias)
		if e.Alias == "" || !ok {
			return nil, nil, fmt.Errorf("the alias %q has characters that it may not have, or none", e.Alias)
		}
		if slices.ContainsFunc(seen, func(s string) bool { return strings.EqualFold(s, e.Alias) }) {
			return nil, nil, fmt.Errorf("the alias %q is there twice", e.Alias)
		}
		seen = append(seen, e.Alias)
		alias := attribute{oidFriendlyName, []asn1.RawValue{{Tag: asn1.TagBMPString, Bytes: name}}}
		if e.Pair == nil {
			usage, err := rawValue(oidAnyKeyUsage)
			if err != nil {
				return nil, nil, err
			}
			if certs, err = addCert(certs, e.Trusted, alias, attribute{oidTrustedKeyUsage, []asn1.RawValue{usage}}); err != nil {
				return nil, nil, err
			}
			continue
		}
		// What joins a key to its certificate is any number.
		id := attribute{oidLocalKeyID, []asn1.RawValue{{Tag: asn1.TagOctetString, Bytes: binary.BigEndian.AppendUint32(nil, uint32(i+1))}}}
		if certs, err = addCert(certs, e.Pair.Leaf(), alias, id); err != nil {
			return nil, nil, err
		}
		key, err := keyBag(password, e.Pair, alias, id)
		if err != nil {
			return nil, nil, err
		}
		keys = append(keys, key)
		links = append(links, e.Pair.Chain[1:]...)
	}
	for i, link := range links {
		if !slices.ContainsFunc(links[:i], link.Equal) {
			if certs, err = addCert(certs, link); err != nil {
				return nil, nil, err
			}
		}
	}
	return certs, keys, nil
}

func addCert(bags []safeBag, c *x509.Certificate, attributes ...attribute) ([]safeBag, error) {
	if c == nil {
		return nil, errors.New("an entry holds neither a pair nor a certificate")
	}
	value, err := explicit(certBag{oidX509, c.Raw})
	return append(bags, safeBag{oidCertBag, value, attributes}), err
}

func keyBag(password string, p *Pair, attributes ...attribute) (safeBag, error) {
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		return safeBag{}, err
	}
	algorithm, data, err := encrypt(password, der)
	if err != nil {
		return safeBag{}, err
	}
	value, err := explicit(encryptedKey{algorithm, data})
	return safeBag{oidShroudedKey, value, attributes}, err
}

func plainSafe(bags []safeBag) (contentInfo, error) {
	der, err := asn1.Marshal(bags)
	if err != nil {
		return contentInfo{}, err
	}
	return content(oidData, der)
}

func encryptedSafe(password string, bags []safeBag) (contentInfo, error) {
	der, err := asn1.Marshal(bags)
	if err != nil {
		return contentInfo{}, err
	}
	algorithm, data, err := encrypt(password, der)
	if err != nil {
		return contentInfo{}, err
	}
	return content(oidEncryptedData, encryptedData{Content: encryptedContent{oidData, algorithm, data}})
}

// seal makes a store of its authenticated safes, with the MAC that proves that they are whole.
func seal(safes, password []byte) ([]byte, error) {
	info, err := content(oidData, safes)
	if err != nil {
		return nil, err
	}
	salt := make([]byte, 20)
	rand.Read(salt)
	mac := hmac.New(sha256.New, macKey(password, salt))
	mac.Write(safes)
	return asn1.Marshal(pfx{Version: 3, AuthSafe: info, MAC: macData{
		MAC:        digestInfo{pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}, mac.Sum(nil)},
		Salt:       salt,
		Iterations: iterations,
	}})
}

// macKey derives the key of the MAC: RFC 7292 appendix B.2, with SHA-256, whose blocks are of 64 bytes, and ID 3.
func macKey(password, salt []byte) []byte {
	const block = 64
	input := slices.Repeat([]byte{3}, block)
	for _, part := range [][]byte{salt, password} {
		whole := (len(part) + block - 1) / block * block
		for i := range whole {
			input = append(input, part[i%len(part)])
		}
	}
	sum := sha256.Sum256(input)
	for range iterations - 1 {
		sum = sha256.Sum256(sum[:])
	}
	return sum[:] // one round gives all that is needed
}

// encrypt is PBES2 (RFC 8018 section 6.2) with PBKDF2, HMAC with SHA-256, and AES-256-CBC.
func encrypt(password string, plain []byte) (pkix.AlgorithmIdentifier, []byte, error) {
	var none pkix.AlgorithmIdentifier
	salt, iv := make([]byte, 20), make([]byte, aes.BlockSize)
	rand.Read(salt)
	rand.Read(iv)
	key, err := pbkdf2.Key(sha256.New, password, salt, iterations, 32)
	if err != nil {
		return none, nil, err
	}
	algorithm, err := pbes2(salt, iv, len(key))
	if err != nil {
		return none, nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return none, nil, err
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	data := append(slices.Clone(plain), slices.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	return algorithm, data, nil
}

func pbes2(salt, iv []byte, keyLength int) (pkix.AlgorithmIdentifier, error) {
	var none pkix.AlgorithmIdentifier
	prf := pkix.AlgorithmIdentifier{Algorithm: oidHMACSHA256, Parameters: asn1.NullRawValue}
	derivation, err := rawValue(pbkdf2Params{salt, iterations, keyLength, prf})
	if err != nil {
		return none, err
	}
	vector, err := rawValue(iv)
	if err != nil {
		return none, err
	}
	params, err := rawValue(pbes2Params{
		pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: derivation},
		pkix.AlgorithmIdentifier{Algorithm: oidAES256CBC, Parameters: vector},
	})
	return pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: params}, err
}

func content[T any](id asn1.ObjectIdentifier, v T) (contentInfo, error) {
	value, err := explicit(v)
	return contentInfo{id, value}, err
}

// explicit encodes what stands within the tag [0]. A RawValue ignores such tags of its field.
func explicit[T any](v T) (asn1.RawValue, error) {
	der, err := asn1.Marshal(v)
	return asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: der}, err
}

// rawValue encodes what stands where any value may.
func rawValue[T any](v T) (asn1.RawValue, error) {
	der, err := asn1.Marshal(v)
	return asn1.RawValue{FullBytes: der}, err
}

// bmpString is text in two bytes a character. What needs more has no such form.
func bmpString(s string) ([]byte, bool) {
	var b []byte
	for _, c := range s {
		if c > 0xFFFF || utf16.IsSurrogate(c) || c == 0xFFFD {
			return nil, false
		}
		b = binary.BigEndian.AppendUint16(b, uint16(c))
	}
	return b, true
}
