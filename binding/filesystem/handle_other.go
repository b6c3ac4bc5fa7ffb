//go:build !linux || portable

package filesystem

import (
	"os"
	"syscall"
)

// A handle is an open file, or a folder.
type handle struct{ f *os.File }

func handleOf(f *os.File) *handle { return &handle{f} }

// ReadAt is part of io.ReaderAt.
func (h *handle) ReadAt(p []byte, off int64) (int, error) { return h.f.ReadAt(p, off) }

// Close is part of io.Closer.
func (h *handle) Close() error { return h.f.Close() }

// SyscallConn is part of syscall.Conn: engines send files by it.
func (h *handle) SyscallConn() (syscall.RawConn, error) { return h.f.SyscallConn() }

// stat tells what the file is.
func (h *handle) stat() (s stat, err error) {
	info, err := h.f.Stat()
	if err != nil {
		return s, err
	}
	return stat{sign(info), info.Mode().IsRegular(), info.IsDir()}, nil
}

// born is when the file was made, which is not known here.
func (h *handle) born() (int64, bool) { return 0, false }
