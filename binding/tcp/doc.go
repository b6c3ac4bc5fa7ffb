// Package tcp is the binding to the network: a server accepts TCP connections, a client dials them.
//
//	client ══TCP══▶ tcp server ──bytes──▶ … ──bytes──▶ tcp client ══TCP══▶ server
//
// The server chooses an exit by the address that the client reached it at, and, beyond zilla, by the client's own. The
// client dials what its options name, what its routes allow of what the stream asks for, or, without options, whatever
// the stream asks for.
//
// How a stream ends is passed on as it is: an orderly end of one direction as FIN, which leaves the other one open, an
// abort as RST, so that half a stream never looks whole (zilla sends FIN for both). A connection for which no route is
// found is closed in order; one that the exit refuses is reset.
package tcp
