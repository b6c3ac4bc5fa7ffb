package sse

import (
	"bytes"
	"compress/flate"
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

// deflate compresses text by itself. The flush makes it end at a byte.
func deflate(text []byte) []byte {
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
