package cli

import (
	"testing"
	"time"

	"gozilla/stream"
)

// TestHabits sets what servers of streams of events do.
func TestHabits(t *testing.T) {
	const prefix = "zilla.binding.sse."
	s := defaultSettings()
	if s.habits != (stream.Habits{}) {
		t.Errorf("by default they are %+v", s.habits)
	}
	for name, value := range map[string]string{"initial.comment.enabled": "true", "maximum.idle.time": "15", "challenge.event.type": "renew"} {
		if inertly, err := s.set(prefix+name, value); inertly || err != nil {
			t.Errorf("%s: %v, %v", name, inertly, err)
		}
	}
	if want := (stream.Habits{Comment: true, Quiet: 15 * time.Second, Challenge: "renew"}); s.habits != want {
		t.Errorf("they are %+v", s.habits)
	}
	for value, want := range map[string]time.Duration{"500ms": 500 * time.Millisecond, "0": 0, "2m": 2 * time.Minute, "-1": -1, "soon": -1, "": -1} {
		_, err := s.set(prefix+"maximum.idle.time", value)
		if (err == nil) != (want >= 0) || err == nil && s.habits.Quiet != want {
			t.Errorf("%q is %v, %v", value, s.habits.Quiet, err)
		}
	}
}
