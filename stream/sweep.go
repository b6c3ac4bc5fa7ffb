package stream

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Sweeper looks after connections, each once a second, on behalf of protocols that would have to set a timer for
// every message: to say when something is due is a store of [Sweeper.Now] and then some, which costs nothing. What is due
// may so be noticed a second late. The zero value is ready; it runs while it has something to look after.
type Sweeper struct {
	now atomic.Int64 // nanoseconds after began

	mu     sync.Mutex // guards what follows, but for the lists
	began  time.Time
	count  int
	next   int           // the shard to which the next one goes
	stop   chan struct{} // ends run
	shards [sweepShards]sweepShard
}

// Each tick sweeps one shard.
const (
	sweepTick   = 250 * time.Millisecond
	sweepShards = int(time.Second / sweepTick)
)

type sweepShard struct {
	sync.Mutex
	first *Swept
}

// Swept is something that is looked after. It is part of a struct, and does not move.
type Swept struct {
	look       func(now time.Duration)
	shard      *sweepShard
	prev, next *Swept
}

// Now is the time by which things are due: a quarter of a second exact. It rises while something is looked after.
func (s *Sweeper) Now() time.Duration { return time.Duration(s.now.Load()) }

// Add has look called about once a second, until Remove. look must not block, and must not call Add or Remove.
func (s *Sweeper) Add(e *Swept, look func(now time.Duration)) {
	s.mu.Lock()
	if s.count++; s.count == 1 {
		if s.began.IsZero() {
			s.began = time.Now()
		}
		s.tell()
		s.stop = make(chan struct{})
		go s.run(s.stop)
	}
	sh := &s.shards[s.next]
	s.next = (s.next + 1) % len(s.shards)
	s.mu.Unlock()
	sh.Lock()
	defer sh.Unlock()
	e.look, e.shard, e.next = look, sh, sh.first
	if e.next != nil {
		e.next.prev = e
	}
	sh.first = e
}

// Remove ends what Add began. When it returns, look is not running.
func (s *Sweeper) Remove(e *Swept) {
	sh := e.shard
	if sh == nil {
		return
	}
	sh.Lock()
	switch {
	case e.prev != nil:
		e.prev.next = e.next
	default:
		sh.first = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	*e = Swept{}
	sh.Unlock()
	s.mu.Lock()
	if s.count--; s.count == 0 {
		close(s.stop)
	}
	s.mu.Unlock()
}

func (s *Sweeper) tell() { s.now.Store(int64(time.Since(s.began))) }

// run is the goroutine that looks. It ends when there is nothing left to look after.
func (s *Sweeper) run(stop <-chan struct{}) {
	ticks := time.NewTicker(sweepTick)
	defer ticks.Stop()
	for i := 0; ; i = (i + 1) % len(s.shards) {
		select {
		case <-ticks.C:
		case <-stop:
			return
		}
		s.tell()
		now, sh := s.Now(), &s.shards[i]
		sh.Lock()
		for e := sh.first; e != nil; e = e.next {
			e.look(now)
		}
		sh.Unlock()
	}
}
