// Package pcapng writes capture files that Wireshark and its relatives open: the blocks of pcapng (draft-ietf-opsawg-pcapng),
// and the packets of TCP connections that were none, so that what a gateway has seen above the network can be looked at with
// the tools for what is seen on it.
//
//	AppendSection, AppendInterface …   once for each
//	Conn: Open, Data …, Fin or Reset   handshake, segments and end of one connection
//
// A file that is cut off behind any block is whole.
package pcapng
