package conn_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"gozilla/stream/conn"
)

type counting struct {
	done *atomic.Int64
	deep int
}

func (c counting) Do() {
	if c.deep > 0 {
		counting{c.done, c.deep - 1}.Do()
		return
	}
	c.done.Add(1)
}

type waiting struct{ began, end chan struct{} }

func (w waiting) Do() {
	w.began <- struct{}{}
	<-w.end
}

var deeps = conn.NewDeeps(2)

func TestDeeps(t *testing.T) {
	var done atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				deeps.Do(counting{&done, 1000})
			}
		})
	}
	all.Wait()
	if done.Load() != 800 {
		t.Errorf("%d jobs were done", done.Load())
	}
}

// TestDeepsAreTaken does jobs also while all stacks wait for something.
func TestDeepsAreTaken(t *testing.T) {
	w := waiting{make(chan struct{}), make(chan struct{})}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { deeps.Do(w) })
		<-w.began
	}
	var done atomic.Int64
	deeps.Do(counting{&done, 10})
	close(w.end)
	all.Wait()
	if done.Load() != 1 {
		t.Error("the job was not done")
	}
}

func BenchmarkDeeps(b *testing.B) {
	var done atomic.Int64
	j := counting{&done, 0}
	b.ReportAllocs()
	for b.Loop() {
		deeps.Do(&j)
	}
}
