package x509guard

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"gozilla/component"
	"gozilla/config"
	"gozilla/guard"
	"gozilla/stream"
	"gozilla/telemetry"
	"gozilla/wire/x501"
)

func init() { guard.Register("x509", newGuard) }

// A fault is why credentials give no session: what zilla's event says of it, and what we say elsewhere. The last two are
// ours: zilla leaves the time to tls.
type fault struct {
	event  string
	reason stream.Reason
	text   string
}

var (
	missing  = &fault{"Missing credentials.", stream.Unauthenticated, "there are no credentials"}
	empty    = &fault{"Empty certificate chain.", stream.Unauthenticated, "the certificate chain is empty"}
	unparsed = &fault{"Unable to parse certificate chain.", stream.Unauthenticated, "the certificate chain cannot be parsed"}
	early    = &fault{"The certificate is not valid yet.", stream.Unauthenticated, "the certificate is not valid yet"}
	late     = &fault{"The certificate has expired.", stream.Expired, "the certificate has expired"}
)

// A keeper turns certificates into sessions.
type keeper struct {
	b          *component.Builder
	identity   reader
	attributes map[string]reader
	roles      []role
	sessions   guard.Sessions
}

type role struct {
	name    string
	matches [][]test // one of them must hold, all of it
}

// A test holds if one of a field's values matches.
type test struct {
	field reader
	glob  Glob
}

func newGuard(b *component.Builder, c *Config) (guard.Guard, error) {
	k := &keeper{b: b, identity: c.Options.Identity.reader(), attributes: map[string]reader{}}
	k.sessions.Most = int(b.Limits().Connections) // each is of a stream
	for name, f := range c.Options.Attributes {
		k.attributes[string(name)] = f.reader()
	}
	for _, name := range slices.Sorted(maps.Keys(c.Options.Roles)) {
		k.roles = append(k.roles, roleOf(name, c.Options.Roles[name]))
	}
	return k, nil
}

func roleOf(name config.Name, matches []Match) role {
	r := role{name: string(name)}
	for _, m := range matches {
		var all []test
		for f, glob := range m {
			all = append(all, test{f.reader(), glob})
		}
		r.matches = append(r.matches, all)
	}
	return r
}

// Authorize gives a session to who has proved to have the first certificate of a chain in PEM.
func (k *keeper) Authorize(ctx context.Context, credentials string) (stream.Session, error) {
	der, wrong := first(credentials)
	if wrong != nil {
		return nil, k.refuse(ctx, "", wrong)
	}
	sum := sha256.Sum256(der)
	fingerprint := string(sum[:])
	var c guard.Claims
	session, err := k.sessions.Share(fingerprint, func() (guard.Claims, error) {
		if c, wrong = k.claims(fingerprint, der); wrong != nil {
			return c, k.refuse(ctx, c.Identity, wrong)
		}
		return c, nil
	})
	var over *stream.Refused
	if wrong == nil && errors.As(err, &over) && over.Reason == stream.Expired {
		if c.Identity == "" { // of a session that is held still
			c, _ = k.claims(fingerprint, der)
		}
		return nil, k.refuse(ctx, c.Identity, late)
	}
	return session, err
}

const (
	begin = "-----BEGIN CERTIFICATE-----"
	end   = "-----END CERTIFICATE-----"
)

// newlines undoes what a property file or a header makes of the ends of lines.
var newlines = strings.NewReplacer(`\r\n`, "\n", `\n`, "\n")

// first is the first certificate of a chain in PEM.
func first(chain string) ([]byte, *fault) {
	switch {
	case chain == "":
		return nil, missing
	case strings.TrimSpace(newlines.Replace(chain)) == "":
		return nil, empty
	}
	from := strings.Index(chain, begin)
	if from < 0 {
		return nil, unparsed
	}
	chain = chain[from:]
	to := strings.Index(chain, end)
	if to < 0 {
		return nil, unparsed
	}
	block, _ := pem.Decode([]byte(newlines.Replace(chain[:to]) + end))
	if block == nil {
		return nil, unparsed
	}
	return block.Bytes, nil
}

// claims reads a certificate.
func (k *keeper) claims(fingerprint string, der []byte) (guard.Claims, *fault) {
	c, err := parse(fingerprint, der)
	if err != nil {
		return guard.Claims{}, unparsed
	}
	claims := guard.Claims{Identity: firstOf(k.identity(c)), Attributes: map[string]string{}, Expires: c.NotAfter}
	for name, read := range k.attributes {
		if values := read(c); len(values) > 0 {
			claims.Attributes[name] = values[0]
		}
	}
	for _, r := range k.roles {
		if slices.ContainsFunc(r.matches, c.passes) {
			claims.Roles = append(claims.Roles, r.name)
		}
	}
	if time.Now().Before(c.NotBefore) {
		return claims, early
	}
	return claims, nil
}

func parse(fingerprint string, der []byte) (*leaf, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	subject, err := x501.Parse(c.RawSubject)
	if err != nil {
		return nil, err
	}
	issuer, err := x501.Parse(c.RawIssuer)
	if err != nil {
		return nil, err
	}
	return &leaf{c, fingerprint, subject, issuer}, nil
}

func firstOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// passes reports whether all tests hold. Of a field without a value none does.
func (c *leaf) passes(all []test) bool {
	return !slices.ContainsFunc(all, func(t test) bool { return !slices.ContainsFunc(t.field(c), t.glob.Match) })
}

// refuse tells of credentials that give no session. Who it is may be anything that a certificate can hold.
func (k *keeper) refuse(ctx context.Context, identity string, f *fault) error {
	k.b.Warn(stream.From(ctx), "guard.x509.authorization.failed",
		"X509 certificate chain authorization failed for identity (%s). %s", short(telemetry.OneLine(identity)), f.event)
	return stream.Refuse(f.reason, "%s", f.text)
}

// short is the beginning of text, where it is long.
func short(text string) string {
	const most = 200
	runes := 0
	for i := range text {
		if runes++; runes > most {
			return text[:i] + "…"
		}
	}
	return text
}
