package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"gozilla/component"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/telemetry"
)

// A listener is a port that the engine has opened for a component.
type listener struct {
	component.Listening
	tcp *net.TCPListener
	in  *instance

	closed    chan struct{}
	accepting sync.WaitGroup
	refused   int64     // connections that were closed at once since it was last told
	told      time.Time // when that was
}

// bind opens every listener of the instances. Each that cannot be opened is a fault at the place in the file that asks
// for it.
func bind(ctx context.Context, r *config.Report, instances []*instance) {
	for _, in := range instances {
		for _, l := range in.builder.Listeners() {
			tcp, err := open(ctx, l.Listener)
			if err != nil {
				at, hint := blame(in, l.Listener, err)
				f := r.Errorf(at, "cannot listen on %s: %s", net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port))), reason(err))
				if hint != "" {
					f.Hintf("%s", hint)
				}
				continue
			}
			in.listeners = append(in.listeners, &listener{Listening: l, tcp: tcp, in: in, closed: make(chan struct{})})
		}
	}
}

func open(ctx context.Context, l component.Listener) (*net.TCPListener, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ip, err := firstAddress(ctx, l.Host)
	if err != nil {
		return nil, err
	}
	lc := inheriting(l)
	lc.SetMultipathTCP(false)
	network := "tcp" // ::0 is every address, of IPv4 too
	if ip.Is4() {
		network = "tcp4" // else 0.0.0.0 would be the same
	}
	ln, err := lc.Listen(ctx, network, netip.AddrPortFrom(ip, l.Port).String())
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

// blame is the place in the file that a listener's failure belongs to, and what may help.
func blame(in *instance, l component.Listener, err error) (at config.Pos, hint string) {
	key := "port"
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EACCES) && l.Port < 1024:
		hint = "give the binary the capability cap_net_bind_service, or choose a port above 1023"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		key, hint = "host", "0.0.0.0 is every IPv4 address of this machine, ::0 every address"
	case errors.As(err, &dns):
		key = "host"
	}
	options := in.source.Get("options")
	for _, n := range []*config.Node{options.Get(key), options} {
		if n != nil {
			return n.Pos, hint
		}
	}
	return in.source.Pos, hint
}

// reason is an error of the system in plain words.
func reason(err error) string {
	var dns *net.DNSError
	var sys *os.SyscallError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "the port is in use"
	case errors.Is(err, syscall.EACCES):
		return "not permitted"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine has no such address"
	case errors.As(err, &dns):
		return fmt.Sprintf("cannot resolve %s: %s", dns.Name, dns.Err)
	case errors.As(err, &sys):
		return sys.Err.Error()
	}
	return err.Error()
}

// accept begins to take connections.
func (in *instance) accept(e *Engine) {
	for _, l := range in.listeners {
		l.accepting.Go(func() { l.run(e) })
	}
}

// run is the goroutine that accepts on a listener. It ends when the listener is closed.
func (l *listener) run(e *Engine) {
	base := context.WithoutCancel(l.in.ctx) // scopes are cancelled one by one
	var wait time.Duration
	for {
		c, err := l.tcp.AcceptTCP()
		switch {
		case err == nil:
			wait = 0
			l.take(e, base, c)
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, syscall.ECONNABORTED): // the client has left before we came to it
		default:
			wait = l.pause(err, wait)
		}
	}
}

// pause waits after a failure that may pass, such as a lack of descriptors.
func (l *listener) pause(err error, wait time.Duration) time.Duration {
	wait = min(max(2*wait, 5*time.Millisecond), time.Second)
	l.in.builder.Warn(nil, "engine.accept.failed", "Cannot accept connections on %s: %s. Next try in %v.", l.tcp.Addr(), reason(err), wait)
	select {
	case <-time.After(wait):
	case <-l.closed:
	}
	return wait
}

// take hands a connection to the component, or closes it if as many are open as may be: the port stays bound, and who
// probes it is answered.
func (l *listener) take(e *Engine, base context.Context, c *net.TCPConn) {
	slots := &e.host.Connections
	if !slots.Take() {
		c.CloseWrite() // the end is in order, also if the client has said something already
		c.Close()
		l.tell(slots.Max())
		return
	}
	if l.Delay {
		c.SetNoDelay(false)
	}
	s := e.host.Arrive(base, l.in.node)
	s.OnEnd(func(error) { slots.Free() })
	l.serve(s, c)
}

// serve survives a fault of the component: one connection is lost then, not all.
func (l *listener) serve(s *stream.Scope, c *net.TCPConn) {
	defer func() {
		if fault := recover(); fault != nil {
			err := &stream.Cut{By: telemetry.Gateway, Why: "internal error", Err: fmt.Errorf("%v", fault)}
			l.in.builder.Warn(s, "engine.stream.failed", "%v", err)
			s.End(err)
			c.Close()
		}
	}()
	l.Serve(s, c)
}

// tell says that connections were closed at once, at most once a second.
func (l *listener) tell(limit int64) {
	l.refused++
	if time.Since(l.told) < time.Second {
		return
	}
	l.in.builder.Host.Log.Event(&telemetry.Event{
		Time: time.Now(), Namespace: l.in.node.Namespace, Name: l.in.node.Name, ID: "engine.capacity.reached", Warning: true,
		Message: fmt.Sprintf("Closed %d connections at once: %d are open, as many as may be.", l.refused, limit),
	})
	l.refused, l.told = 0, time.Now()
}

func (l *listener) close() {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	l.tcp.Close()
	l.accepting.Wait()
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
