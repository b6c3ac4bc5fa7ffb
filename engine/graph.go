package engine

import (
	"net"
	"slices"
	"strings"

	"gozilla/telemetry"
)

// A Graph is what is in service at one moment: the bindings, in the order of the file, and where each sends its streams.
type Graph struct {
	Bindings []GraphBinding `json:"bindings"`
}

// GraphBinding is one binding in service.
type GraphBinding struct {
	Namespace string       `json:"namespace"`
	Name      string       `json:"name"`
	Type      string       `json:"type"`
	Kind      string       `json:"kind"`
	Entry     bool         `json:"entry"`               // its streams come from outside, not from other bindings
	Listeners []string     `json:"listeners,omitempty"` // the addresses it listens on, as the system gave them
	Digest    string       `json:"digest"`              // what has another one after a change is made anew
	Exits     []GraphExit  `json:"exits,omitempty"`
	Streams   GraphStreams `json:"streams"`
}

// Qualified is the binding's name as exits and records spell it.
func (b *GraphBinding) Qualified() string { return b.Namespace + ":" + b.Name }

// GraphExit is one way on from a binding.
type GraphExit struct {
	Route string `json:"route"`          // "routes[2]" or "exit", as in records
	When  string `json:"when,omitempty"` // its conditions as the file has them, on one line
	To    string `json:"to"`             // qualified
}

// GraphStreams is what a binding has counted.
type GraphStreams struct {
	Open     int64 `json:"open"`
	Opened   int64 `json:"opened"`   // in all
	Errors   int64 `json:"errors"`   // those that were refused or cut
	Received int64 `json:"received"` // bytes from who opened the streams
	Sent     int64 `json:"sent"`     // bytes back to them
}

// Graph tells what is in service. No stream waits for it.
func (e *Engine) Graph() Graph {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(e.instances), func(in *instance) bool { return !isBinding(in) })
	slices.SortStableFunc(all, func(a, b *instance) int { return a.source.Pos.Compare(b.source.Pos) })
	g := Graph{Bindings: make([]GraphBinding, 0, len(all))}
	for _, in := range all {
		g.Bindings = append(g.Bindings, in.graph())
	}
	return g
}

func (in *instance) graph() GraphBinding {
	n := in.node
	b := GraphBinding{
		Namespace: n.Namespace, Name: n.Name, Type: n.Type, Kind: n.Kind, Digest: in.digest,
		Entry: isEntry(in), Exits: in.ways(), Streams: graphStreams(&n.Streams),
	}
	for _, l := range in.listeners {
		b.Listeners = append(b.Listeners, l.tcp.Addr().(*net.TCPAddr).AddrPort().String())
	}
	return b
}

func graphStreams(s *telemetry.Streams) GraphStreams {
	return GraphStreams{
		Open: s.Received.Active(), Opened: s.Received.Opens.Load(), Errors: s.Received.Errors.Load(),
		Received: s.Received.Bytes.Load(), Sent: s.Sent.Bytes.Load(),
	}
}

// ways are those on from a binding, in the order of the file.
func (in *instance) ways() []GraphExit {
	var all []GraphExit
	for _, ref := range in.spec.References() {
		if ref.To != "binding" {
			continue
		}
		exit := GraphExit{Route: routeName(ref.Route), To: ref.Qualified}
		if ref.Route >= 0 {
			exit.When = strings.TrimPrefix(conditions(in.source, ref.Route), " when ")
		}
		all = append(all, exit)
	}
	return all
}
