package engine

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/component"
)

// A listener is a port that the engine has opened for a component. It may be handed to another one: the socket and what
// waits at it stay.
type listener struct {
	place
	tcp       *net.TCPListener
	inherited bool // the socket is not of our making
	owner     atomic.Pointer[owner]

	closed    chan struct{}
	accepting sync.WaitGroup
	refused   int64     // connections that were closed at once since it was last told
	told      time.Time // when that was
}

// owner is who has a listener.
type owner struct {
	component.Listening
	in   *instance
	base context.Context // of its scopes, which are cancelled one by one
}

// A place is what tells a listener from others: the address, or, where the system chooses the port, whose it is.
type place struct {
	host  string
	port  uint16
	whose string
	which int
}

func placeOf(in *instance, i int, l component.Listener) place {
	if l.Port == 0 {
		return place{host: l.Host, whose: in.node.String(), which: i}
	}
	return place{host: l.Host, port: l.Port}
}

func (p place) String() string { return net.JoinHostPort(p.host, strconv.Itoa(int(p.port))) }

// open opens a listener, or finds one among the inherited.
func (e *Engine) open(ctx context.Context, l component.Listener, shares bool) (*listener, error) {
	ctx, cancel := context.WithTimeout(ctx, dnsTime)
	defer cancel()
	ip, err := firstAddress(ctx, l.Host)
	if err != nil {
		return nil, err
	}
	at := netip.AddrPortFrom(ip, l.Port)
	if tcp := e.take(at); tcp != nil {
		return &listener{tcp: tcp, inherited: true}, adjust(tcp, l)
	}
	tcp, err := open(ctx, l, at, shares)
	return &listener{tcp: tcp}, err
}

// take takes an inherited listener with that address; nil if there is none.
func (e *Engine) take(at netip.AddrPort) *net.TCPListener {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := e.inheritedAt(at)
	if i < 0 {
		return nil
	}
	l := e.inherited[i]
	e.inherited = slices.Delete(e.inherited, i, i+1)
	return l
}

// inheritedAt is the index of an inherited listener with that address, -1 if there is none. The lock is held.
func (e *Engine) inheritedAt(at netip.AddrPort) int {
	return slices.IndexFunc(e.inherited, func(l *net.TCPListener) bool {
		have := l.Addr().(*net.TCPAddr).AddrPort()
		return have.Port() == at.Port() && have.Addr().Unmap() == at.Addr()
	})
}

// probe tells whether open would succeed.
func (e *Engine) probe(ctx context.Context, l component.Listener, shares bool) error {
	ctx, cancel := context.WithTimeout(ctx, dnsTime)
	defer cancel()
	ip, err := firstAddress(ctx, l.Host)
	if err != nil {
		return err
	}
	at := netip.AddrPortFrom(ip, l.Port)
	e.mu.Lock()
	inherited := e.inheritedAt(at) >= 0
	e.mu.Unlock()
	if inherited {
		return nil
	}
	return probe(ctx, at, shares)
}

// giveBack undoes open.
func (e *Engine) giveBack(l *listener) {
	switch {
	case l.tcp == nil: // it was a probe
	case l.inherited:
		e.Inherit([]*net.TCPListener{l.tcp})
	default:
		l.tcp.Close()
	}
}

// dnsTime is how long it may take to find the address of a name to listen on.
const dnsTime = 10 * time.Second

func open(ctx context.Context, l component.Listener, at netip.AddrPort, shares bool) (*net.TCPListener, error) {
	lc := inheriting(l, shares)
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(ctx, network(at), at.String())
	if err != nil {
		return nil, err
	}
	tcp := ln.(*net.TCPListener)
	if l.Backlog > 0 {
		if err := setBacklog(tcp, l.Backlog); err != nil {
			tcp.Close()
			return nil, err
		}
	}
	return tcp, nil
}

// network is tcp for ::0, which is every address, of IPv4 too, and tcp4 for 0.0.0.0, which would be the same else.
func network(at netip.AddrPort) string {
	if at.Addr().Is4() {
		return "tcp4"
	}
	return "tcp"
}

// adjust makes a listener that is open what is asked for.
func adjust(tcp *net.TCPListener, l component.Listener) error {
	backlog := l.Backlog
	if backlog == 0 {
		backlog = longestBacklog
	}
	return errors.Join(setBacklog(tcp, backlog), setInherited(tcp, l))
}

// longestBacklog is as many connections as the system lets wait.
const longestBacklog = 65535

// firstAddress is the address that a host name stands for: the first that the resolver gives.
func firstAddress(ctx context.Context, host string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, err
	}
	return ips[0].Unmap(), nil
}

// Addrs are the addresses that a component listens on, as the system gave them; nil if it is not in service.
func (e *Engine) Addrs(namespace, name string) []net.Addr {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []net.Addr
	for _, in := range e.instances {
		if in.node.Namespace == namespace && in.node.Name == name {
			for _, l := range in.listeners {
				all = append(all, l.tcp.Addr())
			}
		}
	}
	return all
}
