package pcapng

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// A Conn writes the packets of a TCP connection, which carry what it is told.
type Conn struct {
	iface          int
	client, server end
	id             uint16 // of the IPv4 packet that comes next
}

// end is one end of a connection.
type end struct {
	addr netip.AddrPort
	next uint32 // the number of the byte that it sends next
	fin  bool
}

// Most is how many bytes a segment carries at most.
const Most = 32 << 10

// The flags of a segment (RFC 9293, section 3.1).
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

// NewConn makes a connection of an interface. Addresses of which only one is of IPv4 are both written as those of IPv6.
// Sequence numbers begin with first, and some other one from the server.
func NewConn(iface int, client, server netip.AddrPort, first uint32) *Conn {
	if client.Addr().Is4() != server.Addr().Is4() {
		client, server = as6(client), as6(server)
	}
	return &Conn{iface: iface, client: end{addr: client, next: first}, server: end{addr: server, next: ^first}}
}

func as6(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
}

// AppendOpen writes the handshake; about is a comment on it.
func (c *Conn) AppendOpen(dst []byte, at time.Time, about string) []byte {
	dst = c.segment(dst, at, false, syn, nil, about)
	c.client.next++
	dst = c.segment(dst, at, true, syn|ack, nil, "")
	c.server.next++
	return c.segment(dst, at, false, ack, nil, "")
}

// AppendData writes bytes that one of the two has sent.
func (c *Conn) AppendData(dst []byte, at time.Time, fromServer bool, p []byte) []byte {
	for len(p) > 0 {
		n := min(len(p), Most)
		dst = c.segment(dst, at, fromServer, psh|ack, p[:n], "")
		c.Skip(fromServer, n)
		p = p[n:]
	}
	return dst
}

// Skip leaves out n bytes that one of the two has sent: they were not captured.
func (c *Conn) Skip(fromServer bool, n int) { c.from(fromServer).next += uint32(n) }

// AppendFin writes that one of the two has ended what it sends, and that the other one has understood. Once is enough.
func (c *Conn) AppendFin(dst []byte, at time.Time, fromServer bool) []byte {
	from := c.from(fromServer)
	if from.fin {
		return dst
	}
	dst = c.segment(dst, at, fromServer, fin|ack, nil, "")
	from.fin = true
	from.next++
	return c.segment(dst, at, !fromServer, ack, nil, "")
}

// AppendReset writes that the connection was reset; about is a comment on it.
func (c *Conn) AppendReset(dst []byte, at time.Time, fromServer bool, about string) []byte {
	return c.segment(dst, at, fromServer, rst|ack, nil, about)
}

func (c *Conn) from(server bool) *end {
	if server {
		return &c.server
	}
	return &c.client
}

// window is what both offer, and the power of two that it is meant in: nobody is ever out of room.
const (
	window = 0xffff
	scale  = 14
)

// segment writes one packet.
func (c *Conn) segment(dst []byte, at time.Time, fromServer bool, flags byte, p []byte, about string) []byte {
	from, to := c.from(fromServer), c.from(!fromServer)
	header := 20
	if flags&syn != 0 {
		header += 8
	}
	tcp := make([]byte, 0, 40+header+len(p))
	tcp = c.ip(tcp, from.addr.Addr(), to.addr.Addr(), header+len(p))
	start := len(tcp)
	tcp = binary.BigEndian.AppendUint16(tcp, from.addr.Port())
	tcp = binary.BigEndian.AppendUint16(tcp, to.addr.Port())
	tcp = binary.BigEndian.AppendUint32(tcp, from.next)
	acked := to.next
	if flags&ack == 0 {
		acked = 0
	}
	tcp = binary.BigEndian.AppendUint32(tcp, acked)
	tcp = append(tcp, byte(header/4)<<4, flags)
	tcp = binary.BigEndian.AppendUint16(tcp, window)
	tcp = append(tcp, 0, 0, 0, 0) // checksum, and no urgent data
	if flags&syn != 0 {
		tcp = append(tcp, 2, 4, Most>>8, Most&0xff, 1, 3, 3, scale)
	}
	tcp = append(tcp, p...)
	sum := add(pseudo(from.addr.Addr(), to.addr.Addr(), len(tcp)-start), tcp[start:])
	binary.BigEndian.PutUint16(tcp[start+16:], fold(sum))
	return AppendPacket(dst, c.iface, at, tcp, about)
}

const protocolTCP = 6

// ip writes the header of a packet that carries n bytes.
func (c *Conn) ip(dst []byte, from, to netip.Addr, n int) []byte {
	if !from.Is4() {
		dst = append(dst, 6<<4, 0, 0, 0)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
		dst = append(dst, protocolTCP, 64)
		return append(append(dst, from.AsSlice()...), to.AsSlice()...)
	}
	start := len(dst)
	dst = append(dst, 4<<4|5, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(20+n))
	dst = binary.BigEndian.AppendUint16(dst, c.id)
	c.id++
	dst = append(dst, 0x40, 0, 64, protocolTCP, 0, 0) // not to be cut
	dst = append(append(dst, from.AsSlice()...), to.AsSlice()...)
	binary.BigEndian.PutUint16(dst[start+10:], fold(add(0, dst[start:])))
	return dst
}

// pseudo sums up what a checksum covers besides the segment (RFC 9293, section 3.1, and RFC 8200, section 8.1).
func pseudo(from, to netip.Addr, n int) uint32 {
	return add(add(uint32(protocolTCP+n), from.AsSlice()), to.AsSlice())
}

// add adds the words of b to a sum.
func add(sum uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

// fold makes a checksum of a sum.
func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
