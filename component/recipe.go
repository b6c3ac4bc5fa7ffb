package component

import (
	"gozilla/config"
)

// A Recipe makes components of one type, T, from what a file says of them. It is generic over the config struct inside,
// so that a constructor is given its own and nobody asserts a type.
type Recipe[T any] struct {
	body   func() Variant
	decode func(r *config.Report, n *config.Node, what string) *Draft[T]
}

// A Draft is a component as its file describes it: decoded, not built.
type Draft[T any] struct {
	Digest string                    // equal for equal configurations
	Load   func(*Loader)             // reads the files that the component names, before Build; nil if it names none
	Build  func(*Builder) (T, error) // makes the component; does no IO and starts nothing
	// Renew gives a component in service what Load has read, if it can take that: its files may have changed together with
	// the configuration, and it may not have looked yet. It is nil if there is nothing to load.
	Renew func(T)
}

// A Loader is what a component reads the files with that its configuration names. Names are relative to the place of
// the configuration, which may be an address.
type Loader struct {
	Report *config.Report                    // is told what is wrong with a file, at the place that names it
	Read   func(name string) ([]byte, error) // all of a file, which must be there; may be called later too, by the component's tasks
	Path   func(name string) string          // where the file is, for who watches it; "" if it is none of this machine
}

// Make gives the recipe for a constructor. C is the config struct of the component's whole body.
func Make[C, T any](construct func(*Builder, *C) (T, error)) Recipe[T] {
	return recipe(func(c *C, d *Draft[T]) {
		d.Build = func(b *Builder) (T, error) { return construct(b, c) }
	})
}

// MakeLoaded gives the recipe for a component that names files: load reads them, into an L, when the configuration is
// read, so that what is wrong with them is told with all other faults. A component that follows its files has a method
// Take(L).
func MakeLoaded[C, L, T any](load func(*Loader, *C) L, construct func(*Builder, *C, L) (T, error)) Recipe[T] {
	return recipe(func(c *C, d *Draft[T]) {
		var loaded L
		d.Load = func(l *Loader) { loaded = load(l, c) }
		d.Build = func(b *Builder) (T, error) { return construct(b, c, loaded) }
		d.Renew = func(made T) {
			if t, ok := any(made).(interface{ Take(L) }); ok {
				t.Take(loaded)
			}
		}
	})
}

func recipe[C, T any](complete func(*C, *Draft[T])) Recipe[T] {
	return Recipe[T]{
		body: func() Variant { return VariantOf[C]("") },
		decode: func(r *config.Report, n *config.Node, what string) *Draft[T] {
			c := config.Decode[C](r, n, what)
			d := &Draft[T]{Digest: config.Digest(c)}
			complete(c, d)
			return d
		},
	}
}

// Variants is part of Type: there is one.
func (r Recipe[T]) Variants() []Variant { return []Variant{r.body()} }

// Decode reads what a file says at n; what names it in messages: "a jwt guard".
func (r Recipe[T]) Decode(report *config.Report, n *config.Node, what string) *Draft[T] {
	return r.decode(report, n, what)
}
