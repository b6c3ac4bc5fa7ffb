package fan

import (
	"sync"
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
)

// An item is what members are given: bytes, a message, or some events. It is shared by all who get it, and never changes.
type item interface {
	size() int // in bytes
}

// errSlow is that more than the limit waits for a member.
var errSlow = &stream.Cut{By: telemetry.Gateway, Why: "slow reader"}

// patience is the part of Stall for which a member may hold up the others in all, before it has caught up with them
// again. A member that reads as fast as they do catches up all the time, and one that does not is soon found out.
const patience = 20

// queue is what waits for one member.
type queue[T item] struct {
	limit int           // bytes that may wait
	stall time.Duration // for which some may
	halt  func(error)   // makes what the member does return; it holds the lock
	gone  chan struct{} // closed when the member is cut off

	mu      sync.Mutex // guards what follows
	changed sync.Cond
	items   []T
	waiting int           // bytes in items, and in the hands of who took them
	held    time.Duration // for how long the member has held up the others since it last had caught up
	closing bool          // nothing more will be queued
	err     error         // why the member is cut off; set once
	left    bool          // the member is over, and what it had may be somebody else's
}

func (q *queue[T]) init(l *stream.Limits, halt func(error)) {
	q.limit, q.stall, q.halt, q.gone = int(l.Queue), l.Stall, halt, make(chan struct{})
	q.changed.L = &q.mu
}

// awaitRoom waits while much waits for the member, so that it is heard no faster than it listens. What comes back of what
// it has sent already, as much as an echo and the pipes to it hold, still finds room then.
func (q *queue[T]) awaitRoom() {
	q.mu.Lock()
	for q.waiting > q.limit/8 && !q.closing {
		q.changed.Wait()
	}
	q.mu.Unlock()
}

// offer queues an item. It reports false if too much waits already.
func (q *queue[T]) offer(x T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.put(x)
}

func (q *queue[T]) put(x T) bool {
	switch n := x.size(); {
	case q.closing:
	case q.waiting+n > q.limit && q.waiting > 0:
		return false
	default:
		q.items = append(q.items, x)
		q.waiting += n
		q.changed.Broadcast()
	}
	return true
}

// press is offer for a member that is behind: it waits for room, and cuts the member off once it has been waited for
// too long. All that are behind are waited for together, since began.
func (q *queue[T]) press(x T, began time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	mine := time.Now()
	until := began.Add(q.stall/patience - q.held)
	defer time.AfterFunc(time.Until(until), q.wake).Stop()
	for !q.put(x) {
		if !time.Now().Before(until) {
			q.fail(errSlow)
			return
		}
		q.changed.Wait()
	}
	q.held += time.Since(mine)
}

func (q *queue[T]) wake() {
	q.mu.Lock()
	q.changed.Broadcast()
	q.mu.Unlock()
}

// batchSize is how much is sent before it counts as sent. It is what one write takes.
const batchSize = 32 << 10

// next waits for what is queued, and gives up to a batch of it, n bytes; nothing if nothing will come any more.
func (q *queue[T]) next() (batch []T, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 && !q.closing {
		q.changed.Wait()
	}
	i := 0
	for i < len(q.items) && n < batchSize {
		n += q.items[i].size()
		i++
	}
	batch, q.items = q.items[:i:i], q.items[i:]
	if len(q.items) == 0 {
		q.items = nil
	}
	return batch, n
}

// sent makes room for as much as a batch had.
func (q *queue[T]) sent(n int) {
	q.mu.Lock()
	if q.waiting -= n; q.waiting == 0 {
		q.held = 0
	}
	q.changed.Broadcast()
	q.mu.Unlock()
}

// close says that nothing more will come.
func (q *queue[T]) close() {
	q.mu.Lock()
	q.closing = true
	q.changed.Broadcast()
	q.mu.Unlock()
}

// cut ends the member at once.
func (q *queue[T]) cut(err error) {
	q.mu.Lock()
	q.fail(err)
	q.mu.Unlock()
}

// fail is cut for those who hold the lock.
func (q *queue[T]) fail(err error) {
	if q.err == nil {
		q.err = err
		close(q.gone)
	}
	q.closing = true
	q.items = nil
	q.changed.Broadcast()
	if !q.left {
		q.halt(err)
	}
}

// leaves is that the member is over: it is not made to return any more.
func (q *queue[T]) leaves() {
	q.mu.Lock()
	q.left = true
	q.mu.Unlock()
}

// why is why the member was cut off, nil if it was not.
func (q *queue[T]) why() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

// queues are those of the members of one group.
type queues[T item] map[*queue[T]]struct{}

// give queues an item for every member. It waits for those that are behind, which lasts no longer than the patience with
// one. mu guards all.
func (all queues[T]) give(mu *sync.Mutex, x T) {
	var behind []*queue[T]
	mu.Lock()
	for q := range all {
		if !q.offer(x) {
			behind = append(behind, q)
		}
	}
	mu.Unlock()
	began := time.Now()
	for _, q := range behind {
		q.press(x, began)
	}
}
