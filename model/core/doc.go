// Package coremodel has the models of single values: string, int32, int64, float, double, boolean and bytes. They leave
// values as they are, and say which of them are right.
//
//	pieces ─▶ state: what is known so far, in a few bytes ─▶ finding ─▶ strict: refused, lenient: an event
//
// What cannot be read is malformed, and refused by a lenient model too: a string that is not UTF-8, a number with a
// letter in it or without digits, or one that its type cannot hold.
package coremodel
