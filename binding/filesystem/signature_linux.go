package filesystem

import (
	"io/fs"
	"syscall"
)

// system adds what only the system tells.
func (s *signature) system(info fs.FileInfo) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode, s.links = st.Ino, uint64(st.Nlink)              // of other types on other processors
		s.changed = int64(st.Ctim.Sec)*1e9 + int64(st.Ctim.Nsec) // likewise
		s.device = uint64(st.Dev)                                // likewise
	}
}
