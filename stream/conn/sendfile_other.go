//go:build !linux || portable || !(amd64 || arm64 || riscv64 || loong64)

package conn

import (
	"errors"
	"syscall"
)

// SendsFiles reports whether SendFile can be of use, which it cannot here: see sendfile_linux.go.
func (t *Transport) SendsFiles() bool { return false }

// SendFile sends nothing here.
func (t *Transport) SendFile([]byte, syscall.Conn, int64, int64, func(int)) error {
	return errors.ErrUnsupported
}
