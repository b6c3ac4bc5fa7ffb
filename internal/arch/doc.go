// Package arch holds the tests of the tree as a whole: who may import whom, which modules are used and why, that every
// package says what it is, and that generated files are fresh. It has no code of its own.
package arch
