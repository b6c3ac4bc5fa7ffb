// Package ws is the binding of WebSockets (RFC 6455), over HTTP/1.1 and HTTP/2 (RFC 8441).
//
//	server  … ──http──▶ handshake ─┬─ routes ──ws──▶ exit      client  … ──ws──▶ routes ──▶ handshake ──http──▶ exit
//	                               └─ no: 400, 404, 426
//
// Both ends are one engine: receiving turns what comes into pieces of messages, sending makes frames of pieces, and socket is
// what they share: keep-alive, goodbyes, counts. A socket that is idle holds no buffer.
package ws
