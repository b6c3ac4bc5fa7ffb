package proxy

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"

	"gozilla/binding"
	"gozilla/config"
)

// Server takes the header of the PROXY protocol that every connection begins with, and sends the connection on by what
// it says.
type Server struct {
	binding.Head
	// Whose headers are taken.
	Options ServerOptions `config:"options,extension"`
	binding.Routed[When, config.None]
}

// ServerOptions says whose headers a proxy server takes.
type ServerOptions struct {
	// The networks of the proxies that are believed. A connection from elsewhere is reset before a byte of it is read.
	// By default everybody is believed who can connect.
	Trusted config.List[config.CIDR] `config:"trusted,extension"`
}

// Check tells what is wrong with the options as a whole.
func (o *ServerOptions) Check(r *config.Report) {
	if o.Trusted != nil && len(o.Trusted) == 0 {
		r.Warnf(r.At(&o.Trusted), "this server takes no connection: it trusts nobody")
	}
}

// Client writes the header of the PROXY protocol at the begin of every connection that it dials: who opened the stream,
// and whom it wanted to reach.
type Client struct {
	binding.Head
	// What the header looks like.
	Options ClientOptions `config:"options,extension"`
	binding.Routed[When, config.None]
}

// ClientOptions says what the header of a proxy client looks like.
type ClientOptions struct {
	// The version of the header. 2 is binary; 1 is a line of text, which can only tell the addresses of TCP.
	Version Version `config:"version,extension"`
	// Whether the header has a checksum (CRC32C).
	Checksum bool `config:"checksum,extension"`
}

// Defaults is what holds for keys that are left out.
func (o *ClientOptions) Defaults() { o.Version = 2 }

// Check tells what is wrong with the options as a whole.
func (o *ClientOptions) Check(r *config.Report) {
	if o.Checksum && o.Version == 1 {
		r.Errorf(r.At(&o.Checksum), "version 1 has no checksum").Hintf("leave it out, or say version: 2")
	}
}

// Version is a version of the header.
type Version int

// Bounds is part of the shape: there are two versions.
func (Version) Bounds() (least, most int64) { return 1, 2 }

// When is what a route asks of a stream.
type When struct {
	// Whether the client's connection carries a stream or datagrams.
	Transport Transport
	// The family of the address that the client wanted to reach, or of its own if that is not known. inet is a name that
	// is not resolved yet, which no header can say.
	Family Family
	// Who the client is.
	Source Endpoint
	// Whom the client wanted to reach.
	Destination Endpoint
	// What else is known of the client's connection.
	Info Info
}

// Check tells what is wrong with the condition as a whole.
func (w *When) Check(r *config.Report) {
	w.Source.checkFamily(r, w.Family)
	w.Destination.checkFamily(r, w.Family)
}

// Endpoint is one end of the client's connection.
type Endpoint struct {
	// The host. With the family inet it is a name in which * stands for any run of characters, with inet4 or inet6 an
	// address or a network, with unix the begin of a path. Without a family, it is what it looks like.
	Host Host
	// The port.
	Port *uint16
}

// checkFamily tells of what no address of the family can be. Without a family, the host has to look like something.
func (e *Endpoint) checkFamily(r *config.Report, f Family) {
	h, is4 := &e.Host, e.Host.network.Addr().Is4()
	switch {
	case f == Unix && e.Port != nil:
		r.Errorf(r.At(e.Port), "a path of the family unix has no port")
	case h.text == "":
	case f == Inet4 && (!h.isNetwork() || !is4), f == Inet6 && (!h.isNetwork() || is4):
		example := map[Family]string{Inet4: "192.0.2.7, or 192.0.2.0/24", Inet6: "2001:db8::7, or 2001:db8::/32"}[f]
		r.Errorf(r.At(h), "%q is neither an address nor a network of the family %s", h.text, f).Hintf("such as %s", example)
	case f == Inet && strings.ContainsAny(h.text, "/:@ \t"):
		r.Errorf(r.At(h), "%q is no name of a host", h.text).Hintf("the family inet is for names that are not resolved; for addresses say inet4 or inet6")
	case f == "" && !h.isNetwork() && h.text[0] != '/' && strings.ContainsAny(h.text, "/:@ \t"):
		r.Errorf(r.At(h), "%q is neither an address, nor a network, a name or a path", h.text).Hintf("if it is a path, say family: unix")
	}
}

// Host is an address, a network, a name or a path.
type Host struct {
	text    string       // as in the file
	network netip.Prefix // valid if it is an address or a network
}

// Pattern is what a host looks like.
func (Host) Pattern() string { return `^.+$` }

// Words says what a host is.
func (Host) Words() string { return "an address, a network, a name or a path" }

// UnmarshalText reads a host.
func (h *Host) UnmarshalText(text []byte) error {
	*h = Host{text: string(text)}
	if p, err := netip.ParsePrefix(h.text); err == nil {
		h.network = p.Masked()
	} else if a, err := netip.ParseAddr(h.text); err == nil && a.Zone() == "" {
		h.network = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
	}
	return nil
}

func (h *Host) isNetwork() bool { return h.network.IsValid() }

// Transport is how the client's connection carries bytes.
type Transport string

// The transports.
const (
	Stream   Transport = "stream"
	Datagram Transport = "datagram"
)

// Values are all transports.
func (Transport) Values() []string { return []string{string(Stream), string(Datagram)} }

// Family is a family of addresses.
type Family string

// The families.
const (
	Inet  Family = "inet" // names
	Inet4 Family = "inet4"
	Inet6 Family = "inet6"
	Unix  Family = "unix"
)

// Values are all families.
func (Family) Values() []string {
	return []string{string(Inet), string(Inet4), string(Inet6), string(Unix)}
}

// Info is what is known of the client's connection besides its addresses.
type Info struct {
	// The protocol that was agreed on by TLS.
	ALPN string
	// The host name that the client asked for.
	Authority string
	// The unique id of the connection, in hexadecimal digits.
	Identity Hex
	// The network namespace.
	Namespace string
	// The TLS that the client came over.
	Secure Secure
}

// Secure is what is known of the TLS that the client came over.
type Secure struct {
	// The version, such as TLSv1.3.
	Version string
	// The cipher suite.
	Cipher string
	// The algorithm of the certificate's key.
	Key string
	// The common name of the client's certificate, if that is good.
	Name string
	// The algorithm that the certificate is signed by.
	Signature string
}

// Hex is bytes in hexadecimal digits.
type Hex []byte

// Pattern is what bytes look like.
func (Hex) Pattern() string { return `^([0-9a-fA-F]{2})+$` }

// Words says what bytes are.
func (Hex) Words() string { return "pairs of hexadecimal digits" }

// UnmarshalText reads bytes.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	if *h, err = hex.DecodeString(string(text)); err != nil {
		return errors.New("two hexadecimal digits are a byte")
	}
	return nil
}
