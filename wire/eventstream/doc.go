// Package eventstream reads and writes streams of events as text, text/event-stream of the HTML standard (WHATWG, section
// 9.2, "Server-sent events"). It is UTF-8, in lines:
//
//	id:42             what the reader asks to go on after, should it come back
//	event:price       the type; without, it is message
//	retry:2000        milliseconds until the reader should come back
//	data:{"a":1}      one line for each line of the payload
//	                  an empty line is the end of the event
//	:                 a comment, which keeps a connection busy
//
// A [Parser] takes bytes in any pieces and gives events; the Append functions write them. Bytes that are no UTF-8 pass as
// they are: a payload is that of others.
package eventstream
