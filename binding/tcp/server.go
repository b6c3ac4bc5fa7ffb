package tcp

import (
	"errors"
	"net"
	"net/netip"

	"gozilla/binding"
	"gozilla/component"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

type server struct {
	socket Socket
	routes *binding.Routes[ServerWhen, config.None, conn.Port]
	names  *names // of our own addresses
}

func newServer(b *binding.Builder, c *Server) (*server, error) {
	s := &server{socket: c.Options.Socket, routes: binding.RoutesOf(b, &c.Routed, conn.Protocol), names: newNames(b.Limits())}
	for port := range c.Options.Port.All() {
		b.Listen(component.Listener{
			Host: c.Options.Host, Port: port, Backlog: int(c.Options.Backlog),
			KeepAlive: c.Options.KeepAlive, Delay: !c.Options.NoDelay,
		}, s.accept)
	}
	return s, nil
}

// accept takes a new connection. It runs on the goroutine that accepts, so what could block is left to another one.
func (s *server) accept(scope *stream.Scope, c *net.TCPConn) {
	about := &stream.Info{Source: stream.AddrOf(c.RemoteAddr()), Dest: stream.AddrOf(c.LocalAddr())}
	about.Local = about.Dest.AddrPort()
	scope.SetInfo(about)
	if s.socket.Idle > 0 {
		scope.EndIdle(s.socket.Idle)
	}
	if s.asksForName() && !s.names.knows(about.Dest.IP) {
		go s.route(scope, c, about)
		return
	}
	s.route(scope, c, about)
}

// route sends the connection on. What belongs to no route is closed before anything was served, in order; what was
// served is closed as it ended.
func (s *server) route(scope *stream.Scope, c *net.TCPConn, about *stream.Info) {
	way, err := s.choose(scope, about)
	if err != nil {
		scope.OnEnd(func(error) { c.CloseWrite(); c.Close() })
		scope.End(err)
		return
	}
	scope.OnEnd(func(err error) { hangUp(scope, c, err) })
	conn.Start(scope, c, about, way.Exit)
}

func (s *server) choose(scope *stream.Scope, about *stream.Info) (*binding.Way[ServerWhen, config.None, conn.Port], error) {
	return s.routes.First(scope, func(w *ServerWhen) bool { return s.matches(scope, w, about) })
}

// hangUp tells the client how its connection ended: in order, or not.
func hangUp(scope *stream.Scope, c *net.TCPConn, err error) {
	rtt, again := measured(c)
	scope.SetRecord(func(r *telemetry.Record) { r.RTT, r.Retransmits = rtt, again })
	var told *stream.Told
	if err != nil && !errors.As(err, &told) {
		conn.Abort(c)
		return
	}
	if told != nil {
		c.CloseWrite() // else what the client has sent on would turn the close into a reset
	}
	c.Close()
}

func (s *server) matches(scope *stream.Scope, w *ServerWhen, about *stream.Info) bool {
	return (w.Port == nil || w.Port.Has(about.Dest.Port)) &&
		(w.CIDR == nil || w.CIDR.Contains(about.Dest.IP)) &&
		(w.Source == nil || anyContains(w.Source, about.Source.IP)) &&
		(w.Authority == "" || s.names.any(scope, about.Dest.IP, w.Authority.Match))
}

// asksForName reports whether a route depends on the name of an address, which must be looked up.
func (s *server) asksForName() bool {
	for _, way := range s.routes.All() {
		for i := range way.When {
			if way.When[i].Authority != "" {
				return true
			}
		}
	}
	return false
}

func anyContains(networks []config.CIDR, ip netip.Addr) bool {
	for i := range networks {
		if networks[i].Contains(ip) {
			return true
		}
	}
	return false
}
