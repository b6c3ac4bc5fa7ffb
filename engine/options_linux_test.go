package engine_test

import (
	"net"
	"os"
	"strings"
	"testing"

	"gozilla/internal/gwtest"

	"golang.org/x/sys/unix"
)

// TestAcceptedConnections have the options of their listener.
func TestAcceptedConnections(t *testing.T) {
	f := func(options string, alive, idle, interval, count, nodelay int) {
		t.Helper()
		g := gwtest.Start(t, strings.ReplaceAll(listening, "OPTIONS", options))
		client := g.Dial("north")
		c := <-accepted
		expectOption(t, c, "SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, alive)
		if alive != 0 {
			expectOption(t, c, "TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, idle)
			expectOption(t, c, "TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, interval)
			expectOption(t, c, "TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, count)
		}
		expectOption(t, c, "TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, nodelay)
		client.Close()
		g.Record()
	}
	f("keepalive: 1m, delay: false", 1, 60, 15, 4, 1)
	f("keepalive: 2s, delay: false", 1, 2, 1, 4, 1)
	f("keepalive: 0s, delay: true", 0, 0, 0, 0, 0)
}

func expectOption(t *testing.T, c *net.TCPConn, name string, level, option, want int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	if cerr := raw.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), level, option) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	if got != want {
		t.Errorf("%s is %d, not %d", name, got, want)
	}
}

// TestBacklog reads how many may wait from the system, which tells it where ss finds it too.
func TestBacklog(t *testing.T) {
	f := func(options string, want uint32) {
		t.Helper()
		g := gwtest.Start(t, strings.ReplaceAll(listening, "OPTIONS", options))
		got, err := backlogOf(g.Addrs("test", "north")[0].(*net.TCPAddr).Port)
		if err != nil {
			t.Skip("this system does not tell: ", err)
		}
		if got != want {
			t.Errorf("%s: %d may wait, not %d", options, got, want)
		}
	}
	f("backlog: 7", 7)
	f("backlog: 1", 1)
}

// backlogOf asks the socket in this process that listens on a port: for one that listens, tcpi_sacked is the backlog.
func backlogOf(port int) (uint32, error) {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, err
	}
	for _, e := range fds {
		fd := 0
		for _, digit := range e.Name() {
			fd = 10*fd + int(digit-'0')
		}
		name, err := unix.Getsockname(fd)
		if at, ok := name.(*unix.SockaddrInet4); err != nil || !ok || at.Port != port {
			continue
		}
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return 0, err
		}
		if info.State == tcpListen {
			return info.Sacked, nil
		}
	}
	return 0, os.ErrNotExist
}

// tcpListen is the state of a socket that listens (TCP_LISTEN in the kernel's tcp_states.h).
const tcpListen = 10
