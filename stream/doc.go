// Package stream is the vocabulary that bindings share: what flows between them, where it flows, and how long it lives.
//
//	          Edge                      Edge
//	tcp server ----ServeConn----> tls server ----ServeConn----> …        arrives, is served down
//	   |                                                        |
//	   Scope: the life of one arrived connection, its context,  the turn
//	   record and metrics                                       |
//	tcp client <---DialConn---- tls client <---DialConn-------- …        is sought, is opened up
//
// A [Protocol] names what flows along an edge; its port is an ordinary Go interface of its own package, such as
// stream/conn for bytes. An [Edge] is one exit of one binding and leads to another binding, today this one, after a
// reload perhaps another. A [Scope] is the life of one arrived connection, [Info] are the facts that travel beside it,
// and [Refused] is the answer of a binding that does not take a stream.
//
// How a stream ended is the error of the call that served it: nil is orderly, *Refused was not taken, [ErrDrained] is a
// goodbye, anything else, best a *Cut, was cut off.
package stream
