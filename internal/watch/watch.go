// Package watch tells when files change. It looks at them again and again, rather than have the system tell: that works
// for network and overlay file systems too, where the system tells nothing, and costs no descriptor that a container may
// be short of.
//
//	before := watch.Take(names...)
//	... read the files ...
//	changed, before, err := before.Next(ctx, watch.Interval)
//
// What changes after Take is found by Next, also while the files are being read. [File] is for one file whose change is to
// be noticed at once.
package watch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// Interval is how often to look, usually.
const Interval = time.Second

// A Snapshot is what some files were like at one moment. It is never changed.
type Snapshot struct {
	names []string
	seen  []signature
}

// signature is what changes when a file is written, replaced, removed or made. Symbolic links are followed, so it also
// changes when a link on the way leads elsewhere: this is how Kubernetes replaces the files of a volume.
type signature struct {
	info    fs.FileInfo // nil: there was none to be had
	err     error       // why
	changed time.Time   // of the inode, where the system tells; it cannot be set back as the time of the content can
}

// Take looks at the files now. A file that is not there is like any other: it may come.
func Take(names ...string) *Snapshot {
	s := &Snapshot{names: names, seen: make([]signature, len(names))}
	for i, name := range names {
		s.seen[i] = sign(name)
	}
	return s
}

func sign(name string) (s signature) {
	if s.info, s.err = os.Stat(name); s.err == nil {
		s.changed = changeTime(s.info)
	}
	return s
}

// Names are the files that were looked at.
func (s *Snapshot) Names() []string { return s.names }

// Next waits until some of the files are not what they were, and all have been the same for an interval: what is
// written in several steps is told of once, in the end. It gives the names of those that differ, and what they are like
// now, which is to be taken for the next call. The error is that of ctx; the snapshot is s then.
func (s *Snapshot) Next(ctx context.Context, interval time.Duration) (changed []string, now *Snapshot, err error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for last := s; ; last = now {
		select {
		case <-ctx.Done():
			return nil, s, context.Cause(ctx)
		case <-tick.C:
		}
		now = Take(s.names...)
		if len(now.differing(last)) > 0 {
			continue
		}
		if changed = now.differing(s); len(changed) > 0 {
			return changed, now, nil
		}
	}
}

// differing are the files that are not what they were in another snapshot of them.
func (s *Snapshot) differing(from *Snapshot) (names []string) {
	for i, name := range s.names {
		if !s.seen[i].same(&from.seen[i]) {
			names = append(names, name)
		}
	}
	return names
}

func (s *signature) same(as *signature) bool {
	if s.info == nil || as.info == nil {
		return s.info == nil && as.info == nil && errors.Is(s.err, fs.ErrNotExist) == errors.Is(as.err, fs.ErrNotExist)
	}
	return os.SameFile(s.info, as.info) && s.info.Size() == as.info.Size() && s.info.Mode() == as.info.Mode() &&
		s.info.ModTime().Equal(as.info.ModTime()) && s.changed.Equal(as.changed)
}
