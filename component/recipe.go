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
	Build  func(*Builder) (T, error) // makes the component; does no IO and starts nothing
}

// Make gives the recipe for a constructor. C is the config struct of the component's whole body.
func Make[C, T any](construct func(*Builder, *C) (T, error)) Recipe[T] {
	return Recipe[T]{
		body: func() Variant { return VariantOf[C]("") },
		decode: func(r *config.Report, n *config.Node, what string) *Draft[T] {
			c := config.Decode[C](r, n, what)
			return &Draft[T]{
				Digest: config.Digest(c),
				Build:  func(b *Builder) (T, error) { return construct(b, c) },
			}
		},
	}
}

// Variants is part of Type: there is one.
func (r Recipe[T]) Variants() []Variant { return []Variant{r.body()} }

// Decode reads what a file says at n; what names it in messages: "a jwt guard".
func (r Recipe[T]) Decode(report *config.Report, n *config.Node, what string) *Draft[T] {
	return r.decode(report, n, what)
}
