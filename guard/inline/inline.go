package inline

import (
	"cmp"
	"context"
	"time"

	"gozilla/component"
	"gozilla/guard"
	"gozilla/stream"
)

func init() {
	guard.Register("inline", newGuard)
	guard.Register("identity", newGuard) // as it was called before zilla 2.0
}

// A keeper gives everybody a session.
type keeper struct {
	options Options
	split   *splitter
}

func newGuard(_ *component.Builder, c *Config) (guard.Guard, error) {
	return &keeper{c.Options, c.Options.Format.splitter()}, nil
}

// Authorize gives a session to who presents something.
func (k *keeper) Authorize(_ context.Context, credentials string) (stream.Session, error) {
	if credentials == "" {
		return nil, stream.Refuse(stream.Unauthenticated, "there are no credentials")
	}
	s := &session{of: k, presented: guard.Presented{Identity: credentials, Credentials: credentials, Whole: credentials}}
	if k.split != nil {
		s.presented.Identity, s.presented.Credentials = k.parts(credentials)
	}
	return s, nil
}

// parts are those of what is presented. One that it does not have is that of the options.
func (k *keeper) parts(whole string) (identity, credentials string) {
	m := k.split.form.FindStringSubmatch(whole)
	if m == nil {
		return whole, k.options.Credentials
	}
	identity, credentials = k.options.Identity, k.options.Credentials
	if k.split.identity > 0 {
		identity = m[k.split.identity]
	}
	if k.split.credentials > 0 {
		credentials = m[k.split.credentials]
	}
	return identity, credentials
}

// Present gives what a session was given for, and without one the options.
func (k *keeper) Present(s stream.Session) (guard.Presented, bool) {
	if s != nil {
		own, ok := s.(*session)
		if !ok || own.of != k {
			return guard.Presented{}, false
		}
		return own.presented, true
	}
	p := guard.Presented{Identity: k.options.Identity, Credentials: k.options.Credentials, Whole: k.options.Credentials}
	if k.split != nil && (p.Identity != "" || k.split.identity == 0) && (p.Credentials != "" || k.split.credentials == 0) {
		p.Whole = k.options.Format.compose(p.Identity, p.Credentials)
	}
	return p, cmp.Or(p.Identity, p.Credentials) != ""
}

// A session is what somebody has presented. It is nobody else's, and nothing is to be given back.
type session struct {
	of        *keeper
	presented guard.Presented
}

func (s *session) Identity() string                { return s.presented.Identity }
func (s *session) Attribute(string) (string, bool) { return "", false }
func (s *session) Verify([]string) bool            { return true }
func (s *session) Expires() time.Time              { return time.Time{} }
func (s *session) Release()                        {}

var (
	_ guard.Presenter = (*keeper)(nil)
	_ stream.Session  = (*session)(nil)
)
