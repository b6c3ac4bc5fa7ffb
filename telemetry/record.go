package telemetry

import (
	"net/netip"
	"time"
)

// Record is the story of one connection, or of one exchange that came over it, complete at its end: where it came from,
// where it went, what it moved, what took how long, and who ended it and why.
type Record struct {
	ID         uint64
	Connection uint64 // the record of the connection that the exchange came over; 0: this is one itself

	Start  time.Time      // when it was accepted, or begun by a source
	Source netip.AddrPort // the client; invalid for what a source began
	Dest   netip.AddrPort // the address that the client reached us at
	Target string         // what was dialled on its behalf, "" for nothing
	Path   []Step         // the bindings it went through, in order
	Ways   []Way          // those of the exchanges that are going on over it, while it is open

	Received, Sent int64 // bytes from and to the client

	Authority string // the name that the client asked for, "" if not known
	ALPN      string // the protocol that was agreed on
	TLS       string // the version of TLS on the client's side, TLSv1.3; "" for none
	Identity  string // who the client is, by the certificate that it has shown or a guard

	Handshake time.Duration // how long agreeing on TLS with the client took; 0: there was none
	Accept    time.Duration // from Start until it was sent on: how long its route took to find
	Dial      time.Duration // how long dialling took, name resolution included; 0: there was none
	FirstByte time.Duration // from Start to the first byte sent back to the client; 0: there was none
	Duration  time.Duration // from Start to the end

	By     Side   // who ended it
	Reason string // how, in a few stable words: "fin", "rst", "idle timeout", "no route", "drain" …
	Err    string // the details, "" where the reason says all

	RTT         time.Duration // smoothed round trip to the client as the system saw it, 0: not known
	Retransmits uint32        // segments sent to the client more than once

	HTTP HTTP // the zero value for what is no exchange of HTTP
	WS   WS   // the zero value for what is no WebSocket
	SSE  SSE  // the zero value for what is no stream of events
}

// A Way is the path of exchanges that are going on.
type Way struct {
	Path  []Step // nil: any that is not told
	Count int    // how many of them take it
}

// WS is what a record has of a WebSocket, which is an exchange of HTTP too.
type WS struct {
	Received, Sent int64  // messages from and to the client
	By             Side   // who took leave first, the gateway if it has chosen the code; "": nobody did
	Code           uint16 // by which; 0: none was given
	Reason         string // likewise
}

// SSE is what a record has of a stream of events that was sent.
type SSE struct {
	Events int64  // that were sent
	LastID string // of the last event that has one, else the one that the client had; "" for none
}

// HTTP is what a record has of a request and its response. What is not known is "" or 0.
type HTTP struct {
	Method  string
	Scheme  string
	Path    string // with the query, as it was asked for
	Version string // as an access log spells it: HTTP/1.1, HTTP/2
	Status  int
	Referer string // the header, as all below
	Agent   string
	Trace   string // the trace that the request belongs to, by its header traceparent
}

// set makes r a copy of from, for which it keeps its array of steps.
func (r *Record) set(from *Record) {
	path := append(r.Path[:0], from.Path...)
	clear(path[len(path):cap(path)]) // let go of the texts of a longer one
	*r = *from
	r.Path = path
}

// Step is one binding on the path of a connection and the way it was sent on from there.
type Step struct {
	Binding string // qualified: namespace:name
	Route   string // "routes[2]", "exit", or "" where the binding sends nothing on
}

// Side is one of the three parties of a connection.
type Side string

// The sides, as records spell them.
const (
	Client  Side = "client"  // who opened the connection
	Server  Side = "server"  // what was dialled
	Gateway Side = "gateway" // we
)
