//go:build linux && !portable

package filesystem

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A handle is an open file, or a folder. One that was opened in one call is no os.File, which would first ask the poller
// about it, in vain.
type handle struct {
	fd int      // -1: closed
	f  *os.File // which owns fd; nil: the handle does
}

func handleOf(f *os.File) *handle { return &handle{int(f.Fd()), f} }

// ReadAt is part of io.ReaderAt.
func (h *handle) ReadAt(p []byte, off int64) (n int, err error) {
	if h.f != nil {
		return h.f.ReadAt(p, off)
	}
	for n < len(p) {
		m, err := unix.Pread(h.fd, p[n:], off+int64(n))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, err
		case m == 0:
			return n, io.EOF
		default:
			n += m
		}
	}
	return n, nil
}

// Close is part of io.Closer.
func (h *handle) Close() error {
	fd := h.fd
	if h.fd = -1; fd < 0 {
		return os.ErrClosed
	}
	if h.f != nil {
		return h.f.Close()
	}
	return unix.Close(fd)
}

// stat tells what the file is.
func (h *handle) stat() (s stat, err error) {
	var st unix.Stat_t
	err = unix.Fstat(h.fd, &st)
	for err == unix.EINTR {
		err = unix.Fstat(h.fd, &st)
	}
	s.regular, s.dir = st.Mode&unix.S_IFMT == unix.S_IFREG, st.Mode&unix.S_IFMT == unix.S_IFDIR
	s.signature = signature{
		size: st.Size, modified: st.Mtim.Nano(), changed: st.Ctim.Nano(), device: uint64(st.Dev), inode: st.Ino, links: uint64(st.Nlink),
	}
	return s, err
}

// born is when the file was made, if the file system knows.
func (h *handle) born() (at int64, ok bool) {
	var st unix.Statx_t
	err := unix.Statx(h.fd, "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &st)
	return st.Btime.Sec*1e9 + int64(st.Btime.Nsec), err == nil && st.Mask&unix.STATX_BTIME != 0
}

// SyscallConn is part of syscall.Conn: engines send files by it.
func (h *handle) SyscallConn() (syscall.RawConn, error) { return h, nil }

// Control is part of syscall.RawConn, so are the methods that follow.
func (h *handle) Control(f func(fd uintptr)) error {
	if h.fd < 0 {
		return os.ErrClosed
	}
	f(uintptr(h.fd))
	return nil
}

func (h *handle) Read(func(uintptr) bool) error  { return syscall.EOPNOTSUPP }
func (h *handle) Write(func(uintptr) bool) error { return syscall.EOPNOTSUPP }
