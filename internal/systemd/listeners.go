package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

const (
	firstFD = 3    // of those that are passed on
	mostFDs = 4096 // more would be a mistake
)

// Listeners are the TCP sockets that systemd has opened for this process. It is called once: the sockets are the
// caller's then, and what told of them is gone from the environment. What cannot be used is closed and told of, an error
// each, beside those that can.
func Listeners() (all []*net.TCPListener, errs []error) {
	pid, n := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"} {
		os.Unsetenv(name)
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil // they are for another process, which has started this one
	}
	count, err := strconv.Atoi(n)
	if err != nil || count < 0 || count > mostFDs {
		return nil, []error{fmt.Errorf("cannot take the sockets of systemd: LISTEN_FDS is %q", n)}
	}
	for fd := firstFD; fd < firstFD+count; fd++ {
		l, err := listenerOf(fd)
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot take the socket that systemd has passed on as descriptor %d: %w", fd, err))
			continue
		}
		all = append(all, l)
	}
	return all, errs
}

func listenerOf(fd int) (*net.TCPListener, error) {
	syscall.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "LISTEN_FD_"+strconv.Itoa(fd))
	defer f.Close() // a listener has a descriptor of its own
	if accepts, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); err == nil && accepts == 0 {
		return nil, errors.New("it does not listen")
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		l.Close()
		return nil, fmt.Errorf("it is of %s, not of tcp", l.Addr().Network())
	}
	return tcp, nil
}
