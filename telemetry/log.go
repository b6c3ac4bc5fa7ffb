package telemetry

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sort"
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

	handlers listeners[Event]  // who is told of events
	readers  listeners[Record] // who is told of records

	mu      sync.Mutex // guards what follows
	next    uint64     // the sequence number of the next entry
	events  ring[*Event]
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
		events:  ring[*Event]{slots: make([]slot[*Event], keptEvents)},
		records: ring[Record]{slots: make([]slot[Record], max(records, 0))},
	}
}

// Event takes an event, which must not be changed from then on.
func (l *Log) Event(e *Event) {
	if l == nil {
		return
	}
	l.mu.Lock()
	if slot := l.events.put(l.next); slot != nil {
		*slot = e
	}
	l.added()
	l.mu.Unlock()
	l.handlers.tell(e)
	logEvent(l.logger, e)
}

// Tell takes an event that happens too often to be kept or logged, such as one for every request. Only handlers are
// told of it. Whoever would make one asks Watched first.
func (l *Log) Tell(e *Event) {
	if l != nil {
		l.handlers.tell(e)
	}
}

// Watched reports whether somebody is told of events.
func (l *Log) Watched() bool { return l != nil && l.handlers.any() }

// Record takes the record of a connection or an exchange that is over. It keeps a copy.
func (l *Log) Record(r *Record) {
	if l == nil {
		return
	}
	l.mu.Lock()
	if slot := l.records.put(l.next); slot != nil {
		slot.set(r)
	}
	l.added()
	l.mu.Unlock()
	l.readers.tell(r)
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

// batch is how many records are copied at a time, so that nobody who has one to hand in waits for long.
const batch = 256

// Since gives what the log keeps of the entries from sequence number seq on, in order, and the number to go on with.
// lost reports that some of what was asked for is kept no longer. A seq of 0 asks for all that is kept. The records are
// copies.
func (l *Log) Since(seq uint64) (entries []Entry, next uint64, lost bool) {
	if l == nil {
		return nil, seq, false
	}
	l.mu.Lock()
	next = l.next
	lost = seq > 0 && (l.events.dropped >= seq || l.records.dropped >= seq)
	from, kept := l.events.from(seq)
	entries = make([]Entry, 0, kept-from)
	for ; from < kept; from++ {
		s := l.events.at(from)
		entries = append(entries, Entry{Seq: s.seq, Event: s.value})
	}
	l.mu.Unlock()
	for at := seq; at < next; {
		var missed bool
		entries, at, missed = l.copyRecords(entries, at, next)
		lost = lost || missed && seq > 0
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	return entries, next, lost
}

// Last gives copies of the last n records, or of as many as the log keeps, the newest last.
func (l *Log) Last(n int) []*Record {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	kept := min(l.records.count, len(l.records.slots))
	next, seq := l.next, l.next
	if n = min(n, kept); n > 0 {
		seq = l.records.at(kept - n).seq
	}
	l.mu.Unlock()
	var entries []Entry
	for seq < next {
		entries, seq, _ = l.copyRecords(entries, seq, next)
	}
	records := make([]*Record, len(entries))
	for i, e := range entries {
		records[i] = e.Record
	}
	return records
}

// copyRecords appends up to a batch of the records from one sequence number on and before another, and gives the number
// to go on with. missed tells that some are kept no longer.
func (l *Log) copyRecords(entries []Entry, seq, end uint64) (_ []Entry, next uint64, missed bool) {
	copies := make([]Record, 0, batch)
	seqs := make([]uint64, 0, batch)
	steps := make([]Step, 0, 4*batch)
	l.mu.Lock()
	missed = l.records.dropped >= seq
	next = end
	for from, kept := l.records.from(seq); from < kept; from++ {
		s := l.records.at(from)
		if s.seq >= end {
			break
		}
		if len(copies) == batch {
			next = s.seq
			break
		}
		had := len(steps)
		steps = append(steps, s.value.Path...)
		copies, seqs = append(copies, s.value), append(seqs, s.seq)
		copies[len(copies)-1].Path = steps[had:len(steps):len(steps)]
	}
	l.mu.Unlock()
	for i := range copies {
		if len(copies[i].Path) == 0 {
			copies[i].Path = nil
		}
		entries = append(entries, Entry{Seq: seqs[i], Record: &copies[i]})
	}
	return entries, next, missed
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
	return l.handlers.add(f)
}

// HandleRecords is Handle for records. f must not keep the record.
func (l *Log) HandleRecords(f func(*Record)) (undo func()) {
	if l == nil {
		return func() {}
	}
	return l.readers.add(f)
}

// listeners are functions that are told of something.
type listeners[T any] struct {
	mu  sync.Mutex // held by who changes the list
	all atomic.Pointer[[]*func(*T)]
}

func (l *listeners[T]) any() bool {
	all := l.all.Load()
	return all != nil && len(*all) > 0
}

func (l *listeners[T]) tell(what *T) {
	if all := l.all.Load(); all != nil {
		for _, f := range *all {
			(*f)(what)
		}
	}
}

func (l *listeners[T]) add(f func(*T)) (undo func()) {
	l.change(func(all []*func(*T)) []*func(*T) { return append(all, &f) })
	return func() {
		l.change(func(all []*func(*T)) []*func(*T) {
			return slices.DeleteFunc(all, func(have *func(*T)) bool { return have == &f })
		})
	}
}

// change replaces the list by a changed copy, so that it is read without a lock.
func (l *listeners[T]) change(f func([]*func(*T)) []*func(*T)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*func(*T)
	if have := l.all.Load(); have != nil {
		all = slices.Clone(*have)
	}
	all = f(all)
	l.all.Store(&all)
}

// A ring keeps the last of what was put into it, as many as it has slots.
type ring[T any] struct {
	slots   []slot[T]
	count   int    // of all that was ever put in
	dropped uint64 // the highest sequence number that was overwritten, 0 for none
}

type slot[T any] struct {
	seq   uint64 // 0: it is empty
	value T
}

// put gives the place for what has sequence number seq, in which the oldest may still be; nil if there is no room for
// anything.
func (r *ring[T]) put(seq uint64) *T {
	if len(r.slots) == 0 {
		r.dropped = seq
		return nil
	}
	s := &r.slots[r.count%len(r.slots)]
	if s.seq != 0 {
		r.dropped = s.seq
	}
	s.seq = seq
	r.count++
	return &s.value
}

// at is the slot i of those that are kept, of which 0 is the oldest.
func (r *ring[T]) at(i int) *slot[T] {
	return &r.slots[(r.count-min(r.count, len(r.slots))+i)%len(r.slots)]
}

// from finds the first slot of those from seq on. Slots are in the order of their numbers. kept is how many there are.
func (r *ring[T]) from(seq uint64) (first, kept int) {
	kept = min(r.count, len(r.slots))
	first = sort.Search(kept, func(i int) bool { return r.at(i).seq >= seq })
	return first, kept
}
