//go:build linux

package main

import (
	"bytes"
	"math/rand/v2"
)

// patternPeriod is a prime, so that a block which is lost, doubled or swapped shifts the pattern
// whatever power of two its size is.
const patternPeriod = 65521

var pattern = makePattern()

// makePattern repeats the period far enough that any bulkSize bytes of the stream are one slice.
func makePattern() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, patternPeriod, patternPeriod+bulkSize)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	for len(b) < cap(b) {
		b = append(b, b[:min(patternPeriod, cap(b)-len(b))]...)
	}
	return b
}

// patternAt returns n <= bulkSize bytes of the endless pattern.
func patternAt(offset, n int) []byte {
	return pattern[offset%patternPeriod:][:n]
}

// patternOf is the beginning of the pattern, of any length.
func patternOf(n int) []byte {
	b := make([]byte, 0, n)
	for len(b) < n {
		b = append(b, patternAt(len(b), min(n-len(b), bulkSize))...)
	}
	return b
}

// isPattern looks at both ends of a block. With the offset carried on from block to block this
// finds what is missing between them too.
func isPattern(b []byte, offset int) bool {
	n := min(len(b), 32)
	tail := len(b) - n
	return bytes.Equal(b[:n], patternAt(offset, n)) && bytes.Equal(b[tail:], patternAt(offset+tail, n))
}
