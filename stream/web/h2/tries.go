package h2

import (
	"context"
	"math/rand/v2"
	"time"
)

// Tries paces what is tried again since a server wanted nothing of it: at once the first time, then after a pause that grows.
type Tries struct {
	count int
	began time.Time
	pause time.Duration
}

// The pause begins with leastPause and doubles up to mostPause. Each is cut by up to a half, for requests that were refused
// together are not to come back together.
const (
	leastPause = 10 * time.Millisecond
	mostPause  = time.Second
)

// Again waits until it is time to try again. It reports false when there is nothing to be tried any more: ctx is over, or most
// would have passed since the first time.
func (t *Tries) Again(ctx context.Context, most time.Duration) bool {
	if t.count++; t.count == 1 {
		t.began = time.Now()
		return ctx.Err() == nil
	}
	t.pause = min(max(2*t.pause, leastPause), mostPause)
	pause := t.pause - rand.N(t.pause/2)
	if time.Since(t.began)+pause > most {
		return false
	}
	wait := time.NewTimer(pause)
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-ctx.Done():
		return false
	}
}
