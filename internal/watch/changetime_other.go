//go:build !linux

package watch

import (
	"io/fs"
	"time"
)

// changeTime is unknown here; the time of the content has to do.
func changeTime(fs.FileInfo) time.Time { return time.Time{} }
