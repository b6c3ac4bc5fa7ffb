package filesystem

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/component"
	"gozilla/internal/watch"
	"gozilla/vault"
)

// retryTime is how often files that could not be read are read again even if they look the same: what went wrong may
// have been the file system.
const retryTime = 30 * time.Second

// files is a vault in service.
type files struct {
	options *Options
	read    func(name string) ([]byte, error)
	b       *component.Builder
	remote  *remote // nil unless revocations are looked up

	contents atomic.Pointer[vault.Contents]

	seen *watch.Snapshot // of before the files were read last; of the watch task

	reading sync.Mutex // guards what follows
	holding *holding
	failure string // why the files were not taken, "" if they were

	telling   sync.Mutex // held while listeners are called
	mu        sync.Mutex
	listeners []*listener
}

type listener struct{ f func() }

func construct(b *component.Builder, c *Config, l *loaded) (vault.Vault, error) {
	f := &files{b: b, options: &c.Options, read: l.read, seen: l.files}
	if c.Options.Revocation == CRL {
		f.remote = newRemote()
		f.remote.changed = f.tell
		f.remote.failed = func(why string) { f.b.Warn(nil, "vault.filesystem.crl.failed", "%s", why) }
		b.Go("refresh revocation lists", f.remote.run)
	}
	f.hold(l.holding)
	if len(f.seen.Names()) > 0 {
		b.Go("watch", f.watch)
	}
	return f, nil
}

// hold replaces the contents.
func (f *files) hold(h *holding) {
	c := &vault.Contents{Keys: h.keys, Trust: h.trust, Signers: h.signers}
	if f.remote != nil {
		c.Revoked = (&revocation{h.lists, f.remote}).check
	}
	f.holding = h
	f.contents.Store(c)
}

// Contents is what the files held when they could be read last.
func (f *files) Contents() *vault.Contents { return f.contents.Load() }

// OnChange calls g after each replacement, and when a fetched revocation list is replaced by another one.
func (f *files) OnChange(g func()) (undo func()) {
	l := &listener{g}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners = append(f.listeners, l)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.listeners = slices.DeleteFunc(slices.Clone(f.listeners), func(x *listener) bool { return x == l })
	}
}

// tell calls the listeners, one after the other.
func (f *files) tell() {
	f.telling.Lock()
	defer f.telling.Unlock()
	f.mu.Lock()
	all := f.listeners
	f.mu.Unlock()
	for _, l := range all {
		if f.listens(l) {
			l.f()
		}
	}
}

// listens reports whether a listener was not undone in the meantime.
func (f *files) listens(l *listener) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.listeners, l)
}

// watch reads the files again when they change. It is a task, which ends with ctx.
func (f *files) watch(ctx context.Context) error {
	for f.next(ctx) {
		f.reload()
	}
	return nil
}

// next waits until the files are to be read again; false at the end of ctx.
func (f *files) next(ctx context.Context) bool {
	wait := ctx
	if f.failed() {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, retryTime)
		defer cancel()
	}
	_, f.seen, _ = f.seen.Next(wait, watch.Interval)
	return ctx.Err() == nil
}

func (f *files) failed() bool {
	f.reading.Lock()
	defer f.reading.Unlock()
	return f.failure != ""
}

// Take takes what the files held when a configuration was read, which they may have done for less than it takes to notice.
func (f *files) Take(l *loaded) {
	f.reading.Lock()
	defer f.reading.Unlock()
	f.take(l.holding)
}

// reload reads all files, and takes what they hold if nothing is wrong with it.
func (f *files) reload() {
	f.reading.Lock()
	defer f.reading.Unlock()
	var found findings
	h := f.options.read(f.read, &found)
	if err := found.err(); err != nil {
		if f.failure != err.Error() {
			f.failure = err.Error()
			f.b.Warn(nil, "vault.filesystem.reload.failed", "The files have changed and cannot be taken, what was read before stays in use: %v", err)
		}
		return
	}
	f.take(h)
}

// take makes what the files hold the contents, if it is something else. The lock reading is held.
func (f *files) take(h *holding) {
	failed := f.failure != ""
	f.failure = ""
	what := changes(f.holding, h)
	if what == "" {
		if failed {
			f.b.Inform(nil, "vault.filesystem.reloaded", "The files can be read again; they hold the same as before.")
		}
		return
	}
	f.hold(h)
	f.b.Inform(nil, "vault.filesystem.reloaded", "The files have changed and were read again: %s.", what)
	f.tell()
}
