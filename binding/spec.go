package binding

import (
	"context"
	"slices"

	"gozilla/component"
	"gozilla/config"
	"gozilla/stream"
)

// Spec is a binding as a file describes it: decoded, not built.
type Spec struct {
	Namespace, Name string
	Type            string
	Kind            Kind
	Pos             config.Pos
	Source          *config.Node // the body in the file
	Form            Form

	digest   string
	ways     string
	measures string
	refs     []Reference
	name     string // qualified
	body     body
	build    func(*Builder) error
}

// A Reference is the name of another component in a binding's body.
type Reference struct {
	To    string // the category: binding, guard, vault
	Name  config.Ref
	Pos   config.Pos
	Route int // which names it, -1 for the binding itself

	Qualified string // the name with its namespace
}

// Qualified is the binding's name with its namespace.
func (s *Spec) Qualified() string { return s.name }

// Telemetry is what the file wants to know of the binding.
func (s *Spec) Telemetry() *config.BindingTelemetry { return &s.body.head().Telemetry }

// Streams is what the file wants to happen to streams whose way changes.
func (s *Spec) Streams() Streams { return s.body.head().Streams }

// References are the components that the binding names, by their places in the file.
func (s *Spec) References() []Reference { return s.refs }

// refer finds the references.
func (s *Spec) refer(r *config.Report) {
	add := func(ref Reference) { s.refs = append(s.refs, ref) }
	if router, ok := s.body.(router); ok {
		router.references(r, add)
	}
	walkRefs(r, s.body, add)
	slices.SortStableFunc(s.refs, func(a, b Reference) int {
		return a.Pos.Compare(b.Pos)
	})
	for i := range s.refs {
		s.refs[i].Qualified = s.refs[i].Name.Qualified(s.Namespace)
	}
}

// Faces are the protocols of the streams that the binding takes from other bindings. A binding without any gets its
// streams from elsewhere, such as a listener.
func (f Form) Faces() []string { return f.faces }

// ExitFor is the protocol of the binding's exits for streams of that face; "" if it has no exits.
func (f Form) ExitFor(face string) string {
	if f.exits == same {
		return face
	}
	return f.exits
}

// FaceOf is the face by which a stream of that protocol goes on to to: the protocol's own, else that of what it is viewed
// as. It reports false if to has neither.
func (f Form) FaceOf(protocol string, to Form) (face string, ok bool) {
	for _, face := range []string{protocol, f.views[protocol]} {
		if slices.Contains(to.faces, face) {
			return face, true
		}
	}
	return "", false
}

// Explained reports whether the binding says how streams go through it. One that has routes must.
func (f Form) Explained() bool { return f.told }

// Digest is equal for bindings that differ in routes, exit, guarded, telemetry and streams only, which can be exchanged
// in place.
func (s *Spec) Digest() string { return s.digest }

// Ways is equal for bindings with the same Digest that do not differ in routes, exit and guarded.
func (s *Spec) Ways() string { return s.ways }

// Measures is equal for bindings that do not differ in telemetry.
func (s *Spec) Measures() string { return s.measures }

// A Builder is what a binding's constructor is given.
type Builder struct {
	*component.Builder
	parts Parts
	links []func(body, Resolver)
	edges *edges

	exit    *stream.Node // where a binding that embeds Exited leads, once it is linked
	explain func(context.Context, *stream.Question) error
	check   func(faces []string) // nil: nothing is left to check
}

// A Resolver finds a binding that is in service by its qualified name.
type Resolver func(namespace, name string) *stream.Node

// Build makes the binding: its faces are in b.Node then, its listeners and tasks in b. The Binding is what can be
// linked.
func (s *Spec) Build(b *component.Builder, parts Parts) (*Binding, error) {
	builder := &Builder{Builder: b, parts: parts, edges: &edges{}}
	if err := s.build(builder); err != nil {
		return nil, err
	}
	return &Binding{b.Node, builder}, nil
}

// Binding is a binding that was built.
type Binding struct {
	Node    *stream.Node
	builder *Builder
}

// Link makes the binding's exits and routes those of s, which has the same digest. Streams that are on their way stay
// there.
func (b *Binding) Link(s *Spec, find Resolver) {
	b.builder.edges.renew()
	for _, link := range b.builder.links {
		link(s.body, find)
	}
}

// Check tells what is wrong that only shows now that the binding is linked. It is for bindings that are made to be
// checked; faces are those that streams come by.
func (b *Binding) Check(faces []string) {
	if b.builder.check != nil {
		b.builder.check(faces)
	}
}

// Explain takes a question through the binding, and gives the one that the stream would go on to; nil if it would go
// no further. ctx is, or belongs to, the question's scope, whose trace is told of the routes.
func (b *Binding) Explain(ctx context.Context, q *stream.Question) (*stream.Node, error) {
	if b.builder.explain == nil {
		return b.builder.exit, nil
	}
	if err := b.builder.explain(ctx, q); err != nil {
		return nil, err
	}
	return stream.From(ctx).Trace().To(), nil
}
