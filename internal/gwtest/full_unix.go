//go:build unix

package gwtest

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// Hanging is an address that does not answer who connects to it: its queue of connections is full. host is an address
// of this machine.
func Hanging(t testing.TB, host string) string {
	t.Helper()
	l := Listen(t, net.JoinHostPort(host, "0"))
	raw, err := l.Listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if cerr := raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	for range 16 {
		d := net.Dialer{Timeout: 200 * time.Millisecond}
		c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			return l.Addr().String()
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("this system answers connections although nobody accepts them")
	return ""
}
