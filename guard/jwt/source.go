package jwt

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	firstWait  = 5 * time.Second  // for the first answer, while there are no keys
	earlyWait  = time.Second      // for an answer that may have the key of a token
	earlyEvery = 10 * time.Second // keys are fetched because of a token that names one that is not there
	retryLeast = time.Second      // after a failure; then twice as long each time
	retryMost  = time.Minute
)

// A source has the keys of the moment. Those that do not stand in the file are fetched by its task.
type source struct {
	fetch   func(context.Context) (*fetched, error) // nil: the keys do not change
	refresh time.Duration
	loaded  func(*fetched)                                    // the keys are others than before, or can be fetched again
	failed  func(err error, again time.Duration, lasted bool) // lasted: those of before stay in use

	set       atomic.Pointer[keySet]
	tried     chan struct{} // closed after the first answer, whatever it was
	triedOnce sync.Once
	wake      chan struct{}

	mu    sync.Mutex
	early time.Time     // when the keys were asked for last because of a token
	asked chan struct{} // closed with the answer to that; nil if there is none to come
}

// fetched is the answer of who has the keys.
type fetched struct {
	*keySet
	from    string
	skipped int // keys that cannot be used
}

func fixed(keys []key) *source {
	s := &source{}
	s.set.Store(newKeySet(keys))
	return s
}

func newSource(fetch func(context.Context) (*fetched, error), refresh time.Duration) *source {
	return &source{fetch: fetch, refresh: refresh, tried: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// keys are those of the moment. It waits for the first answer, for a while and no longer than ctx, and gives nil if there
// are none then.
func (s *source) keys(ctx context.Context) *keySet {
	if set := s.set.Load(); set != nil {
		return set
	}
	await(ctx, s.tried, firstWait)
	return s.set.Load()
}

// newer are keys that are not those of before. It has them fetched if that was not done a moment ago, waits for a while and
// no longer than ctx, and gives nil if there are no others.
func (s *source) newer(ctx context.Context, before *keySet) *keySet {
	if s.fetch == nil {
		return nil
	}
	set := s.set.Load()
	if set == before {
		await(ctx, s.ask(), earlyWait)
		set = s.set.Load()
	}
	if set == before {
		return nil
	}
	return set
}

// await waits for an answer. There is none to come if done is nil.
func await(ctx context.Context, done <-chan struct{}, atMost time.Duration) {
	if done == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// ask has the task fetch the keys, and gives the channel that is closed with the answer; nil if they were asked for a moment
// ago.
func (s *source) ask() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked != nil {
		return s.asked
	}
	now := time.Now()
	if !s.early.IsZero() && now.Sub(s.early) < earlyEvery {
		return nil
	}
	s.early, s.asked = now, make(chan struct{})
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return s.asked
}

// run fetches the keys, again and again. It is a task, which ends with ctx.
func (s *source) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failures := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.wake:
		}
		asked := s.current()
		f, err := s.fetch(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			again := min(retryLeast<<min(failures, 10), retryMost, s.refresh)
			failures++
			s.failed(err, again, s.set.Load() != nil)
			timer.Reset(again)
		default:
			s.take(f, failures > 0)
			failures = 0
			timer.Reset(s.refresh)
		}
		s.answer(asked)
	}
}

// take puts keys into use. Those that are the same stay, since tokens were verified by them already.
func (s *source) take(f *fetched, failed bool) {
	same := f.same(s.set.Load())
	if !same {
		s.set.Store(f.keySet)
	}
	if !same || failed {
		s.loaded(f)
	}
}

// current is what waits for the answer that is about to come. Who asks later may wait for the one after it.
func (s *source) current() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// answer wakes those who wait.
func (s *source) answer(asked chan struct{}) {
	s.triedOnce.Do(func() { close(s.tried) })
	if asked == nil {
		return
	}
	s.mu.Lock()
	s.asked = nil
	s.mu.Unlock()
	close(asked)
}
