package h1

import (
	"errors"
	"io"
	"syscall"

	"gozilla/stream/web"
)

// sendfileLeast is how much the system is asked to send by itself: less goes faster together with the head.
const sendfileLeast = 16 << 10

// ReadFrom is part of io.ReaderFrom. A part of a file, an *io.SectionReader of an *os.File or the like, goes out without being read
// where the connection is a socket and the length of the body was said.
func (x *exchange) ReadFrom(r io.Reader) (int64, error) { return x.out.ReadFrom(r) }

// ReadFrom is part of io.ReaderFrom.
func (out *sending) ReadFrom(r io.Reader) (sent int64, err error) {
	if out.frame == absent && out.err == nil { // nobody wants it
		return 0, nil
	}
	if s, ok := r.(*io.SectionReader); ok {
		sent, err = out.sendFile(s)
		if err != nil {
			return sent, err
		}
	}
	n, err := web.Send(onlyWriter{out}, r)
	return sent + n, err
}

// onlyWriter hides ReadFrom.
type onlyWriter struct{ io.Writer }

// sendFile has the system send what is left of s, if it can, and goes past that.
func (out *sending) sendFile(s *io.SectionReader) (sent int64, err error) {
	from, begin, n := s.Outer()
	f, ok := from.(syscall.Conn)
	at, _ := s.Seek(0, io.SeekCurrent)
	left := n - at
	if !ok || left < sendfileLeast || out.frame != length || left > out.left || out.err != nil || out.ended || !out.t.SendsFiles() {
		return 0, nil
	}
	var head []byte
	if out.buf != nil {
		head = *out.buf
	}
	out.begun = true
	err = out.t.SendFile(head, f, begin+at, left, func(n int) {
		sent += int64(n)
		out.sent.Add(1)
		out.bytes.Add(int64(n))
	})
	out.free()
	out.left -= sent
	s.Seek(sent, io.SeekCurrent)
	if errors.Is(err, errors.ErrUnsupported) {
		return sent, nil
	}
	out.err = err
	return sent, err
}

var _ io.ReaderFrom = (*exchange)(nil)
