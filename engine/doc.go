// Package engine takes a configuration from its text to running streams, from there to the next configuration, and back.
//
//	Load     parse, decode, check the graph        pure: all faults of a file at once, each with its place
//	Apply    draft    what of the generation in service stays, and what is made: constructors, no IO
//	         bind     every listener, or none; those that stay are handed over
//	         compare  what differs, what streams lose by it: the Change
//	         commit   edges and tables from the exits backwards, tasks, then listeners accept
//	         retire   streams go on, drain or are closed; what is gone goes when no stream is at it
//	Compare  Apply without commit: what would change
//	Explain  a question goes from binding to binding, built and linked but not started, as a stream would
//	Stop     listeners close, streams take their leave, what is left at the deadline is cut off
//
// A [Plan] is a checked configuration, an [Engine] is what runs one, a [Follower] keeps it at what a file or a server has.
// Each component in service is an instance: it has a context, tasks, listeners and a digest, by which a later
// configuration recognizes it. A generation is a set of instances, nothing more. Until commit, nothing has changed.
package engine
