package proxyproto

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

var (
	v4 = Header{
		Version: 2, Family: Inet4, Transport: Stream,
		Source: netip.MustParseAddrPort("192.168.0.1:32768"), Dest: netip.MustParseAddrPort("192.168.0.254:443"),
	}
	v6 = Header{
		Version: 2, Family: Inet6, Transport: Stream,
		Source: netip.MustParseAddrPort("[fd12:3456:789a:1::1]:32768"), Dest: netip.MustParseAddrPort("[fd12:3456:789a:1::fe]:443"),
	}
	unix = Header{Version: 2, Family: Unix, Transport: Stream, SourcePath: "/tmp/source", DestPath: "/tmp/dest"}
)

const (
	addrs4 = "\xc0\xa8\x00\x01\xc0\xa8\x00\xfe\x80\x00\x01\xbb"
	addrs6 = "\xfd\x12\x34\x56\x78\x9a\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\xfd\x12\x34\x56\x78\x9a\x00\x01\x00\x00\x00\x00\x00\x00\x00\xfe\x80\x00\x01\xbb"
)

var addrsUnix = padded("/tmp/source") + padded("/tmp/dest")

func padded(path string) string { return path + strings.Repeat("\x00", pathSize-len(path)) }

// bin is a header of version 2 as it should be: the length is that of the parts.
func bin(command, family byte, parts ...string) string {
	body := strings.Join(parts, "")
	head := append([]byte(signature), command, family)
	return string(binary.BigEndian.AppendUint16(head, uint16(len(body)))) + body
}

// tlv is a TLV as it should be.
func tlv(typ byte, value string) string {
	return string(binary.BigEndian.AppendUint16([]byte{typ}, uint16(len(value)))) + value
}

// lying is a header whose length is another one.
func lying(header string, size uint16) string {
	b := []byte(header)
	binary.BigEndian.PutUint16(b[14:], size)
	return string(b)
}

// with is a header with more.
func (h Header) with(f func(*Header)) Header {
	f(&h)
	return h
}

// valid are headers, and what they say. The names in comments are those of the scenarios of zilla.
var valid = []struct {
	name  string
	bytes string
	want  Header
}{
	// connected.local
	{"local", bin(0x20, 0), Header{Version: 2, Local: true}},
	// connected.local.discard
	{"local with 7 bytes", bin(0x20, 0, "\x00abc\xff\x01\x03"), Header{Version: 2, Local: true}},
	{"local with a family", bin(0x20, 0x11, addrs4, tlv(0x01, "echo")), Header{Version: 2, Local: true}},
	{"local with a family and no addresses", bin(0x20, 0x21), Header{Version: 2, Local: true}},
	{"local with a family that there is not", bin(0x20, 0xff), Header{Version: 2, Local: true}},
	{"local with a wrong checksum", bin(0x20, 0, tlv(0x03, "none")), Header{Version: 2, Local: true}},
	// connected.tcp4
	{"tcp4", bin(0x21, 0x11, addrs4), v4},
	// connected.udp4
	{"udp4", bin(0x21, 0x12, addrs4), v4.with(func(h *Header) { h.Transport = Datagram })},
	// connected.tcp6
	{"tcp6", bin(0x21, 0x21, addrs6), v6},
	// connected.udp6
	{"udp6", bin(0x21, 0x22, addrs6), v6.with(func(h *Header) { h.Transport = Datagram })},
	{"tcp6 with IPv4 inside", bin(0x21, 0x21, strings.Repeat("\x00", 10), "\xff\xff\xc0\xa8\x00\x01", addrs6[16:]), v6.with(func(h *Header) {
		h.Source = netip.MustParseAddrPort("[::ffff:192.168.0.1]:32768")
	})},
	// connected.sock.stream
	{"unix", bin(0x21, 0x31, addrsUnix), unix},
	// connected.sock.datagram
	{"unix datagram", bin(0x21, 0x32, addrsUnix), unix.with(func(h *Header) { h.Transport = Datagram })},
	{"unix with paths that fill the field", bin(0x21, 0x31, strings.Repeat("a", pathSize), strings.Repeat("b", pathSize)), unix.with(func(h *Header) {
		h.SourcePath, h.DestPath = strings.Repeat("a", pathSize), strings.Repeat("b", pathSize)
	})},
	{"unix without names", bin(0x21, 0x31, padded(""), padded("")), unix.with(func(h *Header) { h.SourcePath, h.DestPath = "", "" })},
	{"unix with an abstract name", bin(0x21, 0x31, padded("\x00abstract"), padded("/a\x00b")), unix.with(func(h *Header) {
		h.SourcePath, h.DestPath = "\x00abstract", "/a"
	})},
	{"unspecified", bin(0x21, 0), Header{Version: 2}},
	{"unspecified with bytes", bin(0x21, 0, "anything"), Header{Version: 2}},
	{"no family", bin(0x21, 0x01, addrs4), Header{Version: 2}},
	{"no transport", bin(0x21, 0x10, "\x01"), Header{Version: 2}},
	// connected.tcp4.alpn
	{"alpn", bin(0x21, 0x11, addrs4, tlv(0x01, "echo")), v4.with(func(h *Header) { h.ALPN = "echo" })},
	// connected.tcp4.authority
	{"authority", bin(0x21, 0x11, addrs4, tlv(0x02, "example.com")), v4.with(func(h *Header) { h.Authority = "example.com" })},
	// connected.tcp4.identity
	{"unique id", bin(0x21, 0x11, addrs4, tlv(0x05, "\x12\x34\x56\x78")), v4.with(func(h *Header) { h.UniqueID = []byte("\x12\x34\x56\x78") })},
	{"unique id of 128 bytes", bin(0x21, 0x11, addrs4, tlv(0x05, strings.Repeat("i", 128))), v4.with(func(h *Header) {
		h.UniqueID = bytes.Repeat([]byte("i"), 128)
	})},
	// connected.tcp4.namespace
	{"namespace", bin(0x21, 0x11, addrs4, tlv(0x30, "example")), v4.with(func(h *Header) { h.Namespace = "example" })},
	// connected.tcp4.noop
	{"noop", bin(0x21, 0x11, addrs4, tlv(0x04, ""), tlv(0x04, "12345678")), v4},
	// connected.tcp4.experimental
	{"experimental", bin(0x21, 0x11, addrs4, tlv(0xf0, "\x12\x34")), v4},
	// connected.tcp4.crc32c
	{"checksum", bin(0x21, 0x11, addrs4, tlv(0x03, "\x99\x4d\xb9\x46")), v4.with(func(h *Header) { h.Checksum = true })},
	{"checksum before others", summed(bin(0x21, 0x11, addrs4, tlv(0x03, "\x00\x00\x00\x00"), tlv(0x01, "h2"))),
		v4.with(func(h *Header) { h.Checksum, h.ALPN = true, "h2" })},
	// connected.tcp4.ssl
	{"tls", bin(0x21, 0x11, addrs4, tlv(0x20, "\x01\xff\xff\xff\xff"+tlv(0x21, "TLSv1.3")+tlv(0x23, "ECDHE-RSA-AES128-GCM-SHA256")+tlv(0x24, "SHA256"))),
		v4.with(func(h *Header) {
			h.TLS = &TLS{Client: ClientTLS, Verify: 0xffffffff, Version: "TLSv1.3", Cipher: "ECDHE-RSA-AES128-GCM-SHA256", Signature: "SHA256"}
		})},
	// connected.tcp4.ssl.client.cert
	{"tls with a client's certificate", bin(0x21, 0x11, addrs4, tlv(0x20, "\x07\x00\x00\x00\x00"+tlv(0x21, "TLSv1.3")+tlv(0x23, "ECDHE-RSA-AES128-GCM-SHA256")+
		tlv(0x24, "SHA256")+tlv(0x22, "name@domain")+tlv(0x25, "RSA2048"))), v4.with(func(h *Header) {
		h.TLS = &TLS{
			Client: ClientTLS | ClientCertConn | ClientCertSession, Version: "TLSv1.3", Cipher: "ECDHE-RSA-AES128-GCM-SHA256", Signature: "SHA256",
			Name: "name@domain", Key: "RSA2048",
		}
	})},
	// connected.tcp4.ssl.client.cert.session
	{"tls with a session's certificate", bin(0x21, 0x11, addrs4, tlv(0x20, "\x05\x00\x00\x00\x00"+tlv(0x22, "name@domain"))), v4.with(func(h *Header) {
		h.TLS = &TLS{Client: ClientTLS | ClientCertSession, Name: "name@domain"}
	})},
	// connected.tcp4.ssl.experimental
	{"tls with a TLV that nobody knows", bin(0x21, 0x11, addrs4, tlv(0x20, "\x01\x00\x00\x00\x01"+tlv(0x2f, "what?")+tlv(0x21, "TLSv1.2"))), v4.with(func(h *Header) {
		h.TLS = &TLS{Client: ClientTLS, Verify: 1, Version: "TLSv1.2"}
	})},
	{"tls of which nothing is said", bin(0x21, 0x11, addrs4, tlv(0x20, "\x00\x00\x00\x00\x00")), v4.with(func(h *Header) { h.TLS = &TLS{} })},
	{"the first of two counts", bin(0x21, 0x11, addrs4, tlv(0x01, "one"), tlv(0x01, "two"), tlv(0x05, "one"), tlv(0x05, "two"),
		tlv(0x20, "\x01\x00\x00\x00\x00"+tlv(0x21, "one")+tlv(0x21, "two")), tlv(0x20, "\x02\x00\x00\x00\x00")), v4.with(func(h *Header) {
		h.ALPN, h.UniqueID, h.TLS = "one", []byte("one"), &TLS{Client: ClientTLS, Version: "one"}
	})},
	{"the longest", bin(0x21, 0x11, addrs4, tlv(0x04, strings.Repeat("x", 0xffff-len(addrs4)-tlvHead))), v4},

	{"text tcp4", "PROXY TCP4 192.168.0.1 192.168.0.254 32768 443\r\n", v4.with(text)},
	{"text tcp6", "PROXY TCP6 fd12:3456:789a:1::1 FD12:3456:789A:1::FE 32768 443\r\n", v6.with(text)},
	{"text tcp4, the longest", "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", v4.with(text).with(func(h *Header) {
		h.Source = netip.MustParseAddrPort("255.255.255.255:65535")
		h.Dest = h.Source
	})},
	{"text tcp6, the longest", "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", v6.with(text).with(func(h *Header) {
		h.Source = netip.MustParseAddrPort("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")
		h.Dest = h.Source
	})},
	{"text tcp6 with IPv4 inside", "PROXY TCP6 ::ffff:192.168.0.1 ::ffff:c0a8:fe 0 0\r\n", v6.with(text).with(func(h *Header) {
		h.Source, h.Dest = netip.MustParseAddrPort("[::ffff:192.168.0.1]:0"), netip.MustParseAddrPort("[::ffff:192.168.0.254]:0")
	})},
	{"text unknown", "PROXY UNKNOWN\r\n", Header{Version: 1}},
	{"text unknown, the longest", "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", Header{Version: 1}},
	{"text unknown with anything", "PROXY UNKNOWN \x00\r\r \n what\r\n", Header{Version: 1}},
}

func text(h *Header) { h.Version = 1 }

// summed puts the checksum into a header whose first TLV has room for it.
func summed(header string) string {
	b := []byte(header)
	at := headSize + len(addrs4) + tlvHead
	binary.BigEndian.PutUint32(b[at:], crc32.Checksum(b, castagnoli))
	return string(b)
}

// TestParse reads every header whole, cut at every byte, and with something behind it, then writes it and reads that.
func TestParse(t *testing.T) {
	for _, c := range valid {
		t.Run(c.name, func(t *testing.T) {
			for n := 0; n < len(c.bytes); n += 1 + n/1000 {
				if got, used, err := Parse([]byte(c.bytes[:n])); used != 0 || err != nil || !reflect.DeepEqual(got, Header{}) {
					t.Fatalf("the first %d bytes: %+v, %d, %v", n, got, used, err)
				}
			}
			for _, after := range []string{"", "\r", "\n", "PROXY TCP4 ", strings.Repeat("x", 1000)} {
				b := []byte(c.bytes + after)
				got, used, err := Parse(b)
				clear(b) // the header must not refer to it
				if used != len(c.bytes) || err != nil || !reflect.DeepEqual(got, c.want) {
					t.Fatalf("with %.20q: %+v, %d of %d, %v, want %+v", after, got, used, len(c.bytes), err, c.want)
				}
			}
			again, err := c.want.Append([]byte("before"))
			if err != nil {
				t.Fatal(err)
			}
			if got, used, err := Parse(again[len("before"):]); used != len(again)-len("before") || err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("written again as %q: %+v, %d, %v", again, got, used, err)
			}
		})
	}
}

// TestParseRejects reads what is no header, and wants to know at which byte that is certain.
func TestParseRejects(t *testing.T) {
	f := func(name, b string, certain int, want string) {
		t.Helper()
		for n := range len(b) + 1 {
			got, used, err := Parse([]byte(b[:n]))
			switch {
			case used != 0 || !reflect.DeepEqual(got, Header{}):
				t.Errorf("%s: %+v, %d", name, got, used)
			case (err != nil) != (n >= certain):
				t.Errorf("%s: after %d bytes of %d, certain after %d: %v", name, n, len(b), certain, err)
			case err != nil && !strings.Contains(err.Error(), want):
				t.Errorf("%s: %v, not %s", name, err, want)
			}
		}
	}
	const none = "there is no header"
	f("HTTP", "GET / HTTP/1.1\r\n", 1, none)
	f("HTTP with a P", "POST / HTTP/1.1\r\n", 2, none)
	f("TLS", "\x16\x03\x01", 1, none)
	// rejected.header.mismatch
	f("signature", signature[:11]+"\v\x21\x11\x00\x00", 12, none)
	f("signature", "\r\n\r\nQUIT\n", 5, none)
	// rejected.header.version.mismatch
	f("version", signature+"\x11\x11\x00\x0c"+addrs4, 13, "the version is 1, not 2")
	f("version", signature+"\x31\x11\x00\x0c"+addrs4, 13, "the version is 3, not 2")
	// rejected.command.mismatch
	f("command", bin(0x22, 0x11, addrs4), 13, "the command is 2")
	f("command", bin(0x2f, 0x11, addrs4), 13, "the command is 15")
	// rejected.address.family.mismatch
	f("family", bin(0x21, 0x41, addrs4), 14, "there is no address family 4")
	f("transport", bin(0x21, 0x13, addrs4), 14, "there is no transport 3")
	f("transport", bin(0x21, 0x03, addrs4), 14, "there is no transport 3")
	// rejected.tcp4.underflow, rejected.tcp6.underflow, rejected.sock.stream.underflow
	f("tcp4 underflow", bin(0x21, 0x11, addrs4[:11]), 16, "11 bytes are too few")
	f("tcp6 underflow", bin(0x21, 0x21, addrs6[:35]), 16, "35 bytes are too few")
	f("unix underflow", bin(0x21, 0x31, addrsUnix[:215]), 16, "215 bytes are too few")
	f("no addresses", bin(0x21, 0x12), 16, "0 bytes are too few")

	whole := func(name, b, want string) { t.Helper(); f(name, b, len(b), want) }
	// rejected.tcp4.crc32c.mismatch
	whole("checksum mismatch", bin(0x21, 0x11, addrs4, tlv(0x03, "\x99\x4d\xb9\x47")), "the checksum is 994db947, not 994db946")
	// rejected.tcp4.crc32c.overflow, rejected.tcp4.crc32c.underflow
	whole("checksum overflow", bin(0x21, 0x11, addrs4, tlv(0x03, "\x99\x4d\xb9\x46\x00")), "the checksum has 5 bytes, not 4")
	whole("checksum underflow", bin(0x21, 0x11, addrs4, tlv(0x03, "\x99\x4d\xb9")), "the checksum has 3 bytes, not 4")
	whole("two checksums", summed(bin(0x21, 0x11, addrs4, tlv(0x03, "\x00\x00\x00\x00"), tlv(0x03, "\x00\x00\x00\x00"))), "there are two checksums")
	whole("checksum of other bytes", strings.Replace(bin(0x21, 0x11, addrs4, tlv(0x03, "\x99\x4d\xb9\x46")), "\xc0\xa8\x00\x01", "\xc0\xa8\x00\x02", 1), "the checksum is")
	// rejected.tcp4.ssl.underflow
	whole("tls underflow", bin(0x21, 0x11, addrs4, tlv(0x20, "\x01\x00\x00\x00")), "has 4 bytes, fewer than 5")
	whole("tls with a cut TLV", bin(0x21, 0x11, addrs4, tlv(0x20, "\x01\x00\x00\x00\x00\x21\x00")), "within that of TLS, 2 bytes are left")
	whole("tls with a lying TLV", bin(0x21, 0x11, addrs4, tlv(0x20, "\x01\x00\x00\x00\x00\x21\x00\x02T"), tlv(0x01, "h2")), "within that of TLS, the TLV 0x21 has 2 bytes, of which 1 are there")
	whole("a cut TLV", bin(0x21, 0x11, addrs4, "\x01\x00"), "2 bytes are left, too few for a TLV")
	whole("a lying TLV", bin(0x21, 0x11, addrs4, "\x01\x00\x03h2"), "the TLV 0x01 has 3 bytes, of which 2 are there")
	whole("a lying TLV", bin(0x21, 0x11, addrs4, "\x04\xff\xffh2"), "the TLV 0x04 has 65535 bytes, of which 2 are there")
	whole("a long unique id", bin(0x21, 0x11, addrs4, tlv(0x05, strings.Repeat("i", 129))), "the unique id has 129 bytes")
	whole("a header that ends within a TLV", lying(bin(0x21, 0x11, addrs4, tlv(0x01, "h2")), 16)[:16+16], "the TLV 0x01 has 2 bytes, of which 1 are there")

	f("no protocol", "PROXY \r\n", 7, none)
	f("other protocol", "PROXY TCP5 ", 10, none)
	f("lower case", "proxy TCP4", 1, none)
	f("UDP", "PROXY UDP4 ", 8, none)
	f("two spaces", "PROXY  TCP4", 7, none)
	f("unknown and something", "PROXY UNKNOWN4\r\n", 14, "UNKNOWN is followed")
	f("unknown and CR", "PROXY UNKNOWN\r \r\n", 15, "UNKNOWN is followed")
	f("unknown without an end", "PROXY UNKNOWN "+strings.Repeat("x", 100), 107, "does not end within 107 bytes")
	f("unknown with a late end", "PROXY UNKNOWN "+strings.Repeat("x", 92)+"\r\n", 107, "does not end within 107 bytes")
	const tcp4 = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2"
	f("LF alone", tcp4+"\n", len(tcp4)+1, `"2\n" is no port`)
	f("CR alone", tcp4+"\rX", len(tcp4)+2, "ends with CR LF")
	f("a field more", tcp4+" 3\r\n", len(tcp4)+1, "has not two addresses and two ports")
	f("a field less", "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", 33, "has not two addresses and two ports")
	f("an empty field", "PROXY TCP4  192.0.2.2 1 2\r\n", 12, `"" is no address`)
	f("an empty port", "PROXY TCP4 192.0.2.1 192.0.2.2  2\r\n", 32, `"" is no port`)
	f("leading zero", "PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n", 22, `"192.0.02.1" is no address`)
	f("leading zero of a port", "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", 33, `"01" is no port`)
	f("a port too high", "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", 36, `"65536" is no port`)
	f("a sign", "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", 32, `is no port`)
	f("three numbers", "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n", 19, "is no address")
	f("a name", "PROXY TCP4 localhost 192.0.2.2 1 2\r\n", 12, "'l' is not part of an address")
	f("IPv6 in TCP4", "PROXY TCP4 ::1 ::1 1 2\r\n", 12, "':' is not part of an address")
	f("IPv4 in TCP6", "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", 21, "is no address of the family that is told")
	f("a zone", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", 19, "'%' is not part of an address")
	f("a control character", "PROXY TCP6 \x1b[2J", 12, `'\x1b' is not part of an address`)
	f("no end", "PROXY TCP6 "+strings.Repeat("1", 100), 107, "does not end within 107 bytes")
	f("a late end", "PROXY TCP6 "+strings.Repeat("0000:", 7)+"0000 "+strings.Repeat("0000:", 6)+"255.255.255.255 65535 65535\r\n", 107, "does not end within 107 bytes")
}

func TestAppend(t *testing.T) {
	f := func(name string, h Header, want string) {
		t.Helper()
		if got, err := h.Append(nil); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	f("tcp4", v4, bin(0x21, 0x11, addrs4))
	f("checksum", v4.with(func(h *Header) { h.Checksum = true }), bin(0x21, 0x11, addrs4, tlv(0x03, "\x99\x4d\xb9\x46")))
	f("unix", unix, bin(0x21, 0x31, addrsUnix))
	f("local", v4.with(func(h *Header) { h.Local, h.ALPN, h.Checksum = true, "h2", true }), bin(0x20, 0))
	f("unspecified", v4.with(func(h *Header) { h.Family, h.ALPN = UnspecFamily, "h2" }), bin(0x21, 0))
	f("everything, in order", v4.with(func(h *Header) {
		h.ALPN, h.Authority, h.UniqueID, h.Namespace = "h2", "example.com", []byte("id"), "space"
		h.TLS = &TLS{Client: 7, Version: "v", Cipher: "c", Signature: "s", Name: "n", Key: "k"}
	}), bin(0x21, 0x11, addrs4, tlv(0x01, "h2"), tlv(0x02, "example.com"), tlv(0x05, "id"), tlv(0x30, "space"),
		tlv(0x20, "\x07\x00\x00\x00\x00"+tlv(0x21, "v")+tlv(0x23, "c")+tlv(0x24, "s")+tlv(0x22, "n")+tlv(0x25, "k"))))
	f("text", v4.with(text), "PROXY TCP4 192.168.0.1 192.168.0.254 32768 443\r\n")
	f("text tcp6", v6.with(text), "PROXY TCP6 fd12:3456:789a:1::1 fd12:3456:789a:1::fe 32768 443\r\n")
	f("text with IPv4 inside", v6.with(text).with(func(h *Header) {
		h.Source = netip.MustParseAddrPort("[::ffff:192.0.2.10]:1")
		h.Dest = netip.MustParseAddrPort("[fe80::1%eth0]:2")
	}), "PROXY TCP6 ::ffff:c000:20a fe80::1 1 2\r\n")
	f("text local", Header{Version: 1, Local: true}, "PROXY UNKNOWN\r\n")
	f("text unix", unix.with(text), "PROXY UNKNOWN\r\n")
	f("text datagram", v4.with(text).with(func(h *Header) { h.Transport = Datagram }), "PROXY UNKNOWN\r\n")
}

func TestAppendRejects(t *testing.T) {
	f := func(h Header, want string) {
		t.Helper()
		if got, err := h.Append([]byte("before")); string(got) != "before" || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q, %v, want %s", got, err, want)
		}
	}
	long := strings.Repeat("x", 0x10000)
	f(Header{}, "there is no version 0")
	f(v4.with(func(h *Header) { h.Version = 3 }), "there is no version 3")
	f(v4.with(func(h *Header) { h.Source = v6.Source }), "are not both of the header's family")
	f(v6.with(func(h *Header) { h.Dest = v4.Dest }), "are not both of the header's family")
	f(v4.with(func(h *Header) { h.Dest = netip.AddrPort{} }), "are not both of the header's family")
	f(v4.with(text).with(func(h *Header) { h.Dest = netip.AddrPort{} }), "are not both of the header's family")
	f(v4.with(func(h *Header) { h.Family = 4 }), "there is no family 4")
	f(v4.with(func(h *Header) { h.Transport = 3 }), "there is no transport 3")
	f(unix.with(func(h *Header) { h.DestPath = long[:109] }), "a path is longer than 108 bytes")
	f(v4.with(func(h *Header) { h.UniqueID = []byte(long[:129]) }), "the unique id is longer than 128 bytes")
	f(v4.with(func(h *Header) { h.Authority = long }), "the value of the TLV 0x02 is longer than 65535 bytes")
	f(v4.with(func(h *Header) { h.TLS = &TLS{Name: long[:0xffff-7]} }), "the value of the TLV 0x20 is longer than 65535 bytes")
	f(v4.with(func(h *Header) { h.Authority = long[:0xffff-14] }), "the header is longer than 65535 bytes")
	fits := v4.with(func(h *Header) { h.Authority = long[:0xffff-15] })
	if b, err := fits.Append(nil); err != nil || len(b) != headSize+0xffff {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	f(fits.with(func(h *Header) { h.Checksum = true }), "the header is longer than 65535 bytes")
}

// TestManyTLVs reads the header with the most TLVs there can be. Each counts once, whatever its type.
func TestManyTLVs(t *testing.T) {
	for _, typ := range []byte{tlvALPN, tlvUniqueID, 0x04, 0xff} {
		b := []byte(bin(0x21, 0x11, addrs4, strings.Repeat(tlv(typ, ""), (0xffff-len(addrs4))/tlvHead)))
		if _, n, err := Parse(b); n != len(b) || err != nil {
			t.Errorf("%#02x: %d of %d, %v", typ, n, len(b), err)
		}
		if allocs := testing.AllocsPerRun(10, func() { Parse(b) }); allocs > 0 {
			t.Errorf("%#02x: %v allocations", typ, allocs)
		}
	}
}

// TestAllocs is that a header costs what it says.
func TestAllocs(t *testing.T) {
	for _, c := range valid {
		b := []byte(c.bytes)
		most := 0
		for _, s := range []string{c.want.SourcePath, c.want.DestPath, c.want.ALPN, c.want.Authority, c.want.Namespace, string(c.want.UniqueID)} {
			if s != "" {
				most++
			}
		}
		if c.want.TLS != nil {
			most += 6
		}
		if c.want.Version == 1 || c.want.Family == Unix {
			most = 2 // one for each address
		}
		if strings.Contains(c.name, "two") {
			most++ // the second one of TLS
		}
		if allocs := testing.AllocsPerRun(10, func() { Parse(b) }); allocs > float64(most) {
			t.Errorf("%s: %v allocations, not %d", c.name, allocs, most)
		}
		dst := make([]byte, 0, 1<<17)
		if allocs := testing.AllocsPerRun(10, func() { c.want.Append(dst) }); allocs > 6 {
			t.Errorf("%s: %v allocations to write it", c.name, allocs)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range valid {
		f.Add([]byte(c.bytes))
	}
	f.Add([]byte(bin(0x21, 0x11, addrs4, "\x04\xff\xffh2")))
	f.Add([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := Parse(b)
		switch {
		case n < 0 || n > len(b), n > 0 && err != nil, err != nil && len(err.Error()) > 1000:
			t.Fatalf("%d of %d, %v", n, len(b), err)
		case n == 0 && !reflect.DeepEqual(h, Header{}):
			t.Fatalf("%+v of no header", h)
		}
		for k := range min(len(b), 300) { // a shorter begin says nothing else
			early, m, wrong := Parse(b[:k])
			switch {
			case n > 0 && k < n && (m != 0 || wrong != nil), n == 0 && err == nil && (m != 0 || wrong != nil),
				n > 0 && k >= n && (m != n || wrong != nil || !reflect.DeepEqual(early, h)), err != nil && m != 0:
				t.Fatalf("the first %d bytes: %d, %v; all of them: %d, %v", k, m, wrong, n, err)
			}
		}
		if n == 0 {
			return
		}
		if more, m, err := Parse(append(b[:n:n], "PROXY"...)); m != n || err != nil || !reflect.DeepEqual(more, h) {
			t.Fatalf("with more bytes: %+v, %d, %v", more, m, err)
		}
		again, err := h.Append(nil)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", h, err)
		}
		if got, m, err := Parse(again); m != len(again) || err != nil || !reflect.DeepEqual(got, h) {
			t.Fatalf("%+v was written as %q and read as %+v, %d, %v", h, again, got, m, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, c := range valid {
		if c.name != "tcp4" && c.name != "text tcp4" && c.name != "tls" && c.name != "the longest" {
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			in := []byte(c.bytes)
			b.ReportAllocs()
			for b.Loop() {
				Parse(in)
			}
		})
	}
}
