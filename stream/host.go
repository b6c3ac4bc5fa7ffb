package stream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/telemetry"
)

// A Host is what scopes live on: the limits, the count of connections, the log that takes their records, and the list
// of those that are open. A process has one; the engine owns it.
type Host struct {
	Limits      *Limits
	Log         *telemetry.Log
	Connections Slots
	Sweeper     Sweeper
	Traces      bool // internal errors tell where in the program they happened
	Habits      Habits

	Bodies atomic.Int64 // bytes of bodies that wait to be read, see Limits.Bodies

	last    atomic.Uint64 // the id given last
	leaving atomic.Bool
	open    atomic.Int64
	idle    chan struct{} // has an element after the last scope ended, until somebody looks
	shards  [16]shard     // the open scopes, by id
}

type shard struct {
	sync.Mutex
	open map[uint64]*Scope
	_    [32]byte
}

// Habits are what bindings do besides what the file says. They are set once, before anything begins.
type Habits struct {
	// What servers of streams of events (sse) do.
	Comment   bool          // a stream begins with a comment
	Quiet     time.Duration // after which a comment is sent, so that a stream is never quiet for longer; 0: never
	Challenge string        // the type of the event by which a client is asked for new credentials; "": challenge
}

// NewHost makes a host. The limits are read as scopes begin and end; they must not change.
func NewHost(limits *Limits, log *telemetry.Log) *Host {
	h := &Host{Limits: limits, Log: log, idle: make(chan struct{}, 1)}
	h.Connections.max = int64(limits.Connections)
	for i := range h.shards {
		h.shards[i].open = map[uint64]*Scope{}
	}
	return h
}

// Scopes calls f with every scope that is open and has no parent, in no order, without holding a lock.
func (h *Host) Scopes(f func(*Scope)) {
	for i := range h.shards {
		sh := &h.shards[i]
		sh.Lock()
		scopes := make([]*Scope, 0, len(sh.open))
		for _, s := range sh.open {
			scopes = append(scopes, s)
		}
		sh.Unlock()
		for _, s := range scopes {
			f(s)
		}
	}
}

// Scope is the open scope without a parent that has this id, nil if there is none.
func (h *Host) Scope(id uint64) *Scope {
	sh := &h.shards[id%uint64(len(h.shards))]
	sh.Lock()
	defer sh.Unlock()
	return sh.open[id]
}

// Leave asks every open scope to come to an end in its own time, and every one that begins from now on.
func (h *Host) Leave() {
	h.LeaveFromNow()
	h.Scopes((*Scope).Leave)
}

// LeaveFromNow asks every scope that begins from now on to come to an end in its own time, and those that are open not
// yet: that many do not leave in the same moment.
func (h *Host) LeaveFromNow() { h.leaving.Store(true) }

// Leaving reports whether all is asked to leave, since the gateway is about to end, and not only what a change has taken
// the way from.
func (h *Host) Leaving() bool { return h.leaving.Load() }

// Open is how many scopes are open that have no parent.
func (h *Host) Open() int { return int(h.open.Load()) }

// AwaitIdle returns once no scope is open, or with the cause of ctx.
func (h *Host) AwaitIdle(ctx context.Context) error {
	for h.Open() > 0 {
		select {
		case <-h.idle:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	h.tellIdle() // there may be others who wait
	return nil
}

// tellIdle wakes one of those who wait for the last scope to end, or the one who will.
func (h *Host) tellIdle() {
	select {
	case h.idle <- struct{}{}:
	default: // it is known already
	}
}

func (h *Host) add(s *Scope) {
	h.open.Add(1)
	sh := &h.shards[s.id%uint64(len(h.shards))]
	sh.Lock()
	sh.open[s.id] = s
	sh.Unlock()
}

func (h *Host) remove(s *Scope) {
	sh := &h.shards[s.id%uint64(len(h.shards))]
	sh.Lock()
	delete(sh.open, s.id)
	sh.Unlock()
	if h.open.Add(-1) == 0 {
		h.tellIdle()
	}
}

// Slots counts what is limited in number.
type Slots struct {
	used    atomic.Int64
	refused atomic.Int64
	max     int64
}

// Take takes a slot, or reports false if all are in use.
func (s *Slots) Take() bool {
	for {
		used := s.used.Load()
		if used >= s.max {
			s.refused.Add(1)
			return false
		}
		if s.used.CompareAndSwap(used, used+1) {
			return true
		}
	}
}

// Free gives a slot back.
func (s *Slots) Free() { s.used.Add(-1) }

// Used is how many are taken.
func (s *Slots) Used() int64 { return s.used.Load() }

// Refused is how often there was none.
func (s *Slots) Refused() int64 { return s.refused.Load() }

// Max is how many there are.
func (s *Slots) Max() int64 { return s.max }
