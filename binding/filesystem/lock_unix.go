//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package filesystem

import (
	"os"
	"syscall"
)

// lock locks a file that nobody has locked, until it is closed or the process dies.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
