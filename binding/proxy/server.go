package proxy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
	"gozilla/wire/proxyproto"
)

type server struct {
	b       *binding.Builder
	trusted config.List[config.CIDR] // nil: everybody is
	routes  *binding.Routes[When, config.None, conn.Port]
}

func newServer(b *binding.Builder, c *Server) (*server, error) {
	return &server{b: b, trusted: c.Options.Trusted, routes: binding.RoutesOf(b, &c.Routed, conn.Protocol)}, nil
}

func (s *server) conn() conn.Port { return conn.Deciding(s) }

// errUntrusted is that a connection comes from where no header is taken.
var errUntrusted = errors.New("it does not come from a network that is trusted")

// Decide is part of conn.Decider.
func (s *server) Decide(ctx context.Context, about *stream.Info, head []byte) (conn.Decision, error) {
	if !s.trusts(about) {
		return conn.Decision{}, &stream.Refused{Reason: stream.Forbidden, Err: errUntrusted}
	}
	h, n, err := proxyproto.Parse(head)
	if err != nil {
		return conn.Decision{}, &stream.Refused{Reason: stream.Invalid, Err: err}
	}
	if n == 0 {
		return conn.Decision{}, nil
	}
	about = learned(about, &h)
	way, err := s.routes.Pick(ctx, func(w *When) bool { return w.matches(about) })
	if err != nil {
		return conn.Decision{}, err
	}
	return conn.Decision{To: headed{way.Exit}, About: about, Used: n}, nil
}

// Undecided is part of conn.Witness: a header that is not taken is an event.
func (s *server) Undecided(ctx context.Context, about *stream.Info, seen int, err error) {
	var refused *stream.Refused
	var why error
	switch errors.As(err, &refused); {
	case refused != nil && refused.Reason == stream.NoRoute:
		return
	case refused != nil:
		why = refused.Err
	case seen == 0:
		return
	default:
		why = fmt.Errorf("it was cut off after %d bytes", seen)
	}
	s.b.Warn(stream.From(ctx), "binding.proxy.header.rejected", "Rejected the PROXY header of a connection from %s: %v.", from(about), why)
}

func (s *server) trusts(about *stream.Info) bool {
	return s.trusted == nil || slices.ContainsFunc(s.trusted, func(n config.CIDR) bool { return n.Contains(about.Source.IP) })
}

// learned is what is known of a stream with what its header says. That holds where it says something: what it does not
// speak of stays as it was.
func learned(about *stream.Info, h *proxyproto.Header) *stream.Info {
	if !h.Known() {
		return about
	}
	to := *about
	to.Datagram = h.Transport == proxyproto.Datagram
	if h.Family == proxyproto.Unix {
		to.Source, to.Dest = stream.Addr{Path: h.SourcePath}, stream.Addr{Path: h.DestPath}
	} else {
		// IPv4 in IPv6 is unwrapped, so that one client has one address.
		to.Source = stream.Addr{IP: h.Source.Addr().Unmap(), Port: h.Source.Port()}
		to.Dest = stream.Addr{IP: h.Dest.Addr().Unmap(), Port: h.Dest.Port()}
	}
	override(&to.ALPN, h.ALPN)
	override(&to.Authority, h.Authority)
	override(&to.Namespace, h.Namespace)
	if h.UniqueID != nil {
		to.UniqueID = h.UniqueID
	}
	if t := h.TLS; t != nil && t.Client&proxyproto.ClientTLS != 0 {
		to.Secure = &stream.Secure{Version: t.Version, Cipher: t.Cipher, Signature: t.Signature, Key: t.Key}
		if shown := t.Client & (proxyproto.ClientCertConn | proxyproto.ClientCertSession); shown != 0 && t.Verify == 0 {
			to.Secure.Name = t.Name // else anybody can claim it
		}
	}
	return &to
}

func override(field *string, value string) {
	if value != "" {
		*field = value
	}
}

// headed is the way on of a stream whose header was read.
type headed struct{ conn.Port }

// ServeConn has the record say who the client is, not who has spoken for it.
func (h headed) ServeConn(ctx context.Context, c conn.Conn, about *stream.Info) error {
	stream.From(ctx).SetRecord(func(r *telemetry.Record) {
		if about.Source.IP.IsValid() {
			r.Source = about.Source.AddrPort()
		}
		if about.Dest.IP.IsValid() {
			r.Dest = about.Dest.AddrPort()
		}
		r.Authority, r.ALPN = about.Authority, about.ALPN
		if about.Secure != nil {
			r.TLS, r.Identity = about.Secure.Version, about.Secure.Name
		}
	})
	return h.Port.ServeConn(ctx, c, about)
}

// from is where a connection comes from, in words.
func from(about *stream.Info) string {
	if !about.Source.Valid() {
		return "an unknown address"
	}
	return about.Source.String()
}
