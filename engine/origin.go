package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"gozilla/config"
	"gozilla/internal/fetch"
	"gozilla/internal/watch"
)

// Run follows the origin until ctx ends.
func (f *Follower) Run(ctx context.Context) {
	if fetch.IsRemote(f.origin.Name) {
		f.poll(ctx)
		return
	}
	f.watch(ctx)
}

// read reads the origin. fresh tells, when the lock changing is held, whether what was read is what it has still.
func (f *Follower) read(ctx context.Context) (text []byte, fresh func() bool, err error) {
	if !fetch.IsRemote(f.origin.Name) {
		file := watch.Of(fetch.Path(f.origin.Name))
		text, err = f.readFile(ctx, file)
		return text, func() bool { f.seen = *file; return file.Same() }, err
	}
	a, err := fetch.Poll(ctx, f.origin.Name, f.origin.reading(), "", 0)
	if err != nil {
		return nil, func() bool { return true }, err
	}
	return a.Text, func() bool { f.tag = a.Tag; return true }, nil
}

// reading is how it is read.
func (o *Origin) reading() fetch.Options {
	return fetch.Options{Max: config.MaxText, Authorization: o.Options.Authorization}
}

// patience is how long Reload waits for who writes to the file.
const patience = time.Second

// readFile reads a file, if it can be, when nobody writes to it.
func (f *Follower) readFile(ctx context.Context, file *watch.File) ([]byte, error) {
	ready, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		waited := file.Ready(ready)
		text, err := fetch.Read(ctx, f.origin.Name, f.origin.reading())
		if err != nil || waited != nil || file.Same() {
			return text, err
		}
	}
}

// watch follows a file. What is no regular one, such as a pipe, has nothing more to say.
func (f *Follower) watch(ctx context.Context) {
	if f.piped {
		return
	}
	file := watch.Of(fetch.Path(f.origin.Name))
	for err := file.Ready(ctx); err == nil; { // it may have changed since Begin
		seen, done := *file, make(chan struct{})
		attempt, overtaken := context.WithCancelCause(ctx)
		go func() {
			defer close(done)
			f.glance(attempt, &seen)
		}()
		err = file.Await(ctx)
		overtaken(errOvertaken)
		select {
		case <-done:
		case <-ctx.Done(): // the file system may hold it for ever
		}
	}
}

// isPipe reports whether the origin is something that is read once.
func (o *Origin) isPipe() bool {
	info, err := os.Stat(fetch.Path(o.Name))
	return err == nil && !info.Mode().IsRegular()
}

// glance reads a file and takes what it has, unless that was tried already.
func (f *Follower) glance(ctx context.Context, file *watch.File) {
	text, err := fetch.Read(ctx, f.origin.Name, f.origin.reading())
	f.changing.Lock()
	defer f.changing.Unlock()
	if !file.Same() {
		return // what comes next is whole
	}
	if f.State().Refusing && !f.seen.Same() {
		f.text = nil // to write it again is to ask for another try
	}
	f.consider(ctx, text, err)
}

// The bounds of how long to wait before a server is asked again that cannot be.
const (
	retryAfter    = time.Second
	retryAtLatest = 30 * time.Second
	longPoll      = 5 * time.Minute
)

// poll follows what an HTTP server has.
func (f *Follower) poll(ctx context.Context) {
	wait := retryAfter
	for ctx.Err() == nil {
		began := time.Now()
		f.changing.Lock()
		tag := f.tag
		f.changing.Unlock()
		a, err := fetch.Poll(ctx, f.origin.Name, f.origin.reading(), tag, longPoll)
		if ctx.Err() != nil {
			return
		}
		if news, ok := f.answered(ctx, a, err); !ok {
			sleep(ctx, wait/2+rand.N(wait/2))
			wait = min(2*wait, retryAtLatest)
			continue
		} else if !news && time.Since(began) < longPoll/2 {
			sleep(ctx, f.origin.Poll) // it does not wait, or no longer
		} else {
			sleep(ctx, retryAfter-time.Since(began)) // whatever it does, not more often than that
		}
		wait = retryAfter
	}
}

// answered takes what a server has answered. It reports whether that was news, and whether it was an answer at all.
func (f *Follower) answered(ctx context.Context, a *fetch.Answer, err error) (news, ok bool) {
	f.changing.Lock()
	defer f.changing.Unlock()
	if err == nil && f.engine.hasSomething() {
		err = a.Absent
	}
	switch {
	case err != nil:
		f.consider(ctx, nil, fmt.Errorf("%w; it is asked again, at the latest after %v", err, retryAtLatest))
		return false, false
	case a.Absent != nil:
		return false, false // it is waited for
	case a.Same:
		f.back()
		return false, true
	}
	f.tag = a.Tag
	return f.consider(ctx, a.Text, nil), true
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
