// Package websocket is the syntax of WebSocket (RFC 6455): frames, their masks, close frames and the fields of the handshake,
// with those of permessage-deflate (RFC 7692). It knows no connection, and no window of a compression.
//
//	bytes in    ParseHeader ──▶ Header   a header that breaks a rule by itself is a *Fault
//	            Sequence.Next            … and one that must not come at its place
//	            Mask                     the payload, in place and in pieces
//	            UTF8.Check               that of a text, after it is inflated
//	            ParseClose               that of a close frame
//
//	bytes out   AppendHeader, then the payload: of a server as it is, of a client by AppendMasked; AppendClose makes that of a
//	            close frame
//
//	handshake   ValidKey, Protocols and AcceptDeflate for a server; OfferDeflate and CheckDeflate for a client
//
// A server's frames are never masked and a client's always are (section 5.1), so that what passes from one to the other is
// unmasked and masked anew. A header is taken in its shortest form only: what is read has one meaning, and one writing.
//
// Nothing of frames allocates, but the reason of a close frame.
//
// Sections in comments without a number of an RFC are those of RFC 6455.
package websocket
