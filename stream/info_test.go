package stream_test

import (
	"net"
	"net/netip"
	"testing"

	"gozilla/stream"
)

func TestAddrOf(t *testing.T) {
	f := func(a net.Addr, want string, valid bool) {
		t.Helper()
		got := stream.AddrOf(a)
		if got.String() != want || got.Valid() != valid {
			t.Errorf("AddrOf(%v) is %q, valid %v", a, got, got.Valid())
		}
	}
	f(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80}, "10.0.0.1:80", true) // 16 bytes inside
	f(&net.TCPAddr{IP: net.ParseIP("::ffff:10.0.0.1"), Port: 80}, "10.0.0.1:80", true)
	f(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1).To4(), Port: 80}, "10.0.0.1:80", true)
	f(&net.TCPAddr{IP: net.ParseIP("fd00::1"), Port: 65535}, "[fd00::1]:65535", true)
	f(&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 1}, "[fe80::1%eth0]:1", true)
	f(&net.TCPAddr{}, "", false)
	f(&net.UnixAddr{Name: "/somewhere"}, "", false)
	f(nil, "", false)
}

func TestAddrText(t *testing.T) {
	f := func(a stream.Addr, want string) {
		t.Helper()
		if a.String() != want {
			t.Errorf("got %q, want %q", a, want)
		}
	}
	f(stream.Addr{}, "")
	f(stream.Addr{Port: 80}, "")
	f(stream.Addr{Host: "example.org", Port: 80}, "example.org:80")
	f(stream.Addr{Host: "example.org"}, "example.org:0")
	f(stream.Addr{Host: "fd00::1", Port: 80}, "[fd00::1]:80")
	f(stream.Addr{IP: netip.MustParseAddr("::1"), Port: 80}, "[::1]:80")
	f(stream.Addr{IP: netip.MustParseAddr("::1"), Host: "localhost", Port: 80}, "[::1]:80")
}

func TestAddrPort(t *testing.T) {
	if p := (stream.Addr{Host: "example.org", Port: 80}).AddrPort(); p.IsValid() {
		t.Errorf("a name has the address %v", p)
	}
	want := netip.MustParseAddrPort("10.0.0.1:80")
	if p := (stream.Addr{IP: want.Addr(), Port: want.Port()}).AddrPort(); p != want {
		t.Errorf("got %v, want %v", p, want)
	}
}
