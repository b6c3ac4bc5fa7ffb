//go:build linux

package main

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// edge asks for one report per change. A reader that got less than it asked for
	// has emptied the socket and need not read again until the next report.
	edge = unix.EPOLLET

	// spin is how long a wait keeps the Go processor before it gives it up: long enough to
	// bridge the gaps under load, short enough that an idle loop costs nothing.
	spin = 2 * time.Millisecond

	bulkSize = 256 << 10 // bytes per system call in bulk transfers
)

// poller is an epoll instance for one locked thread. Its calls are raw: they do not tell the Go
// scheduler, which would cost more than the call itself. They must not block for long, so every
// socket call carries MSG_DONTWAIT, and a long wait is left to [poller.wait]'s second half.
type poller struct {
	fd     int
	events [512]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create epoll: %w", err)
	}
	return &poller{fd: fd}, nil
}

// add watches fd; data comes back in the Fd field of its events.
func (p *poller) add(fd, data int, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(data)}
	_, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(p.fd), unix.EPOLL_CTL_ADD,
		uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	if e != 0 {
		return fmt.Errorf("cannot watch socket: %w", e)
	}
	return nil
}

// wait returns what is ready, or nothing when limit has passed or a signal came.
func (p *poller) wait(limit time.Duration) ([]unix.EpollEvent, error) {
	n, e := p.pwait(syscall.RawSyscall6, min(limit, spin))
	if e == 0 && n == 0 && limit > spin {
		n, e = p.pwait(syscall.Syscall6, limit-spin)
	}
	if e != 0 && e != syscall.EINTR {
		return nil, fmt.Errorf("cannot wait for sockets: %w", e)
	}
	return p.events[:n], nil
}

type sysfunc func(trap, a1, a2, a3, a4, a5, a6 uintptr) (uintptr, uintptr, syscall.Errno)

// pwait is epoll_pwait2 (Linux 5.11), which takes nanoseconds: the paced load needs them.
func (p *poller) pwait(call sysfunc, limit time.Duration) (int, syscall.Errno) {
	ts := unix.NsecToTimespec(max(0, limit.Nanoseconds()))
	n, _, e := call(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

// recv reads what has arrived: 0 is the end, EAGAIN nothing yet.
func recv(fd int, b []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

// send hands over as much of b as the socket takes at once.
func send(fd int, b []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

func closeSocket(fd int) {
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0) // nothing to be done about an error
}

// connect opens a blocking socket to a loopback port. On loopback the kernel completes the
// handshake inside the call, so it does not wait for the listener's program to accept.
func connect(port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open socket: %w", err)
	}
	if err := dial(fd, port); err != nil {
		closeSocket(fd)
		return -1, fmt.Errorf("cannot connect to port %d: %w", port, err)
	}
	return fd, nil
}

func dial(fd, port int) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	limit := unix.Timeval{Sec: 5} // bounds the connect when the accept queue is full
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
		return err
	}
	for {
		err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
		if err != unix.EINTR {
			return err
		}
	}
}
