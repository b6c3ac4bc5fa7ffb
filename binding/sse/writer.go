package sse

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/guard"
	"gozilla/stream"
	"gozilla/stream/sse"
	"gozilla/stream/web"
	"gozilla/telemetry"
	"gozilla/wire/eventstream"
)

// A writer sends events to one client, and what keeps the stream alive while there are none: a comment, so that proxies do
// not take it for dead, and the wish for new credentials. For those the sweeper looks at it once a second, so that a
// stream that waits has no timer, and no goroutine of its own.
type writer struct {
	scope *stream.Scope
	x     web.Served
	timed bool
	zip   *zipper // nil: nothing is compressed

	events int64
	lastID string

	quiet       time.Duration // after which a comment is due; 0: never
	challengers []challenger
	swept       stream.Swept
	watched     bool
	giveUp      func()       // makes who waits for events return
	sent        atomic.Int64 // when something was sent last, by the sweeper's clock
	nudging     atomic.Bool  // a nudge is on its way

	mu   sync.Mutex // guards what follows, and keeps what is sent in pieces that are whole
	buf  []byte
	err  error // what sending has failed with
	over bool
}

// A challenger is a session that wants its client to bring new credentials in time.
type challenger struct {
	guard.Challenger
	looked time.Time // what was due when that was noticed last
}

func newWriter(ctx context.Context, x web.Served, timed, zipped bool) *writer {
	w := &writer{scope: stream.From(ctx), x: x, timed: timed}
	if zipped {
		w.zip = &zipper{}
	}
	return w
}

// begin sends the head, and what is to be sent first. giveUp is called when a nudge finds that the client is gone.
func (w *writer) begin(retry time.Duration, giveUp func()) error {
	habits := &w.scope.Host().Habits
	w.quiet, w.giveUp = habits.Quiet, giveUp
	for _, session := range w.scope.Sessions() {
		if c, ok := session.(guard.Challenger); ok && !c.ChallengeAt().IsZero() {
			w.challengers = append(w.challengers, challenger{Challenger: c})
		}
	}
	if err := w.text(first(habits.Comment, retry)); err != nil {
		return err
	}
	if w.quiet > 0 || len(w.challengers) > 0 {
		w.watched = true
		w.sent.Store(math.MaxInt64) // which is not due, until the clock is known to go
		sweeper := &w.scope.Host().Sweeper
		sweeper.Add(&w.swept, w.look)
		w.sent.Store(int64(sweeper.Now()))
	}
	return nil
}

func first(comment bool, retry time.Duration) (text []byte) {
	if comment {
		text = append(text, eventstream.Comment...)
	}
	if retry > 0 {
		text = eventstream.AppendRetry(text, retry)
	}
	return text
}

// send sends a batch in one piece.
func (w *writer) send(b *sse.Batch) error {
	text := b.Text()
	if w.timed {
		text = b.Timed()
	}
	if len(text) == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.zip == nil {
		if err := w.write(text); err != nil {
			return err
		}
	} else {
		w.zip.add(text)
		blocks := b.Deflated(w.timed)
		if !w.zip.begun {
			blocks = append(w.zip.begin(nil), blocks...)
		}
		if err := w.write(blocks); err != nil {
			return err
		}
	}
	w.events += int64(len(b.Events))
	if id, ok := b.Last(); ok {
		w.lastID = id
	}
	return nil
}

// text sends a few lines, or the head alone.
func (w *writer) text(text []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines(text)
}

// lines is text with the lock held.
func (w *writer) lines(text []byte) error {
	if len(text) > 0 && w.zip != nil {
		w.buf = w.zip.store(w.zip.begin(w.buf[:0]), text)
		text = w.buf
	}
	return w.write(text)
}

// write writes a piece and sees to it that it goes. The lock is held.
func (w *writer) write(p []byte) error {
	if w.err != nil {
		return w.err
	}
	if len(p) > 0 {
		_, w.err = w.x.Write(p)
	}
	if w.err == nil {
		w.err = w.x.Flush()
	}
	if w.watched {
		w.sent.Store(int64(w.scope.Host().Sweeper.Now()))
	}
	return w.err
}

// end ends the stream in order.
func (w *writer) end() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && w.zip != nil {
		w.write(w.zip.end(w.buf[:0]))
	}
	return w.err
}

// close sees to it that nothing is sent any more.
func (w *writer) close() {
	if w.watched {
		w.scope.Host().Sweeper.Remove(&w.swept)
	}
	w.mu.Lock() // a nudge may be under way
	w.over = true
	w.mu.Unlock()
}

// note adds to the record of the exchange what was sent.
func (w *writer) note() {
	w.scope.SetRecord(func(r *telemetry.Record) { r.SSE = telemetry.SSE{Events: w.events, LastID: w.lastID} })
}

// look is called by the sweeper. It does not wait: what it finds due is sent by a goroutine that ends when that is done.
func (w *writer) look(now time.Duration) {
	if w.nudging.Load() {
		return
	}
	if challenged := w.isChallenged(); challenged || w.isQuiet(now) {
		w.nudging.Store(true)
		go w.nudge()
	}
}

func (w *writer) isQuiet(now time.Duration) bool {
	return w.quiet > 0 && now-time.Duration(w.sent.Load()) >= w.quiet
}

// isChallenged reports whether the time of a challenge has come, once for each time.
func (w *writer) isChallenged() (due bool) {
	now := time.Now()
	for i := range w.challengers {
		c := &w.challengers[i]
		if at := c.ChallengeAt(); !at.IsZero() && !now.Before(at) && !at.Equal(c.looked) {
			c.looked, due = at, true
		}
	}
	return due
}

// nudge sends what is due. It ends when that has gone, or with the exchange, which waits for it.
func (w *writer) nudge() {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.nudging.Store(false)
	if w.over {
		return
	}
	var text []byte
	for i := range w.challengers {
		if w.challengers[i].Challenge() {
			text = challenge(w.scope.Host().Habits.Challenge)
		}
	}
	if text == nil && w.isQuiet(w.scope.Host().Sweeper.Now()) {
		text = []byte(eventstream.Comment)
	}
	if text != nil && w.lines(text) != nil {
		w.giveUp()
	}
}

// challenge is the event that asks for new credentials, and says how they are brought: to the same address.
func challenge(kind string) []byte {
	data, _ := json.Marshal(struct { // which cannot fail
		Method  string            `json:"method"`
		Headers map[string]string `json:"headers"`
	}{"POST", map[string]string{"content-type": "application/x-challenge-response"}})
	return eventstream.AppendEvent(nil, &sse.Event{Type: cmp.Or(kind, "challenge"), Data: data, HasData: true}, false)
}
