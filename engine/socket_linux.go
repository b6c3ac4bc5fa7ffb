package engine

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"gozilla/component"

	"golang.org/x/sys/unix"
)

// inheriting makes a listener whose connections have their options from it, as Linux does it, rather than by four
// system calls for each. shares: it may listen on the port of another one that was told so.
func inheriting(l component.Listener, shares bool) *net.ListenConfig {
	return &net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, raw syscall.RawConn) error {
		return controlled(raw, func(fd int) error {
			if l.KeepAlive > 0 {
				if err := setKeepAlive(fd, l.KeepAlive); err != nil {
					return err
				}
			}
			if shares {
				return reusePort(fd, true)
			}
			return nil
		})
	}}
}

// controlled calls f with the descriptor behind raw.
func controlled(raw syscall.RawConn, f func(fd int) error) error {
	var err error
	cerr := raw.Control(func(fd uintptr) { err = f(int(fd)) })
	return errors.Join(cerr, err)
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

// setInherited gives an open listener what its connections are to have.
func setInherited(tcp *net.TCPListener, l component.Listener) error {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	return controlled(raw, func(fd int) error {
		if l.KeepAlive > 0 {
			return setKeepAlive(fd, l.KeepAlive)
		}
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
	})
}

func reusePort(fd int, shares bool) error {
	value := 0
	if shares {
		value = 1
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, value)
}

// setReusePort lets another socket listen on the port of tcp that was told so too, or not any more.
func setReusePort(tcp *net.TCPListener, shares bool) error {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	return controlled(raw, func(fd int) error { return reusePort(fd, shares) })
}

// errFree ends a probe: the address is to be had.
var errFree = errors.New("free")

// probe tells whether an address can be listened on. It binds a socket and does not listen, so that nobody is let in.
func probe(ctx context.Context, at netip.AddrPort, shares bool) error {
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return controlled(raw, func(fd int) error {
			if shares {
				if err := reusePort(fd, true); err != nil {
					return err
				}
			}
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
				return err
			}
			if err := unix.Bind(fd, sockaddr(at)); err != nil {
				return err
			}
			return errFree
		})
	}}
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(ctx, network(at), at.String())
	if err == nil {
		return ln.Close()
	}
	if errors.Is(err, errFree) {
		return nil
	}
	return err
}

func sockaddr(at netip.AddrPort) unix.Sockaddr {
	if at.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
}
