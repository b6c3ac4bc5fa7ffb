package cli

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"

	"gozilla/admin"
	"gozilla/config"
	"gozilla/engine"
	"gozilla/stream"
	"gozilla/telemetry"
)

// state is how far the process is.
type state struct{ ready, empty, draining atomic.Bool }

// Status is part of admin.Source.
func (s *starter) Status() admin.Status {
	slots, now := &s.host.Connections, s.follower.State()
	status := admin.Status{
		PID: os.Getpid(), Version: Version, Started: s.started, Config: s.settings.config,
		Generation: int(now.Generation), Loaded: now.Loaded,
		Ready: s.state.ready.Load(), Empty: s.state.empty.Load(), Draining: s.state.draining.Load(),
		Connections: slots.Used(), Capacity: slots.Max(), TurnedAway: slots.Refused(),
	}
	if now.Refused != nil {
		status.Refused = &admin.Refusal{Time: now.RefusedAt, Faults: now.Refused.Faults(), Times: int(s.engine.Refusals())}
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

// Watch is part of admin.Source.
func (s *starter) Watch(f engine.Filter) (*engine.Watcher, error) { return s.engine.Watch(f) }

// Generation is part of admin.Gateway.
func (s *starter) Generation() int64 { return s.engine.Generation() }

// Compare is part of admin.Gateway.
func (s *starter) Compare(ctx context.Context, c config.Source, o engine.Options) *engine.Outcome {
	return s.follower.Compare(ctx, c, o)
}

// Reload is part of admin.Gateway.
func (s *starter) Reload(ctx context.Context) *engine.Outcome { return s.follower.Reload(ctx) }
