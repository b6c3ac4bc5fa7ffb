package http

import (
	"context"
	"sync/atomic"
	"testing"

	"gozilla/stream/web"
)

// lentServed is an exchange that must not be touched once it is over.
type lentServed struct {
	web.Served
	over, late atomic.Bool
}

func (x *lentServed) StopRead() {
	if x.over.Load() {
		x.late.Store(true)
	}
}

// TestStopsWith ends exchanges in the moment in which their sessions do: they are left alone afterwards.
func TestStopsWith(t *testing.T) {
	for range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		x := &lentServed{}
		undo := stopsWith(ctx, x)
		go cancel()
		undo()
		x.over.Store(true)
		if cancel(); x.late.Load() {
			t.Fatal("an exchange is touched that is over")
		}
	}
}
