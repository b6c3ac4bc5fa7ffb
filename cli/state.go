package cli

import (
	"os"
	"sync/atomic"

	"gozilla/admin"
	"gozilla/engine"
	"gozilla/telemetry"
)

// state is how far the process is.
type state struct{ ready, draining atomic.Bool }

// Status is part of admin.Source.
func (s *starter) Status() admin.Status {
	slots := &s.host.Connections
	return admin.Status{
		PID: os.Getpid(), Version: Version, Started: s.started, Config: s.settings.config,
		Ready: s.state.ready.Load(), Draining: s.state.draining.Load(),
		Connections: slots.Used(), Capacity: slots.Max(), Refused: slots.Refused(),
	}
}

// Log is part of admin.Source.
func (s *starter) Log() *telemetry.Log { return s.host.Log }

// Metrics is part of admin.Source.
func (s *starter) Metrics() *telemetry.Metrics { return &s.metrics }

// Watch is part of admin.Source.
func (s *starter) Watch(f engine.Filter) (*engine.Watcher, error) { return s.engine.Watch(f) }
