//go:build linux && !portable

package filesystem

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// readFlags are those of what is opened to be read. What is no regular file must not keep us waiting.
const readFlags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY | syscall.O_CLOEXEC

// noOpenat2 is that the system does not have it, or that a sandbox does not allow it.
var noOpenat2 atomic.Bool

// openBelow opens what is to be read, in one call that neither leaves the root nor follows a link that is to be ignored.
func (s *server) openBelow(r *root, name string, dir bool) (*handle, error) {
	if noOpenat2.Load() {
		return s.openWalking(r, name)
	}
	how := unix.OpenHow{Flags: uint64(readFlags), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	if !s.follow {
		how.Resolve |= unix.RESOLVE_NO_SYMLINKS
	}
	fd, err := unix.Openat2(int(r.dir.Fd()), dot(name), &how)
	for err == unix.EINTR {
		fd, err = unix.Openat2(int(r.dir.Fd()), dot(name), &how)
	}
	switch err {
	case nil:
		if dir { // who lists it may have to find what is in it
			return handleOf(os.NewFile(uintptr(fd), filepath.Join(s.location.folder, name))), nil
		}
		return &handle{fd: fd}, nil
	case unix.ENOSYS, unix.EPERM:
		noOpenat2.Store(true)
		return s.openWalking(r, name)
	case unix.EAGAIN: // somebody renames what is on the way
		return s.openWalking(r, name)
	}
	return nil, err
}
