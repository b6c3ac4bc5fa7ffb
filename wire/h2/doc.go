// Package h2 is the wire format of HTTP/2 (RFC 9113): the ten frames, and header blocks (HPACK, RFC 7541). It knows no
// connection: what a frame means for a stream is up to the engines.
//
//	bytes ──Next──▶ Frame            frames that break a rule by themselves are a *Fault: of the stream, or of the connection
//	values ──Append…──▶ bytes
//	block ──Decoder──▶ fields        fields ──AppendField──▶ block
package h2
