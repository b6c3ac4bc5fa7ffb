// Package echo is the binding that sends back what it receives.
//
//	… ──bytes──▶ echo ─┐
//	… ◀──bytes──────────┘
//
// It holds nothing back: a peer that does not read is not read from. The end of what is received is the end of what is
// sent, so a client that has said all gets all of it back and then the end. Each protocol that it speaks has a file.
//
// Of http it sends back the body of a request, with its content-type, its length if that is known, and its trailer, while
// it still comes. The answer to a request without a body is empty.
//
// Of a WebSocket it sends back the messages, those of text as text.
package echo
