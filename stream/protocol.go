package stream

import (
	"sync"
	"sync/atomic"
)

// A Protocol names what flows along an edge. P is its port, the interface that a binding's face has for it.
type Protocol[P any] struct {
	Name string // as messages show it: bytes, http, mqtt
	// Through gives the port that a binding holds for its exit. It goes to the edge's target of the moment and enters
	// it into the stream's scope, which is what counts. Written once per protocol, about six lines a verb.
	Through func(*Edge[P]) P
	// Tap gives a port that records what goes through another one; nil if nothing of the protocol can be recorded.
	Tap func(P, *Recorder) P
	// View is how streams of the protocol go to bindings that have no face for it; nil: they do not.
	View *View[P]
}

// A View is the whole of subtyping: streams of one protocol are taken for those of another, as a WebSocket for bytes.
type View[P any] struct {
	As   string                  // the other protocol
	Port func(n *Node) (P, bool) // goes to the face that n has for it
}

// An Edge is one exit of one binding: where it leads now. The engine owns it; a reload stores another target, and the
// binding before it does not notice.
type Edge[P any] struct {
	From *Node
	to   atomic.Pointer[Target[P]]

	protocol Protocol[P]
	mu       sync.Mutex // guards what follows, and stores of to
	bare     *Target[P] // where the edge leads; to is that, or a tap in front of it
	watch    Watch      // nil: nobody watches
}

// NewEdge is an exit of a binding, for streams of protocol p. It leads nowhere yet.
func NewEdge[P any](p Protocol[P], from *Node) *Edge[P] { return &Edge[P]{From: from, protocol: p} }

// Target is where an edge leads: a binding and its face for the edge's protocol.
type Target[P any] struct {
	Node *Node
	Port P
}

// TargetOf is the face that n has for protocol p, or for the one that p is viewed as. It reports false if there is none.
func TargetOf[P any](p Protocol[P], n *Node) (*Target[P], bool) {
	port, ok := n.ports[p.Name].(P)
	if !ok && p.View != nil {
		port, ok = p.View.Port(n)
	}
	return &Target[P]{n, port}, ok
}

// To is the edge's target of the moment. While somebody watches, its port records what goes through it.
func (e *Edge[P]) To() *Target[P] { return e.to.Load() }

// Store makes the edge lead elsewhere. Streams that went through it before stay where they are.
func (e *Edge[P]) Store(t *Target[P]) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bare = t
	e.store()
}

// Nodes are the bindings that the edge leads from and to; to is nil while it leads nowhere.
func (e *Edge[P]) Nodes() (from, to *Node) {
	if t := e.To(); t != nil {
		to = t.Node
	}
	return e.From, to
}

// Tap has w asked about every stream that goes through the edge from now on, wherever that leads.
func (e *Edge[P]) Tap(w Watch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.watch = w
	e.store()
}

// Untap undoes Tap. Streams that are recorded go on to be.
func (e *Edge[P]) Untap() { e.Tap(nil) }

// store makes to what the edge leads to, as it is watched. The lock is held.
func (e *Edge[P]) store() {
	t := e.bare
	if t != nil && e.watch != nil && e.protocol.Tap != nil {
		t = &Target[P]{t.Node, e.protocol.Tap(t.Port, &Recorder{From: e.From, To: t.Node, Protocol: e.protocol.Name, watch: e.watch})}
	}
	e.to.Store(t)
}
