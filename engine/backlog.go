package engine

import (
	"net"
	"syscall"
)

// setBacklog bounds the connections that wait to be accepted. To listen once more on a listening socket changes that
// and nothing else.
func setBacklog(l *net.TCPListener, n int) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), n) })
	if cerr != nil {
		return cerr
	}
	return err
}
