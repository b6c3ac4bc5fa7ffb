// Package tls is the binding that secures a stream, and chooses its way by what the secured connection says.
//
//	client ══TLS══▶ tls server ──bytes──▶ … ──bytes──▶ tls client ══TLS══▶ server      terminate, originate
//	client ══TLS══▶ tls proxy ══════════════════════TLS══════════════════▶ server      pass through
//
// A server ends the client's TLS: it chooses a certificate by the name that the client asks for, agrees on a protocol
// (ALPN) that a route wants, and asks for a client certificate if it has to. What it learns travels on with the
// stream: the name as its authority, the protocol, the client's common name; the client's whole chain goes to a guard,
// if one is named. A route is chosen after the handshake; where there is none, the connection is closed in order.
//
// A client begins TLS with what its exit dials. It verifies the server's certificate against its trust, and its name
// against the one that it asked for: that of the options, else the stream's authority, else the host that the stream
// wants to reach, else the address that was dialled. It presents a certificate that the server's issuers accept, or
// that the route chooses.
//
// A proxy reads the name and the protocols from the client's first message and passes every byte on as it is, so that
// only the server has keys.
//
// How a stream ends is passed on: a close_notify as an orderly end of one direction, which leaves the other one open
// (in TLS 1.2 too); an end of the connection without one as an abort, since it may have been cut.
package tls
