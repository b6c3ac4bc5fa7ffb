package jwt

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"gozilla/component"
	"gozilla/guard"
	"gozilla/stream"
	"gozilla/telemetry"
)

func init() { guard.Register("jwt", newGuard) }

// A keeper turns tokens into sessions.
type keeper struct {
	options  *Options
	b        *component.Builder
	source   *source
	known    cache
	sessions guard.Sessions // as many as the streams that hold them, which are bounded
}

func newGuard(b *component.Builder, c *Config) (guard.Guard, error) {
	k := &keeper{options: &c.Options, b: b}
	if seconds := time.Duration(c.Options.Challenge) * time.Second; seconds > 0 {
		k.sessions.Ahead = seconds + c.Options.Skew // sessions last that much longer than their tokens
	}
	if set := c.Options.Keys.set; set != nil {
		k.source = fixed(set)
		return k, nil
	}
	f := &fetcher{client: newClient(), issuer: c.Options.Issuer, keys: c.Options.Keys.address}
	k.source = newSource(f.fetch, c.Options.Refresh)
	k.source.loaded, k.source.failed = k.loaded, k.failed
	b.Go("fetch keys", k.source.run)
	return k, nil
}

// Authorize gives a session to who brings a token.
func (k *keeper) Authorize(ctx context.Context, token string) (stream.Session, error) {
	v, wrong := k.verified(ctx, token)
	identity := ""
	if v != nil {
		identity, wrong = v.Identity, v.fault(time.Now())
	}
	if wrong != nil {
		return nil, k.refuse(ctx, identity, wrong)
	}
	s, err := k.sessions.Join(v.key, &v.Claims, token)
	if err != nil {
		return nil, k.refuse(ctx, identity, late) // just now; there is no bound
	}
	return s, nil
}

// verified gives a token whose signature is right, or what is wrong with it.
func (k *keeper) verified(ctx context.Context, token string) (*verified, *fault) {
	switch {
	case token == "":
		return nil, missing
	case len(token) > mostToken:
		return nil, long
	}
	sum := digest(sha256.Sum256([]byte(token)))
	if v := k.known.get(&sum, k.source.set.Load()); v != nil {
		return v, nil
	}
	s, wrong := parse(token)
	if wrong != nil {
		return nil, wrong
	}
	payload, set, wrong := k.verify(ctx, s)
	if wrong != nil {
		return nil, wrong
	}
	v, wrong := k.read(payload, &sum)
	if wrong == nil && len(token) <= mostCachedSize {
		k.known.put(&sum, set, v)
	}
	return v, wrong
}

// verify gives what a token says, and the keys by which its signature is right.
func (k *keeper) verify(ctx context.Context, s *signed) ([]byte, *keySet, *fault) {
	set := k.source.keys(ctx)
	if set == nil {
		return nil, nil, noKeys
	}
	payload, stale, wrong := s.verify(set)
	if stale {
		if newer := k.source.newer(ctx, set); newer != nil {
			payload, _, wrong = s.verify(newer)
			set = newer
		}
	}
	return payload, set, wrong
}

// Present gives the token that a session was given for.
func (k *keeper) Present(s stream.Session) (guard.Presented, bool) {
	token, ok := k.sessions.Credentials(s)
	if !ok {
		return guard.Presented{}, false
	}
	return guard.Presented{Identity: s.Identity(), Credentials: token, Whole: token}, true
}

// refuse tells of a token that gives no session. It shows no part of the token, but the identity if the signature is right.
func (k *keeper) refuse(ctx context.Context, identity string, f *fault) error {
	k.b.Warn(stream.From(ctx), "guard.jwt.authorization.failed",
		"JWT token authorization failed for identity (%s). %s", short(telemetry.OneLine(identity)), f.event)
	return stream.Refuse(f.reason, "%s", f.text)
}

// loaded tells of keys that are in use from now on.
func (k *keeper) loaded(f *fetched) {
	what := fmt.Sprintf("%d keys were", len(f.keySet.keys))
	if len(f.keySet.keys) == 1 {
		what = "1 key was"
	}
	skipped := ""
	if f.skipped > 0 {
		skipped = fmt.Sprintf(" %d more cannot be used to verify tokens.", f.skipped)
	}
	k.b.Inform(nil, "guard.jwt.keys.loaded", "%s loaded from %s.%s", what, f.from, skipped)
}

// failed tells of keys that could not be fetched.
func (k *keeper) failed(err error, again time.Duration, lasted bool) {
	meanwhile := "Until then, no token is taken."
	if lasted {
		meanwhile = "Until then, those of before stay in use."
	}
	k.b.Warn(nil, "guard.jwt.keys.failed", "Unable to load keys: %s. It is tried again in %v. %s", telemetry.OneLine(err.Error()), again, meanwhile)
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

var _ guard.Presenter = (*keeper)(nil)
