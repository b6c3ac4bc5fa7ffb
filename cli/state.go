package cli

import (
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"gozilla/admin"
	"gozilla/engine"
	"gozilla/stream"
	"gozilla/telemetry"
)

// state is how far the process is.
type state struct {
	ready, draining atomic.Bool
	running         atomic.Pointer[generation]    // nil before a configuration is in service
	refused         atomic.Pointer[admin.Refusal] // nil if none was
}

// generation is a configuration that was put in service.
type generation struct {
	number int // from 1
	loaded time.Time
}

// next notes that another configuration is in service.
func (s *state) next() {
	g := &generation{number: 1, loaded: time.Now()}
	if before := s.running.Load(); before != nil {
		g.number += before.number
	}
	s.running.Store(g)
}

// Status is part of admin.Source.
func (s *starter) Status() admin.Status {
	slots := &s.host.Connections
	status := admin.Status{
		PID: os.Getpid(), Version: Version, Started: s.started, Config: s.settings.config,
		Ready: s.state.ready.Load(), Draining: s.state.draining.Load(), Refused: s.state.refused.Load(),
		Connections: slots.Used(), Capacity: slots.Max(), TurnedAway: slots.Refused(),
	}
	if g := s.state.running.Load(); g != nil {
		status.Generation, status.Loaded = g.number, g.loaded
	}
	return status
}

// Graph is part of admin.Source.
func (s *starter) Graph() engine.Graph { return s.engine.Graph() }

// Host is part of admin.Source.
func (s *starter) Host() *stream.Host { return s.host }

// Metrics is part of admin.Source.
func (s *starter) Metrics() *telemetry.Metrics { return &s.metrics }

// Level is part of admin.Source.
func (s *starter) Level() *slog.LevelVar { return &s.level }
