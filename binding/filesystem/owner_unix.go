//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package filesystem

import (
	"io/fs"
	"os"
	"syscall"
)

// own gives a file the owner and the group of another one: both, or the group, or none, as the process may.
func own(f *os.File, as fs.FileInfo) {
	st, ok := as.Sys().(*syscall.Stat_t)
	if ok && f.Chown(int(st.Uid), int(st.Gid)) != nil {
		_ = f.Chown(-1, int(st.Gid)) // who is no superuser may if it is a group of its own
	}
}
