package tls

import (
	"iter"
	"runtime"
	"sync/atomic"
)

// Encrypting takes more stack than a goroutine has while it waits for bytes, and what a stack has grown to it keeps: two
// goroutines of every connection that was ever used would hold 4 KiB each in place of 2. So records are encrypted and
// decrypted on one of a few stacks that are deep for ever. Going there and back costs a tenth of a microsecond.

// A job is something to do on a deep stack. It does not wait for anything.
type job interface{ do() }

// A deep is such a stack.
type deep struct {
	next func() (struct{}, bool) // does the job
	job  job
}

// deeps are those that nobody uses now, nil where one is at work. There are as many as can be at work at a time.
var deeps = make([]atomic.Pointer[deep], runtime.NumCPU())

// They are made by a goroutine that is not bound to a thread, which that of init is: theirs must not be either.
func init() {
	made := make(chan struct{})
	go func() { // ends at once
		defer close(made)
		for i := range deeps {
			d := &deep{}
			d.next, _ = iter.Pull(d.jobs)
			deeps[i].Store(d)
		}
	}()
	<-made
}

func (d *deep) jobs(yield func(struct{}) bool) {
	for {
		d.job.do()
		if !yield(struct{}{}) {
			return
		}
	}
}

// onDeep does a job on a deep stack, if one is left. A fault of the job is the caller's; its stack is lost.
func onDeep(j job) {
	for i := range deeps {
		d := deeps[i].Swap(nil)
		if d == nil {
			continue
		}
		d.job = j
		d.next()
		d.job = nil
		deeps[i].Store(d)
		return
	}
	j.do()
}
