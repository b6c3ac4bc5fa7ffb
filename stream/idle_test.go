package stream_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestIdleIsNeverEarly wants at least the whole time to pass since the last byte, in whichever direction and whenever it
// came, and at most a quarter more.
func TestIdleIsNeverEarly(t *testing.T) {
	for late := time.Duration(0); late < time.Minute; late += 7 * time.Second {
		synctest.Test(t, func(t *testing.T) {
			s := newRig(t).arrive()
			s.EndIdle(time.Minute)
			f := s.Flow()
			time.Sleep(late)
			if late%2 == 0 {
				f.Received(1)
			} else {
				f.Sent(1)
			}
			last := time.Now()
			<-s.Done()
			if took := time.Since(last); took < time.Minute || took > 75*time.Second {
				t.Errorf("a byte came after %v, and the end %v after that", late, took)
			}
			s.End(context.Cause(s))
		})
	}
}

func TestTheEndStopsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRig(t).arrive()
		s.EndIdle(time.Minute)
		s.End(nil)
		over := s.Err()
		time.Sleep(time.Hour)
		if s.Err() != over {
			t.Errorf("the error became %v", s.Err())
		}
	})
}
