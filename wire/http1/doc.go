// Package http1 is the syntax of HTTP/1.1 (RFC 9112): heads and chunked bodies, read from bytes and appended to bytes.
//
//	bytes in    CR LF                        Lead skips it
//	            POST /things HTTP/1.1 CR LF  ┐
//	            Host: example.com CR LF      │ End measures the head, ParseRequest or ParseResponse reads it:
//	            Connection: close CR LF      │
//	            Transfer-Encoding: … CR LF   │ Request{Method: POST, Authority: example.com, Path: /things, Chunked: true,
//	            Accept: */* CR LF CR LF      ┘         Close: true, Fields: {accept: */*}}
//	            5 CR LF hello CR LF          ┐ Chunks finds the data and the trailer; without chunks, the body has Length
//	            0 CR LF CR LF                ┘ bytes
//	            GET …                        the next message
//
//	bytes out   AppendRequestLine or AppendStatusLine, then AppendFields, AppendField, AppendInt and CR LF; for each piece of
//	            data AppendChunk, the data and CR LF; AppendEnd
//
// What belongs to the connection (RFC 9110, 7.6.1) ends here: Fields has what is passed on, and the rest is told by the
// members of Request and Response. Nothing of the framing passes from one connection to the next, it is written anew.
//
// A request that two parties could understand in two ways is refused, for that is what smuggling lives on (RFC 9112,
// 11.2). A response comes from a server that was chosen, so what RFC 9112 has a proxy repair is repaired, and nothing else.
// Each refusal is a Fault, which has the status to answer with.
//
// Sections in comments without a number of an RFC are those of RFC 9112.
package http1
