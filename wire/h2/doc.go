// Package h2 is the wire format of HTTP/2 (RFC 9113): the ten frames, and header blocks (HPACK, RFC 7541). It knows no
// connection: what a frame means for a stream is up to the engines.
//
//	bytes in    Next ──▶ Frame           a frame that breaks a rule by itself is a *Fault: of its stream, or of the connection
//	            NextSetting ──▶ Setting  the payload of a Settings frame, one by one
//	            Decoder ──▶ fields       the fragments of Headers, Promise and Continuation: Begin, Write …, End
//
//	bytes out   BeginBlock, then AppendStatus or AppendMethod, AppendScheme, AppendAuthority and AppendPath, then AppendField
//	            for each field, EndBlock; AppendData; and a function for each of the other frames
//
// What is written uses the static table only, no Huffman code and no dynamic table: a gateway writes much, to many, and each
// table would be memory and time for each connection. What is read may use all of HPACK, with a table of TableSize bytes.
//
// Nothing here allocates, but the strings of fields that are read, and faults.
//
// Sections in comments without a number of an RFC are those of RFC 9113.
package h2
