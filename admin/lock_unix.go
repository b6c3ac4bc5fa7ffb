//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package admin

import (
	"os"
	"syscall"
)

// lock takes a lock on a directory, which the system gives back if the process dies.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return func() { _ = f.Close() }, nil // and with it the lock
}
