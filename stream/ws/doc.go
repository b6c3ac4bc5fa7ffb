// Package ws is the protocol of WebSockets (RFC 6455): messages of text and of bytes, both ways, whichever version of HTTP
// they came over or will go out by. Frames, masks and the pings that find out about dead peers are the business of engines.
//
//	arrives:  engine ──ServeSocket──▶ Handler       is sought:  who wants it ──OpenSocket──▶ engine
//	             ▲ Served: Accept, Receive, Send                    ▲ Opened: Receive, Send, Close
//
// Messages move in pieces, as they come, so that a long one is never held as a whole; where one ends and the next begins is
// kept, and text stays text. A relay is the turn between the two.
//
// A binding that has no face for WebSockets, but one for bytes, is given a socket as a stream of bytes: see [Bytes].
package ws
