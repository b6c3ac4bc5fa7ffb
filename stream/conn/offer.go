package conn

import "gozilla/stream"

// An Offer is what servers are offered that a binding agrees with on a protocol (ALPN). Where Info.ALPN is one of the protocols, or
// there are none, that alone is offered.
type Offer struct {
	By        *stream.Node
	Protocols []string
}

// An Offerer is a Dialer that makes offers to the servers of what it opens, or whose exits may.
type Offerer interface {
	// Offers are all that may be made, by whichever way a stream goes. It asks exits, so that it is for who knows that
	// they lead somewhere: once the file was read.
	Offers() []Offer
}

// Offers are those that may be made to the servers of what d opens. Where there are none, no protocol is agreed on.
func Offers(d Dialer) []Offer {
	if o, ok := d.(Offerer); ok {
		return o.Offers()
	}
	return nil
}

func (t through) Offers() []Offer { return Offers(t.edge.To().Port) }

func (t tapped) Offers() []Offer { return Offers(t.port) }

func (p dialing) Offers() []Offer { return Offers(p.Dialer) }

// A Decliner is a Server that may end what it is served, by the protocol that was agreed on with the client (ALPN).
type Decliner interface {
	// Declines tells who ends a stream of that protocol, nil if nobody does. Like Offers, it asks exits.
	Declines(alpn string) *stream.Node
}

// Declines tells who, behind s, ends a stream of which that protocol was agreed on; nil if nobody does, as far as is known.
func Declines(s Server, alpn string) *stream.Node {
	if d, ok := s.(Decliner); ok {
		return d.Declines(alpn)
	}
	return nil
}

func (t through) Declines(alpn string) *stream.Node { return Declines(t.edge.To().Port, alpn) }

func (t tapped) Declines(alpn string) *stream.Node { return Declines(t.port, alpn) }

func (p serving) Declines(alpn string) *stream.Node { return Declines(p.Server, alpn) }

var (
	_ Offerer  = through{}
	_ Offerer  = tapped{}
	_ Offerer  = dialing{}
	_ Decliner = through{}
	_ Decliner = tapped{}
	_ Decliner = serving{}
)
