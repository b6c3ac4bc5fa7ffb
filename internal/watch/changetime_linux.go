package watch

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTime is when the inode was last changed.
func changeTime(info fs.FileInfo) time.Time {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(int64(s.Ctim.Sec), int64(s.Ctim.Nsec)) // of other types on other processors
	}
	return time.Time{}
}
