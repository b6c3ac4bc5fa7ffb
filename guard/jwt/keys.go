package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// The algorithms that tokens may be signed by (RFC 7518 section 3.1, RFC 8037 section 3.1). Those by a shared secret are
// not among them: with one, who knows an issuer's public key could use that as the secret.
var (
	rsaAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
	algorithms    = append(slices.Clone(rsaAlgorithms), jose.ES256, jose.ES384, jose.ES512, jose.EdDSA)
)

// minBits is the least size of an RSA key: RFC 7518 section 3.3.
const minBits = 2048

// mostKeys is how many keys a set may have.
const mostKeys = 256

// A key verifies signatures.
type key struct {
	jose.JSONWebKey                           // a public one
	may             []jose.SignatureAlgorithm // by which it may have signed
}

// newKey is a key as it is used. Of a private key only the public part is taken.
func newKey(k *jose.JSONWebKey) (key, error) {
	public := k.Public()
	fits, kind, err := fitting(&public)
	if err != nil {
		return key{}, err
	}
	if k.Algorithm != "" {
		alg := jose.SignatureAlgorithm(k.Algorithm)
		if !slices.Contains(fits, alg) {
			return key{}, fmt.Errorf("%s is not used to sign with %q", kind, alg)
		}
		fits = []jose.SignatureAlgorithm{alg}
	}
	return key{public, fits}, nil
}

// fitting are the algorithms that fit the type of a public key.
func fitting(k *jose.JSONWebKey) (fits []jose.SignatureAlgorithm, kind string, err error) {
	switch public := k.Key.(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minBits {
			return nil, "", fmt.Errorf("an RSA key of %d bits is too short: it must have %d or more", bits, minBits)
		}
		return rsaAlgorithms, "an RSA key", nil
	case *ecdsa.PublicKey:
		curve := public.Curve.Params().Name
		return map[string][]jose.SignatureAlgorithm{"P-256": {jose.ES256}, "P-384": {jose.ES384}, "P-521": {jose.ES512}}[curve], "a key on " + curve, nil
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}, "a key on Ed25519", nil
	}
	return nil, "", errors.New("a key of this type is not used to sign tokens")
}

// print tells a key from all others.
func (k *key) print() string {
	sum, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %q %q", base64.RawURLEncoding.EncodeToString(sum), k.KeyID, k.Algorithm)
}

// A keySet is the keys of one moment. It does not change.
type keySet struct {
	keys   []key
	prints []string // sorted
}

func newKeySet(keys []key) *keySet {
	s := &keySet{keys: keys}
	for i := range keys {
		s.prints = append(s.prints, keys[i].print())
	}
	slices.Sort(s.prints)
	return s
}

// same reports whether both have the same keys.
func (s *keySet) same(as *keySet) bool { return as != nil && slices.Equal(s.prints, as.prints) }

// find gives the keys that a token may be signed by. It reports whether there is one of that id at all, which may sign by
// other algorithms only. Without an id, there must be one key that fits.
func (s *keySet) find(id string, alg jose.SignatureAlgorithm) (found []*key, known bool) {
	for i := range s.keys {
		k := &s.keys[i]
		if id != "" && k.KeyID != id {
			continue
		}
		known = true
		if slices.Contains(k.may, alg) {
			found = append(found, k)
		}
	}
	if id == "" && len(found) > 1 {
		found = nil
	}
	return found, known
}

// parseSet reads a JWK set (RFC 7517 section 5). Keys that cannot be used are left out, as the standard has it: others may
// use them.
func parseSet(b []byte) (s *keySet, skipped int, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, 0, errors.New("it is no set of keys")
	}
	if len(set.Keys) > mostKeys {
		return nil, 0, fmt.Errorf("it has more than %d keys", mostKeys)
	}
	var keys []key
	for _, raw := range set.Keys {
		if k, ok := parseKey(raw); ok {
			keys = append(keys, k)
		} else {
			skipped++
		}
	}
	if len(keys) == 0 {
		return nil, 0, errors.New("it has no key that tokens can be verified by")
	}
	return newKeySet(keys), skipped, nil
}

// parseKey reads a key that is meant to verify signatures.
func parseKey(raw []byte) (key, bool) {
	var about struct {
		Use        string   `json:"use"`
		Operations []string `json:"key_ops"`
	}
	var public jose.JSONWebKey
	if json.Unmarshal(raw, &about) != nil || about.Use != "" && about.Use != "sig" ||
		about.Operations != nil && !slices.Contains(about.Operations, "verify") || public.UnmarshalJSON(raw) != nil {
		return key{}, false
	}
	k, err := newKey(&public)
	return k, err == nil
}
