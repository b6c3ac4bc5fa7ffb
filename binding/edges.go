package binding

import (
	"slices"
	"sync"

	"gozilla/stream"
)

// edges are those that lead from a binding, for who wants to watch them.
type edges struct {
	mu     sync.Mutex
	fixed  []stream.Tappable // of the binding's exit, for as long as the binding lives
	routed []stream.Tappable // of its routes, until it is linked again
}

func (e *edges) add(edge stream.Tappable, fixed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if fixed {
		e.fixed = append(e.fixed, edge)
	} else {
		e.routed = append(e.routed, edge)
	}
}

// renew forgets the edges of the routes, which are about to be made anew.
func (e *edges) renew() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.routed = nil
}

// Edges are those that lead from the binding, as it was linked last.
func (b *Binding) Edges() []stream.Tappable {
	b.builder.edges.mu.Lock()
	defer b.builder.edges.mu.Unlock()
	return slices.Concat(b.builder.edges.fixed, b.builder.edges.routed)
}
