package guard

import (
	"slices"
	"sync"
	"time"

	"gozilla/stream"
)

// Claims is what a session says of a peer. All but the end of it does not change.
type Claims struct {
	Identity   string
	Attributes map[string]string
	Roles      []string  // for Join: sorted, each once
	Expires    time.Time // zero: never; Join may move it to later
}

// Sessions are those that a guard has given and that somebody still holds. Holders share one if they bring the same
// credentials ([Sessions.Share]), or are the same peer with the same roles ([Sessions.Join]). A guard uses one of the two.
// The zero value is ready for use.
type Sessions struct {
	Most  int           // that may be held at a time; 0: any number
	Ahead time.Duration // how long before its end a session wants its peer to be challenged, see Challenger; 0: never

	mu    sync.Mutex
	held  map[string][]*shared // by key; of one key they differ in their roles
	count int
}

// A shared session is held by as many as were given it and have not released it. The lock of in guards what changes.
type shared struct {
	Claims
	in      *Sessions
	key     string
	holders int
}

// A session is what one holder has of a shared one. The lock of in guards what changes.
type session struct {
	*shared
	credentials string
	challenged  time.Time // the time of the challenge that it was told of last
	released    bool
}

// Share gives the session under key, which the caller releases; if nobody holds one, it is made of what claims gives. The
// key stands for the credentials, such as a digest of them. The error is that of claims, or a *stream.Refused: the session
// is over, or no more may be held.
func (t *Sessions) Share(key string, claims func() (Claims, error)) (stream.Session, error) {
	s := t.find(key)
	if s == nil {
		c, err := claims() // not under the lock: it may take long
		if err != nil {
			return nil, err
		}
		if s = t.findOrMake(key, &c); s == nil {
			return nil, t.full()
		}
	}
	if at := s.Expires(); over(at, time.Now()) {
		s.Release()
		return nil, ended(at)
	}
	return s, nil
}

// Join gives the session under key that has the roles of c, no more and no less, which the caller releases; if nobody
// holds one, it is made. The key stands for everything in c but roles and end, so for who it is. What credentials show is
// that the peer may stay: every session under key whose roles are among those of c lasts at least until c ends, and none
// gets a role by it. The error is a *stream.Refused: c is over, or no more may be held.
func (t *Sessions) Join(key string, c *Claims, credentials string) (stream.Session, error) {
	if over(c.Expires, time.Now()) {
		return nil, ended(c.Expires)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var own *shared
	for _, s := range t.held[key] {
		if !covers(c.Roles, s.Roles) {
			continue
		}
		s.extend(c.Expires)
		if len(c.Roles) == len(s.Roles) {
			own = s
		}
	}
	if own == nil {
		if own = t.add(key, c); own == nil {
			return nil, t.full()
		}
	}
	own.holders++
	return &session{shared: own, credentials: credentials}, nil
}

// Credentials is what a session was joined with. It reports false for one that is not of these.
func (t *Sessions) Credentials(s stream.Session) (string, bool) {
	own, ok := s.(*session)
	if !ok || own.in != t {
		return "", false
	}
	return own.credentials, true
}

func over(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

func ended(at time.Time) *stream.Refused {
	return stream.Refuse(stream.Expired, "the session ended at %s", at.UTC().Format(time.RFC3339))
}

func (t *Sessions) full() *stream.Refused {
	return stream.Refuse(stream.Limit, "%d sessions are held", t.Most)
}

// covers reports whether all of some are among all. Both are sorted, and may be long.
func covers(all, some []string) bool {
	for _, s := range some {
		i, ok := slices.BinarySearch(all, s)
		if !ok {
			return false
		}
		all = all[i+1:]
	}
	return true
}

// extend moves the end of a session to later, never to earlier.
func (s *shared) extend(to time.Time) {
	switch {
	case s.Claims.Expires.IsZero():
	case to.IsZero(), to.After(s.Claims.Expires):
		s.Claims.Expires = to
	}
}

// find holds the session under key, nil if there is none.
func (t *Sessions) find(key string) *session { return t.findOrMake(key, nil) }

// findOrMake holds the session under key. If there is none, it is made of claims, where they are given and there is
// room, else it gives nil.
func (t *Sessions) findOrMake(key string, claims *Claims) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	var s *shared
	if held := t.held[key]; len(held) > 0 {
		s = held[0]
	} else if claims != nil {
		s = t.add(key, claims)
	}
	if s == nil {
		return nil
	}
	s.holders++
	return &session{shared: s}
}

// add makes a session that nobody holds yet, nil if there is no room.
func (t *Sessions) add(key string, c *Claims) *shared {
	if t.Most > 0 && t.count >= t.Most {
		return nil
	}
	if t.held == nil {
		t.held = map[string][]*shared{}
	}
	s := &shared{Claims: *c, in: t, key: key}
	t.held[key] = append(t.held[key], s)
	t.count++
	return s
}

// Len is how many sessions are held.
func (t *Sessions) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// Release gives the session back, once however often it is called. The last holder's release forgets it.
func (s *session) Release() {
	t := s.in
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.released {
		return
	}
	s.released = true
	if s.holders--; s.holders > 0 {
		return
	}
	t.count--
	if rest := slices.DeleteFunc(t.held[s.key], func(x *shared) bool { return x == s.shared }); len(rest) > 0 {
		t.held[s.key] = rest
	} else {
		delete(t.held, s.key)
	}
}

func (s *session) Identity() string { return s.Claims.Identity }

func (s *session) Expires() time.Time {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	return s.Claims.Expires
}

func (s *session) Attribute(name string) (string, bool) {
	value, ok := s.Attributes[name]
	return value, ok
}

func (s *session) Verify(roles []string) bool {
	return !slices.ContainsFunc(roles, func(role string) bool { return !slices.Contains(s.Roles, role) })
}

// ChallengeAt is part of Challenger.
func (s *session) ChallengeAt() time.Time {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	return s.challengeAt()
}

// challengeAt has the lock.
func (s *session) challengeAt() time.Time {
	if s.in.Ahead <= 0 || s.Claims.Identity == "" || s.Claims.Expires.IsZero() {
		return time.Time{}
	}
	return s.Claims.Expires.Add(-s.in.Ahead)
}

// Challenge is part of Challenger.
func (s *session) Challenge() bool {
	now := time.Now()
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	at := s.challengeAt()
	if at.IsZero() || now.Before(at) || over(s.Claims.Expires, now) || s.challenged.Equal(at) {
		return false
	}
	s.challenged = at
	return true
}

var (
	_ stream.Session = (*session)(nil)
	_ Challenger     = (*session)(nil)
)
