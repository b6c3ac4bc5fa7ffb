package test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"gozilla/wire/proxyproto"

	pires "github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"
)

func init() { pires.MaxV2HeaderSize = 0xffff } // as long as a header can be; else it reads 4096 bytes

// piresRead reads a header with pires, and gives how many bytes it has taken.
func piresRead(b []byte) (*pires.Header, int, error) {
	in := bytes.NewReader(b)
	r := bufio.NewReaderSize(in, max(16, len(b)))
	h, err := pires.Read(r)
	if err == nil && !h.Command.IsLocal() { // of which nothing counts
		_, err = h.TLVs()
	}
	return h, len(b) - r.Buffered() - in.Len(), err
}

// piresSays is what a header says, in the form of ours. TLVs are those that both know.
func piresSays(h *pires.Header) (proxyproto.Header, error) {
	ours := proxyproto.Header{Version: int(h.Version), Local: h.Version == 2 && h.Command.IsLocal()}
	if h.Command.IsLocal() || h.TransportProtocol.IsUnspec() {
		return ours, nil
	}
	ours.Transport = proxyproto.Stream
	if h.TransportProtocol.IsDatagram() {
		ours.Transport = proxyproto.Datagram
	}
	ends := [...]net.Addr{h.SourceAddr, h.DestinationAddr}
	ip := func(a net.Addr) netip.AddrPort {
		p := netip.MustParseAddrPort(a.String()) // net.IP makes IPv4 of IPv4 in IPv6
		if h.TransportProtocol.IsIPv6() {
			p = netip.AddrPortFrom(netip.AddrFrom16(p.Addr().As16()), p.Port())
		}
		return p
	}
	switch {
	case h.TransportProtocol.IsUnix():
		ours.Family, ours.SourcePath, ours.DestPath = proxyproto.Unix, ends[0].String(), ends[1].String()
	case h.TransportProtocol.IsIPv6():
		ours.Family, ours.Source, ours.Dest = proxyproto.Inet6, ip(ends[0]), ip(ends[1])
	default:
		ours.Family, ours.Source, ours.Dest = proxyproto.Inet4, ip(ends[0]), ip(ends[1])
	}
	tlvs, err := h.TLVs()
	if err != nil {
		return ours, err
	}
	first := func(typ pires.PP2Type) string {
		i := slices.IndexFunc(tlvs, func(t pires.TLV) bool { return t.Type == typ && len(t.Value) > 0 })
		if i < 0 {
			return ""
		}
		return string(tlvs[i].Value)
	}
	ours.ALPN, ours.Authority, ours.Namespace = first(pires.PP2_TYPE_ALPN), first(pires.PP2_TYPE_AUTHORITY), first(pires.PP2_TYPE_NETNS)
	if id := first(pires.PP2_TYPE_UNIQUE_ID); id != "" {
		ours.UniqueID = []byte(id)
	}
	ours.Checksum = first(pires.PP2_TYPE_CRC32C) != ""
	return ours, nil
}

// same compares what was read by ours with what was read by pires. Of TLS only the table has something to say. The name
// of an abstract socket, which begins with a zero, is none for pires.
func same(ours, theirs proxyproto.Header) bool {
	ours.TLS = nil
	for _, p := range []*string{&ours.SourcePath, &ours.DestPath} {
		if strings.HasPrefix(*p, "\x00") {
			*p = ""
		}
	}
	return fmt.Sprintf("%+v", ours) == fmt.Sprintf("%+v", theirs)
}

// TestProxyHeadersOfBoth has headers that ours has written read by pires, and those that pires has written by ours.
func TestProxyHeadersOfBoth(t *testing.T) {
	ends := map[pires.AddressFamilyAndProtocol][2]net.Addr{
		pires.TCPv4:        {tcpAddr("192.0.2.7:40000"), tcpAddr("198.51.100.1:443")},
		pires.UDPv4:        {udpAddr("192.0.2.7:40000"), udpAddr("198.51.100.1:443")},
		pires.TCPv6:        {tcpAddr("[2001:db8::7]:40000"), tcpAddr("[2001:db8::1]:443")},
		pires.UDPv6:        {udpAddr("[2001:db8::7]:40000"), udpAddr("[2001:db8::1]:443")},
		pires.UnixStream:   {&net.UnixAddr{Name: "/tmp/source", Net: "unix"}, &net.UnixAddr{Name: strings.Repeat("d", 108), Net: "unix"}},
		pires.UnixDatagram: {&net.UnixAddr{Name: "/tmp/source", Net: "unixgram"}, &net.UnixAddr{Name: "", Net: "unixgram"}},
		pires.UNSPEC:       {},
	}
	tls, err := tlvparse.PP2SSL{Client: 7, Verify: 0, TLV: []pires.TLV{
		{Type: pires.PP2_SUBTYPE_SSL_VERSION, Value: []byte("TLSv1.3")}, {Type: pires.PP2_SUBTYPE_SSL_CIPHER, Value: []byte("cipher")},
		{Type: pires.PP2_SUBTYPE_SSL_SIG_ALG, Value: []byte("signature")}, {Type: pires.PP2_SUBTYPE_SSL_CN, Value: []byte("name")},
		{Type: pires.PP2_SUBTYPE_SSL_KEY_ALG, Value: []byte("key")},
	}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	tlvs := []pires.TLV{
		{Type: pires.PP2_TYPE_ALPN, Value: []byte("h2")}, {Type: pires.PP2_TYPE_AUTHORITY, Value: []byte("example.com")},
		{Type: pires.PP2_TYPE_UNIQUE_ID, Value: []byte("\x00\xff")}, {Type: pires.PP2_TYPE_NETNS, Value: []byte("space")}, tls,
	}
	for _, version := range []byte{1, 2} {
		for family, end := range ends {
			for _, with := range [][]pires.TLV{nil, tlvs} {
				theirs := &pires.Header{Version: version, Command: pires.PROXY, TransportProtocol: family, SourceAddr: end[0], DestinationAddr: end[1]}
				if family == pires.UNSPEC {
					theirs.Command = pires.LOCAL
				}
				if version == 1 && (with != nil || family != pires.TCPv4 && family != pires.TCPv6) {
					continue
				}
				if err := theirs.SetTLVs(with); err != nil {
					t.Fatal(err)
				}
				b, err := theirs.Format()
				if err != nil {
					t.Fatal(err)
				}
				read, n, err := proxyproto.Parse(b)
				says, err2 := piresSays(theirs)
				if n != len(b) || err != nil || err2 != nil || !same(read, says) {
					t.Errorf("pires has written %q, ours has read %+v, %d of %d, %v, %v", b, read, n, len(b), err, err2)
				}
				if with != nil && read.Known() && (read.TLS == nil ||
					*read.TLS != proxyproto.TLS{Client: 7, Version: "TLSv1.3", Cipher: "cipher", Signature: "signature", Name: "name", Key: "key"}) {
					t.Errorf("pires has written %q, ours has read %+v", b, read.TLS)
				}
				read.Checksum = version == 2
				if theirs := written(t, read); read.TLS != nil {
					writtenTLS(t, read.TLS, theirs)
				}
			}
		}
	}
}

// written has a header of ours read by pires.
func written(t *testing.T, h proxyproto.Header) *pires.Header {
	t.Helper()
	b, err := h.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	theirs, n, err := piresRead(b)
	if err != nil || n != len(b) {
		t.Fatalf("ours has written %q, pires has read %d of %d: %v", b, n, len(b), err)
	}
	says, err := piresSays(theirs)
	h.Checksum = h.Checksum && h.Known()
	if err != nil || !same(h, says) {
		t.Errorf("ours has written %+v, pires has read %+v, %v", h, says, err)
	}
	return theirs
}

// writtenTLS compares what ours has written of TLS with what pires has read.
func writtenTLS(t *testing.T, ours *proxyproto.TLS, h *pires.Header) {
	t.Helper()
	tlvs, err := h.TLVs()
	if err != nil {
		t.Fatal(err)
	}
	theirs, ok := tlvparse.FindSSL(tlvs)
	name, _ := theirs.ClientCN()
	version, _ := theirs.SSLVersion()
	if !ok || name != ours.Name || version != ours.Version || theirs.Client != ours.Client || theirs.Verify != ours.Verify {
		t.Errorf("ours has written %+v, pires has read %+v", ours, theirs)
	}
}

func tcpAddr(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
func udpAddr(s string) net.Addr { return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

// weOnly reports whether a header is one that ours takes and pires does not, on purpose.
func weOnly(b []byte) bool {
	if b[0] == 'P' {
		// UNKNOWN: what stands before CR LF is to be ignored, so LF too. pires ends the line there.
		return bytes.IndexByte(b, '\n') > 0 && b[bytes.IndexByte(b, '\n')-1] != '\r'
	}
	family, transport := b[13]>>4, b[13]&0xf
	// LOCAL: the family is to be ignored, so one that there is not too. PROXY: who receives is free to take UNSPEC.
	return b[12]&0xf == 0 && (family > 3 || transport > 2 || (family == 0) != (transport == 0)) || b[12]&0xf == 1 && (family == 0 || transport == 0)
}

// theyOnly reports whether a header is one that pires takes and ours does not, on purpose: pires looks into none of
// these TLVs by itself.
func theyOnly(h *pires.Header) bool {
	tlvs, _ := h.TLVs()
	for _, t := range tlvs {
		switch t.Type {
		case pires.PP2_TYPE_CRC32C: // another length, or another sum
			return true
		case pires.PP2_TYPE_UNIQUE_ID:
			if len(t.Value) > 128 {
				return true
			}
		case pires.PP2_TYPE_SSL:
			if len(t.Value) < 5 {
				return true
			}
			if _, err := pires.SplitTLVs(t.Value[5:]); err != nil {
				return true
			}
		}
	}
	return false
}

func FuzzProxyHeaders(f *testing.F) {
	body := "\xc0\x00\x02\x07\xc6\x33\x64\x01\x9c\x40\x01\xbb"
	for _, seed := range []string{
		"PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\nGET /", "PROXY TCP6 2001:db8::7 ::ffff:198.51.100.1 40000 443\r\n",
		"PROXY UNKNOWN\r\n", "PROXY UNKNOWN \n \r\n", "PROXY TCP4 192.0.2.7 198.51.100.1 040 443\r\n", "PROXY TCP4 192.0.2.7 198.51.100.1 4 443\n",
		head(0x20, 0) + "x", head(0x20, 0x11) + body, head(0x20, 0x99), head(0x21, 0), head(0x21, 0x11, body) + "GET /", head(0x21, 0x11, body[:11]),
		head(0x21, 0x11, body, "\x01\x00\x02h2\x05\x00\x02id\x04\x00\x00"), head(0x21, 0x11, body, "\x01\x00\x03h2"), head(0x21, 0x21, strings.Repeat("a", 36)),
		head(0x21, 0x31, strings.Repeat("/a\x00", 72)), head(0x21, 0x32, strings.Repeat("\x00a", 108)), head(0x21, 0x11, body, "\x20\x00\x05\x01\x00\x00\x00\x00"),
		head(0x21, 0x11, body, "\x03\x00\x04abcd"), head(0x31, 0x11, body), head(0x22, 0x11, body), head(0x21, 0x13, body),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ours, n, err := proxyproto.Parse(b)
		theirs, m, err2 := piresRead(b)
		switch {
		case n == 0 && err2 == nil && !theyOnly(theirs):
			t.Errorf("%q: ours says %v, pires reads %+v", b, err, theirs)
		case n > 0 && err2 != nil && !weOnly(b[:n]):
			t.Errorf("%q: ours reads %+v, pires says %v", b, ours, err2)
		case n > 0 && err2 == nil:
			if says, err := piresSays(theirs); err != nil || n != m || !same(ours, says) {
				t.Errorf("%q: ours reads %+v, %d bytes, pires %+v, %d bytes, %v", b, ours, n, says, m, err)
			}
		}
		if n > 0 && (ours.Local || ours.Version == 1 || ours.Known()) { // pires takes no other one
			written(t, ours)
		}
	})
}

// head is a header of version 2 with the right length.
func head(command, family byte, parts ...string) string {
	body := strings.Join(parts, "")
	return "\r\n\r\n\x00\r\nQUIT\n" + string([]byte{command, family, byte(len(body) >> 8), byte(len(body))}) + body
}
