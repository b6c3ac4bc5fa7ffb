package conn

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// life is what an end knows of its peer without reading.
type life interface {
	// dead reports whether the peer has aborted.
	dead() bool
	// gone reports whether both directions are over, parted whether the peer has ended its own.
	gone() bool
	parted() bool
	// stirs reports whether who reads would not have to wait.
	stirs() bool
	// awaitDeath returns an error once the peer has aborted, which had ended its direction before, or once the read
	// deadline is over, and nil once nothing more can come.
	awaitDeath() error
}

// lifeOf finds what knows of c's peer: c itself, or the connection that it wraps, as a *tls.Conn does. It is nil if
// nothing does.
func lifeOf(c net.Conn) life {
	for {
		if raw := rawConn(c); raw != nil {
			return peer{raw}
		}
		switch below := c.(type) {
		case life:
			return below
		case interface{ NetConn() net.Conn }:
			c = below.NetConn()
		default:
			return nil
		}
	}
}

// rawConn is the socket behind c, nil if c is none.
func rawConn(c net.Conn) (raw syscall.RawConn) {
	switch c := c.(type) {
	case *net.TCPConn:
		raw, _ = c.SyscallConn()
	case *net.UnixConn:
		raw, _ = c.SyscallConn()
	}
	return raw
}

// A peer is the life of a socket.
type peer struct{ rc syscall.RawConn }

func (p peer) awaitDeath() error {
	var state int16
	err := p.rc.Read(func(fd uintptr) bool {
		state = stateOf(fd, 0)
		return state&(unix.POLLERR|unix.POLLHUP) != 0
	})
	if err == nil && state&unix.POLLERR != 0 {
		err = syscall.ECONNRESET
	}
	return err
}

// dead is part of life. A connection that both peers have ended in order is not dead, although nothing more can come:
// what has come may still wait to be read.
func (p peer) dead() bool { return p.state(0)&unix.POLLERR != 0 }

func (p peer) gone() bool { return p.state(0)&unix.POLLHUP != 0 }

func (p peer) state(events int16) (state int16) {
	p.rc.Control(func(fd uintptr) { state = stateOf(fd, events) })
	return state
}

func (p peer) parted() bool { return p.state(pollParted)&(pollParted|unix.POLLHUP) != 0 }

func (p peer) stirs() bool { return p.state(unix.POLLIN) != 0 }

// stateOf is POLLERR while the error of an abort waits for who reads or writes next, and POLLHUP once both directions
// have ended, and what of events is the case. Unlike SO_ERROR, asking for it takes nothing away from who reads or writes.
func stateOf(fd uintptr, events int16) int16 {
	p := []unix.PollFd{{Fd: int32(fd), Events: events}}
	if _, err := unix.Poll(p, 0); err != nil {
		return 0
	}
	return p[0].Revents
}
