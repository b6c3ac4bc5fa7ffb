package conn

import (
	"sync/atomic"
	"time"
)

// The work that begins a connection, a dial or a handshake, takes a large stack for a moment, and a new goroutine gets
// there by copying its stack again and again, which costs a handshake a twentieth of its time. So the goroutines that do
// such work stay for a while for the next one who has some.

const (
	warmMost = 64                     // that wait at a time
	warmTime = 100 * time.Millisecond // for which one waits
)

var (
	warmJobs  = make(chan func())
	warmSlots = make(chan struct{}, warmMost)
)

// cold is that no goroutine stays.
var cold atomic.Bool

// Cold says whether each Briefly is to begin a goroutine of its own. That is for tests in a bubble of testing/synctest, where
// one that waits for others to come from anywhere would hold up the time.
func Cold(yes bool) { cold.Store(yes) }

// Briefly runs f, which takes a large stack, on a goroutine that ends soon after f.
func Briefly(f func()) {
	if cold.Load() {
		go f()
		return
	}
	select {
	case warmJobs <- f:
	default:
		go warm(f)
	}
}

// warm is the goroutine that runs f and what comes after it. It ends when it has waited for warmTime, or when enough
// others wait.
func warm(f func()) {
	f()
	select {
	case warmSlots <- struct{}{}:
	default:
		return
	}
	defer func() { <-warmSlots }()
	late := time.NewTimer(warmTime)
	defer late.Stop()
	for {
		select {
		case f = <-warmJobs:
		case <-late.C:
			return
		}
		f()
		late.Reset(warmTime)
	}
}
