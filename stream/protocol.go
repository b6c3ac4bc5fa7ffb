package stream

import "sync/atomic"

// A Protocol names what flows along an edge. P is its port, the interface that a binding's face has for it.
type Protocol[P any] struct {
	Name string // as messages show it: bytes, http, mqtt
	// Through gives the port that a binding holds for its exit. It goes to the edge's target of the moment and enters
	// it into the stream's scope, which is what counts. Written once per protocol, about six lines a verb.
	Through func(*Edge[P]) P
}

// An Edge is one exit of one binding: where it leads now. The engine owns it; a reload stores another target, and the
// binding before it does not notice.
type Edge[P any] struct {
	From *Node
	to   atomic.Pointer[Target[P]]
}

// Target is where an edge leads: a binding and its face for the edge's protocol.
type Target[P any] struct {
	Node *Node
	Port P
}

// TargetOf is the face that n has for protocol p. It reports false if there is none.
func TargetOf[P any](p Protocol[P], n *Node) (*Target[P], bool) {
	port, ok := n.ports[p.Name].(P)
	return &Target[P]{n, port}, ok
}

// To is the edge's target of the moment.
func (e *Edge[P]) To() *Target[P] { return e.to.Load() }

// Store makes the edge lead elsewhere. Streams that went through it before stay where they are.
func (e *Edge[P]) Store(t *Target[P]) { e.to.Store(t) }
