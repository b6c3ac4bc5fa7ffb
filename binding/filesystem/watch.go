package filesystem

import (
	"context"
	"sync"
	"time"

	"gozilla/stream/file"
)

// watchedMost is how many names may be waited for at once.
const watchedMost = 1024

// watch waits for files to change. It looks at them again and again, which works where the system tells nothing, as with
// network file systems; one look serves all who wait for a name. It runs while there is somebody who waits.
type watch struct {
	look func(name string) signature // zero: there is none

	mu      sync.Mutex // guards what follows
	names   map[string]*watched
	running bool
}

// watched is a name that somebody waits for.
type watched struct {
	waits  []*waiter
	last   signature // what it was at the last look
	looked bool
}

type waiter struct {
	known   signature
	changed chan struct{} // closed when the name is something else
}

// await waits until name is not what it is known to be, and does not change any more.
func (w *watch) await(ctx context.Context, name string, known signature) error {
	me := &waiter{known, make(chan struct{})}
	if !w.join(name, me) {
		return file.ErrBusy
	}
	defer w.leave(name, me)
	select {
	case <-me.changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *watch) join(name string, me *waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.names[name]
	if at == nil {
		if len(w.names) >= watchedMost {
			return false
		}
		if w.names == nil {
			w.names = map[string]*watched{}
		}
		at = &watched{}
		w.names[name] = at
	}
	at.waits = append(at.waits, me)
	if !w.running {
		w.running = true
		go w.run()
	}
	return true
}

func (w *watch) leave(name string, me *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.names[name]
	for i, other := range at.waits {
		if other == me {
			at.waits[i] = at.waits[len(at.waits)-1]
			at.waits = at.waits[:len(at.waits)-1]
			break
		}
	}
	if len(at.waits) == 0 {
		delete(w.names, name)
	}
}

// changed tells that a name is another version now, which is whole.
func (w *watch) changed(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at := w.names[name]; at != nil {
		at.wake(func(*waiter) bool { return true })
	}
}

// run ends when nobody waits any more.
func (w *watch) run() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		<-tick.C
		names := w.watched()
		if names == nil {
			return
		}
		for _, name := range names {
			w.see(name, w.look(name))
		}
	}
}

// watched are the names that are waited for; nil if there are none, and then nobody runs any more.
func (w *watch) watched() (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.names {
		names = append(names, name)
	}
	w.running = names != nil
	return names
}

// see wakes who waits for a name that is now what was seen, and was so at the look before: whoever writes has paused, or is
// done.
func (w *watch) see(name string, now signature) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.names[name]
	if at == nil {
		return
	}
	if at.looked && now == at.last {
		at.wake(func(other *waiter) bool { return other.known != now })
	}
	at.last, at.looked = now, true
}

func (w *watched) wake(who func(*waiter) bool) {
	for _, other := range w.waits {
		if !who(other) {
			continue
		}
		select {
		case <-other.changed:
		default:
			close(other.changed)
		}
	}
}

// look is what a name is now.
func (s *server) look(name string) signature {
	r, err := s.location.take()
	if err != nil {
		return signature{}
	}
	defer s.location.give(r)
	f, st, err := s.open(r, name)
	if err != nil {
		return signature{}
	}
	f.Close()
	return st.signature
}
