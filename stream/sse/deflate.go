package sse

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"runtime"
)

// compressors are those that are there, nil where none was needed yet: each has a megabyte, and keeps one processor
// busy, so that more of them would be of no use.
var compressors = func() chan *flate.Writer {
	n := runtime.GOMAXPROCS(0)
	c := make(chan *flate.Writer, n)
	for range n {
		c <- nil
	}
	return c
}()

// deflate compresses text by itself, if that makes it shorter.
func deflate(text []byte) []byte {
	if b := compress(text); len(b) < storedSize(len(text)) {
		return b
	}
	return AppendStored(make([]byte, 0, storedSize(len(text))), text)
}

const (
	storedHead = 5         // bytes before the text of a block that is not compressed
	storedMost = 1<<16 - 1 // bytes of text that one has
)

// storedSize is how long n bytes of text are in blocks that are not compressed.
func storedSize(n int) int { return n + (n+storedMost-1)/storedMost*storedHead }

// AppendStored appends text as blocks of deflate that are not compressed (RFC 1951, section 3.2.4), as is right for a short one.
func AppendStored(dst, text []byte) []byte {
	for len(text) > 0 {
		n := min(len(text), storedMost)
		dst = append(dst, 0)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
		dst = binary.LittleEndian.AppendUint16(dst, ^uint16(n))
		dst, text = append(dst, text[:n]...), text[n:]
	}
	return dst
}

// compress makes blocks of text. The flush makes them end at a byte.
func compress(text []byte) []byte {
	w := <-compressors
	defer func() { compressors <- w }()
	var out bytes.Buffer
	out.Grow(len(text)/3 + 32)
	if w == nil {
		w, _ = flate.NewWriter(&out, flate.BestSpeed) // which is a level that there is
	} else {
		w.Reset(&out)
	}
	w.Write(text) // neither fails, since a buffer takes all
	w.Flush()
	return out.Bytes()
}
