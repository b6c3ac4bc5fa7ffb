package guard

import (
	"slices"
	"sync"
	"time"

	"gozilla/stream"
)

// Claims is what a session says of a peer. It does not change.
type Claims struct {
	Identity   string
	Attributes map[string]string
	Roles      []string
	Expires    time.Time // zero: never
}

// Sessions are those that a guard has given and that somebody still holds. All who bring the same credentials share
// one. The zero value is ready for use.
type Sessions struct {
	Most int // that may be held at a time; 0: any number

	mu   sync.Mutex
	held map[string]*session
}

// A session is held by as many as were given it and have not released it.
type session struct {
	Claims
	in      *Sessions
	key     string
	holders int // guarded by the lock of in
}

// Share gives the session under key, which the caller releases; if nobody holds one, it is made of what claims gives. The
// key stands for the credentials, such as a digest of them. The error is that of claims, or a *stream.Refused: the session
// is over, or no more may be held.
func (t *Sessions) Share(key string, claims func() (Claims, error)) (stream.Session, error) {
	s := t.hold(key, nil)
	if s == nil {
		c, err := claims() // not under the lock: it may take long
		if err != nil {
			return nil, err
		}
		if s = t.hold(key, &c); s == nil {
			return nil, stream.Refuse(stream.Limit, "%d sessions are held", t.Most)
		}
	}
	if at := s.Expires(); !at.IsZero() && !time.Now().Before(at) {
		s.Release()
		return nil, stream.Refuse(stream.Expired, "the session ended at %s", at.UTC().Format(time.RFC3339))
	}
	return s, nil
}

// hold adds a holder to the session under key. If there is none, it is made of claims, where they are given and there is
// room, else hold gives nil.
func (t *Sessions) hold(key string, claims *Claims) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.held[key]
	if s == nil {
		if claims == nil || t.Most > 0 && len(t.held) >= t.Most {
			return nil
		}
		if t.held == nil {
			t.held = map[string]*session{}
		}
		s = &session{Claims: *claims, in: t, key: key}
		t.held[key] = s
	}
	s.holders++
	return s
}

// Len is how many sessions are held.
func (t *Sessions) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.held)
}

// Release gives the session back. The last holder's release forgets it.
func (s *session) Release() {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	if s.holders--; s.holders == 0 {
		delete(s.in.held, s.key)
	}
}

func (s *session) Identity() string   { return s.Claims.Identity }
func (s *session) Expires() time.Time { return s.Claims.Expires }

func (s *session) Attribute(name string) (string, bool) {
	value, ok := s.Attributes[name]
	return value, ok
}

func (s *session) Verify(roles []string) bool {
	return !slices.ContainsFunc(roles, func(role string) bool { return !slices.Contains(s.Roles, role) })
}

var _ stream.Session = (*session)(nil)
