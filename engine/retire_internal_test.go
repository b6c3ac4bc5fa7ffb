package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
)

// TestSpread does so many in a second, or more where the time would not suffice, and gives up when it is told to.
func TestSpread(t *testing.T) {
	f := func(n, rate int, within, want time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			began, done := time.Now(), 0
			spread(t.Context(), make([]*stream.Scope, n), rate, within, func(*stream.Scope) { done++ })
			if took := time.Since(began); done != n || took < want-beat || took > want+beat {
				t.Errorf("%d of %d in %v, not %v", done, n, took, want)
			}
		})
	}
	f(0, 100, time.Second, 0)
	f(1, 1, time.Second, 0)
	f(1000, 100, time.Minute, 10*time.Second)
	f(1000, 2000, time.Minute, 500*time.Millisecond)
	f(1_000_000, 2000, 15*time.Second, 15*time.Second)
	f(1000, 100, 0, 0)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := 0
		spread(ctx, make([]*stream.Scope, 1000), 100, time.Minute, func(*stream.Scope) { done++ })
		if done < 90 || done > 110 {
			t.Errorf("%d were done in the second that there was", done)
		}
	})
}
