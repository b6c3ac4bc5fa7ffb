package tcp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

type client struct {
	b       *binding.Builder
	options *ClientOptions // nil: the stream says what to dial
	routes  *binding.Routes[ClientWhen, config.None, config.None]
	names   *names
	dialer  dialer
}

func newClient(b *binding.Builder, c *Client) (*client, error) {
	var socket Socket
	socket.Defaults()
	if c.Options != nil {
		socket = c.Options.Socket
	}
	return &client{
		b: b, options: c.Options, routes: binding.FiltersOf(b, &c.Filtered),
		names: newNames(b.Limits()), dialer: newDialer(socket),
	}, nil
}

func (c *client) conn() conn.Port { return conn.Dialing(c) }

// DialConn dials the first address that answers of those that the options, the routes and the stream agree on.
func (c *client) DialConn(ctx context.Context, about *stream.Info) (conn.Conn, *stream.Info, error) {
	s := stream.From(ctx)
	slots := &c.b.Host.Connections
	if !slots.Take() {
		return nil, nil, stream.Refuse(stream.Limit, "%d connections are open, as many as may be", slots.Max())
	}
	ctx, cancel := context.WithTimeout(ctx, s.Limits().Dial)
	defer cancel()
	s.Mark(stream.DialBegan)
	to, err := c.dial(ctx, s, about)
	s.Mark(stream.DialEnded)
	if err != nil {
		slots.Free()
		return nil, nil, refusal(err)
	}
	s.OnEnd(func(error) { slots.Free() })
	if idle := c.dialer.socket.Idle; idle > 0 {
		s.EndIdle(idle)
	}
	return to, &stream.Info{Source: stream.AddrOf(to.LocalAddr()), Dest: stream.AddrOf(to.RemoteAddr())}, nil
}

func (c *client) dial(ctx context.Context, s *stream.Scope, about *stream.Info) (*net.TCPConn, error) {
	to, err := c.targets(ctx, s, about)
	if err != nil {
		return nil, err
	}
	s.SetRecord(func(r *telemetry.Record) { r.Target = to[0].String() })
	dialled, err := c.dialer.dial(ctx, to)
	if err == nil && len(to) > 1 {
		s.SetRecord(func(r *telemetry.Record) { r.Target = dialled.RemoteAddr().String() })
	}
	return dialled, err
}

// refusal is the answer of a client that could not dial.
func refusal(err error) error {
	var refused *stream.Refused
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return &stream.Refused{Reason: stream.Timeout, Err: &stream.Cut{By: telemetry.Gateway, Why: "dial timeout", Err: err}}
	}
	return &stream.Refused{Reason: stream.Unavailable, Err: &stream.Cut{By: telemetry.Server, Why: "dial failed", Err: err}}
}

// targets are the addresses to try, in order; there is at least one.
func (c *client) targets(ctx context.Context, s *stream.Scope, about *stream.Info) ([]netip.AddrPort, error) {
	routes := c.routes.All()
	switch {
	case c.options == nil && !about.Dest.Valid():
		return nil, stream.Refuse(stream.NoRoute, "the stream does not say what to dial, and the client has no options")
	case c.options == nil && len(routes) == 0:
		return c.asked(ctx, s, about)
	case len(routes) == 0 || !about.Dest.Valid():
		port, _ := c.options.Port.First()
		return c.resolve(ctx, s, stream.Addr{Host: c.options.Host, Port: port})
	}
	if to := c.routed(ctx, s, about); len(to) > 0 {
		return to, nil
	}
	return nil, stream.Refuse(stream.NoRoute, "no route allows to dial %s", about.Dest)
}

// asked is what the stream wants to reach, unless that is where it came from: an address of ours that the client
// connected to, which would never end.
func (c *client) asked(ctx context.Context, s *stream.Scope, about *stream.Info) ([]netip.AddrPort, error) {
	if about.Local.IsValid() && about.Dest.AddrPort() == about.Local {
		return nil, stream.Refuse(stream.Invalid, "the stream wants to reach %s, where it came from: the client needs options", about.Local)
	}
	return c.resolve(ctx, s, about.Dest)
}

// routed is what the routes allow of what the stream wants to reach.
func (c *client) routed(ctx context.Context, s *stream.Scope, about *stream.Info) []netip.AddrPort {
	ways := c.routes.Authorized(s)
	for i := range ways {
		way := &ways[i]
		if to := c.allowed(ctx, s, way.When, about); len(to) > 0 {
			c.routes.Took(s, way)
			return to
		}
		c.routes.Missed(s, way, func(w *ClientWhen) bool { return len(c.allowed(ctx, s, []ClientWhen{*w}, about)) > 0 })
	}
	if c.options == nil || c.options.Host == "*" {
		return nil
	}
	// No route knows the address; it may still be one of the host that the options name.
	port, _ := c.options.Port.First()
	if len(ways) == 0 || about.Dest.Port != port && about.Dest.Host == "" {
		return nil
	}
	own, _ := c.resolve(ctx, s, stream.Addr{Host: c.options.Host, Port: port})
	wanted, _ := c.resolve(ctx, s, stream.Addr{IP: about.Dest.IP, Host: about.Dest.Host, Port: port})
	return slices.DeleteFunc(wanted, func(a netip.AddrPort) bool {
		return !slices.ContainsFunc(own, func(b netip.AddrPort) bool { return a == b || isUnknown(a) || isUnknown(b) })
	})
}

// allowed is what one route allows: the authority that the stream asks for at the first port of the options, if the
// route knows authorities at all, else the stream's destination.
func (c *client) allowed(ctx context.Context, s *stream.Scope, when []ClientWhen, about *stream.Info) []netip.AddrPort {
	byName := slices.ContainsFunc(when, func(w ClientWhen) bool { return w.Authority != "" })
	if about.Authority != "" && byName && c.options != nil {
		port, _ := c.options.Port.First()
		all, _ := c.resolve(ctx, s, stream.Addr{Host: about.Authority, Port: port})
		if to := matching(when, all, about.Authority); len(to) > 0 {
			return to
		}
	}
	name := about.Dest.Host
	if name == "" {
		name = about.Authority
	}
	all, _ := c.resolve(ctx, s, about.Dest)
	return matching(when, all, name)
}

func matching(when []ClientWhen, all []netip.AddrPort, name string) []netip.AddrPort {
	return slices.DeleteFunc(slices.Clone(all), func(a netip.AddrPort) bool {
		return !slices.ContainsFunc(when, func(w ClientWhen) bool {
			return (w.Port == nil || w.Port.Has(a.Port())) &&
				(w.CIDR == nil || w.CIDR.Contains(a.Addr()) || isUnknown(a)) &&
				(w.Authority == "" || name != "" && w.Authority.Match(name))
		})
	})
}

// resolve is all addresses of a. A name that has none is an event.
func (c *client) resolve(ctx context.Context, s *stream.Scope, a stream.Addr) ([]netip.AddrPort, error) {
	ips := []netip.Addr{a.IP}
	if !a.IP.IsValid() {
		var err error
		if ips, err = c.names.resolve(ctx, a.Host); err != nil {
			if known := (remembered{}); !errors.As(err, &known) {
				c.b.Warn(s, "binding.tcp.dns.failed", "Unable to resolve host dns for address (%s).", a.Host)
			}
			return nil, err
		}
	}
	to := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		to[i] = netip.AddrPortFrom(ip, a.Port)
	}
	return to, nil
}
