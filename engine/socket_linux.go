package engine

import (
	"net"
	"syscall"
	"time"

	"gozilla/component"

	"golang.org/x/sys/unix"
)

// inheriting makes a listener whose connections have their options from it, as Linux does it, rather than by four
// system calls for each.
func inheriting(l component.Listener) *net.ListenConfig {
	lc := &net.ListenConfig{KeepAlive: -1}
	if l.KeepAlive <= 0 {
		return lc
	}
	lc.Control = func(_, _ string, raw syscall.RawConn) error {
		var err error
		cerr := raw.Control(func(fd uintptr) { err = setKeepAlive(int(fd), l.KeepAlive) })
		if cerr != nil {
			return cerr
		}
		return err
	}
	return lc
}

// setKeepAlive probes after d, and four times more often while there is no answer.
func setKeepAlive(fd int, d time.Duration) error {
	seconds := max(1, int(d/time.Second))
	for _, o := range []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, max(1, seconds/4)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return err
		}
	}
	return nil
}
