package stream

import (
	"sync/atomic"

	"gozilla/telemetry"
)

// A Node is a binding as streams see it: its names, its counters, and its faces by protocol. The engine makes one for
// every binding; other components, and tests, may have one of their own to begin scopes with.
type Node struct {
	Namespace, Name string
	Type, Kind      string
	Streams         telemetry.Streams
	Exchanges       telemetry.Exchanges                  // of http
	Messages        telemetry.Messages                   // of WebSockets
	ServerEvents    telemetry.ServerEvents               // of sse
	Attributes      atomic.Pointer[telemetry.Attributes] // of the metrics of Exchanges; none at first

	qualified atomic.Pointer[string]
	ports     map[string]any // by the name of the protocol; [Offer] and [TargetOf] keep the types right
}

// String is the qualified name, namespace:name.
func (n *Node) String() string {
	if s := n.qualified.Load(); s != nil {
		return *s
	}
	s := n.Namespace + ":" + n.Name
	n.qualified.Store(&s)
	return s
}

// Offer gives the node its face for a protocol. It is called while the graph is built, before any edge leads there.
func Offer[P any](n *Node, p Protocol[P], port P) {
	if n.ports == nil {
		n.ports = map[string]any{}
	}
	n.ports[p.Name] = port
}
