// Package h2 is HTTP/2 (RFC 9113) behind the http port: what a server does with a connection that arrived, and what a
// client does with one to a server. It knows no configuration; which connection an exchange gets is up to a Pool.
//
//	one goroutine reads ──frames──▶ lane ──Read──▶ one goroutine for each exchange (server), or who opened it (client)
//	                                     ◀─Write─┘
//	               one system call ◀── out ◀── frames of all lanes, in turn
//
// All that a connection has is guarded by one lock, which is not held while something is received, sent, or waited for.
// Who wants to send appends to out, and then flushes: it sends what all have gathered unless somebody is at it already,
// who then takes it along. The reader never sends by itself: a peer that does not read could hold it up for ever.
//
// What a connection may hold is bounded, see [stream.Limits]: its streams, the bytes of a head and the number of its
// fields, the bodies that wait to be read (the windows, which grow with use), what waits to be sent, and what costs us
// without being of use to anybody, see flood.go.
package h2
