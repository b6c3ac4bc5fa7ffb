package engine_test

import (
	"testing"
	"time"

	"gozilla/internal/gwtest"
	"gozilla/stream"
)

// TestChanges runs the stories of what one file makes of another, and what clients see of it.
func TestChanges(t *testing.T) {
	gwtest.RunScripts(t, "testdata/change/*.txtar", gwtest.Limits(func(l *stream.Limits) { l.Drain = 300 * time.Millisecond }))
}
