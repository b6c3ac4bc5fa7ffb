package pcapng

import (
	"encoding/binary"
	"time"
)

// The types of blocks, and the number that tells the order of bytes.
const (
	sectionBlock   = 0x0a0d0d0a
	interfaceBlock = 1
	packetBlock    = 6
	magic          = 0x1a2b3c4d
)

// The options that are written. Their codes depend on the block, but for that of a comment.
const (
	endOfOptions = 0
	comment      = 1
	application  = 4 // of a section
	name         = 2 // of an interface, as are the following
	description  = 3
	resolution   = 9
)

// linkRaw is the link type of packets that begin with an IPv4 or IPv6 header.
const linkRaw = 101

// nanoseconds is the resolution of time stamps: ten to the minus ninth.
const nanoseconds = 9

// mostOption is how long the text of an option may be.
const mostOption = 0xfff0

// AppendSection writes the block that every file begins with. program is who has written it.
func AppendSection(dst []byte, program string) []byte {
	b := begin(dst, sectionBlock)
	b.bytes = binary.LittleEndian.AppendUint32(b.bytes, magic)
	b.bytes = append(b.bytes, 1, 0, 0, 0)                        // version 1.0
	b.bytes = binary.LittleEndian.AppendUint64(b.bytes, 1<<64-1) // how long the section is is not known
	b.text(application, program)
	return b.end()
}

// AppendInterface writes an interface, which packets name by its number, from 0 on.
func AppendInterface(dst []byte, called, described string) []byte {
	b := begin(dst, interfaceBlock)
	b.bytes = append(b.bytes, linkRaw, 0, 0, 0)
	b.bytes = append(b.bytes, 0, 0, 0, 0) // packets have any length
	b.text(name, called)
	b.text(description, described)
	b.option(resolution, []byte{nanoseconds})
	return b.end()
}

// AppendPacket writes a packet, of which there is all.
func AppendPacket(dst []byte, iface int, at time.Time, packet []byte, about string) []byte {
	b := begin(dst, packetBlock)
	stamp := uint64(at.UnixNano())
	for _, n := range [...]uint32{uint32(iface), uint32(stamp >> 32), uint32(stamp), uint32(len(packet)), uint32(len(packet))} {
		b.bytes = binary.LittleEndian.AppendUint32(b.bytes, n)
	}
	b.bytes = append(b.bytes, packet...)
	b.pad()
	b.text(comment, about)
	return b.end()
}

// block is a block in the making. Its length stands at both ends.
type block struct {
	bytes []byte
	at    int  // where it begins
	has   bool // options
}

func begin(dst []byte, typ uint32) *block {
	b := &block{at: len(dst)}
	b.bytes = binary.LittleEndian.AppendUint32(dst, typ)
	b.bytes = append(b.bytes, 0, 0, 0, 0)
	return b
}

// text is an option, which is left out if it is empty.
func (b *block) text(code uint16, s string) {
	if s != "" {
		b.option(code, []byte(s[:min(len(s), mostOption)]))
	}
}

func (b *block) option(code uint16, value []byte) {
	b.has = true
	b.bytes = binary.LittleEndian.AppendUint16(b.bytes, code)
	b.bytes = binary.LittleEndian.AppendUint16(b.bytes, uint16(len(value)))
	b.bytes = append(b.bytes, value...)
	b.pad()
}

// pad fills up to a multiple of four bytes.
func (b *block) pad() {
	for (len(b.bytes)-b.at)%4 != 0 {
		b.bytes = append(b.bytes, 0)
	}
}

func (b *block) end() []byte {
	if b.has {
		b.option(endOfOptions, nil)
	}
	n := uint32(len(b.bytes) - b.at + 4)
	binary.LittleEndian.PutUint32(b.bytes[b.at+4:], n)
	return binary.LittleEndian.AppendUint32(b.bytes, n)
}
