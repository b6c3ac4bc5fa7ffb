package jwt

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gozilla/guard"
	"gozilla/stream"
)

// mostToken is how long a token may be, in bytes. A longer one is not even looked at.
const mostToken = 64 << 10

// A fault is why a token gives no session: what zilla's event says of it, and what we say elsewhere.
type fault struct {
	event  string
	reason stream.Reason
	text   string
}

var (
	missing    = &fault{"Missing credentials.", stream.Unauthenticated, "there are no credentials"}
	long       = &fault{"The token is too long.", stream.Unauthenticated, "the token is too long"}
	unparsed   = &fault{"Unable to parse token.", stream.Unauthenticated, "the token cannot be parsed"}
	noKeys     = &fault{"There are no keys yet.", stream.Unavailable, "the keys of the issuer could not be fetched yet"}
	badKey     = &fault{"Invalid alg or key.", stream.Unauthenticated, "the token is signed by a key or an algorithm that is not taken"}
	unverified = &fault{"Unable to verify key signature.", stream.Unauthenticated, "the signature of the token is wrong"}
	unreadable = &fault{"Unable to parse claims.", stream.Unauthenticated, "the claims of the token cannot be read"}
	early      = &fault{"Token is not valid yet.", stream.Unauthenticated, "the token is not valid yet"}
	late       = &fault{"Token is expired.", stream.Expired, "the token has expired"}
	foreign    = &fault{"Invalid issuer or audience.", stream.Unauthenticated, "the token is of another issuer, or meant for somebody else"}
)

// A signed token was parsed, and is not verified yet.
type signed struct {
	jws *jose.JSONWebSignature
	id  string // of the key
	alg jose.SignatureAlgorithm
}

// parse reads a token in compact form: RFC 7515 section 7.1.
func parse(token string) (*signed, *fault) {
	if strings.ContainsFunc(token, isForeign) {
		return nil, unparsed
	}
	jws, err := jose.ParseSignedCompact(token, algorithms)
	var other *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &other):
		return nil, badKey
	case err != nil:
		return nil, unparsed // the library's words may have a part of the token
	}
	h := &jws.Signatures[0].Protected
	for name := range h.ExtraHeaders {
		if name == "crit" || name == "b64" { // we know of no critical header; a token must not have b64: RFC 7797 section 7
			return nil, unparsed
		}
	}
	return &signed{jws, h.KeyID, jose.SignatureAlgorithm(h.Algorithm)}, nil
}

// isForeign finds what is no part of a token. The library reads over line breaks, so that one token has many forms.
func isForeign(c rune) bool {
	return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.')
}

// verify gives what the token says if one of the keys has signed it. Else it reports whether they may be out of date: none
// has the id that the token wants, or it wants none.
func (s *signed) verify(set *keySet) (payload []byte, stale bool, wrong *fault) {
	keys, known := set.find(s.id, s.alg)
	if len(keys) == 0 {
		return nil, !known || s.id == "", badKey
	}
	for _, k := range keys {
		if payload, err := s.jws.Verify(k.Key); err == nil {
			return payload, false, nil
		}
	}
	return nil, s.id == "", unverified
}

// A verified token is one whose signature is right. It does not change.
type verified struct {
	guard.Claims        // Expires has the skew
	key          string // of its sessions
	notBefore    time.Time
	ours         bool // it is of the issuer and for the audience
}

// read reads the claims of a token; sum stands for the token.
func (k *keeper) read(payload []byte, sum *digest) (*verified, *fault) {
	c, ok := parseClaims(payload)
	if !ok {
		return nil, unreadable
	}
	notBefore, ok1 := date(c["nbf"])
	expires, ok2 := date(c["exp"])
	if !ok1 || !ok2 {
		return nil, unreadable
	}
	v := &verified{notBefore: notBefore, ours: k.isOurs(c)}
	if !notBefore.IsZero() {
		v.notBefore = notBefore.Add(-k.options.Skew)
	}
	if !expires.IsZero() {
		v.Expires = expires.Add(k.options.Skew)
	}
	v.Identity, _ = text(c.at(k.options.Identity))
	v.Roles = roles(c.at(k.options.Roles))
	v.Attributes = make(map[string]string, len(k.options.Attributes))
	for name, path := range k.options.Attributes {
		if value, ok := text(c.at(path)); ok {
			v.Attributes[string(name)] = value
		}
	}
	v.key = v.person(c, sum)
	return v, nil
}

// isOurs reports whether a token is of the issuer, and meant for the audience.
func (k *keeper) isOurs(c claims) bool {
	if issuer, _ := text(c["iss"]); k.options.Issuer != "" && issuer != k.options.Issuer {
		return false
	}
	if k.options.Audience == "" {
		return true
	}
	one, _ := text(c["aud"])
	return one == k.options.Audience || slices.Contains(list(c["aud"]), k.options.Audience)
}

// person is the key that tokens of the same peer with the same attributes have in common. Nobody knows who an anonymous
// peer is, so that each token is one of its own.
func (v *verified) person(c claims, sum *digest) string {
	if v.Identity == "" {
		return string(sum[:])
	}
	issuer, _ := text(c["iss"])
	var b strings.Builder
	fmt.Fprintf(&b, "%q of %q", v.Identity, issuer)
	for _, name := range slices.Sorted(maps.Keys(v.Attributes)) {
		fmt.Fprintf(&b, " %s=%q", name, v.Attributes[name])
	}
	return b.String()
}

// fault is why the token gives no session now, in zilla's order; nil if it does.
func (v *verified) fault(now time.Time) *fault {
	switch {
	case !v.notBefore.IsZero() && now.Before(v.notBefore):
		return early
	case !v.Expires.IsZero() && !now.Before(v.Expires):
		return late
	case !v.ours:
		return foreign
	}
	return nil
}
