package binding

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"

	"gozilla/config"
	"gozilla/stream"
)

// Routes is the route table of a binding in service. The engine exchanges its content when a file with other routes is
// loaded; what was picked before goes on as it was picked.
type Routes[W, X, P any] struct {
	node *stream.Node
	ways atomic.Pointer[[]Way[W, X, P]]
}

// A Way is a route in service.
type Way[W, X, P any] struct {
	When  []W
	With  *X
	Exit  P            // of the binding that the route leads to
	To    *stream.Node // that binding; nil for routes that lead nowhere by name
	Index int          // in the file; stream.RouteExit for the binding's exit

	guards []guarded
}

type guarded struct {
	guard string // qualified
	roles []string
}

// RoutesOf makes the table of a binding that embeds Routed; p is the protocol of its exits.
func RoutesOf[W, X, P any](b *Builder, c *Routed[W, X], p stream.Protocol[P]) *Routes[W, X, P] {
	t := &Routes[W, X, P]{node: b.Node}
	before := exits[P]{}
	b.links = append(b.links, func(body body, find Resolver) {
		c := body.(interface{ routed() *Routed[W, X] }).routed()
		now := exits[P]{}
		ways := make([]Way[W, X, P], 0, len(c.Routes)+1)
		for i := range c.Routes {
			route := &c.Routes[i]
			if exit, to := now.to(p, b, route.Exit, find, before); to != nil {
				ways = append(ways, Way[W, X, P]{route.When, &route.With, exit, to, i, b.guards(route.Guarded)})
			}
		}
		if exit, to := now.to(p, b, c.Exit, find, before); to != nil {
			ways = append(ways, Way[W, X, P]{With: new(X), Exit: exit, To: to, Index: stream.RouteExit})
		}
		t.ways.Store(&ways)
		before = now
	})
	return t
}

func (c *Routed[W, X]) routed() *Routed[W, X] { return c }

// FiltersOf makes the table of a binding that embeds Filtered.
func FiltersOf[W any](b *Builder, c *Filtered[W]) *Routes[W, config.None, config.None] {
	t := &Routes[W, config.None, config.None]{node: b.Node}
	b.links = append(b.links, func(body body, _ Resolver) {
		c := body.(interface{ filtered() *Filtered[W] }).filtered()
		ways := make([]Way[W, config.None, config.None], len(c.Routes))
		for i := range c.Routes {
			ways[i] = Way[W, config.None, config.None]{When: c.Routes[i].When, Index: i, guards: b.guards(c.Routes[i].Guarded)}
		}
		t.ways.Store(&ways)
	})
	return t
}

func (c *Filtered[W]) filtered() *Filtered[W] { return c }

// ExitOf is the exit of a binding that embeds Exited, for streams of protocol p. A binding with several faces asks once
// for each.
func ExitOf[P any](b *Builder, p stream.Protocol[P]) P {
	edge := stream.NewEdge(p, b.Node)
	b.edges.add(edge, true)
	b.links = append(b.links, func(body body, find Resolver) {
		c := body.(interface{ exited() *Exited }).exited()
		if to, ok := target(p, b, c.Exit, find); ok {
			edge.Store(to)
			b.exit = to.Node
		}
	})
	return p.Through(edge)
}

func (c *Exited) exited() *Exited { return c }

// exits are those of a route table, by the names of the bindings that they lead to. An exit stays the same when routes are
// exchanged, so that what is kept by exit, such as connections of a pool, is not lost.
type exits[P any] map[config.Ref]exit[P]

type exit[P any] struct {
	edge *stream.Edge[P]
	port P
}

// to is the port that goes to the binding that ref names, from now on, and that binding; nil if there is none, or none
// with a face for p.
func (now exits[P]) to(p stream.Protocol[P], b *Builder, ref config.Ref, find Resolver, before exits[P]) (port P, n *stream.Node) {
	to, ok := target(p, b, ref, find)
	if !ok {
		return port, nil
	}
	x, known := now[ref]
	if !known {
		if x, known = before[ref]; !known {
			x.edge = stream.NewEdge(p, b.Node)
			x.port = p.Through(x.edge)
		}
		b.edges.add(x.edge, false)
		now[ref] = x
	}
	x.edge.Store(to)
	return x.port, to.Node
}

func target[P any](p stream.Protocol[P], b *Builder, ref config.Ref, find Resolver) (*stream.Target[P], bool) {
	if ref == "" {
		return nil, false
	}
	n := find(ref.Split(b.Node.Namespace))
	if n == nil {
		return nil, false
	}
	return stream.TargetOf(p, n)
}

// guards are what a route asks for, in the order of their names.
func (b *Builder) guards(by map[string][]string) []guarded {
	var all []guarded
	for name, roles := range by {
		all = append(all, guarded{config.Ref(name).Qualified(b.Node.Namespace), roles})
	}
	slices.SortFunc(all, func(a, b guarded) int { return cmp.Compare(a.guard, b.guard) })
	return all
}

// Pick takes the first route that is authorized for the stream of ctx and one of whose conditions matches, and notes it
// in the stream's record. The error is a *stream.Refused: NoRoute, or Unauthenticated or Forbidden if a guard kept the
// stream from a route that would have matched.
func (t *Routes[W, X, P]) Pick(ctx context.Context, match func(*W) bool) (*Way[W, X, P], error) {
	s := stream.From(ctx)
	trace := begun(s)
	var kept *stream.Refused
	ways := *t.ways.Load()
	for i := range ways {
		way := &ways[i]
		if !way.matches(match) {
			if trace != nil {
				way.missed(trace, match)
			}
			continue
		}
		if by := way.refused(s); by != nil {
			kept = by
			if trace != nil {
				trace.Note(stream.Verdict{Route: way.Index, To: way.To, Kept: by})
			}
			continue
		}
		t.Took(s, way)
		return way, nil
	}
	if kept == nil {
		kept = &stream.Refused{Reason: stream.NoRoute}
	}
	return nil, kept
}

// First is Pick for bindings at which nothing is known yet of who opened the stream, so that guards are not asked.
func (t *Routes[W, X, P]) First(s *stream.Scope, match func(*W) bool) (*Way[W, X, P], error) {
	trace := begun(s)
	ways := *t.ways.Load()
	for i := range ways {
		if ways[i].matches(match) {
			t.Took(s, &ways[i])
			return &ways[i], nil
		}
		if trace != nil {
			ways[i].missed(trace, match)
		}
	}
	return nil, &stream.Refused{Reason: stream.NoRoute}
}

// Authorized are the ways that the guards let the stream of s take, in order, for bindings that choose by more than a
// condition. They tell Took and Missed what they choose.
func (t *Routes[W, X, P]) Authorized(s *stream.Scope) []Way[W, X, P] {
	trace := begun(s)
	ways := *t.ways.Load()
	for i := range ways {
		if len(ways[i].guards) > 0 {
			return slices.DeleteFunc(slices.Clone(ways), func(w Way[W, X, P]) bool {
				by := w.refused(s)
				if by != nil && trace != nil {
					trace.Note(stream.Verdict{Route: w.Index, To: w.To, Kept: by})
				}
				return by != nil
			})
		}
	}
	return ways
}

// Took notes that the stream of s takes the way.
func (t *Routes[W, X, P]) Took(s *stream.Scope, way *Way[W, X, P]) {
	s.Took(t.node, way.Index)
	if trace := s.Trace(); trace != nil {
		trace.Note(stream.Verdict{Route: way.Index, To: way.To, Taken: true})
	}
}

// Missed notes, if somebody asks, why the stream of s does not take the way: match tells of a condition whether it holds.
func (t *Routes[W, X, P]) Missed(s *stream.Scope, way *Way[W, X, P], match func(*W) bool) {
	if trace := s.Trace(); trace != nil {
		way.missed(trace, match)
	}
}

// begun is the trace of who wants to know why routes are taken, ready for a look at all of them; mostly it is nil.
func begun(s *stream.Scope) *stream.Trace {
	trace := s.Trace()
	if trace != nil {
		trace.Forget()
	}
	return trace
}

// Guarded reports whether some ways are not for everybody.
func (t *Routes[W, X, P]) Guarded() bool {
	ways := *t.ways.Load()
	for i := range ways {
		if len(ways[i].guards) > 0 {
			return true
		}
	}
	return false
}

// All are the ways in the order in which Pick tries them.
func (t *Routes[W, X, P]) All() []Way[W, X, P] { return *t.ways.Load() }

func (w *Way[W, X, P]) matches(match func(*W) bool) bool {
	for i := range w.When {
		if match(&w.When[i]) {
			return true
		}
	}
	return len(w.When) == 0
}

// missed notes the keys that keep a stream from the way: of each condition those that do not hold by themselves, or all
// if it is their meeting that does not.
func (w *Way[W, X, P]) missed(trace *stream.Trace, match func(*W) bool) {
	v := stream.Verdict{Route: w.Index, To: w.To, Missed: make([][]string, len(w.When))}
	for i := range w.When {
		parts := apart(&w.When[i])
		wrong := make([]string, 0, len(parts))
		for _, p := range parts {
			if !match(p.Only) {
				wrong = append(wrong, p.Key)
			}
		}
		if len(wrong) == 0 {
			for _, p := range parts {
				wrong = append(wrong, p.Key)
			}
		}
		v.Missed[i] = wrong
	}
	trace.Note(v)
}

// apart takes a condition apart. One that has made its keys ready for use does so itself.
func apart[W any](w *W) []config.Part[W] {
	if own, ok := any(w).(interface{ Apart() []config.Part[W] }); ok {
		return own.Apart()
	}
	return config.Apart(w)
}

// refused is why the guards do not let the stream take the way; nil if they do.
func (w *Way[W, X, P]) refused(s *stream.Scope) *stream.Refused {
	for _, g := range w.guards {
		session := s.Session(g.guard)
		if session == nil {
			return stream.Refuse(stream.Unauthenticated, "the guard %s knows of no session", g.guard)
		}
		if !session.Verify(g.roles) {
			return stream.Refuse(stream.Forbidden, "the guard %s misses a role of %v", g.guard, g.roles)
		}
	}
	return nil
}
