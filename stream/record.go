package stream

import (
	"strconv"
	"sync"
	"time"

	"gozilla/telemetry"
)

// SetRecord lets a binding add to the scope's record what only it knows. f runs under the scope's lock.
func (s *Scope) SetRecord(f func(*telemetry.Record)) {
	s.mu.Lock()
	f(s.noted())
	s.mu.Unlock()
}

// SetInfo notes whom the stream is between, for its record. Unlike SetRecord it costs no memory.
func (s *Scope) SetInfo(about *Info) {
	s.mu.Lock()
	s.about = about
	s.mu.Unlock()
}

// records are those of scopes that have ended: a scope needs one for a moment at its end, and few do before.
var records = sync.Pool{New: func() any { return &telemetry.Record{} }}

// noted is the record to note something in. The lock is held.
func (s *Scope) noted() *telemetry.Record {
	if s.record == nil {
		s.record = records.Get().(*telemetry.Record)
	}
	return s.record
}

// Closes notes who is the first to end the stream, and how. What comes after counts for nothing.
func (s *Scope) Closes(by telemetry.Side, reason string) {
	s.mu.Lock()
	if r := s.noted(); r.Reason == "" {
		r.By, r.Reason = by, reason
	}
	s.mu.Unlock()
}

// finish completes the record, and takes it from the scope.
func (s *Scope) finish(took time.Duration, err error) *telemetry.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.noted()
	s.record = nil
	s.describe(r, took)
	by, reason, details := verdict(err)
	if err != nil || r.Reason == "" {
		r.By, r.Reason = by, reason
	}
	r.Err = details
	return r
}

// Record is the scope's record as far as it is known now.
func (s *Scope) Record() telemetry.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var r telemetry.Record
	if s.record != nil {
		r = *s.record
	}
	r.Path = nil
	s.describe(&r, time.Since(s.start))
	return r
}

// describe adds to a record what the scope itself knows. The lock is held.
func (s *Scope) describe(r *telemetry.Record, took time.Duration) {
	r.Path = s.appendSteps(r.Path[:0])
	if s.parent != nil {
		r.Connection = s.parent.id
	}
	if s.about != nil && !r.Source.IsValid() {
		r.Source = s.about.Source.AddrPort()
	}
	if s.about != nil && !r.Dest.IsValid() {
		r.Dest = s.about.Dest.AddrPort()
	}
	r.ID, r.Start, r.Duration = s.id, s.start, took
	r.Received, r.Sent = s.received.Load(), s.sent.Load()
	r.Accept = time.Duration(s.marks[Accepted].Load())
	r.FirstByte = time.Duration(s.marks[FirstByte].Load())
	r.Handshake = s.between(ShakeBegan, ShakeEnded)
	r.Dial = s.between(DialBegan, DialEnded)
}

// appendSteps appends the path. The lock is held.
func (s *Scope) appendSteps(to []telemetry.Step) []telemetry.Step {
	for _, st := range s.path {
		to = append(to, telemetry.Step{Binding: st.node.String(), Route: routeName(int(st.route))})
	}
	return to
}

// between is the time between two phases, 0 if they have not both been reached.
func (s *Scope) between(from, to Phase) time.Duration {
	if began, ended := s.marks[from].Load(), s.marks[to].Load(); ended > began {
		return time.Duration(ended - began)
	}
	return 0
}

// routeNames are those of the first routes, made once.
var routeNames = func() (names [64]string) {
	for i := range names {
		names[i] = "routes[" + strconv.Itoa(i) + "]"
	}
	return names
}()

func routeName(i int) string {
	switch {
	case i == routeNone:
		return ""
	case i == RouteExit:
		return "exit"
	case i < len(routeNames):
		return routeNames[i]
	}
	return "routes[" + strconv.Itoa(i) + "]"
}
