package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gozilla/component"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/telemetry"
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

// A handover is a listener that gets another owner.
type handover struct {
	listener *listener
	to       *owner
}

// bind opens every listener of the instances that were made, or finds one of those that go. Each that cannot be opened is
// a fault at the place in the file that asks for it.
func (d *draft) bind(ctx context.Context) { d.listen(ctx, d.engine.open) }

// probe is bind that opens nothing.
func (d *draft) probe(ctx context.Context) {
	d.listen(ctx, func(ctx context.Context, l component.Listener, leaves bool) (*listener, error) {
		return &listener{}, d.engine.probe(ctx, l, leaves)
	})
}

// listen is bind; open is told whether another listener on that port leaves.
func (d *draft) listen(ctx context.Context, open func(context.Context, component.Listener, bool) (*listener, error)) {
	free, ports := map[place]*listener{}, map[uint16][]*listener{}
	for _, in := range d.gone {
		for _, l := range in.listeners {
			free[l.place] = l
			ports[l.port] = append(ports[l.port], l)
		}
	}
	for _, in := range d.made {
		for i, l := range in.builder.Listeners() {
			at, to := placeOf(in, i, l.Listener), &owner{l, in, context.WithoutCancel(in.ctx)}
			if have := free[at]; have != nil {
				delete(free, at)
				d.handed = append(d.handed, handover{have, to})
				continue
			}
			opened, err := open(ctx, l.Listener, false)
			if others := ports[l.Port]; errors.Is(err, syscall.EADDRINUSE) && len(others) > 0 && d.share(others, true) == nil {
				opened, err = open(ctx, l.Listener, true)
			}
			if err != nil {
				at, hint := blame(d.file(in), l.Listener, err)
				f := d.plan.Report.Errorf(at, "cannot listen on %s: %s", net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port))), reason(err))
				if hint != "" {
					f.Hintf("%s", hint)
				}
				continue
			}
			opened.place, opened.closed = at, make(chan struct{})
			opened.owner.Store(to)
			d.opened = append(d.opened, opened)
		}
	}
	d.closing = slices.Collect(maps.Values(free))
}

// share lets another socket listen on the port of some that are about to be closed, for as long as both are open: one on
// 0.0.0.0 in place of one on 127.0.0.1, for example. Or not any more.
func (d *draft) share(leaving []*listener, shares bool) error {
	for _, l := range leaving {
		if err := setReusePort(l.tcp, shares); err != nil {
			return err
		}
	}
	return nil
}

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

// blame is the place in the file that a listener's failure belongs to, and what may help.
func blame(body *config.Node, l component.Listener, err error) (at config.Pos, hint string) {
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
	options := body.Get("options")
	for _, n := range []*config.Node{options.Get(key), options} {
		if n != nil {
			return n.Pos, hint
		}
	}
	return body.Pos, hint
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

// own notes whose listeners are whose from now on. The lock is held.
func (d *draft) own() {
	for _, h := range d.handed {
		from := h.listener.owner.Load().in
		from.listeners = slices.DeleteFunc(from.listeners, func(l *listener) bool { return l == h.listener })
		h.to.in.listeners = append(h.to.in.listeners, h.listener)
	}
	for _, l := range d.opened {
		in := l.owner.Load().in
		in.listeners = append(in.listeners, l)
	}
}

// accept has the listeners take connections: for other instances, what was handed over, for the first time, what is new.
func (d *draft) accept() {
	for _, h := range d.handed {
		if err := h.listener.hand(h.to); err != nil {
			h.to.in.builder.Log.Warn("a listener goes on with the options that it had", "address", h.listener.tcp.Addr(), "error", err)
		}
	}
	for _, l := range d.opened {
		l.accepting.Go(func() { l.run(d.engine) })
	}
}

// hand gives the listener another owner.
func (l *listener) hand(to *owner) error {
	before := l.owner.Swap(to)
	if before.Backlog == to.Backlog && before.KeepAlive == to.KeepAlive {
		return nil
	}
	return adjust(l.tcp, to.Listener)
}

// run is the goroutine that accepts on a listener. It ends when the listener is closed.
func (l *listener) run(e *Engine) {
	var wait time.Duration
	for {
		c, err := l.tcp.AcceptTCP()
		switch {
		case err == nil:
			wait = 0
			l.take(e, c)
		case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
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
	l.owner.Load().in.builder.Warn(nil, "engine.accept.failed", "Cannot accept connections on %s: %s. Next try in %v.", l.tcp.Addr(), reason(err), wait)
	select {
	case <-time.After(wait):
	case <-l.closed:
	}
	return wait
}

// take hands a connection to the component, or closes it if as many are open as may be: the port stays bound, and who
// probes it is answered.
func (l *listener) take(e *Engine, c *net.TCPConn) {
	o, slots := l.owner.Load(), &e.host.Connections
	if !slots.Take() {
		c.CloseWrite() // the end is in order, also if the client has said something already
		c.Close()
		l.tell(e.host, slots.Max())
		return
	}
	if o.Delay {
		c.SetNoDelay(false)
	}
	s := e.host.Arrive(o.base, o.in.node)
	s.OnEnd(func(error) { slots.Free() })
	o.serve(s, c)
}

// serve survives a fault of the component: one connection is lost then, not all.
func (o *owner) serve(s *stream.Scope, c *net.TCPConn) {
	defer func() {
		if fault := recover(); fault != nil {
			err := &stream.Cut{By: telemetry.Gateway, Why: "internal error", Err: fmt.Errorf("%v", fault)}
			o.in.builder.Warn(s, "engine.stream.failed", "%v", err)
			s.End(err)
			c.Close()
		}
	}()
	o.Serve(s, c)
}

// tell says that connections were closed at once, at most once a second.
func (l *listener) tell(h *stream.Host, limit int64) {
	l.refused++
	if time.Since(l.told) < time.Second {
		return
	}
	node := l.owner.Load().in.node
	h.Log.Event(&telemetry.Event{
		Time: time.Now(), Namespace: node.Namespace, Name: node.Name, ID: "engine.capacity.reached", Warning: true,
		Message: fmt.Sprintf("Closed %d connections at once: %d are open, as many as may be.", l.refused, limit),
	})
	l.refused, l.told = 0, time.Now()
}

// leaveTime is how long a listener that closes goes on taking what has come: those who wait at it would be reset.
const leaveTime = 10 * time.Millisecond

// closeAll closes the listeners of instances.
func closeAll(instances []*instance) {
	var all []*listener
	for _, in := range instances {
		all = append(all, in.listeners...)
	}
	closeListeners(all)
}

// release closes listeners that nobody wants any more, and keeps the inherited: who has opened them may have them open
// still, so that they cannot be opened again.
func (e *Engine) release(all []*listener) {
	endAccepting(all)
	for _, l := range all {
		if l.inherited {
			l.tcp.SetDeadline(time.Time{})
		}
		e.giveBack(l)
	}
}

// closeListeners closes listeners, and returns when nothing is taken any more.
func closeListeners(all []*listener) {
	endAccepting(all)
	for _, l := range all {
		l.tcp.Close()
	}
}

// endAccepting takes what has come to listeners, and returns when nothing is taken any more.
func endAccepting(all []*listener) {
	soon := time.Now().Add(leaveTime)
	for _, l := range all {
		select {
		case <-l.closed:
		default:
			l.tcp.SetDeadline(soon)
			close(l.closed)
		}
	}
	for _, l := range all {
		l.accepting.Wait()
	}
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
