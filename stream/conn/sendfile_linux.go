//go:build linux && !portable && (amd64 || arm64 || riscv64 || loong64)

package conn

import (
	"errors"
	"io"
	"syscall"
	"unsafe"
)

// sendfileMost is what one call sends at most, so that it is known how far it has come.
const sendfileMost = 4 << 20

// SendsFiles reports whether SendFile can be of use.
func (t *Transport) SendsFiles() bool { return t.raw() }

// SendFile sends head, and then n bytes of a file from at on, inside the kernel. moved is told of pieces of the file that
// have gone. Where the system cannot send from that file, the error is errors.ErrUnsupported, and the head has gone. It is
// io.ErrUnexpectedEOF if the file ends before.
func (t *Transport) SendFile(head []byte, f syscall.Conn, at, n int64, moved func(int)) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	s := sendfile{t: t, head: head, at: at, left: n, moved: moved}
	if cerr := raw.Control(func(fd uintptr) {
		s.file = int(fd)
		err = t.sock.rc.Write(s.send)
	}); cerr != nil {
		return cerr
	}
	t.writeDue.Store(0)
	switch {
	case err != nil:
		return t.unsent(err)
	case s.err == syscall.EINVAL, s.err == syscall.ENOSYS, s.err == syscall.EOPNOTSUPP:
		return errors.ErrUnsupported
	case s.err == io.ErrUnexpectedEOF:
		return s.err
	case s.err != nil:
		return t.unsent(s.err)
	}
	return nil
}

// sendfile is a file on its way.
type sendfile struct {
	t        *Transport
	head     []byte
	file     int
	at, left int64
	moved    func(int)
	err      error
}

// send is the callback. It returns false to be called again once the socket takes more.
func (s *sendfile) send(fd uintptr) bool {
	for len(s.head) > 0 || s.left > 0 {
		switch err := s.once(int(fd)); err {
		case nil, syscall.EINTR:
		case syscall.EAGAIN:
			s.t.writeDue.Store(int64(s.t.host.Sweeper.Now() + s.t.Stall))
			return false
		default:
			s.err = err
			return true
		}
	}
	return true
}

// once sends what the socket takes now. The head waits for the beginning of the file, to go in one packet with it.
func (s *sendfile) once(fd int) error {
	if len(s.head) > 0 {
		flags := syscall.MSG_NOSIGNAL
		if s.left > 0 {
			flags |= syscall.MSG_MORE
		}
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&s.head[0])), uintptr(len(s.head)), uintptr(flags), 0, 0)
		if errno != 0 {
			return errno
		}
		s.t.sends(int(n))
		s.head = s.head[n:]
		return nil
	}
	n, err := syscall.Sendfile(fd, s.file, &s.at, int(min(s.left, sendfileMost))) // which may wait for a disk
	switch {
	case err != nil:
		return err
	case n == 0:
		return io.ErrUnexpectedEOF
	}
	s.t.sends(n)
	s.left -= int64(n)
	s.moved(n)
	return nil
}
