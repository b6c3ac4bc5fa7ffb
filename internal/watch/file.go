package watch

import (
	"context"
	"time"
)

// How a file is looked at whose change is to be noticed at once.
const (
	glance = 50 * time.Millisecond  // how often
	calm   = 250 * time.Millisecond // how long it must have been the same if nobody knows whether it is being written
	held   = time.Second            // and if somebody has it open to write to it, who may just have no time to do so
)

// A File is one file, of which is told when it was written, within a fraction of a second. It is used like this:
//
//	for f.Await(ctx) == nil {
//		text := read(f.Name())
//		if f.Same() {
//			use(text)
//		}
//	}
type File struct {
	name string
	read signature // what it was like when it was read last
}

// Of begins to look at a file. What is written from then on is told by Await.
func Of(name string) *File { return &File{name: name, read: sign(name)} }

// Await waits until the file is not what it was when Await returned last, and can be read: whoever writes to it has
// closed it, or it has been the same for a quarter of a second, or for one if somebody has it open for writing. So a file is not read that is half written, and one that is
// written again and again is. The error is that of ctx.
func (f *File) Await(ctx context.Context) error {
	return f.await(ctx, func(now *signature) bool { return !now.same(&f.read) })
}

// Ready is Await for a file that may be what it was.
func (f *File) Ready(ctx context.Context) error {
	return f.await(ctx, func(*signature) bool { return true })
}

func (f *File) await(ctx context.Context, wanted func(*signature) bool) error {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	last := sign(f.name)
	since := time.Now()
	for {
		if wanted(&last) && time.Since(since) >= rest(f.name, &last) {
			f.read = last
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if now := sign(f.name); !now.same(&last) {
			last, since = now, time.Now()
		}
	}
}

// Same reports whether the file is what it was when Await returned: what was read since then is whole.
func (f *File) Same() bool {
	now := sign(f.name)
	return now.same(&f.read)
}

// rest is how long a file must have been the same to be read. One that is not there may be about to come.
func rest(name string, now *signature) time.Duration {
	if now.info == nil {
		return calm
	}
	switch written, known := hasWriter(name); {
	case !known:
		return calm
	case written:
		return held
	}
	return 0
}
