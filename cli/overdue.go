package cli

import (
	"context"
	"fmt"
	"time"
)

// What a command may take that is over, a second in all.
const (
	lastWrites = 500 * time.Millisecond // to show what is there
	lastLook   = 150 * time.Millisecond // to see that there is nothing more
	lastWords  = 150 * time.Millisecond // to say that it has left something behind
)

// inTime runs what shows something until that ends, ctx does, or it has had so much time, 0 for any; the last two it is
// told by stop. Nobody may read what it writes: then it is left behind, with all that it has open.
func inTime(ctx context.Context, env *Env, limit time.Duration, stop func(), show func() error) error {
	done := make(chan error, 1)
	go func() { done <- show() }()
	var over <-chan time.Time
	if limit > 0 {
		over = time.After(limit)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	case <-over:
	}
	if err, ended := await(done, lastWrites); ended {
		return err
	}
	stop()
	if err, ended := await(done, lastLook); ended {
		return err
	}
	said := make(chan error, 1)
	go func() { // there may be nobody who reads this either
		_, err := fmt.Fprintln(env.Stderr, "gozilla: not everything is shown, because nobody reads it")
		said <- err
	}()
	_, _ = await(said, lastWords) // there is no other place to say it
	return errShown
}

// await waits for the end of something, for a while.
func await(done <-chan error, patience time.Duration) (err error, ended bool) {
	select {
	case err = <-done:
		return err, true
	case <-time.After(patience):
		return nil, false
	}
}
