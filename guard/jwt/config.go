package jwt

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gozilla/config"
	"gozilla/guard"
)

// Config is a jwt guard in a file: it knows peers by tokens that an issuer has signed.
type Config struct {
	guard.Head
	// Which tokens are taken, and what is read off them.
	Options Options `config:"options,required"`
}

// Options say which tokens are taken, and what is read off them.
type Options struct {
	// Who must have issued a token: its claim iss, letter for letter. If it is left out, anybody whose key is known.
	Issuer string
	// Whom a token must be meant for: one of its claim aud. If it is left out, anybody.
	Audience string
	// The claim that has the roles: a list, or text with white space between them. Dots lead into claims inside of it.
	Roles Path
	// The claim that is the identity of a session.
	Identity Path
	// The attributes of a session, by name, and the claim that each is.
	Attributes map[config.Name]Path
	// The keys that tokens are signed by: a list of JSON web keys (RFC 7517), each with kty and kid, and better with
	// alg too, or the http or https address of a set of them. If it is left out, they are fetched from the issuer.
	Keys Keys
	// How long before the end of a session its peer is asked for a new token, in seconds. If it is left out, never.
	Challenge Seconds
	// How far the clocks of the issuer and of this side may be apart: a token is taken so much earlier, and so much
	// longer. By default there is no allowance, as in zilla.
	Skew time.Duration `config:"skew,extension"`
	// After what time keys are fetched again.
	Refresh time.Duration `config:"refresh,extension"`
}

// Defaults is what holds for keys that are left out.
func (o *Options) Defaults() { o.Roles, o.Identity, o.Refresh = "scope", "sub", 10*time.Minute }

// Path names a claim. Dots lead into claims inside of it, unless there is one with dots in its name.
type Path string

// Pattern is what the name of a claim looks like.
func (Path) Pattern() string { return `.` }

// Words says what it is.
func (Path) Words() string { return "a name of a claim" }

// Seconds is a time in seconds.
type Seconds int64

// Bounds are the least and the most of it: about thirty years.
func (Seconds) Bounds() (lo, hi int64) { return 0, 1_000_000_000 }

// Keys are those of the file, or where to fetch them.
type Keys struct {
	Node *config.Node // nil if the file says nothing of keys

	address string
	set     []key
}

// ConfigShape is part of config's contract for types that decode themselves.
func (Keys) ConfigShape() *config.Shape {
	return &config.Shape{Form: config.FormAny, Words: "an http or https address or a list of keys"}
}

// DecodeConfig reads an address, or a list of keys.
func (k *Keys) DecodeConfig(r *config.Report, n *config.Node) {
	k.Node = n
	switch {
	case n.Kind == config.Scalar && n.Type == config.Text:
		k.address = n.Value
		if _, err := parseAddress(n.Value); err != nil {
			r.Errorf(n.Pos, "keys must be an http or https address or a list of keys, not %s", n.Show())
		}
	case n.Kind == config.Sequence && len(n.Items) == 0:
		r.Errorf(n.Pos, "with no keys, no token is taken").Hintf("leave keys out to have them fetched from the issuer")
	case n.Kind == config.Sequence:
		before := r.Errors()
		for _, item := range n.Items {
			decodeKey(r, item, &k.set)
		}
		if len(k.set) == 0 && r.Errors() == before {
			r.Errorf(n.Pos, "by none of the keys a token is verified")
		}
	default:
		r.Errorf(n.Pos, "keys must be an http or https address or a list of keys, not %s", n.Show())
	}
}

// parseAddress reads the address of an HTTP server.
func parseAddress(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("it is no http or https address")
	}
	return u, nil
}

// members are those of a key that count; the others are not looked at.
var members = []string{"kty", "kid", "use", "alg", "crv", "x", "y", "n", "e"}

// decodeKey adds a key of the file to those before it.
func decodeKey(r *config.Report, n *config.Node, set *[]key) {
	if n.Kind != config.Mapping {
		r.Errorf(n.Pos, "a key must be a mapping, not %s", n.Show())
		return
	}
	before := r.Errors()
	text := map[string]string{}
	for _, name := range members {
		v := n.Get(name)
		switch {
		case v == nil:
		case v.Kind != config.Scalar || v.Type != config.Text:
			r.Errorf(v.Pos, "%s of a key must be a string, not %s", name, v.Show())
		default:
			text[name] = v.Value
		}
	}
	for _, name := range members[:2] {
		if n.Get(name) == nil {
			r.Errorf(n.Pos, "a key needs %s", name)
		}
	}
	if r.Errors() > before || !checkType(r, n.Get("kty")) {
		return
	}
	if k, ok := makeKey(r, n, text); ok {
		*set = append(*set, k)
	}
}

// keyTypes are those of RFC 7518 and RFC 8037 that are taken.
var keyTypes = []string{"RSA", "EC", "OKP"}

func checkType(r *config.Report, n *config.Node) bool {
	if slices.Contains(keyTypes, n.Value) {
		return true
	}
	if n.Value == "oct" {
		r.Errorf(n.Pos, "keys of the type oct are not taken: who can verify a token by one can make tokens too")
		return false
	}
	f := r.Errorf(n.Pos, "%s is no type of a key: it must be %s", n.Show(), config.Words(keyTypes))
	if like, ok := config.Like(n.Value, keyTypes); ok {
		f.Hintf("did you mean %q?", like)
	}
	return false
}

// makeKey makes a key of its members.
func makeKey(r *config.Report, n *config.Node, text map[string]string) (key, bool) {
	if n.Get("d") != nil {
		r.Warnf(n.Get("d").Pos, "the private part of a key is of no use here, and should be known to the issuer only")
	}
	if text["use"] != "" && text["use"] != "sig" {
		r.Warnf(n.Get("use").Pos, "no token is verified by a key with use: %s", text["use"])
		return key{}, false
	}
	at := n.Pos
	if alg := n.Get("alg"); alg != nil {
		at = alg.Pos
	} else if r.Strict {
		r.Errorf(n.Pos, "a key without alg is an extension of gozilla: zilla takes no token that is signed by one")
	}
	b, err := json.Marshal(text)
	if err != nil {
		r.Errorf(n.Pos, "the key cannot be read: %v", err)
		return key{}, false
	}
	var public jose.JSONWebKey
	if err := public.UnmarshalJSON(b); err != nil {
		r.Errorf(n.Pos, "the key cannot be read: %v", bare(err))
		return key{}, false
	}
	k, err := newKey(&public)
	if err != nil {
		r.Errorf(at, "%v", err)
		return key{}, false
	}
	return k, true
}

// bare is an error of the library, in words that tell a user more.
func bare(err error) string {
	if errors.Is(err, jose.ErrUnsupportedKeyType) {
		return "its curve or size is not supported"
	}
	return strings.TrimPrefix(err.Error(), "go-jose/go-jose: ")
}

// Check tells what is wrong with the options as a whole.
func (o *Options) Check(r *config.Report) {
	o.checkWhose(r, &o.Issuer, "issuer", o.Issuer, "a token of any issuer is taken whose key is known")
	o.checkWhose(r, &o.Audience, "audience", o.Audience, "tokens are taken that are meant for others")
	if o.Keys.Node == nil {
		if _, err := parseAddress(o.Issuer); err != nil && o.Issuer == "" {
			r.Errorf(r.At(o), "a jwt guard needs keys, or an issuer to fetch them from")
		} else if err != nil {
			r.Errorf(r.At(&o.Issuer), "without keys, the issuer must be an http or https address to fetch them from")
		}
	}
	const least = time.Second
	switch {
	case o.Refresh < least:
		r.Errorf(r.At(&o.Refresh), "refresh must be %v or more", least)
	case len(o.Keys.set) > 0 && r.At(&o.Refresh) != r.At(o):
		r.Warnf(r.At(&o.Refresh), "refresh has no effect on keys that stand in the file")
	}
}

// checkWhose tells of an option that should be there.
func (o *Options) checkWhose(r *config.Report, field *string, name, value, effect string) {
	if value != "" {
		return
	}
	if r.Strict {
		r.Errorf(r.At(field), "a jwt guard without %s is an extension of gozilla: zilla takes no token then", name)
		return
	}
	r.Warnf(r.At(field), "without %s, %s", name, effect)
}
