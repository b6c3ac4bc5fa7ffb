package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"syscall"

	"gozilla/component"
	"gozilla/config"
)

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
	for _, l := range d.closing {
		l.owner.Load().in.listeners = nil // they are not its to close any more
	}
}
