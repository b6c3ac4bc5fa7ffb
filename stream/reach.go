package stream

import (
	"slices"

	"gozilla/telemetry"
)

// A Match tells by the bindings that a stream has come through, in order, whether it is one of those that are meant. It
// must not keep the path, nor wait for anything.
type Match func(path []*Node) bool

// adopt makes c one of the exchanges that are going on, which take their leave with their connection.
func (s *Scope) adopt(c *Scope) {
	s.mu.Lock()
	c.leaving = s.leaving // nobody else knows it yet
	s.children = append(s.children, c)
	s.mu.Unlock()
}

// disown is the end of an exchange. Who reaches for it while it holds the lock of s, reaches it and not the next one that
// uses its memory.
func (s *Scope) disown(c *Scope) {
	s.mu.Lock()
	if i := slices.Index(s.children, c); i >= 0 {
		last := len(s.children) - 1
		s.children[i] = s.children[last]
		s.children[last] = nil
		s.children = s.children[:last]
	}
	s.mu.Unlock()
}

// Leave asks the stream, and the exchanges on it, to come to an end in their own time.
func (s *Scope) Leave() { s.LeaveWhere(func([]*Node) bool { return true }) }

// LeaveWhere asks the stream to come to an end in its own time if it matches, else those of its exchanges that do.
func (s *Scope) LeaveWhere(match Match) {
	var ask []*func()
	s.mu.Lock()
	itself := s.matches(match)
	if itself {
		ask = s.leave(ask)
	}
	for _, c := range s.children {
		c.mu.Lock()
		if itself || c.matches(match) {
			ask = c.leave(ask)
		}
		c.mu.Unlock()
	}
	s.mu.Unlock()
	for _, f := range ask {
		(*f)()
	}
}

// leave adds whom to ask, the first time. The lock is held.
func (s *Scope) leave(ask []*func()) []*func() {
	if n := len(s.onLeave); !s.leaving && n > 0 {
		ask = append(ask, s.onLeave[n-1])
	}
	s.leaving = true
	return ask
}

// Cancel ends the stream, and the exchanges on it, now: reads, writes and dials on their behalf return cause, context.Canceled
// if that is nil. Only the first call counts.
func (s *Scope) Cancel(cause error) {
	s.lifetime.Cancel(cause)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.children {
		c.wake() // its end is that of its parent
	}
}

// CancelWhere cancels the stream if it matches, else those of its exchanges that do.
func (s *Scope) CancelWhere(match Match, cause error) {
	s.mu.Lock()
	if s.matches(match) {
		s.mu.Unlock()
		s.Cancel(cause)
		return
	}
	defer s.mu.Unlock() // until all are cancelled, see disown
	for _, c := range s.children {
		c.mu.Lock()
		if c.matches(match) {
			c.lifetime.Cancel(cause)
		}
		c.mu.Unlock()
	}
}

// Has reports whether the stream, or an exchange on it, matches.
func (s *Scope) Has(match Match) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.matches(match) {
		return true
	}
	return slices.ContainsFunc(s.children, func(c *Scope) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.matches(match)
	})
}

// Ways are the paths of the exchanges that are going on, each once, those that more of them take first.
func (s *Scope) Ways() (ways []telemetry.Way) {
	s.mu.Lock()
	for _, c := range s.children {
		c.mu.Lock()
		path := c.appendSteps(nil)
		c.mu.Unlock()
		i := slices.IndexFunc(ways, func(w telemetry.Way) bool { return slices.Equal(w.Path, path) })
		if i < 0 {
			i, ways = len(ways), append(ways, telemetry.Way{Path: path})
		}
		ways[i].Count++
	}
	s.mu.Unlock()
	slices.SortStableFunc(ways, func(a, b telemetry.Way) int { return b.Count - a.Count })
	return ways
}

// matches is called with the lock held.
func (s *Scope) matches(match Match) bool {
	var few [16]*Node
	path := few[:0]
	for i := range s.path {
		path = append(path, s.path[i].node)
	}
	return match(path)
}
