package filesystem

import (
	"bytes"
	"crypto/aes"
	"crypto/des"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"unicode/utf16"
)

// errPassword is the error of a password that does not open a store, or a key in it.
var errPassword = errors.New("the password is wrong")

// mostIterations is how much work a file may ask for in all, so that one that was made to keep the gateway busy does
// not. Writers ask for 10,000 or so each time.
const mostIterations = 10_000_000

// An opener opens what is encrypted by a password. It is for one file.
type opener struct {
	password string
	wide     []byte // the password as PKCS12 derives keys of it: RFC 7292 appendix B.1
	left     int    // iterations that may be done still
}

func newOpener(password string) *opener {
	return &opener{password: password, wide: append(bmpString(password), 0, 0), left: mostIterations}
}

// bmpString is text in two bytes a character.
func bmpString(s string) (b []byte) {
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, c)
	}
	return b
}

// spend counts iterations before they are done.
func (o *opener) spend(iterations int) error {
	if iterations < 1 || iterations > o.left {
		return fmt.Errorf("deriving its keys takes more than %d iterations", mostIterations)
	}
	o.left -= iterations
	return nil
}

// Object identifiers of RFC 7292 (PKCS12), RFC 8018 (PKCS5) and of what these build on.
var (
	oid3DESKey3   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
	oidRC2With128 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 5}
	oidRC2With40  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 6}
	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBMAC1     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 14}
	oidPBKDF2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidDES3CBC    = asn1.ObjectIdentifier{1, 2, 840, 113549, 3, 7}
	oidAES128CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}
	oidAES192CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 22}
	oidAES256CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

// hashes are those that a MAC is made with, by their own identifier or that of their HMAC.
var hashes = []struct {
	oid, mac asn1.ObjectIdentifier
	make     func() hash.Hash
}{
	{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}, sha1.New},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 4}, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 8}, sha256.New224},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, sha256.New},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 10}, sha512.New384},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 11}, sha512.New},
}

func hashFor(id asn1.ObjectIdentifier) (func() hash.Hash, error) {
	for _, h := range hashes {
		if h.oid.Equal(id) || h.mac.Equal(id) {
			return h.make, nil
		}
	}
	return nil, unsupported(id)
}

func unsupported(id asn1.ObjectIdentifier) error {
	return hinted{fmt.Errorf("it is encrypted in a way that is not supported (%s)", id), encryptHint}
}

// A decrypter is a cipher as far as it is needed here.
type decrypter interface {
	BlockSize() int
	Decrypt(dst, src []byte)
}

// decrypt opens what is encrypted by a password. The error is errPassword if what comes out makes no sense.
func (o *opener) decrypt(algorithm pkix.AlgorithmIdentifier, data []byte) ([]byte, error) {
	c, iv, err := o.cipher(algorithm)
	if err != nil {
		return nil, err
	}
	size := c.BlockSize()
	if len(iv) != size || len(data) == 0 || len(data)%size != 0 {
		return nil, errors.New("what is encrypted in it is not whole")
	}
	plain := make([]byte, len(data))
	for i, before := 0, iv; i < len(data); i += size { // cipher block chaining
		c.Decrypt(plain[i:], data[i:i+size])
		for j := range size {
			plain[i+j] ^= before[j]
		}
		before = data[i : i+size]
	}
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > size || !bytes.HasSuffix(plain, bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errPassword
	}
	return plain[:len(plain)-pad], nil
}

// cipher is that which an identifier stands for, and the vector that it begins with.
func (o *opener) cipher(algorithm pkix.AlgorithmIdentifier) (decrypter, []byte, error) {
	switch id := algorithm.Algorithm; {
	case id.Equal(oidPBES2):
		return o.pbes2(algorithm.Parameters.FullBytes)
	case id.Equal(oid3DESKey3):
		return o.pkcs12Cipher(algorithm.Parameters.FullBytes, 24)
	case id.Equal(oidRC2With128):
		return o.pkcs12Cipher(algorithm.Parameters.FullBytes, 16)
	case id.Equal(oidRC2With40):
		return o.pkcs12Cipher(algorithm.Parameters.FullBytes, 5)
	default:
		return nil, nil, unsupported(id)
	}
}

// pkcs12Cipher is one of RFC 7292 appendix C, told by the length of its key.
func (o *opener) pkcs12Cipher(params []byte, keyLength int) (decrypter, []byte, error) {
	var p struct {
		Salt       []byte
		Iterations int
	}
	if err := unmarshal(params, &p); err != nil {
		return nil, nil, err
	}
	key, err := o.derive(sha1.New, forKey, p.Salt, p.Iterations, keyLength)
	if err != nil {
		return nil, nil, err
	}
	iv, err := o.derive(sha1.New, forIV, p.Salt, p.Iterations, 8)
	if err != nil {
		return nil, nil, err
	}
	if keyLength != 24 {
		return newRC2(key), iv, nil
	}
	c, err := des.NewTripleDESCipher(key)
	return c, iv, err
}

// What keys are derived for: RFC 7292 appendix B.3.
const (
	forKey = 1
	forIV  = 2
	forMAC = 3
)

// derive is the derivation of keys that PKCS12 has of its own: RFC 7292 appendix B.2.
func (o *opener) derive(newHash func() hash.Hash, purpose byte, salt []byte, iterations, size int) ([]byte, error) {
	h := newHash()
	block := h.BlockSize()
	input := append(filled(salt, block), filled(o.wide, block)...)
	var key []byte
	for len(key) < size {
		if err := o.spend(iterations); err != nil {
			return nil, err
		}
		h.Reset()
		h.Write(bytes.Repeat([]byte{purpose}, block))
		h.Write(input)
		sum := h.Sum(nil)
		for range iterations - 1 {
			h.Reset()
			h.Write(sum)
			sum = h.Sum(sum[:0])
		}
		key = append(key, sum...)
		add := filled(sum, block)[:block]
		for i := 0; i < len(input); i += block {
			addOne(input[i:i+block], add)
		}
	}
	return key[:size], nil
}

// filled is b again and again, as many whole blocks of it as are needed to have all of it.
func filled(b []byte, block int) []byte {
	whole := make([]byte, (len(b)+block-1)/block*block)
	for i := range whole {
		whole[i] = b[i%len(b)]
	}
	return whole
}

// addOne adds b and one to a; both are numbers of the same length, the highest byte first.
func addOne(a, b []byte) {
	carry := 1
	for i := len(a) - 1; i >= 0; i-- {
		carry += int(a[i]) + int(b[i])
		a[i] = byte(carry)
		carry >>= 8
	}
}

// pbkdf2Params are those of RFC 8018 appendix A.2.
type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// pbkdf2 derives a key of a given length: RFC 8018 section 5.2. The password is in UTF-8, as everybody has it.
func (o *opener) pbkdf2(algorithm pkix.AlgorithmIdentifier, length int) ([]byte, error) {
	if !algorithm.Algorithm.Equal(oidPBKDF2) {
		return nil, unsupported(algorithm.Algorithm)
	}
	var p pbkdf2Params
	if err := unmarshal(algorithm.Parameters.FullBytes, &p); err != nil {
		return nil, err
	}
	prf := sha1.New
	if p.PRF.Algorithm != nil {
		var err error
		if prf, err = hashFor(p.PRF.Algorithm); err != nil {
			return nil, err
		}
	}
	if p.KeyLength != 0 && p.KeyLength != length {
		return nil, errors.New("its keys are of a wrong length")
	}
	for range 1 + (length-1)/prf().Size() {
		if err := o.spend(p.Iterations); err != nil {
			return nil, err
		}
	}
	return pbkdf2.Key(prf, o.password, p.Salt, p.Iterations, length)
}

// schemeParams are those of PBES2 and PBMAC1: RFC 8018 appendices A.4 and A.5.
type schemeParams struct {
	Derivation pkix.AlgorithmIdentifier
	Scheme     pkix.AlgorithmIdentifier
}

// pbes2 is RFC 8018 section 6.2.
func (o *opener) pbes2(params []byte) (decrypter, []byte, error) {
	var p schemeParams
	if err := unmarshal(params, &p); err != nil {
		return nil, nil, err
	}
	length, des3 := 0, false
	switch id := p.Scheme.Algorithm; {
	case id.Equal(oidAES128CBC):
		length = 16
	case id.Equal(oidAES192CBC):
		length = 24
	case id.Equal(oidAES256CBC):
		length = 32
	case id.Equal(oidDES3CBC):
		length, des3 = 24, true
	default:
		return nil, nil, unsupported(id)
	}
	key, err := o.pbkdf2(p.Derivation, length)
	if err != nil {
		return nil, nil, err
	}
	iv := p.Scheme.Parameters.Bytes
	if des3 {
		c, err := des.NewTripleDESCipher(key)
		return c, iv, err
	}
	c, err := aes.NewCipher(key)
	return c, iv, err
}

// macData proves that a store is whole: RFC 7292 section 4.
type macData struct {
	MAC struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	Salt       []byte
	Iterations int `asn1:"optional,default:1"`
}

// verify checks the MAC of some data. The error is errPassword if it is another one.
func (o *opener) verify(m *macData, data []byte) error {
	newHash, key, err := o.macKey(m)
	if err != nil {
		return err
	}
	h := hmac.New(newHash, key)
	h.Write(data)
	if hmac.Equal(h.Sum(nil), m.MAC.Digest) {
		return nil
	}
	if o.password == "" && len(o.wide) > 0 {
		o.wide = nil // some take an empty password for no characters and no end
		return o.verify(m, data)
	}
	return errPassword
}

func (o *opener) macKey(m *macData) (func() hash.Hash, []byte, error) {
	if m.MAC.Algorithm.Algorithm.Equal(oidPBMAC1) {
		return o.pbmac1(m.MAC.Algorithm.Parameters.FullBytes)
	}
	newHash, err := hashFor(m.MAC.Algorithm.Algorithm)
	if err != nil {
		return nil, nil, err
	}
	key, err := o.derive(newHash, forMAC, m.Salt, m.Iterations, newHash().Size())
	return newHash, key, err
}

// pbmac1 is RFC 9579.
func (o *opener) pbmac1(params []byte) (func() hash.Hash, []byte, error) {
	var p schemeParams
	if err := unmarshal(params, &p); err != nil {
		return nil, nil, err
	}
	newHash, err := hashFor(p.Scheme.Algorithm)
	if err != nil {
		return nil, nil, err
	}
	var d pbkdf2Params
	if err := unmarshal(p.Derivation.Parameters.FullBytes, &d); err != nil {
		return nil, nil, err
	}
	if d.KeyLength < 20 || d.KeyLength > 64 { // shorter ones could be guessed, and longer ones are none
		return nil, nil, errors.New("its keys are of a wrong length")
	}
	key, err := o.pbkdf2(p.Derivation, d.KeyLength)
	return newHash, key, err
}

// unmarshal reads DER that has nothing behind it.
func unmarshal(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err == nil && len(rest) > 0 {
		err = errors.New("something stands behind its end")
	}
	return err
}
