//go:build linux && !portable && (amd64 || arm64 || riscv64 || loong64)

package conn

import (
	"io"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errWouldBlock is that a socket takes nothing now.
const errWouldBlock = syscall.EAGAIN

// A socket reads and writes a TCP or unix socket by recvfrom and sendto inside RawConn's callbacks. Go has made the
// socket non-blocking, so that the calls cannot block and need none of what syscall.Syscall does to hand the processor
// on: RawSyscall spares 0.12 to 0.22 of HAProxy's CPU for a small message, recvfrom for read some of it.
type socket struct {
	rc syscall.RawConn // nil: not a socket

	in  **[bufferSize]byte // where recv puts its buffer
	rn  int
	rno syscall.Errno
	rfn func(uintptr) bool // made once, so that a call allocates nothing

	out  []byte
	sent int
	wait bool
	wno  syscall.Errno
	wfn  func(uintptr) bool

	byte [1]byte // that was peeked at
	pno  syscall.Errno
	pfn  func(uintptr)
}

func (s *socket) init(c net.Conn) {
	s.rc = rawConn(c)
	s.rfn, s.wfn = s.tryRecv, s.trySend
}

// recv waits until there is something to read and puts it into a buffer of the pool.
func (s *socket) recv(in **[bufferSize]byte) (int, error) {
	s.in = in
	if err := s.rc.Read(s.rfn); err != nil {
		return 0, err
	}
	switch {
	case s.rno != 0:
		return 0, s.rno
	case s.rn == 0:
		return 0, io.EOF
	}
	return s.rn, nil
}

// tryRecv reports false to be called again when the socket is readable.
func (s *socket) tryRecv(fd uintptr) bool {
	buf := buffers.Get().(*[bufferSize]byte)
	s.rn, s.rno = recvfrom(fd, buf[:])
	if s.rno == syscall.EAGAIN {
		buffers.Put(buf)
		return false
	}
	*s.in = buf
	return true
}

// send writes what the socket takes now; errWouldBlock if that is not all of b.
func (s *socket) send(b []byte) (int, error) { return s.sendOnce(b, false) }

// sendWait writes all of b.
func (s *socket) sendWait(b []byte) (int, error) { return s.sendOnce(b, true) }

func (s *socket) sendOnce(b []byte, wait bool) (int, error) {
	s.out, s.sent, s.wait = b, 0, wait
	err := s.rc.Write(s.wfn)
	s.out = nil
	if err == nil && s.wno != 0 {
		err = s.wno
	}
	return s.sent, err
}

func (s *socket) trySend(fd uintptr) bool {
	for s.sent < len(s.out) {
		n, errno := sendto(fd, s.out[s.sent:])
		if s.wno = errno; errno != 0 {
			return errno != syscall.EAGAIN || !s.wait
		}
		s.sent += n
	}
	return true
}

// stirs reports whether who reads would not have to wait. It looks at a byte and leaves it there, which costs less than poll
// does by way of package unix.
func (s *socket) stirs() bool {
	if s.pfn == nil {
		s.pfn = s.peek // made once
	}
	s.rc.Control(s.pfn)
	return s.pno != syscall.EAGAIN
}

func (s *socket) peek(fd uintptr) {
	for {
		_, _, s.pno = syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&s.byte)), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
		if s.pno != syscall.EINTR {
			return
		}
	}
}

// queued is how much of what was sent the peer has not taken yet; -1 if that is not known. A peer that reads slowly takes
// from there for long before the socket takes more.
func (s *socket) queued() (n int) {
	n = -1
	s.rc.Control(func(fd uintptr) {
		if q, err := unix.IoctlGetInt(int(fd), unix.TIOCOUTQ); err == nil {
			n = q
		}
	})
	return n
}

func recvfrom(fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

func sendto(fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}
