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

var (
	_ Offerer = through{}
	_ Offerer = tapped{}
	_ Offerer = dialing{}
)
