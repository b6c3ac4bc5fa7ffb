// Package conn is the protocol of bytes: its port, and all that can be done with two ends of a byte stream.
//
//	accept --Start--> ServeConn … ServeConn --Dialing--> DialConn … DialConn      the turn is Relay
//	accept --Start--> ServeConn … ServeConn --> Echo                              the turn is the stream's end
//
// A binding writes the face that is natural to it. [Serving] gives one that serves the face to be dialled, [Dialing]
// gives one that dials the face to be served, and [Deciding] makes both of one that only looks at the first bytes.
//
// An orderly end of one direction (FIN) is passed on once all bytes before it were delivered, and leaves the other
// direction open. An abort (RST, or whatever the layer above has for it) ends both directions and is passed on as an
// abort, never as an orderly end, because that would make half a stream look whole.
package conn
