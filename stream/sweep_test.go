package stream_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
)

func TestSweeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s stream.Sweeper
		entries := make([]stream.Swept, 10)
		looks := make([]atomic.Int64, len(entries))
		for i := range entries {
			s.Add(&entries[i], func(now time.Duration) {
				if now != s.Now() {
					t.Errorf("it is %v, and %v by the sweeper", now, s.Now())
				}
				looks[i].Add(1)
			})
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		for i := range looks {
			if n := looks[i].Load(); n < 9 || n > 11 {
				t.Errorf("number %d was looked at %d times in ten seconds", i, n)
			}
		}
		if now := s.Now(); now < 9750*time.Millisecond || now > 10*time.Second {
			t.Errorf("after ten seconds it is %v", now)
		}
		s.Remove(&entries[3])
		before := looks[3].Load()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if looks[3].Load() != before {
			t.Error("one that was removed is looked at")
		}
		for i := range entries {
			s.Remove(&entries[i]) // twice does nothing
		}
	}) // which fails if run has not ended
}

// TestSweeperAgain begins after it had nothing to do: its time goes on.
func TestSweeperAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s stream.Sweeper
		var e stream.Swept
		for range 3 {
			s.Add(&e, func(time.Duration) {})
			time.Sleep(2 * time.Second)
			s.Remove(&e)
			time.Sleep(2 * time.Second)
		}
		s.Add(&e, func(time.Duration) {})
		if now := s.Now(); now != 12*time.Second {
			t.Errorf("it is %v", now)
		}
		s.Remove(&e)
	})
}
