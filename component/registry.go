package component

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"gozilla/config"
)

// A Registry holds the component types of one category, such as the bindings, by their names.
type Registry[T Type] struct {
	category string
	unbuilt  []string
	types    map[string]T
}

// A Type is one component type, as reference pages see it.
type Type interface {
	// Variants are what the type may be in a file, one a kind, in the order in which pages show them. A type without
	// kinds has one, of kind "".
	Variants() []Variant
}

// A Variant is one kind of a component type.
type Variant struct {
	Kind  string
	Shape *config.Shape // of the component's whole body in the file
	Check func() error  // tells what the shape lacks: a comment, a schema
}

// VariantOf is the variant whose body is a C.
func VariantOf[C any](kind string) Variant {
	return Variant{kind, config.ShapeOf[C](), func() error { return config.CheckShape(reflect.TypeFor[C]()) }}
}

// A Category is a registry as reference pages see it.
type Category interface {
	Name() string // "binding"
	Names() []string
	Lookup(name string) (Type, bool)
	Unbuilt() []string
}

var categories []Category

// Categories are all registries of the process, by name.
func Categories() []Category {
	return slices.SortedFunc(slices.Values(categories), func(a, b Category) int { return cmp.Compare(a.Name(), b.Name()) })
}

// NewRegistry makes the registry of a category. unbuilt are the names of types that zilla has: of those that no one
// registers, a file is told that this build does not have them yet, rather than that they are unknown.
func NewRegistry[T Type](category string, unbuilt ...string) *Registry[T] {
	r := &Registry[T]{category: category, unbuilt: unbuilt, types: map[string]T{}}
	categories = append(categories, r)
	return r
}

// Register adds a type. It panics if the name is taken: two packages claim it.
func (r *Registry[T]) Register(name string, t T) {
	if _, taken := r.types[name]; taken || name == "" {
		panic(fmt.Sprintf("component: %s type %q is registered twice", r.category, name))
	}
	r.types[name] = t
}

// Get finds a type.
func (r *Registry[T]) Get(name string) (T, bool) {
	t, ok := r.types[name]
	return t, ok
}

// Find finds the type that a file names at n, or tells r what is wrong with the name.
func (r *Registry[T]) Find(report *config.Report, n *config.Node) (T, bool) {
	var none T
	if n == nil {
		return none, false
	}
	if n.Kind != config.Scalar {
		report.Errorf(n.Pos, "the type of %s must be text, not %s", config.A(r.category), n.Show())
		return none, false
	}
	t, ok := r.types[n.Value]
	switch {
	case ok:
	case slices.Contains(r.unbuilt, n.Value):
		f := report.Errorf(n.Pos, "the %s type %s is not built yet", r.category, n.Show())
		if len(r.types) > 0 {
			f.Hintf("this build has %s", config.Words(r.Names()))
		}
	default:
		f := report.Errorf(n.Pos, "there is no %s type %s", r.category, n.Show())
		if like, ok := config.Like(n.Value, append(r.Names(), r.Unbuilt()...)); ok && !n.Substituted() {
			f.Hintf("did you mean %q?", like)
		} else if len(r.types) > 0 {
			f.Hintf("this build has %s", config.Words(r.Names()))
		}
	}
	return t, ok
}

// Name is the category's.
func (r *Registry[T]) Name() string { return r.category }

// Names are those of the types that were registered, sorted.
func (r *Registry[T]) Names() []string { return slices.Sorted(maps.Keys(r.types)) }

// Lookup is Get for those who do not know T.
func (r *Registry[T]) Lookup(name string) (Type, bool) {
	t, ok := r.types[name]
	return t, ok
}

// Unbuilt are the types that zilla has and this build does not.
func (r *Registry[T]) Unbuilt() []string {
	return slices.DeleteFunc(slices.Clone(r.unbuilt), func(name string) bool { _, built := r.types[name]; return built })
}
