package stream

import (
	"net"
	"net/netip"
	"strconv"
)

// Info are the facts that travel beside a stream. It is never changed once passed on: who learns something passes on
// a copy.
type Info struct {
	Source   Addr           // who opened the stream, the client
	Dest     Addr           // whom it wanted to reach
	Local    netip.AddrPort // of ours, that the stream came to; unlike Dest no header says it
	Datagram bool           // that they spoke in datagrams, as a PROXY header says
	// Authority is the name that the client asked for (a TLS server name, a host), ALPN the protocol it agreed on, or the
	// only one that is wanted where a stream is dialled, and Namespace the network namespace that a PROXY header named;
	// each "" if not known.
	Authority, ALPN, Namespace string
	UniqueID                   []byte  // of the connection, from a PROXY header
	Secure                     *Secure // what is known of the TLS it came over; nil: it came in the clear
}

// Secure is what is known of the TLS that a stream came over. Empty fields are not known.
type Secure struct {
	Version   string // TLSv1.3
	Name      string // common name of the peer's certificate
	Cipher    string // cipher suite
	Signature string // signature algorithm of the peer's certificate
	Key       string // key algorithm of the peer's certificate
}

// Addr is one end of a stream: an IP address or a host name, and a port; or the path of a unix socket. The zero value
// is no address.
type Addr struct {
	IP   netip.Addr // valid, or
	Host string     // a name that is yet to be resolved
	Port uint16
	Path string // of a unix socket
}

// AddrOf is the address that a socket reports. IPv4 in IPv6 is unwrapped, so that one client has one address.
func AddrOf(a net.Addr) Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		p := t.AddrPort()
		return Addr{IP: p.Addr().Unmap(), Port: p.Port()}
	}
	return Addr{}
}

// Valid reports whether a names anything.
func (a Addr) Valid() bool { return a.IP.IsValid() || a.Host != "" || a.Path != "" }

// AddrPort is the address for those that hold an IP address, else the zero value.
func (a Addr) AddrPort() netip.AddrPort { return netip.AddrPortFrom(a.IP, a.Port) }

// String is host:port, with brackets around IPv6, or unix:path, or "" for no address.
func (a Addr) String() string {
	switch {
	case a.IP.IsValid():
		return a.AddrPort().String()
	case a.Host != "":
		return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port)))
	case a.Path != "":
		return "unix:" + a.Path
	}
	return ""
}
