package tcp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"gozilla/stream"
)

func TestSocketOptions(t *testing.T) {
	var s Socket
	s.Defaults()
	if !s.NoDelay || s.KeepAlive != time.Minute || s.Idle != 0 {
		t.Errorf("the defaults are %+v", s)
	}
	k := keepAlive(40 * time.Second)
	if !k.Enable || k.Idle != 40*time.Second || k.Interval != 10*time.Second || k.Count != 4 {
		t.Errorf("the system probes with %+v", k)
	}
	if k := keepAlive(time.Second); k.Interval != time.Second {
		t.Errorf("the system probes every %v", k.Interval)
	}
}

// listen is an address that answers, and takes no connection.
func listen(t *testing.T, host string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// refusing is an address on which nothing listens, at the port of another one.
func refusing(t *testing.T, at netip.AddrPort) netip.AddrPort {
	t.Helper()
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), at.Port())
}

// hanging is an address that does not answer: its queue of connections is full.
func hanging(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	raw, _ := l.(*net.TCPListener).SyscallConn()
	raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) })
	if err != nil {
		t.Fatal(err)
	}
	for range 16 {
		c, err := net.DialTimeout("tcp", l.Addr().String(), 200*time.Millisecond)
		if err != nil {
			return l.Addr().(*net.TCPAddr).AddrPort()
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("this system answers connections although nobody accepts them")
	return netip.AddrPort{}
}

func TestDialTriesEveryAddress(t *testing.T) {
	d := newDialer(Socket{NoDelay: true, KeepAlive: time.Minute})
	good := listen(t, "127.0.0.1")
	bad, slow := refusing(t, good), hanging(t)
	f := func(name string, want netip.AddrPort, atLeast, atMost time.Duration, to ...netip.AddrPort) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		began := time.Now()
		c, err := d.dial(ctx, to)
		took := time.Since(began)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		defer c.Close()
		if got := c.RemoteAddr().(*net.TCPAddr).AddrPort(); got != want || took < atLeast || took > atMost {
			t.Errorf("%s: reached %v after %v", name, got, took)
		}
	}
	const soon = 200 * time.Millisecond // before the next address would be tried by the clock
	f("one", good, 0, time.Second, good)
	f("the first", good, 0, soon, good, slow, bad)
	f("the second, since the first refuses", good, 0, soon, bad, good)
	f("the third, since two refuse", good, 0, soon, bad, bad, good)
	f("the second, since the first hangs", good, attemptDelay, 5*time.Second, slow, good)
	f("the third, since one refuses and one hangs", good, attemptDelay, 5*time.Second, bad, slow, good)
}

func TestDialTellsTheFirstFailure(t *testing.T) {
	d := newDialer(Socket{NoDelay: true})
	bad := refusing(t, listen(t, "127.0.0.1"))
	if c, err := d.dial(t.Context(), []netip.AddrPort{bad, bad, bad}); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestDialIsBounded(t *testing.T) {
	d := newDialer(Socket{NoDelay: true})
	slow := hanging(t)
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	began := time.Now()
	c, err := d.dial(ctx, []netip.AddrPort{slow, slow, slow, slow})
	if refused := new(stream.Refused); !errors.As(refusal(err), &refused) || refused.Reason != stream.Timeout || time.Since(began) > 5*time.Second {
		t.Errorf("got %v, %v after %v", c, err, time.Since(began))
	}
}
