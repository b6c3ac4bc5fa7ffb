package web

import (
	"io"
	"sync"
)

// sendBuffers are for what cannot be moved otherwise.
var sendBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// Send writes all of r to w, which is a Stream or stands for one. Where w is an io.ReaderFrom that is left to it: an
// engine may have the system send a part of a file, r then being an *io.SectionReader of what is a syscall.Conn, as an
// *os.File is.
func Send(w io.Writer, r io.Reader) (int64, error) {
	if to, ok := w.(io.ReaderFrom); ok {
		return to.ReadFrom(r)
	}
	b := sendBuffers.Get().(*[64 << 10]byte)
	defer sendBuffers.Put(b)
	return io.CopyBuffer(onlyWriter{w}, onlyReader{r}, b[:])
}

// What does no more than it must, so that nobody finds another way.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)

// Parted reports whether the client of x has ended what it sends, and may well be gone. A client that merely waits for its
// answer has done so too, if it is an old one. Where it is not known, it is false; where streams end by themselves, as in
// HTTP/2, ctx tells.
func Parted(x Served) bool {
	p, ok := x.(interface{ Parted() bool })
	return ok && p.Parted()
}
