package conn

import (
	"iter"
	"sync"
)

// A Job is something to do on a deep stack.
type Job interface{ Do() }

// Deeps are stacks that are deep for ever. What takes more stack than a goroutine has while it waits for bytes, and is done
// by each of many connections once in a while, is done on one of them: what a stack has grown to it keeps, so that each
// connection would hold 4 KiB in place of 2. Going there and back costs a tenth of a microsecond.
type Deeps struct {
	mu   sync.Mutex
	free []*deep
}

// A deep is such a stack.
type deep struct {
	next func() (struct{}, bool) // does the job
	job  Job
}

// NewDeeps makes n stacks. init functions call it. They are made by a goroutine that is not bound to a thread, which that of
// init is: theirs must not be either.
func NewDeeps(n int) *Deeps {
	d := &Deeps{}
	made := make(chan struct{})
	go func() { // ends at once
		defer close(made)
		for range n {
			one := &deep{}
			one.next, _ = iter.Pull(one.jobs)
			d.free = append(d.free, one)
		}
	}()
	<-made
	return d
}

func (d *deep) jobs(yield func(struct{}) bool) {
	for {
		d.job.Do()
		if !yield(struct{}{}) {
			return
		}
	}
}

// Do does a job on a deep stack, if one is left. A fault of the job is the caller's; its stack is lost.
func (d *Deeps) Do(j Job) {
	one := d.take()
	if one == nil {
		j.Do()
		return
	}
	one.job = j
	one.next()
	one.job = nil
	d.mu.Lock()
	d.free = append(d.free, one)
	d.mu.Unlock()
}

func (d *Deeps) take() *deep {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.free)
	if n == 0 {
		return nil
	}
	one := d.free[n-1]
	d.free = d.free[:n-1]
	return one
}
