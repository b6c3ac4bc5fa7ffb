package filesystem

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"gozilla/internal/fetch"
)

// Bounds on what is fetched. The addresses stand in certificates of issuers that are trusted, but these may be many.
const (
	mostLists    = 256      // addresses that are remembered
	mostFetching = 16       // at once
	mostListSize = 16 << 20 // bytes of one answer
	mostSize     = 64 << 20 // bytes of all lists that are kept
)

const (
	fetchTime  = 20 * time.Second // for an answer
	failedFor  = 5 * time.Second  // a list that could not be had is not asked for again
	refetch    = time.Hour        // at the latest, after the list was fetched; earlier if it is soon out of date
	refetchMin = 10 * time.Second // after the list was fetched or failed to be
	unusedFor  = 24 * time.Hour   // then a list is forgotten
)

// remote has the lists that are fetched from where certificates say. Who asks for one waits for the first answer only;
// after that, the task asks again in good time.
type remote struct {
	get     func(ctx context.Context, address string) ([]byte, error)
	changed func()           // a list is replaced by one of other content
	failed  func(why string) // a list that is in use cannot be fetched again; told once for each reason

	mu       sync.Mutex
	sources  map[sourceKey]*source
	size     int // bytes of all lists
	fetching int // sources that are asked now
	wake     chan struct{}
}

// sourceKey is an address, and the issuer that the list must be signed by: what comes from elsewhere is not kept.
type sourceKey struct{ address, issuer string }

// A source is an address that a list comes from.
type source struct {
	address string
	issuer  *x509.Certificate
	lists   []*list // in force when they came; none: there has been no good answer
	used    time.Time
	due     time.Time     // when to ask again; zero if there are no lists
	err     error         // of the last answer
	tried   time.Time     // when that came
	told    string        // the failure that was told last
	asking  chan struct{} // closed with the answer; nil if it is not being asked
}

func newRemote() *remote {
	return &remote{
		get: func(ctx context.Context, address string) ([]byte, error) {
			return fetch.Read(ctx, address, fetch.Options{Max: mostListSize, Required: true})
		},
		changed: func() {},
		failed:  func(string) {},
		sources: map[sourceKey]*source{},
		wake:    make(chan struct{}, 1),
	}
}

// find is the list that a certificate would be on, of those that come from an address. It waits for an answer no longer
// than ctx.
func (r *remote) find(ctx context.Context, address string, c, issuer *x509.Certificate) (*list, error) {
	for waited := false; ; waited = true {
		s, asking, err := r.ask(ctx, address, issuer, waited)
		switch {
		case err != nil:
			return nil, err
		case asking == nil:
			return s.pick(c)
		}
		select {
		case <-asking:
		case <-ctx.Done():
			return nil, fmt.Errorf("%s has not answered in time: %w", address, context.Cause(ctx))
		}
	}
}

// snapshot is what a source has, to be looked at without the lock.
type snapshot struct {
	address string
	lists   []*list
}

// pick is the list that a certificate would be on.
func (s snapshot) pick(c *x509.Certificate) (*list, error) {
	for _, l := range s.lists {
		if l.part.has(c) {
			return l, nil
		}
	}
	return nil, fmt.Errorf("the revocation list of %s is about other certificates", s.address)
}

// ask gives the lists of a source that are in force, or else, if no answer came a moment ago, has it asked and gives
// the channel to wait on.
func (r *remote) ask(ctx context.Context, address string, issuer *x509.Certificate, waited bool) (snapshot, <-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	s := r.source(sourceKey{address, string(issuer.Raw)}, issuer, now)
	if s.good(now) {
		return snapshot{address, s.lists}, nil, nil
	}
	if s.asking == nil {
		if s.err != nil && (waited || now.Sub(s.tried) < failedFor) {
			return snapshot{}, nil, s.err
		}
		if !r.start(context.WithoutCancel(ctx), s) {
			return snapshot{}, nil, errors.New("too many revocation lists are being fetched")
		}
	}
	return snapshot{}, s.asking, nil
}

// source is that of a key. One that is new may take the place of the one that was not used for longest.
func (r *remote) source(key sourceKey, issuer *x509.Certificate, now time.Time) *source {
	s := r.sources[key]
	if s == nil {
		if len(r.sources) >= mostLists {
			r.forgetOldest(nil)
		}
		s = &source{address: key.address, issuer: issuer}
		r.sources[key] = s
	}
	s.used = now
	return s
}

// forgetOldest forgets the source that was not used for longest, but not one of those that are being asked.
func (r *remote) forgetOldest(but *source) bool {
	var oldest sourceKey
	for key, s := range r.sources {
		if s != but && s.asking == nil && (r.sources[oldest] == nil || s.used.Before(r.sources[oldest].used)) {
			oldest = key
		}
	}
	s := r.sources[oldest]
	if s == nil {
		return false
	}
	r.size -= s.size()
	delete(r.sources, oldest)
	return true
}

func (s *source) size() (n int) {
	for _, l := range s.lists {
		n += l.size
	}
	return n
}

// good reports whether there are lists and all are in force.
func (s *source) good(now time.Time) bool { return now.Before(s.until()) }

// start has a source asked, unless too many are being asked already.
func (r *remote) start(ctx context.Context, s *source) bool {
	if r.fetching >= mostFetching {
		return false
	}
	r.fetching++
	s.asking = make(chan struct{})
	go r.fetch(ctx, s)
	return true
}

// fetch is the goroutine that asks a source. It ends with the answer, at the latest after fetchTime.
func (r *remote) fetch(ctx context.Context, s *source) {
	short, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	lists, err := r.lists(short, s)
	changed, failure := r.answered(s, lists, err)
	if failure != "" && ctx.Err() == nil {
		r.failed(failure)
	}
	if changed {
		r.changed()
	}
}

// lists is the answer of a source, if all of it is in force.
func (r *remote) lists(ctx context.Context, s *source) ([]*list, error) {
	b, err := r.get(ctx, s.address)
	if err != nil {
		return nil, err
	}
	lists, err := parseLists(b)
	if err != nil {
		return nil, fmt.Errorf("cannot take what comes from %s: %w", s.address, err)
	}
	for _, l := range lists {
		if err := l.inForce(s.issuer); err != nil {
			return nil, fmt.Errorf("cannot take what comes from %s: %w", s.address, err)
		}
	}
	return lists, nil
}

// answered notes an answer. It reports whether it says something else than the one before, or why there was none if the
// operator should know: not because of a first answer, which a handshake has waited for.
func (r *remote) answered(s *source, lists []*list, err error) (changed bool, failure string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.wakeUp()
	now := time.Now()
	r.fetching--
	close(s.asking)
	s.asking, s.err, s.tried = nil, err, now
	if err != nil {
		if len(s.lists) == 0 {
			return false, ""
		}
		s.due = now.Add(max(refetchMin, s.rest(now)/4))
		if s.told == err.Error() {
			return false, ""
		}
		s.told = err.Error()
		return false, fmt.Sprintf("cannot refresh a revocation list, which is in force until %s: %v", day(s.until()), err)
	}
	changed = len(s.lists) > 0 && !sameLists(s.lists, lists)
	r.size -= s.size()
	s.lists, s.told = lists, ""
	r.size += s.size()
	s.due = now.Add(max(refetchMin, min(refetch, s.rest(now)*3/4)))
	for r.size > mostSize && r.forgetOldest(s) {
	}
	return changed, ""
}

// until is when the first of the lists is out of date.
func (s *source) until() (until time.Time) {
	for _, l := range s.lists {
		if until.IsZero() || l.crl.NextUpdate.Before(until) {
			until = l.crl.NextUpdate
		}
	}
	return until
}

// rest is how long the lists stay in force.
func (s *source) rest(now time.Time) time.Duration { return s.until().Sub(now) }

func sameLists(a, b []*list) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if string(a[i].crl.Signature) != string(b[i].crl.Signature) {
			return false
		}
	}
	return true
}

// wakeUp tells the task that a source is due at another time.
func (r *remote) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run asks again for the lists that are in use, before they are out of date. It is a task, which ends with ctx.
func (r *remote) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-r.wake:
		}
		timer.Reset(r.refresh(ctx))
	}
}

// refresh has those asked again that are due, forgets those that nobody uses, and gives the time until the next one is
// due.
func (r *remote) refresh(ctx context.Context) (wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	wait = refetch
	for key, s := range r.sources {
		switch {
		case s.asking != nil: // it wakes the task up
		case now.Sub(s.used) >= unusedFor:
			r.size -= s.size()
			delete(r.sources, key)
		case s.due.IsZero():
		case s.due.After(now):
			wait = min(wait, s.due.Sub(now))
		default:
			if !r.start(ctx, s) {
				s.due = now.Add(refetchMin)
			}
		}
	}
	return wait
}
