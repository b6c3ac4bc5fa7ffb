package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gozilla/binding"
	"gozilla/stream"
)

// A Change is what one configuration makes of the one before it.
type Change struct {
	Components []ComponentChange `json:"components"` // by namespace, category and name
	Listeners  []ListenerChange  `json:"listeners"`  // by binding, by what it does, and by address
	// The connections that are open, by what happens to them.
	Connections struct {
		Keep  int `json:"keep"`
		Drain int `json:"drain"`
		Close int `json:"close"`
	} `json:"connections"`
}

// ComponentChange is what happens to one component.
type ComponentChange struct {
	Category    string          `json:"category"` // binding, guard, vault, exporter
	Namespace   string          `json:"namespace"`
	Name        string          `json:"name"`
	Type        string          `json:"type"`
	Kind        string          `json:"kind,omitempty"`
	Does        Does            `json:"does"`
	Why         string          `json:"why,omitempty"`     // what differs
	Connections int             `json:"connections"`       // that are open and have come through it; of bindings
	Streams     binding.Streams `json:"streams,omitempty"` // what happens to those that lose something here; "" if none can
}

// Does is what a change does to a component.
type Does string

// What may happen to a component.
const (
	Keeps    Does = "keep"    // it stays as it is
	Updates  Does = "update"  // it stays, and what can be exchanged in place is: routes, exit, guarded, telemetry
	Replaces Does = "replace" // it is made anew
	Adds     Does = "add"     // it comes
	Removes  Does = "remove"  // it goes
)

// ListenerChange is what happens to a port.
type ListenerChange struct {
	Address string `json:"address"` // as the file has it
	Does    string `json:"does"`    // keep, open or close
	Binding string `json:"binding"` // that has it from then on, or that gives it up
}

// Nothing reports whether the change changes nothing.
func (c *Change) Nothing() bool {
	return !slices.ContainsFunc(c.Components, func(x ComponentChange) bool { return x.Does != Keeps })
}

// Summary is the change in a few words.
func (c *Change) Summary() string {
	if c.Nothing() {
		return "nothing has changed"
	}
	var parts []string
	for _, x := range []struct {
		does Does
		how  string
	}{{Adds, "added"}, {Updates, "updated"}, {Replaces, "replaced"}, {Removes, "removed"}} {
		n := 0
		for i := range c.Components {
			if c.Components[i].Does == x.does {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, x.how))
		}
	}
	return "components " + strings.Join(parts, ", ")
}

// lost is what open streams lose at a change: bindings on their way, and ways from one binding to the next; each with what
// is to happen to the streams.
type lost struct {
	nodes map[*stream.Node]binding.Streams
	ways  map[[2]*stream.Node]binding.Streams
	until time.Time // streams may go that way that had begun to before
}

// fate is what happens to a stream that has come that way: the strictest of what its bindings ask for, "" if it loses
// nothing.
func (l *lost) fate(path []*stream.Node) (fate binding.Streams) {
	for i, n := range path {
		fate = stricter(fate, l.nodes[n])
		if i > 0 {
			fate = stricter(fate, l.ways[[2]*stream.Node{path[i-1], n}])
		}
	}
	return fate
}

// at is what happens to streams that have come through n and lose something because of it, "" if none do.
func (l *lost) at(n *stream.Node) (fate binding.Streams) {
	fate = l.nodes[n]
	for way, streams := range l.ways {
		if way[0] == n {
			fate = stricter(fate, streams)
		}
	}
	return fate
}

func stricter(a, b binding.Streams) binding.Streams {
	order := []binding.Streams{"", binding.Keep, binding.Drain, binding.Close}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// meets gives those streams that have the fate.
func (l *lost) meets(fate binding.Streams) stream.Match {
	return func(path []*stream.Node) bool { return l.fate(path) == fate }
}

// loses gives those streams that lose anything.
func (l *lost) loses(path []*stream.Node) bool { return l.fate(path) != "" }

func anyPath([]*stream.Node) bool { return true }

// compare describes what the draft changes.
func (d *draft) compare() {
	d.lost = lost{nodes: map[*stream.Node]binding.Streams{}, ways: map[[2]*stream.Node]binding.Streams{}}
	d.change = &Change{Components: make([]ComponentChange, 0, len(d.instances)+len(d.gone))}
	now := make(map[identity]*instance, len(d.instances))
	for _, in := range d.instances {
		now[in.identity()] = in
	}
	for _, in := range d.gone {
		if in.spec == nil {
			continue
		}
		says := in.spec
		if b := d.planned[now[in.identity()]]; b != nil {
			says = b.Spec
		}
		d.lost.nodes[in.node] = says.Streams()
	}
	for in, k := range d.kept {
		for _, to := range in.exits {
			if !slices.ContainsFunc(k.exits, func(x *instance) bool { return x.identity() == to.identity() }) {
				d.lost.ways[[2]*stream.Node{in.node, to.node}] = d.planned[in].Streams()
			}
		}
	}
	at := d.count()
	for _, in := range d.instances {
		d.describe(in, d.running[in.identity()], at)
	}
	for _, in := range d.gone {
		if now[in.identity()] == nil {
			d.describe(nil, in, at)
		}
	}
	slices.SortFunc(d.change.Components, func(a, b ComponentChange) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Category, b.Category), cmp.Compare(a.Name, b.Name))
	})
	d.describeListeners()
}

// count counts the connections that are open: by what happens to them, and by the bindings they have come through.
func (d *draft) count() map[*stream.Node]int {
	at := map[*stream.Node]int{}
	drains, closes := d.lost.meets(binding.Drain), d.lost.meets(binding.Close)
	d.engine.host.Scopes(func(s *stream.Scope) {
		if s.Pooled() {
			return
		}
		counts := &d.change.Connections
		switch {
		case s.Has(closes):
			counts.Close++
		case s.Has(drains):
			counts.Drain++
		default:
			counts.Keep++
		}
		s.Has(func(path []*stream.Node) bool {
			for i, n := range path {
				if !slices.Contains(path[:i], n) {
					at[n]++
				}
			}
			return true // the exchanges are not looked at
		})
	})
	return at
}

// describe adds what becomes of a component: in is it afterwards, before what it was; one of them may be nil.
func (d *draft) describe(in, before *instance, at map[*stream.Node]int) {
	shown, connections := in, 0
	if in == nil {
		shown = before
	}
	if before != nil {
		connections = at[before.node]
	}
	c := ComponentChange{
		Category: shown.identity().category, Namespace: shown.node.Namespace, Name: shown.node.Name, Type: shown.node.Type,
		Does: Keeps, Connections: connections,
	}
	if shown.spec != nil {
		c.Kind = shown.node.Kind
	}
	if before != nil {
		c.Streams = d.lost.at(before.node)
	}
	switch {
	case in == nil:
		c.Does = Removes
	case before == nil:
		c.Does = Adds
	case in != before:
		c.Does, c.Why = Replaces, differs(in, before)
	default:
		if c.Why = d.updates(in); c.Why != "" {
			c.Does = Updates
		}
	}
	d.change.Components = append(d.change.Components, c)
}

// differs tells why a component is made anew.
func differs(in, before *instance) string {
	switch {
	case in.node.Type != before.node.Type:
		return "it was a " + before.node.Type
	case in.node.Kind != before.node.Kind:
		return "it was a " + before.node.Kind
	case in.digest != before.digest:
		return "its options differ"
	}
	for _, part := range in.parts {
		if !slices.Contains(before.parts, part) {
			return "the " + part.node.Kind + " " + part.node.Name + " is another one"
		}
	}
	return ""
}

// updates tells what a kept binding gets otherwise; "" for nothing.
func (d *draft) updates(in *instance) string {
	b := d.planned[in]
	switch {
	case b == nil:
		return ""
	case d.kept[in].rerouted:
		return "its routes or exit differ"
	case in.spec.Measures() != b.Measures():
		return "its telemetry differs"
	case in.spec.Streams() != b.Streams():
		return "its streams differ"
	}
	return ""
}

// describeListeners adds what becomes of ports.
func (d *draft) describeListeners() {
	add := func(l *listener, does string, in *instance) {
		d.change.Listeners = append(d.change.Listeners, ListenerChange{Address: l.place.String(), Does: does, Binding: in.node.String()})
	}
	for in := range d.kept {
		for _, l := range in.listeners {
			add(l, "keep", in)
		}
	}
	for _, h := range d.handed {
		add(h.listener, "keep", h.to.in)
	}
	for _, l := range d.opened {
		add(l, "open", l.owner.Load().in)
	}
	for _, l := range d.closing {
		add(l, "close", l.owner.Load().in)
	}
	slices.SortFunc(d.change.Listeners, func(a, b ListenerChange) int {
		return cmp.Or(cmp.Compare(a.Binding, b.Binding), cmp.Compare(a.Does, b.Does), cmp.Compare(a.Address, b.Address))
	})
}
