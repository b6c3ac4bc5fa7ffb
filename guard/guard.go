// Package guard is the contract of guards, which turn credentials into sessions. Bindings ask a guard when they learn
// of credentials and admit the session to the stream's scope; routes then ask the scope (guarded).
package guard

import (
	"context"
	"time"

	"gozilla/component"
	"gozilla/config"
	"gozilla/stream"
)

// A Guard says who somebody is.
type Guard interface {
	// Authorize turns credentials into a session, which the caller admits to the scope of ctx or releases. It may wait a
	// few seconds for what it needs to know, and no longer than ctx. The error is a *stream.Refused.
	Authorize(ctx context.Context, credentials string) (stream.Session, error)
}

// A Presenter is a guard that can say what a client binding shows to a server: a header, a name and a password. Not all
// guards are, so ask for it by a type assertion.
type Presenter interface {
	Guard
	// Present gives what to show on behalf of a session of this guard, or with nil of a stream that has none. It reports
	// false if the guard has nothing to show then, or the session is of another guard.
	Present(stream.Session) (Presented, bool)
}

// Presented is what to show to a server.
type Presented struct {
	Identity    string // {identity} in a template; "" if there is none
	Credentials string // {credentials} in a template: what proves the identity, such as a password or a token
	Whole       string // both as one text, as this guard would be given it; else the same as Credentials
}

// A Challenger is a session that wants its peer to bring new credentials before it ends. Not all sessions are, so ask for
// it by a type assertion. New credentials are given to Authorize, as all are: this extends the session.
type Challenger interface {
	stream.Session
	// ChallengeAt is when the peer should be challenged; zero: never. It moves when the session is extended.
	ChallengeAt() time.Time
	// Challenge reports whether the peer is to be challenged now. It does so once from ChallengeAt on until the session
	// ends, for each holder of a session, and again when the session was extended and that time has come anew.
	Challenge() bool
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
