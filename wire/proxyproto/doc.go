// Package proxyproto reads and writes the header of the PROXY protocol, by which a proxy tells who the client is that it
// speaks for. The header stands before everything else on a connection:
//
//	version 1  PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n
//	version 2  signature | version, command | family, transport | length | addresses | TLVs
//	           12 bytes    1                  1                   2
//
// Sections in comments are those of the protocol's specification, proxy-protocol.txt of HAProxy, of 2020 and later.
package proxyproto
