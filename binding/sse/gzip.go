package sse

import (
	"encoding/binary"
	"hash/crc32"

	"gozilla/stream/sse"
)

// zipper makes one stream of gzip (RFC 1952) of blocks that are shared with others: only what stands around them is its
// own, and what the text of all comes to.
type zipper struct {
	begun  bool
	sum    uint32
	length uint32
}

// gzipHead says that deflate follows, of no file, of no time and from no system that matters.
const gzipHead = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// begin appends what stands before the first block.
func (z *zipper) begin(dst []byte) []byte {
	if z.begun {
		return dst
	}
	z.begun = true
	return append(dst, gzipHead...)
}

// add notes a text whose blocks are sent.
func (z *zipper) add(text []byte) {
	z.sum = crc32.Update(z.sum, crc32.IEEETable, text)
	z.length += uint32(len(text))
}

// store appends a text as blocks that are not compressed.
func (z *zipper) store(dst, text []byte) []byte {
	z.add(text)
	return sse.AppendStored(dst, text)
}

// end appends the last block, an empty one, and what the text came to.
func (z *zipper) end(dst []byte) []byte {
	dst = append(z.begin(dst), 3, 0)
	dst = binary.LittleEndian.AppendUint32(dst, z.sum)
	return binary.LittleEndian.AppendUint32(dst, z.length)
}
