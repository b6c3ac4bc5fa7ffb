package telemetry

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// keptEvents is how many events a Log keeps. They have a ring of their own, so that a flood of connections does not
// push out what the gateway itself had to say.
const keptEvents = 1024

// A Log takes the events and records of a process. It keeps the last of them for who asks, tells them to exporters as
// they come, and writes them to the process's log. None of its methods waits for anybody. A nil *Log takes all and
// keeps nothing.
type Log struct {
	logger     *slog.Logger
	logRecords bool

	handlers atomic.Pointer[[]*func(*Event)] // who is told of events

	mu      sync.Mutex // guards what follows
	next    uint64     // the sequence number of the next entry
	events  ring[Event]
	records ring[Record]
	changed chan struct{} // closed by the next entry; nil while nobody waits
}

// An Entry is one event or one record of a Log. Sequence numbers begin at 1 and count both.
type Entry struct {
	Seq    uint64  `json:"seq,omitempty"`
	Event  *Event  `json:"event,omitempty"`
	Record *Record `json:"record,omitempty"`
}

// NewLog makes a log that keeps the last records records. Events are also written to l, and records too if logRecords
// is set; l may be nil.
func NewLog(l *slog.Logger, records int, logRecords bool) *Log {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return &Log{
		logger: l, logRecords: logRecords, next: 1,
		events:  ring[Event]{slots: make([]slot[Event], keptEvents)},
		records: ring[Record]{slots: make([]slot[Record], max(records, 0))},
	}
}

// Event takes an event, which must not be changed from then on.
func (l *Log) Event(e *Event) {
	if l == nil {
		return
	}
	l.mu.Lock()
	l.events.put(l.next, e)
	l.added()
	l.mu.Unlock()
	if handlers := l.handlers.Load(); handlers != nil {
		for _, f := range *handlers {
			(*f)(e)
		}
	}
	logEvent(l.logger, e)
}

// Record takes the record of a connection that is over. It must not be changed from then on.
func (l *Log) Record(r *Record) {
	if l == nil {
		return
	}
	l.mu.Lock()
	l.records.put(l.next, r)
	l.added()
	l.mu.Unlock()
	if l.logRecords {
		logRecord(l.logger, r)
	}
}

// added counts an entry and wakes who waits for it.
func (l *Log) added() {
	l.next++
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// Since gives what the log keeps of the entries from sequence number seq on, in order, and the number to go on with.
// lost reports that some of what was asked for is kept no longer. A seq of 0 asks for all that is kept.
func (l *Log) Since(seq uint64) (entries []Entry, next uint64, lost bool) {
	if l == nil {
		return nil, seq, false
	}
	l.mu.Lock()
	events, records := l.events.since(seq), l.records.since(seq)
	next = l.next
	lost = seq > 0 && (l.events.dropped >= seq || l.records.dropped >= seq)
	l.mu.Unlock()
	entries = make([]Entry, 0, len(events)+len(records))
	for _, e := range events {
		entries = append(entries, Entry{Seq: e.seq, Event: e.value})
	}
	for _, r := range records {
		entries = append(entries, Entry{Seq: r.seq, Record: r.value})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	return entries, next, lost
}

// Wait returns nil as soon as there is an entry at seq or after it, else the context's error.
func (l *Log) Wait(ctx context.Context, seq uint64) error {
	if l == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	for {
		l.mu.Lock()
		if l.next > seq {
			l.mu.Unlock()
			return nil
		}
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Handle tells f of every event from now on, until undo is called. f is called by who emits the event, so it must not
// block, and by several at once.
func (l *Log) Handle(f func(*Event)) (undo func()) {
	if l == nil {
		return func() {}
	}
	l.change(func(all []*func(*Event)) []*func(*Event) { return append(all, &f) })
	return func() {
		l.change(func(all []*func(*Event)) []*func(*Event) {
			return slices.DeleteFunc(all, func(have *func(*Event)) bool { return have == &f })
		})
	}
}

// change replaces the list of handlers by a changed copy, so that Event reads it without a lock.
func (l *Log) change(f func([]*func(*Event)) []*func(*Event)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*func(*Event)
	if have := l.handlers.Load(); have != nil {
		all = slices.Clone(*have)
	}
	all = f(all)
	l.handlers.Store(&all)
}

// A ring keeps the last of what was put into it, as many as it has slots.
type ring[T any] struct {
	slots   []slot[T]
	count   int    // of all that was ever put in
	dropped uint64 // the highest sequence number that was overwritten, 0 for none
}

type slot[T any] struct {
	seq   uint64
	value *T
}

func (r *ring[T]) put(seq uint64, value *T) {
	if len(r.slots) == 0 {
		r.dropped = seq
		return
	}
	s := &r.slots[r.count%len(r.slots)]
	if s.value != nil {
		r.dropped = s.seq
	}
	s.seq, s.value = seq, value
	r.count++
}

// since copies the slots from seq on, in order. Slots are in the order of their numbers, so the first is searched for.
func (r *ring[T]) since(seq uint64) []slot[T] {
	kept := min(r.count, len(r.slots))
	at := func(i int) *slot[T] { return &r.slots[(r.count-kept+i)%len(r.slots)] }
	low, high := 0, kept
	for low < high {
		if mid := (low + high) / 2; at(mid).seq < seq {
			low = mid + 1
		} else {
			high = mid
		}
	}
	found := make([]slot[T], 0, kept-low)
	for i := low; i < kept; i++ {
		found = append(found, *at(i))
	}
	return found
}
