// Package h1 is the engine of HTTP/1.1 (RFC 9112): what stands between a byte stream and the port of http, on both
// sides of a connection.
//
//	bytes ─▶ Server ──ServeExchange──▶ web.Handler        web.Opener's binding ──Begin──▶ Peer ─▶ bytes
//
// Both drive a [conn.Transport] with the codec of wire/http1. A connection that waits holds no buffer. A request that
// is whole is served from inside the loop that receives, so that it costs no system call that comes back empty; one
// whose handler may have to receive is served outside of it, which the head tells: by its length, and by upgrade.
package h1
