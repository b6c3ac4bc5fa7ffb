package watch

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// hasNoWriter reports whether nobody has a file open for writing. The system tells that who asks for a lease to read it,
// which is given back at once: only the owner may, and not all file systems can, so that false may mean anything.
func hasNoWriter(name string) bool {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close() // and with it the lease
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	return err == nil
}
