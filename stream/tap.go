package stream

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Tappable is an edge, whatever flows along it, to who wants to see that. See [Edge] for the methods.
type Tappable interface {
	Nodes() (from, to *Node)
	Tap(Watch)
	Untap()
}

// A Watch is asked about every stream that is about to go through a tapped edge. It gives who is to be told what the
// stream carries, nil if nobody wants to know: then the stream is left alone. Neither may block, nor keep a chunk's Data.
type Watch func(*Crossing) (tell func(*Chunk))

// A Crossing is a stream that goes through an edge.
type Crossing struct {
	From, To   *Node
	Protocol   string
	Connection uint64 // the id of the connection that it is, or is part of
	Scope      uint64 // the id of its scope: the connection's, or that of an exchange
	About      *Info  // the facts that went along; nil if there were none
	Reached    *Info  // what was dialled, for a stream that was sought
}

// A Chunk is a piece of what a stream carries, or what happens to it.
type Chunk struct {
	Time   time.Time
	Kind   ChunkKind
	Number int      // of the stream's chunks, from 0 on
	Sent   bool     // back to who opened the stream; else it was received from there
	Offset int64    // of Data, among the bytes of its direction
	Data   []byte   // of Data, Body and Message; lent
	Label  string   // of Message: what it is, such as text, binary, close or event; "" for the rest of one that is long
	Lines  []string // of Head and Trailer, as HTTP/1.1 has them
	Err    string   // of Over: how the stream was cut off; "" for an orderly end
}

// ChunkKind is what a Chunk is.
type ChunkKind uint8

// The kinds of chunks.
const (
	Begun    ChunkKind = iota // the stream, which is always the first
	Data                      // bytes
	Head                      // of a request or a response
	Body                      // some bytes of it
	Trailer                   // what follows a body
	Message                   // a whole one, of a protocol that has them
	Finished                  // the direction has ended in order
	Over                      // the stream, which is always the last
)

// A Recorder makes the recordings of an edge, for [Protocol.Tap].
type Recorder struct {
	From, To *Node
	Protocol string
	watch    Watch
}

// Record makes the recording of a stream that begins; nil if nobody wants it. reached is what was dialled, or nil.
func (r *Recorder) Record(ctx context.Context, about, reached *Info) *Recording {
	s := From(ctx)
	tell := r.watch(&Crossing{r.From, r.To, r.Protocol, s.Connection(), s.ID(), about, reached})
	if tell == nil {
		return nil
	}
	rec := &Recording{tell: tell}
	rec.add(&Chunk{Kind: Begun})
	return rec
}

// A Recording is told what a stream carries, by those who move it: before it is sent on, and once it is received, so that
// an answer comes behind its question. Its methods take what is sent, or received, and may be called by several
// goroutines.
type Recording struct {
	tell func(*Chunk)

	mu       sync.Mutex // guards what follows, and keeps chunks in order
	number   int
	received direction
	sent     direction
	over     bool
}

type direction struct {
	offset   int64
	finished bool
}

// mostData is how much one chunk holds.
const mostData = 32 << 10

// Data records bytes.
func (r *Recording) Data(sent bool, p []byte) { r.bytes(Data, sent, p) }

// Body records bytes of a body.
func (r *Recording) Body(sent bool, p []byte) { r.bytes(Body, sent, p) }

func (r *Recording) bytes(kind ChunkKind, sent bool, p []byte) {
	for len(p) > 0 {
		n := min(len(p), mostData)
		r.add(&Chunk{Kind: kind, Sent: sent, Data: p[:n:n]})
		p = p[n:]
	}
}

// Head records a head.
func (r *Recording) Head(sent bool, lines []string) {
	r.add(&Chunk{Kind: Head, Sent: sent, Lines: lines})
}

// Trailer records a trailer.
func (r *Recording) Trailer(sent bool, lines []string) {
	r.add(&Chunk{Kind: Trailer, Sent: sent, Lines: lines})
}

// Message records a message, or an event: as one chunk, if it is not long. The label says what it is.
func (r *Recording) Message(sent bool, label string, p []byte) {
	n := min(len(p), mostData)
	r.add(&Chunk{Kind: Message, Sent: sent, Label: label, Data: p[:n:n]})
	r.bytes(Message, sent, p[n:])
}

// Finish records that a direction has ended in order. Once is enough.
func (r *Recording) Finish(sent bool) { r.add(&Chunk{Kind: Finished, Sent: sent}) }

// Over records that the stream is over, and how. What comes after counts for nothing.
func (r *Recording) Over(err error) {
	c := &Chunk{Kind: Over}
	if err != nil {
		c.Err = err.Error()
	}
	r.add(c)
}

// ErrFault is how a stream is over that a fault of ours has ended, as far as its recording knows.
var ErrFault = errors.New("internal error")

func (r *Recording) add(c *Chunk) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := &r.received
	if c.Sent {
		d = &r.sent
	}
	if r.over || c.Kind == Finished && d.finished {
		return
	}
	d.finished = d.finished || c.Kind == Finished
	r.over = c.Kind == Over
	c.Time, c.Number, c.Offset = time.Now(), r.number, d.offset
	r.number++
	d.offset += int64(len(c.Data))
	r.tell(c)
}
