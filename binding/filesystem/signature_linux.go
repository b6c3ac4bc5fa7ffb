package filesystem

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// system adds what only the system tells.
func (s *signature) system(info fs.FileInfo) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode, s.links = st.Ino, uint64(st.Nlink)              // of other types on other processors
		s.changed = int64(st.Ctim.Sec)*1e9 + int64(st.Ctim.Nsec) // likewise
		s.device = uint64(st.Dev)                                // likewise
	}
}

// born is when a file was made, if the file system knows.
func born(f *os.File) (at int64, ok bool) {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &st)
	return st.Btime.Sec*1e9 + int64(st.Btime.Nsec), err == nil && st.Mask&unix.STATX_BTIME != 0
}
