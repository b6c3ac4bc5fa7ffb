// Package ws is the binding of WebSockets (RFC 6455), over HTTP/1.1 and HTTP/2 (RFC 8441).
//
//	server  … ──http──▶ handshake ─┬─ routes ──ws──▶ exit      client  … ──ws──▶ routes ──▶ handshake ──http──▶ exit
//	                               └─ no: 400, 404, 426
//
// Both ends are one engine: receiving turns what comes into pieces of messages, sending makes frames of pieces, and socket is
// what they share: keep-alive, goodbyes, counts. A socket that is idle holds no buffer.
//
// # Different from zilla
//
//   - A peer that breaks the rules is told by which code (1002, 1007, 1009), instead of being reset. Reserved bits, fragments,
//     lengths and UTF-8 are looked at too, and a mask of zeros is taken.
//   - The code and the reason of a goodbye are passed on, and a peer that goes without one is an abort.
//   - Where a message ends is kept.
//   - A handshake that is wrong is 400 or 426, not 404, and a client compares the header upgrade without case.
//   - The protocol of a client's defaults is offered for sockets whose client offers none, too.
//   - Sockets may come and go by HTTP/2. There is permessage-deflate.
//   - A silent peer is asked whether it is there, and there are limits to messages and to the time that everything may take.
package ws
