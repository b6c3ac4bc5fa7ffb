//go:build !linux || portable || !(amd64 || arm64 || riscv64 || loong64)

package conn

import (
	"errors"
	"net"
)

// errWouldBlock never occurs here: see socket_linux.go.
var errWouldBlock = errors.New("would block")

// A socket is never read or written directly on this system: Read and Write do.
type socket struct{ rc *struct{} }

func (s *socket) init(net.Conn)                        {}
func (s *socket) recv(**[bufferSize]byte) (int, error) { return 0, errWouldBlock }
func (s *socket) send([]byte) (int, error)             { return 0, errWouldBlock }
func (s *socket) sendWait([]byte) (int, error)         { return 0, errWouldBlock }
func (s *socket) stirs() bool                          { return false }
func (s *socket) queued() int                          { return -1 }
