//go:build !linux || portable || !(amd64 || arm64 || riscv64 || loong64)

package conn

// transfer is never used on this system: see transport_linux.go.
type transfer struct{}

func (transfer) init(*Transport)                              {}
func (transfer) fill(*Transport) error                        { return errWouldBlock }
func (transfer) ask(*Transport, []byte) error                 { return errWouldBlock }
func (transfer) loop(*Transport, func() bool) error           { return errWouldBlock }
func (transfer) put(*Transport, []byte, []byte, []byte) error { return errWouldBlock }
