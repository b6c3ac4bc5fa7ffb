package http1

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// Eight bytes are looked at in one step, as one number: a subtraction that borrows, or an addition that carries, shows in
// the high bit of each byte. What it borrows from the byte above may spoil that one, but only if the byte is a hit itself:
// the lowest hit is always a true one.
const (
	ones = 0x0101010101010101
	high = 0x8080808080808080
)

// lower maps the characters of a token (RFC 9110, 5.6.2) to themselves in lower case, and all others to 0.
var lower = table("!#$%&'*+-.^_`|~")

// table maps letters, digits and others to themselves in lower case.
func table(others string) (t [256]byte) {
	for c := range byte(26) {
		t['a'+c], t['A'+c] = 'a'+c, 'a'+c
	}
	for c := byte('0'); c <= '9'; c++ {
		t[c] = c
	}
	for _, c := range []byte(others) {
		t[c] = c
	}
	return t
}

// lowerToken writes the token at m[p:] in lower case, and gives the index of what follows it. Eight bytes in one step were
// tried here, and in token and IsToken: they are no faster, since names are short.
func lowerToken(m []byte, p int) int {
	for p < len(m) {
		c := lower[m[p]]
		if c == 0 {
			break
		}
		m[p] = c
		p++
	}
	return p
}

// token is the index of what follows the token at b[p:].
func token(b []byte, p int) int {
	for p < len(b) && lower[b[p]] != 0 {
		p++
	}
	return p
}

// controls has the high bit of bytes of x that are control characters, the lowest one being exact.
func controls(x uint64) uint64 {
	del := x ^ 0x7f*ones
	return ((x-0x20*ones)&^x | (del-ones)&^del) & high
}

// control is the index, from p on, of the first control character but HTAB (RFC 9110, 5.5), or len(b).
func control(b []byte, p int) int {
	for p+8 <= len(b) {
		hit := controls(binary.LittleEndian.Uint64(b[p:]))
		if hit == 0 {
			p += 8
			continue
		}
		if p += bits.TrailingZeros64(hit) >> 3; b[p] != '\t' {
			return p
		}
		p++
	}
	if p < len(b) && len(b) >= 8 && controls(binary.LittleEndian.Uint64(b[len(b)-8:])) == 0 {
		return len(b)
	}
	for p < len(b) && (b[p] >= 0x20 && b[p] != 0x7f || b[p] == '\t') {
		p++
	}
	return p
}

// visible reports whether all of b is visible ASCII: 0x21 to 0x7e.
func visible(b []byte) bool {
	for len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b)
		if ((x-0x21*ones)|(x+ones)|x)&high != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c < 0x21 || c > 0x7e {
			return false
		}
	}
	return true
}

// text is b as a string, without a copy. A head that is parsed is a copy that belongs to its strings alone, and no byte of
// it is written to once it is part of one. Names have to be lowered, so that a string cannot be had at the beginning: without
// this, each would be an allocation, or the head two (BenchmarkRequest).
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// view is s as bytes to read, without a copy (BenchmarkAppendFields).
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// same reports whether s is lowered, but for the case of its letters.
func same(s, lowered string) bool {
	if len(s) != len(lowered) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lowered[i] {
			return false
		}
	}
	return true
}
