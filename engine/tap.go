package engine

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/config"
	"gozilla/stream"
)

const (
	// Watchers is how many may watch at a time.
	Watchers = 8
	// waitingChunks and waitingBytes are what waits at most for a watcher; what comes then, until it takes them, is lost
	// to it.
	waitingChunks = 4096
	waitingBytes  = 4 << 20
)

// A Chunk is a piece of what a stream carries across an edge, or what happens to it there.
type Chunk struct {
	Time       time.Time `json:"time"`
	Stream     uint64    `json:"stream"`           // tells a stream, at this edge, from all others
	Number     int       `json:"number"`           // of the stream's chunks, from 0 on
	Connection uint64    `json:"connection"`       // the id of the connection that it is, or is part of, as records have it
	Exchange   uint64    `json:"exchange"`         // the id of the exchange, else the same
	From       string    `json:"from"`             // the bindings that the edge leads from and to
	To         string    `json:"to"`               //
	Protocol   string    `json:"protocol"`         // bytes, http
	Source     string    `json:"source,omitempty"` // who has opened the stream, if that is known
	Dest       string    `json:"dest,omitempty"`   // and whom it wants to reach
	Secure     bool      `json:"secure,omitempty"` // the stream came over TLS, which was taken off
	Kind       string    `json:"kind"`             // see Kinds
	Direction  string    `json:"direction,omitempty"`
	Offset     int64     `json:"offset,omitempty"` // of the data, among the bytes of its direction
	Data       []byte    `json:"data,omitempty"`   // of data, body and message
	Label      string    `json:"label,omitempty"`  // of message: what it is, "" for the rest of one
	Lines      []string  `json:"lines,omitempty"`  // of head and trailer, as HTTP/1.1 has them
	Error      string    `json:"error,omitempty"`  // of end: how the stream was cut off; "" for an orderly end
}

// The kinds of chunks, by [stream.ChunkKind].
const (
	Begin   = "begin"
	Data    = "data"
	Head    = "head"
	Body    = "body"
	Trailer = "trailer"
	Message = "message" // a whole one, such as an event, but for what is very long
	Finish  = "finish"  // a direction has ended
	End     = "end"     // the stream is over
)

var chunkKinds = [...]string{
	stream.Begun: Begin, stream.Data: Data, stream.Head: Head, stream.Body: Body, stream.Trailer: Trailer,
	stream.Message: Message, stream.Finished: Finish, stream.Over: End,
}

// The directions: from who has opened the stream, and back.
const (
	Received = "received"
	Sent     = "sent"
)

// A Filter says which streams are watched. The zero value is all of them.
type Filter struct {
	Binding string       // that the edge leads from or to: its name, or namespace:name
	Source  netip.Prefix // that the stream was opened from
}

// NoBinding is the error for a binding that is not in service.
type NoBinding struct {
	Name string
	Like string // what may have been meant, or ""
}

func (e *NoBinding) Error() string {
	text := fmt.Sprintf("there is no binding %q", e.Name)
	if e.Like != "" {
		text += ", did you mean " + e.Like + "?"
	}
	return text
}

// TooMany is the error for one who wants to watch while as many do as may.
type TooMany struct{}

func (TooMany) Error() string {
	return fmt.Sprintf("%d dumps run already, as many as may be", Watchers)
}

// taps are the edges that are watched, and by whom.
type taps struct {
	mu       sync.Mutex // guards tapped, and changes of watchers
	tapped   map[stream.Tappable]struct{}
	watchers atomic.Pointer[[]*Watcher]
	streams  atomic.Uint64 // the number of a stream given last
}

// A Watcher is who is shown what crosses the edges that its filter lets through. What it does not take in time is lost to
// it: no stream waits for a watcher.
type Watcher struct {
	engine *Engine
	filter Filter

	mu     sync.Mutex // guards what follows
	chunks []*Chunk
	bytes  int
	lost   int64 // since Next told
	closed bool
	ready  chan struct{} // has an element if there is something to take
}

// Watch shows what crosses the edges of the bindings in service, of streams that begin to from now on, also when other
// bindings come into service. Close ends it.
func (e *Engine) Watch(f Filter) (*Watcher, error) {
	if err := e.knows(f.Binding); err != nil {
		return nil, err
	}
	w := &Watcher{engine: e, filter: f, ready: make(chan struct{}, 1)}
	err := e.changeWatchers(func(all []*Watcher) ([]*Watcher, error) {
		if len(all) >= Watchers {
			return nil, TooMany{}
		}
		return append(slices.Clone(all), w), nil
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Close ends the watch. The last one who watches an edge takes the tap off it.
func (w *Watcher) Close() {
	w.mu.Lock()
	w.closed, w.chunks = true, nil
	w.mu.Unlock()
	w.engine.changeWatchers(func(all []*Watcher) ([]*Watcher, error) {
		return slices.DeleteFunc(slices.Clone(all), func(other *Watcher) bool { return other == w }), nil
	})
}

// knows tells what is wrong with the name of a binding.
func (e *Engine) knows(name string) error {
	if name == "" {
		return nil
	}
	var names []string
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, in := range e.instances {
		if in.binding == nil {
			continue
		}
		if isNamed(in.node, name) {
			return nil
		}
		if names = append(names, in.node.String()); !strings.Contains(name, ":") {
			names[len(names)-1] = in.node.Name
		}
	}
	like, _ := config.Like(name, names)
	return &NoBinding{Name: name, Like: like}
}

// isNamed takes a name with or without a namespace.
func isNamed(n *stream.Node, name string) bool { return n.Name == name || n.String() == name }

// changeWatchers makes who watches what change gives for that, and taps the edges accordingly.
func (e *Engine) changeWatchers(change func([]*Watcher) ([]*Watcher, error)) error {
	t := &e.taps
	t.mu.Lock()
	defer t.mu.Unlock()
	all, err := change(t.all())
	if err != nil {
		return err
	}
	t.watchers.Store(&all)
	e.tap()
	return nil
}

func (t *taps) all() []*Watcher {
	if all := t.watchers.Load(); all != nil {
		return *all
	}
	return nil
}

// retap taps the edges of bindings that were linked meanwhile. Who links calls it afterwards, without holding e.mu.
func (e *Engine) retap() {
	e.taps.mu.Lock()
	defer e.taps.mu.Unlock()
	if len(e.taps.all()) > 0 {
		e.tap()
	}
}

// tap puts taps on the edges that somebody wants to watch, and takes them off the others; also off those that no binding
// has any more, once nobody watches. The lock of the taps is held.
func (e *Engine) tap() {
	t := &e.taps
	if t.tapped == nil {
		t.tapped = map[stream.Tappable]struct{}{}
	}
	edges := e.edges()
	for edge := range t.tapped {
		if !t.wanted(edge) || !slices.Contains(edges, edge) {
			edge.Untap()
			delete(t.tapped, edge)
		}
	}
	for _, edge := range edges {
		if _, already := t.tapped[edge]; !already && t.wanted(edge) {
			edge.Tap(t.record)
			t.tapped[edge] = struct{}{}
		}
	}
}

// edges are those of all bindings in service, and of those that are still there for streams of before a change.
func (e *Engine) edges() []stream.Tappable {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []stream.Tappable
	for _, in := range slices.Concat(e.instances, e.leaving) {
		if in.binding != nil {
			all = append(all, in.binding.Edges()...)
		}
	}
	return all
}

// wanted reports whether somebody wants to see what crosses an edge.
func (t *taps) wanted(edge stream.Tappable) bool {
	from, to := edge.Nodes()
	return slices.ContainsFunc(t.all(), func(w *Watcher) bool { return w.filter.edge(from, to) })
}

// edge and stream report whether the filter lets them through.
func (f *Filter) edge(from, to *stream.Node) bool {
	return f.Binding == "" || isNamed(from, f.Binding) || to != nil && isNamed(to, f.Binding)
}

func (f *Filter) stream(c *stream.Crossing) bool {
	if !f.edge(c.From, c.To) {
		return false
	}
	if !f.Source.IsValid() {
		return true
	}
	return c.About != nil && f.Source.Contains(c.About.Source.IP.Unmap().WithZone(""))
}

// record is the [stream.Watch] of all edges.
func (t *taps) record(c *stream.Crossing) func(*stream.Chunk) {
	var by []*Watcher
	for _, w := range t.all() {
		if w.filter.stream(c) {
			by = append(by, w)
		}
	}
	if len(by) == 0 {
		return nil
	}
	s := &watched{by: by, about: Chunk{
		Stream: t.streams.Add(1), Connection: c.Connection, Exchange: c.Scope,
		From: c.From.String(), To: c.To.String(), Protocol: c.Protocol,
	}}
	s.about.Source, s.about.Dest = addresses(c.About, c.Reached)
	s.about.Secure = c.About != nil && c.About.Secure != nil
	return s.tell
}

// addresses are those of the two ends of a stream: those of what was dialled, if it was.
func addresses(about, reached *stream.Info) (source, dest string) {
	for _, i := range []*stream.Info{reached, about} {
		if i != nil && (i.Source.Valid() || i.Dest.Valid()) {
			return i.Source.String(), i.Dest.String()
		}
	}
	return "", ""
}

// watched is a stream that is shown to some.
type watched struct {
	by    []*Watcher
	about Chunk // what all chunks of the stream say
}

// overhead is what a chunk takes besides its data.
const overhead = 256

func (s *watched) tell(c *stream.Chunk) {
	size := overhead + len(c.Data)
	for _, line := range c.Lines {
		size += len(line)
	}
	var kept *Chunk // one for all of them
	for _, w := range s.by {
		w.put(size, func() *Chunk {
			if kept == nil {
				kept = s.keep(c)
			}
			return kept
		})
	}
}

// keep makes a chunk that may be kept.
func (s *watched) keep(c *stream.Chunk) *Chunk {
	k := s.about
	k.Time, k.Number, k.Kind = c.Time, c.Number, chunkKinds[c.Kind]
	k.Offset, k.Data, k.Label, k.Lines, k.Error = c.Offset, slices.Clone(c.Data), c.Label, c.Lines, c.Err
	if c.Kind != stream.Begun && c.Kind != stream.Over {
		if k.Direction = Received; c.Sent {
			k.Direction = Sent
		}
	}
	return &k
}

// put hands a chunk to the watcher if it has room, and does not wait.
func (w *Watcher) put(size int, chunk func() *Chunk) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return
	case w.lost > 0 || len(w.chunks) >= waitingChunks || w.bytes+size > waitingBytes:
		w.lost++
	default:
		w.bytes += size
		w.chunks = append(w.chunks, chunk())
	}
	select {
	case w.ready <- struct{}{}:
	default: // it is known already
	}
}

// Next waits until there are chunks, and gives all of them, and how many others were lost since the last call. The error
// is the cause of ctx.
func (w *Watcher) Next(ctx context.Context) (chunks []*Chunk, lost int64, err error) {
	select {
	case <-w.ready:
	case <-ctx.Done():
		return nil, 0, context.Cause(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	chunks, lost = w.chunks, w.lost
	w.chunks, w.bytes, w.lost = nil, 0, 0
	return chunks, lost, nil
}
