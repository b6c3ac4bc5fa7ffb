// Package web is the http protocol: a request, a response, and the bytes of both, whichever version of HTTP they came
// over or will go out by. Connections, framing and hop-by-hop fields are the business of engines.
//
//	arrives:  engine ──ServeExchange──▶ Handler         is sought:  who wants it ──OpenExchange──▶ engine
//	             ▲ Served: Read, Respond, Write, End                    ▲ Opened: Write, End, Response, Read, Close
//
// A relay is the turn between the two. Strings are yours: keep them as long as you like. Structs are lent: Request,
// Response and the array of a Header are used again, so Clone what must outlive the call. Buffers never cross: Read and
// Write copy, or are done with p when they return.
package web
