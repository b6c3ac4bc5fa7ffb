package stream

import (
	"fmt"
	"runtime/debug"
	"time"

	"gozilla/telemetry"
)

// Contained is f, whose panic is its error: a fault of ours costs one stream, not all.
func Contained(s *Scope, f func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = s.Fault(fault)
		}
	}()
	return f()
}

// Fault is the error of what was recovered from a panic. It is told as an event.
func (s *Scope) Fault(recovered any) error {
	cause := fmt.Errorf("%v", recovered)
	if s.host.Traces {
		cause = fmt.Errorf("%v\n%s", recovered, debug.Stack())
	}
	err := &Cut{By: telemetry.Gateway, Why: "internal error", Err: cause}
	s.host.Log.Event(&telemetry.Event{
		Time: time.Now(), Namespace: "engine", Name: "events", ID: "engine.stream.failed",
		Message: err.Error(), Scope: s.Connection(), Warning: true,
	})
	return err
}
