// Package proxy is the binding to the PROXY protocol, by which one proxy tells the next who the client is.
//
//	proxy ══header, bytes══▶ tcp server ──▶ proxy server ──bytes, facts──▶ …
//	                    … ──bytes, facts──▶ proxy client ──▶ tcp client ══header, bytes══▶ proxy
//
// The server takes a header of version 1 or 2 from the begin of every connection, as the protocol demands: it does not
// guess whether there is one. What the header says of the client replaces what the socket said, for routes, for the
// bindings behind it and in records. The client writes a header from what is known of the stream. Version 1, options
// and the time that a header may take are not in zilla.
package proxy
