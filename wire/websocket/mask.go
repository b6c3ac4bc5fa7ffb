package websocket

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// A Key is a masking key as it stands on the wire, its first byte lowest (section 5.3). 0 masks nothing.
type Key uint32

// After is the key as it is for what follows n bytes.
func (k Key) After(n int) Key { return Key(bits.RotateLeft32(uint32(k), -8*(n&3))) }

// Mask masks or unmasks b in place, and gives the key for the bytes that follow, so that a payload may come in pieces.
func Mask(b []byte, key Key) Key {
	xor(b, b, key)
	return key.After(len(b))
}

// AppendMasked appends b, masked or unmasked. Where b is a piece of a payload, key.After(len(b)) is the key for the next one.
// b must not lie in what dst has room for.
func AppendMasked(dst, b []byte, key Key) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(b))[:n+len(b)]
	xor(dst[n:], b, key)
	return dst
}

// xor sets dst to the masked src, which is as long. Four times eight bytes are one step: twice as many gained little, and
// subtle.XORBytes with a key that is repeated was no faster at any size (BenchmarkMask).
func xor(dst, src []byte, key Key) {
	k := uint64(key)<<32 | uint64(key)
	for len(src) >= 32 && len(dst) >= 32 {
		binary.LittleEndian.PutUint64(dst[0:8], binary.LittleEndian.Uint64(src[0:8])^k)
		binary.LittleEndian.PutUint64(dst[8:16], binary.LittleEndian.Uint64(src[8:16])^k)
		binary.LittleEndian.PutUint64(dst[16:24], binary.LittleEndian.Uint64(src[16:24])^k)
		binary.LittleEndian.PutUint64(dst[24:32], binary.LittleEndian.Uint64(src[24:32])^k)
		dst, src = dst[32:], src[32:]
	}
	for len(src) >= 8 && len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^k)
		dst, src = dst[8:], src[8:]
	}
	for i := range min(len(src), len(dst)) {
		dst[i] = src[i] ^ byte(k)
		k = bits.RotateLeft64(k, -8)
	}
}
