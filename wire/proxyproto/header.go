package proxyproto

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Header is what a proxy says of a connection.
type Header struct {
	Version   int  // 1 or 2
	Local     bool // the proxy speaks for itself, as in a health check: there is nothing else in the header
	Family    Family
	Transport Transport

	// The client, and whom it has reached: addresses of the family, an IPv4 address in IPv6 stays one; or paths of at
	// most 108 bytes.
	Source, Dest         netip.AddrPort
	SourcePath, DestPath string

	// What only version 2 can say. Empty is the same as not said.
	ALPN      string // the protocol above, as agreed on by TLS
	Authority string // the host name that the client asked for
	UniqueID  []byte // of the connection; at most 128 bytes
	Namespace string // the network namespace
	TLS       *TLS   // nil: nothing is said of it
	Checksum  bool   // the header has a checksum, which is right
}

// Family is a family of addresses (section 2.2, the upper half of the 14th byte).
type Family uint8

// The families. With Unspec, or a transport that is Unspec, the header knows no addresses.
const (
	UnspecFamily Family = iota // 0x0: AF_UNSPEC
	Inet4                      // 0x1: AF_INET, 4 bytes and a port each
	Inet6                      // 0x2: AF_INET6, 16 bytes and a port each
	Unix                       // 0x3: AF_UNIX, 108 bytes each
)

// Transport is how the client's connection carries bytes (section 2.2, the lower half of the 14th byte).
type Transport uint8

// The transports.
const (
	UnspecTransport Transport = iota // 0x0
	Stream                           // 0x1: SOCK_STREAM
	Datagram                         // 0x2: SOCK_DGRAM
)

// Known reports whether the header has addresses.
func (h *Header) Known() bool {
	return !h.Local && h.Family != UnspecFamily && h.Transport != UnspecTransport
}

// TLS is what a header says of the TLS that the client came over (section 2.2.6).
type TLS struct {
	Client byte   // what the client did, see ClientTLS
	Verify uint32 // 0: the client has shown a certificate, which is good

	Version   string // TLSv1.3
	Name      string // common name of the client's certificate
	Cipher    string // cipher suite
	Signature string // what the certificate shown to the client is signed by: RSA-SHA256
	Key       string // of that certificate: RSA2048
}

// The flags of TLS.Client.
const (
	ClientTLS         = 0x01 // it came over TLS
	ClientCertConn    = 0x02 // and has shown a certificate on this connection
	ClientCertSession = 0x04 // or at least once in the session that this connection belongs to
)

// The constant begins of a header (sections 2.1 and 2.2).
const (
	textTCP4    = "PROXY TCP4 "
	textTCP6    = "PROXY TCP6 "
	textUnknown = "PROXY UNKNOWN"
	signature   = "\r\n\r\n\x00\r\nQUIT\n"
)

// Parse reads the header at the begin of b, whatever follows it. n is its length. It is 0 without an error if more
// bytes are needed, and the error comes as soon as it is certain that there is no header: what cannot be told byte by
// byte, the TLVs, is looked at once the header is whole. The Header does not refer to b.
func Parse(b []byte) (h Header, n int, err error) {
	for _, begin := range [...]string{textTCP4, textTCP6, textUnknown, signature} {
		switch {
		case len(b) < len(begin) && strings.HasPrefix(begin, string(b)):
			return Header{}, 0, nil
		case len(b) < len(begin) || string(b[:len(begin)]) != begin:
			continue
		}
		switch begin {
		case textTCP4:
			return parseText(b, Inet4)
		case textTCP6:
			return parseText(b, Inet6)
		case textUnknown:
			return parseUnknown(b)
		}
		return parseBinary(b)
	}
	return Header{}, 0, errNoHeader
}

var errNoHeader = errors.New("there is no header: it begins neither with PROXY nor with the signature of version 2")

// Append writes the header behind dst. What the version cannot say is left out; if those are the addresses, it says that
// they are not known. The error is for what cannot be written at all.
func (h *Header) Append(dst []byte) ([]byte, error) {
	if h.Known() {
		if err := h.check(); err != nil {
			return dst, err
		}
	}
	switch h.Version {
	case 1:
		return h.appendText(dst), nil
	case 2:
		return h.appendBinary(dst)
	}
	return dst, fmt.Errorf("there is no version %d", h.Version)
}

// check tells what is wrong with the addresses.
func (h *Header) check() error {
	source, dest := h.Source.Addr(), h.Dest.Addr()
	switch {
	case h.Transport > Datagram:
		return fmt.Errorf("there is no transport %d", h.Transport)
	case h.Family == Inet4 && source.Is4() && dest.Is4(), h.Family == Inet6 && source.Is6() && dest.Is6():
		return nil
	case h.Family == Unix && len(h.SourcePath) <= pathSize && len(h.DestPath) <= pathSize:
		return nil
	case h.Family == Unix:
		return fmt.Errorf("a path is longer than %d bytes", pathSize)
	case h.Family > Unix:
		return fmt.Errorf("there is no family %d", h.Family)
	}
	return fmt.Errorf("%s and %s are not both of the header's family", source, dest)
}
