package cli

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"gozilla/admin"
	"gozilla/engine"
	"gozilla/wire/http1"
	"gozilla/wire/pcapng"
)

// packetDump writes each stream, at each edge that it crosses, as a TCP connection. What belongs to one chunk is written
// at once, so that the file is whole wherever it is cut off.
type packetDump struct {
	out     io.Writer
	edges   map[string]int // the interfaces, by their names
	streams map[uint64]*packetStream
	used    map[[2]netip.AddrPort]bool // by streams that are not over
	spare   uint16                     // the port that was last taken in place of one that is used
	buf     []byte
}

// packetStream is a stream that is not over.
type packetStream struct {
	*pcapng.Conn
	ends           [2]netip.AddrPort
	received, sent packetDirection
}

type packetDirection struct {
	offset  int64 // of the data that comes next
	chunked bool  // as is the body of an HTTP message
}

// mostStreams bounds the streams that are not over: the news of an end may be lost.
const mostStreams = 1 << 16

func newPacketDump(out io.Writer) (*packetDump, error) {
	d := &packetDump{
		out: out, edges: map[string]int{}, streams: map[uint64]*packetStream{}, used: map[[2]netip.AddrPort]bool{},
	}
	_, err := out.Write(pcapng.AppendSection(nil, "gozilla "+Version))
	return d, dumpError(err)
}

func (d *packetDump) write(l *admin.DumpLine) error {
	c := l.Chunk
	if c == nil {
		return nil // the gaps are where something is lost
	}
	d.buf = d.buf[:0]
	s := d.stream(c)
	s.skip(c)
	switch c.Kind {
	case engine.Data, engine.Message:
		d.data(s, c, c.Data)
	case engine.Head:
		d.head(s, c)
	case engine.Body:
		d.body(s, c)
	case engine.Trailer:
		d.trailer(s, c, c.Lines)
	case engine.Finish:
		d.finish(s, c)
	case engine.End:
		d.end(s, c)
	}
	_, err := d.out.Write(d.buf)
	return dumpError(err)
}

// stream is that of the chunk, which begins with what is seen of it first.
func (d *packetDump) stream(c *engine.Chunk) *packetStream {
	if s := d.streams[c.Stream]; s != nil {
		return s
	}
	for id, s := range d.streams {
		if len(d.streams) < mostStreams {
			break
		}
		d.forget(id, s)
	}
	s := &packetStream{ends: d.endsOf(c)}
	s.Conn = pcapng.NewConn(d.edge(c), s.ends[0], s.ends[1], uint32(c.Stream*0x9e3779b1)) // not one soon that is like another
	d.streams[c.Stream], d.used[s.ends] = s, true
	about := fmt.Sprintf("%s from %s to %s, connection %s, %s", c.Protocol, orDash(c.Source), orDash(c.Dest), streamID(c), edgeName(c))
	d.buf = s.AppendOpen(d.buf, c.Time, about)
	return s
}

func (d *packetDump) forget(id uint64, s *packetStream) {
	delete(d.streams, id)
	delete(d.used, s.ends)
}

// edge is the interface of an edge, which is written when it is first seen.
func (d *packetDump) edge(c *engine.Chunk) int {
	name := c.From + " > " + c.To
	key := name + " " + c.Protocol
	i, ok := d.edges[key]
	if !ok {
		i = len(d.edges)
		d.edges[key] = i
		d.buf = pcapng.AppendInterface(d.buf, name, c.Protocol)
	}
	return i
}

// The addresses of those that have none, of a network for examples (RFC 5737), and the first port for them.
var (
	noSource = netip.AddrFrom4([4]byte{192, 0, 2, 1})
	noDest   = netip.AddrFrom4([4]byte{192, 0, 2, 2})
)

const firstSpare = 49152

// endsOf are the addresses that a stream knows. A stream that crosses several edges is one connection at each, so that all
// but one of them get a port of the source that is not its own.
func (d *packetDump) endsOf(c *engine.Chunk) [2]netip.AddrPort {
	ends := [2]netip.AddrPort{endOf(c.Source, noSource, 0), destination(c)}
	for range 1 << 16 {
		if ends[0].Port() != 0 && !d.used[ends] {
			break
		}
		d.spare = max(d.spare+1, firstSpare)
		ends[0] = netip.AddrPortFrom(ends[0].Addr(), d.spare)
	}
	return ends
}

// endOf reads an address, in which something else stands in for what is not an IP address.
func endOf(s string, ip netip.Addr, port uint16) netip.AddrPort {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port())
	}
	if _, p, err := net.SplitHostPort(s); err == nil {
		if n, err := strconv.ParseUint(p, 10, 16); err == nil {
			port = uint16(n)
		}
	}
	return netip.AddrPortFrom(ip, port)
}

// Who opens the file knows protocols by their ports.
var (
	httpPorts  = map[uint16]bool{80: true, 8080: true}
	clearPorts = map[uint16]uint16{443: 80, 8443: 8080, 8883: 1883} // of what was taken out of TLS
)

func destination(c *engine.Chunk) netip.AddrPort {
	a := endOf(c.Dest, noDest, 80)
	port := a.Port()
	if in, ok := clearPorts[port]; ok && c.Secure {
		port = in
	}
	if c.Protocol == "http" && !httpPorts[port] {
		port = 80
	}
	return netip.AddrPortFrom(a.Addr(), port)
}

func (s *packetStream) direction(c *engine.Chunk) *packetDirection {
	if c.Direction == engine.Sent {
		return &s.sent
	}
	return &s.received
}

// skip leaves out the data that was lost before the chunk.
func (s *packetStream) skip(c *engine.Chunk) {
	if len(c.Data) == 0 {
		return
	}
	x := s.direction(c)
	s.Skip(c.Direction == engine.Sent, int(c.Offset-x.offset))
	x.offset = c.Offset + int64(len(c.Data))
}

func (d *packetDump) data(s *packetStream, c *engine.Chunk, p []byte) {
	d.buf = s.AppendData(d.buf, c.Time, c.Direction == engine.Sent, p)
}

func (d *packetDump) head(s *packetStream, c *engine.Chunk) {
	x := s.direction(c)
	x.chunked = false
	for _, line := range c.Lines {
		x.chunked = x.chunked || strings.EqualFold(line, "transfer-encoding: chunked")
	}
	d.data(s, c, appendLines(nil, c.Lines))
}

// appendLines writes lines and an empty one. What would break a line is left out.
func appendLines(b []byte, lines []string) []byte {
	for _, line := range lines {
		b = append(append(b, noBreaks.Replace(line)...), "\r\n"...)
	}
	return append(b, "\r\n"...)
}

var noBreaks = strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ")

func (d *packetDump) body(s *packetStream, c *engine.Chunk) {
	if !s.direction(c).chunked {
		d.data(s, c, c.Data)
		return
	}
	p := http1.AppendChunk(nil, len(c.Data))
	d.data(s, c, append(append(p, c.Data...), "\r\n"...))
}

// trailer ends a body that is chunked.
func (d *packetDump) trailer(s *packetStream, c *engine.Chunk, lines []string) {
	if x := s.direction(c); x.chunked {
		x.chunked = false
		d.data(s, c, appendLines([]byte("0\r\n"), lines))
	}
}

// finish ends a direction: for HTTP, what is said in it.
func (d *packetDump) finish(s *packetStream, c *engine.Chunk) {
	if c.Protocol == "http" {
		d.trailer(s, c, nil)
		return
	}
	d.buf = s.AppendFin(d.buf, c.Time, c.Direction == engine.Sent)
}

func (d *packetDump) end(s *packetStream, c *engine.Chunk) {
	if c.Error != "" {
		d.buf = s.AppendReset(d.buf, c.Time, true, c.Error)
	} else {
		d.buf = s.AppendFin(d.buf, c.Time, false)
		d.buf = s.AppendFin(d.buf, c.Time, true)
	}
	d.forget(c.Stream, s)
}
