package pcapng_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gozilla/wire/pcapng"
)

// block is one as a reader finds it.
type block struct {
	typ     uint32
	body    []byte            // without the options
	options map[uint16]string // nil if there are none
}

// read reads blocks to the end, and fails t unless each is whole.
func read(t testing.TB, b []byte) (all []block) {
	t.Helper()
	fixed := map[uint32]int{0x0a0d0d0a: 16, 1: 8, 6: 20}
	le := binary.LittleEndian
	for len(b) > 0 {
		if len(b) < 12 {
			t.Fatalf("%d bytes are no block", len(b))
		}
		typ, n := le.Uint32(b), int(le.Uint32(b[4:]))
		if n%4 != 0 || n > len(b) || n < 12+fixed[typ] || int(le.Uint32(b[n-4:])) != n {
			t.Fatalf("block %d has length %d, with %d bytes left", typ, n, len(b))
		}
		body := b[8 : n-4]
		k := block{typ: typ}
		size := fixed[typ]
		if typ == 6 {
			size += (int(le.Uint32(body[12:])) + 3) &^ 3
		}
		k.body = body[:size]
		k.options = options(t, body[size:])
		all = append(all, k)
		b = b[n:]
	}
	return all
}

func options(t testing.TB, b []byte) map[uint16]string {
	t.Helper()
	if len(b) == 0 {
		return nil
	}
	found := map[uint16]string{}
	for {
		if len(b) < 4 {
			t.Fatalf("the options do not end: %x", b)
		}
		code, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if code == 0 {
			if n != 0 || len(b) != 4 {
				t.Fatalf("the options end with %x", b)
			}
			return found
		}
		found[code] = string(b[4 : 4+n])
		b = b[4+(n+3)&^3:]
	}
}

var moment = time.Unix(1700000000, 123456789)

func TestBlocks(t *testing.T) {
	file := pcapng.AppendSection(nil, "gozilla 1")
	file = pcapng.AppendInterface(file, "north > south", "bytes")
	file = pcapng.AppendInterface(file, "other", "")
	file = pcapng.AppendPacket(file, 1, moment, []byte("hello"), "about it")
	file = pcapng.AppendPacket(file, 0, moment, []byte("four"), "")
	file = pcapng.AppendPacket(file, 0, moment, nil, strings.Repeat("x", 1<<17))
	all := read(t, file)
	if len(all) != 6 {
		t.Fatalf("there are %d blocks", len(all))
	}
	if s := all[0]; !bytes.Equal(s.body, []byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255}) || s.options[4] != "gozilla 1" {
		t.Errorf("the section is %x, %v", s.body, s.options)
	}
	if i := all[1]; i.body[0] != 101 || i.options[2] != "north > south" || i.options[3] != "bytes" || i.options[9] != "\x09" {
		t.Errorf("the interface is %x, %v", i.body, i.options)
	}
	if i := all[2]; len(i.options) != 2 {
		t.Errorf("the options are %v", i.options)
	}
	p := all[3]
	le := binary.LittleEndian
	stamp := uint64(le.Uint32(p.body[4:]))<<32 | uint64(le.Uint32(p.body[8:]))
	if le.Uint32(p.body) != 1 || int64(stamp) != moment.UnixNano() || le.Uint32(p.body[12:]) != 5 || le.Uint32(p.body[16:]) != 5 {
		t.Errorf("the packet is %x", p.body)
	}
	if string(p.body[20:]) != "hello\x00\x00\x00" || p.options[1] != "about it" {
		t.Errorf("the packet is %q, %v", p.body[20:], p.options)
	}
	if p = all[4]; string(p.body[20:]) != "four" || p.options != nil {
		t.Errorf("the packet is %q, %v", p.body[20:], p.options)
	}
	if n := len(all[5].options[1]); n != 0xfff0 {
		t.Errorf("a comment has %d bytes", n)
	}
}

// segment is one as a reader finds it.
type segment struct {
	from, to   netip.AddrPort
	seq, acked uint32
	flags      byte
	data       []byte
}

// segmentOf reads a packet, and fails t unless its checksums and lengths are right.
func segmentOf(t testing.TB, k block) segment {
	t.Helper()
	b := k.body[20 : 20+binary.LittleEndian.Uint32(k.body[12:])]
	be := binary.BigEndian
	var from, to netip.Addr
	var tcp, pseudo []byte
	switch b[0] >> 4 {
	case 4:
		if int(be.Uint16(b[2:])) != len(b) || sum(b[:20]) != 0xffff || b[9] != 6 {
			t.Errorf("the IPv4 header is %x", b[:20])
		}
		from, to = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		tcp, pseudo = b[20:], b[12:20]
	case 6:
		if int(be.Uint16(b[4:])) != len(b)-40 || b[6] != 6 {
			t.Errorf("the IPv6 header is %x", b[:40])
		}
		from, to = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		tcp, pseudo = b[40:], b[8:40]
	default:
		t.Fatalf("the packet begins with %x", b[0])
	}
	whole := append(append(bytes.Clone(pseudo), 0, 6, byte(len(tcp)>>8), byte(len(tcp))), tcp...)
	if got := sum(whole); got != 0xffff {
		t.Errorf("the checksum of the segment is wrong: %x", got)
	}
	return segment{
		netip.AddrPortFrom(from, be.Uint16(tcp)), netip.AddrPortFrom(to, be.Uint16(tcp[2:])),
		be.Uint32(tcp[4:]), be.Uint32(tcp[8:]), tcp[13], tcp[int(tcp[12]>>4)*4:],
	}
}

// sum is the checksum as who receives it makes it: all ones if all is well.
func sum(b []byte) uint16 {
	var s uint32
	for i, x := range b {
		if i%2 == 0 {
			s += uint32(x) << 8
		} else {
			s += uint32(x)
		}
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// tell tells a conversation, with numbers that are relative.
func tell(t testing.TB, file []byte) (story []string) {
	var first [2]uint32
	var client netip.AddrPort
	for i, k := range read(t, file) {
		s := segmentOf(t, k)
		if i == 0 {
			client, first[0] = s.from, s.seq
		}
		from := 0
		if s.from != client {
			from = 1
		}
		if s.flags&2 != 0 {
			first[from] = s.seq
		}
		acked := "-"
		if s.flags&16 != 0 {
			acked = fmt.Sprint(s.acked - first[1-from])
		}
		flags := ""
		for bit, name := range []string{"F", "S", "R", "P"} {
			if s.flags>>bit&1 == 1 {
				flags += name
			}
		}
		story = append(story, fmt.Sprintf("%d %s %d/%s %d", from, flags, s.seq-first[from], acked, len(s.data)))
	}
	return story
}

func TestConversation(t *testing.T) {
	for _, ends := range [][2]string{
		{"127.0.0.1:40000", "127.0.0.2:80"},
		{"[2001:db8::1]:40000", "[2001:db8::2]:80"},
		{"127.0.0.1:40000", "[2001:db8::2]:80"},
	} {
		client, server := netip.MustParseAddrPort(ends[0]), netip.MustParseAddrPort(ends[1])
		c := pcapng.NewConn(3, client, server, 1<<32-3) // so that the numbers wrap
		file := c.AppendOpen(nil, moment, "about")
		file = c.AppendData(file, moment, false, []byte("hello"))
		file = c.AppendData(file, moment, true, make([]byte, pcapng.Most+1))
		c.Skip(false, 100)
		file = c.AppendData(file, moment, false, []byte("x"))
		file = c.AppendFin(file, moment, false)
		file = c.AppendFin(file, moment, false) // counts once
		file = c.AppendData(file, moment, true, []byte("late"))
		file = c.AppendReset(file, moment, true, "why")
		all := read(t, file)
		if all[0].options[1] != "about" || all[len(all)-1].options[1] != "why" || binary.LittleEndian.Uint32(all[0].body) != 3 {
			t.Errorf("the first packet is %x, %v", all[0].body, all[0].options)
		}
		want := []string{
			"0 S 0/- 0", "1 S 0/1 0", "0  1/1 0", "0 P 1/1 5", "1 P 1/6 32768", "1 P 32769/6 1", "0 P 106/32770 1",
			"0 F 107/32770 0", "1  32770/108 0", "1 P 32770/108 4", "1 R 32774/108 0",
		}
		if got := tell(t, file); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v:\n%q, not\n%q", ends, got, want)
		}
	}
}

// FuzzConversation writes any conversation, which must be read back as it was.
func FuzzConversation(f *testing.F) {
	f.Add([]byte("hello"), "comment", uint16(3), true)
	f.Fuzz(func(t *testing.T, p []byte, about string, skip uint16, six bool) {
		client, server := netip.MustParseAddrPort("127.0.0.1:40000"), netip.MustParseAddrPort("127.0.0.2:80")
		if six {
			server = netip.MustParseAddrPort("[::1]:80")
		}
		c := pcapng.NewConn(0, client, server, uint32(skip))
		file := c.AppendOpen(nil, moment, about)
		c.Skip(true, int(skip))
		file = c.AppendData(file, moment, true, p)
		file = c.AppendReset(file, moment, false, about)
		var got []byte
		for _, k := range read(t, file) {
			got = append(got, segmentOf(t, k).data...)
		}
		if !bytes.Equal(got, p) {
			t.Errorf("%x came back as %x", p, got)
		}
	})
}
