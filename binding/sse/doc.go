// Package sse is the binding for streams of events (server-sent events, WHATWG HTML, section 9.2).
//
//	client ══HTTP══▶ http server ──exchanges──▶ sse server ──events──▶ sse client ──exchanges──▶ http client ══HTTP══▶ server
//
// A server takes requests by GET, and sends the events that its exit has, as they come, as text/event-stream. It is told by
// the header last-event-id, or else by the parameter lastEventId of the query, after which event to go on; ids of more than
// 254 bytes, or with control characters other than tabs, are refused (400). What stands behind sees the path without the
// query. HEAD is answered as GET is, without events; other methods are 405, and a body is 400. Where no route leads, it is
// 404.
//
// A client asks a server by GET for text/event-stream, and takes nothing else for a stream of events: another answer is
// what the sse server in front says too, where it is of use to its client (204, 4xx, 503 and 504), else 502.
// A stream that has ended in order has ended. One that was cut off is asked for again, after the last id that has come: once the
// time is over that the server has wanted (retry), or the option says, and up to half as much more; twice as
// long each time, up to half a minute, until an event comes. What the server says by retry-after counts too. An answer that
// will be no other next time, such as 404, and 204, end that. Whoever reads from the client notices nothing but the pause.
//
// An id that a client could not come back with by a header is none: one with control characters other than tabs, or of more
// than 254 bytes. The event goes on without it. Spaces and tabs around an id are cut off, as they are of a header's value.
//
// While there are no events a server may send comments, so that nobody in between takes the connection for dead: the
// property zilla.binding.sse.maximum.idle.time says after how many seconds. A session whose guard wants new credentials in
// time (option challenge of jwt) makes an event of the type challenge, with the data
//
//	{"method":"POST","headers":{"content-type":"application/x-challenge-response"}}
//
// by which a page knows that it should send such a request to the same address, with new credentials. The http server
// answers it by 204 and lets the stream go on; without it, the stream is cut off when the session ends.
//
// Nothing is read from behind that a client has not taken what came before of. A client that takes nothing for as long as
// the limit body allows is cut off (slow reader). When the gateway leaves, or the way is taken from a stream, it ends in
// order, so that its client comes back, and finds another gateway or the new way. An event may have as many bytes as the
// limit message says; a server that sends a larger one is cut off (event too large).
//
// With compression: gzip, clients that take it are sent compressed events. Each batch is compressed by itself, once for all
// who get it: that costs a processor little, and compresses less than what looks back would.
//
// # Different from zilla
//
//   - options.retry is told to clients, if it is there. A client uses it, and what servers say, to ask again.
//   - The path of an entry of requests is a template that must match the whole path, and the first entry counts. An event
//     that is left out is told of.
//   - A client asks again for what was cut off, and does not take text/plain, or a status that is not 200, for events.
//   - A space at the beginning of a value is not lost. What would break a line in an id or a type is never written.
//   - An id with a control character in it does not count. Clients would come back with it, and be refused by 400.
//   - In a path that decides who may have what, dots and needless escapes are refused.
//   - 405 says which methods there are, events are not to be stored by caches (cache-control: no-store), and HEAD is answered.
package sse
