// Package engine takes a configuration from its text to running streams, and back.
//
//	Load    parse, decode, check the graph        pure: all faults of a file at once, each with its place
//	Start   build    constructors, from the exits backwards    no IO
//	        bind     every listener, or none
//	        link     edges and route tables, from the exits backwards
//	        run      tasks, then listeners accept
//	Stop    listeners close, streams take their leave, what is left at the deadline is cut off
//	Explain a question goes from binding to binding, built and linked but not started, as a stream would
//
// A [Plan] is a checked configuration, an [Engine] is what runs one. Each component in service is an instance: it has a
// context, tasks, listeners and a digest, by which a later configuration recognizes it.
package engine
