// Package guard is the contract of guards, which turn credentials into sessions. Bindings ask a guard when they learn
// of credentials and admit the session to the stream's scope; routes then ask the scope (guarded).
package guard

import (
	"context"

	"gozilla/component"
	"gozilla/config"
	"gozilla/stream"
)

// A Guard says who somebody is.
type Guard interface {
	// Authorize turns credentials into a session, which the caller admits to the scope of ctx or releases. The error is
	// a *stream.Refused.
	Authorize(ctx context.Context, credentials string) (stream.Session, error)
}

// Registry holds the guard types.
var Registry = component.NewRegistry[Type]("guard", "inline", "identity", "jwt", "x509")

// Type is a guard type.
type Type struct {
	component.Recipe[Guard]
}

// Head is what a file says of every guard.
type Head struct {
	// The guard type.
	Type string `config:"type,required"`
}

// Register adds a guard type; C is the config struct of its body, which embeds Head.
func Register[C any](name string, construct func(*component.Builder, *C) (Guard, error)) {
	Registry.Register(name, Type{component.Make(construct)})
}

// Ref names a guard, in a config struct.
type Ref string

// Pattern is what the reference looks like.
func (Ref) Pattern() string { return config.Ref("").Pattern() }

// Words says what it is.
func (Ref) Words() string { return config.Ref("").Words() }

// Refers is how the engine finds what a component refers to.
func (r Ref) Refers() (category string, names []config.Ref) {
	return "guard", []config.Ref{config.Ref(r)}
}

var _ component.Type = Type{}
