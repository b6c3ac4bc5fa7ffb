// Package inline is the guard that takes everybody at their word: whoever presents credentials has a session, with every
// role, and it never ends. It is of use where somebody else has asked already, or where nobody needs to be asked.
//
//	credentials ── format ──▶ {identity}, {credentials} ──▶ session
//	options ──▶ what a client binding shows to its server, for a stream without a session
//
// The format says which part of what is presented is the identity, and which the credentials that go with it, such as
// {identity}:{credentials} for a name and a password. Without a format, all of it is both.
package inline
