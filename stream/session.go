package stream

import "time"

// A Session is what a guard knows of a peer that it has let in. Sessions may be shared by many scopes and are counted:
// each that was admitted to a scope is released once, at the end of that scope.
type Session interface {
	Identity() string                     // who it is, "" if anonymous
	Attribute(name string) (string, bool) // a claim about it
	Verify(roles []string) bool           // has all of the roles
	Expires() time.Time                   // when it ends; zero: never
	Release()
}
