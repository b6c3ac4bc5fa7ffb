package ws

import (
	"slices"
	"strings"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/stream/ws"
	"gozilla/wire/http1"
)

// Server takes WebSockets from requests of HTTP, which an http server sends here, and sends them on: to bindings that take
// them, or as bytes to those that take these.
type Server struct {
	binding.Head
	// What the server does besides.
	Options ServerOptions
	binding.Routed[When, config.None]
}

// ServerOptions are those of a ws server.
type ServerOptions struct {
	// How messages may be compressed, for clients that offer it; none if nothing is said.
	Compression Compression `config:"compression,extension"`
}

// Client opens WebSockets at servers, by requests of HTTP that its exit sends.
type Client struct {
	binding.Head
	// What the client asks for.
	Options ClientOptions
	binding.Routed[When, config.None]
}

// ClientOptions are those of a ws client.
type ClientOptions struct {
	// What to ask for where who opens a socket does not say: for bytes all of it, for a WebSocket that a ws server has taken
	// the protocol, if its client offers none. What that client says counts before it; overrides of an http client change it.
	Defaults Defaults
	// How messages may be compressed, for servers that take it; none if nothing is said.
	Compression Compression `config:"compression,extension"`
}

// Defaults is what a client asks for if nobody says otherwise, as bytes do not.
type Defaults struct {
	// The protocol to speak, which is offered as sec-websocket-protocol.
	Protocol Subprotocol
	// http or https.
	Scheme Scheme
	// The server, with its port unless that is the usual one. It has to be said where bytes come.
	Authority Authority
	// The path, with its query.
	Path Path
}

// Check tells of an authority that looks like one, and is none.
func (d *Defaults) Check(r *config.Report) {
	if d.Authority != "" && !http1.IsAuthority(string(d.Authority)) {
		r.Errorf(r.At(&d.Authority), "%q is no authority: its address or its port is wrong", d.Authority)
	}
}

// Subprotocol is the name of a protocol within WebSocket.
type Subprotocol string

// Pattern is what the name of a protocol looks like (RFC 6455, section 4.1).
func (Subprotocol) Pattern() string { return "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" }

// Words says what it is.
func (Subprotocol) Words() string { return "one word such as mqtt" }

// Authority is a server as a request names it.
type Authority string

// Pattern is what an authority looks like (RFC 9110, section 4.2.1).
func (Authority) Pattern() string {
	return `^(\[[0-9a-fA-F:.]+\]|([!$&'()*+,;=._~0-9A-Za-z-]|%[0-9a-fA-F]{2})+)(:[0-9]{0,5})?$`
}

// Words says what it is.
func (Authority) Words() string { return "a host with or without a port" }

// Path is a path with its query, as a request has it.
type Path string

// Pattern is what a path looks like.
func (Path) Pattern() string { return `^/[!"$-~]*$` }

// Words says what it is.
func (Path) Words() string {
	return "a path like /items?page=2 without spaces or a fragment"
}

// Scheme is the scheme of a request.
type Scheme string

// Values are the schemes of WebSockets, as HTTP has them.
func (Scheme) Values() []string { return []string{"http", "https"} }

// Compression is how messages are compressed.
type Compression string

// The ways of compression.
const (
	NoCompression     Compression = "none"
	PerMessageDeflate Compression = "permessage-deflate" // RFC 7692, each message by itself
)

// Values are the ways of compression.
func (Compression) Values() []string {
	return []string{string(NoCompression), string(PerMessageDeflate)}
}

// When is what a route asks of a socket. What is left out may be anything.
type When struct {
	// A protocol that the client offers, as sec-websocket-protocol.
	Protocol config.Wildcard
	// The scheme of the request, http or https.
	Scheme config.Wildcard
	// The server that the client asks for, as it says it.
	Authority config.Wildcard
	// The path, with its query.
	Path config.Wildcard
}

// Check tells of conditions that cannot hold.
func (w *When) Check(r *config.Report) {
	if w.Protocol != "" && !http1.IsToken(string(w.Protocol)) {
		r.Warnf(r.At(&w.Protocol), "this never holds: a protocol is one word such as mqtt").Hintf("for each of several, write a condition of its own")
	}
	if schemes := Scheme("").Values(); w.Scheme != "" && !slices.ContainsFunc(schemes, w.Scheme.Match) {
		note := r.Warnf(r.At(&w.Scheme), "this never holds: the scheme is that of the request, %s", strings.Join(schemes, " or "))
		switch strings.ToLower(string(w.Scheme)) {
		case "ws", "http":
			note.Hintf("write http")
		case "wss", "https":
			note.Hintf("write https")
		}
	}
	if w.Path != "" && w.Path[0] != '/' && w.Path[0] != '*' {
		r.Warnf(r.At(&w.Path), "this never holds: a path begins with /").Hintf("write /%s", w.Path)
	}
}

// holds reports whether the condition holds for a socket that somebody asks for.
func (w *When) holds(r *ws.Request) bool {
	return fits(w.Scheme, r.Scheme) && fits(w.Authority, r.Authority) && fits(w.Path, r.Path) &&
		(w.Protocol == "" || slices.ContainsFunc(r.Protocols, w.Protocol.Match))
}

func fits(w config.Wildcard, s string) bool { return w == "" || w.Match(s) }

// spoken are the protocols that a route with such conditions has a client speak, of those that it offers.
func spoken(when []When, r *ws.Request) []string {
	speaks := func(protocol string) bool {
		one := *r
		one.Protocols = []string{protocol}
		return slices.ContainsFunc(when, func(w When) bool { return w.holds(&one) })
	}
	if len(when) == 0 {
		return r.Protocols
	}
	return slices.DeleteFunc(slices.Clone(r.Protocols), func(p string) bool { return !speaks(p) })
}

// Apart is how a condition is taken apart, to tell which of its keys do not hold.
func (w *When) Apart() (parts []config.Part[When]) {
	for _, p := range []config.Part[When]{
		{Key: "protocol", Only: &When{Protocol: w.Protocol}}, {Key: "scheme", Only: &When{Scheme: w.Scheme}},
		{Key: "authority", Only: &When{Authority: w.Authority}}, {Key: "path", Only: &When{Path: w.Path}},
	} {
		if *p.Only != (When{}) {
			parts = append(parts, p)
		}
	}
	return parts
}
