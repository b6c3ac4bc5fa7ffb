// Package sse is the protocol of streams of events, as the HTML standard has them (WHATWG, "Server-sent events"). They go
// one way, so they are only sought: who asks gets what happens from then on, or from the last event on that it knows.
//
//	OpenEvents(Request) ──▶ Events: Next, Next, … io.EOF; Stop, Close
//
// Events come in batches: all that are at hand. A [Batch] may be given to any number of readers, it never changes, and
// what is written for them is made once.
package sse
