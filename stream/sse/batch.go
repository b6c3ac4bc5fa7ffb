package sse

import (
	"sync"

	"gozilla/wire/eventstream"
)

// A Batch is whole events, in order. It is shared by all who get it and never changes: what is written of it is made once,
// whoever asks first, and lent.
type Batch struct {
	Events []Event

	text, timed, deflated, deflatedTimed made
}

// NewBatch makes a batch of events, which must not change any more.
func NewBatch(events ...Event) *Batch { return &Batch{Events: events} }

// made is bytes that are made once.
type made struct {
	once sync.Once
	b    []byte
}

func (m *made) of(make func() []byte) []byte {
	m.once.Do(func() { m.b = make() })
	return m.b
}

// Text is the events as text.
func (b *Batch) Text() []byte { return b.text.of(func() []byte { return b.encode(false) }) }

// Timed is the events as text, each with the time when it came about, where that is known.
func (b *Batch) Timed() []byte { return b.timed.of(func() []byte { return b.encode(true) }) }

func (b *Batch) encode(timed bool) []byte {
	const overhead = len("id:\nevent:\nretry:1000\ndata:\n\n")
	size := 0
	for i := range b.Events {
		e := &b.Events[i]
		if size += overhead + len(e.ID) + len(e.Type) + len(e.Data); timed {
			size += len("timestamp:0x0123456789ab\n")
		}
	}
	text := make([]byte, 0, size)
	for i := range b.Events {
		text = eventstream.AppendEvent(text, &b.Events[i], timed)
	}
	return text
}

// Deflated is blocks of deflate (RFC 1951) that stand for Text, or for Timed: they end at a byte, none is the last one, and
// none looks back to what was before the batch, so that they fit into any stream of blocks. What would not get shorter is not
// compressed.
func (b *Batch) Deflated(timed bool) []byte {
	if timed {
		return b.deflatedTimed.of(func() []byte { return deflate(b.Timed()) })
	}
	return b.deflated.of(func() []byte { return deflate(b.Text()) })
}

// Last is the id of the last event that has one. It reports false if none has.
func (b *Batch) Last() (id string, ok bool) {
	for i := len(b.Events) - 1; i >= 0; i-- {
		if e := &b.Events[i]; e.HasID {
			return e.ID, true
		}
	}
	return "", false
}
