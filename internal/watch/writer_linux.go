package watch

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// hasWriter reports whether somebody has a file open for writing, and whether that is known. The system tells that who asks
// for a lease to read it, which is given back at once: only the owner may, and not all file systems can.
func hasWriter(name string) (written, known bool) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false, false
	}
	defer f.Close() // and with it the lease
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	return err == unix.EAGAIN, err == nil || err == unix.EAGAIN
}
