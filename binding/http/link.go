package http

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/h2"
	"gozilla/telemetry"
)

// Again is part of h1.Pool.
func (l *links) Again(ctx context.Context, about *stream.Info) (h1.Link, error) {
	link, version, err := l.link(ctx, about)
	if err == nil && version != HTTP11 {
		conn.Abort(link.Conn)
		err = stream.Refuse(stream.Unavailable, "the server does not speak HTTP/1.1 any more")
		link.Scope.End(err)
	}
	return h1.Link(link), err
}

// link opens a link on behalf of an exchange, on another goroutine: that needs a large stack for a moment, which would stay
// with the connection of who waits for it.
func (l *links) link(ctx context.Context, about *stream.Info) (h2.Link, Version, error) {
	s := stream.From(ctx)
	s.Mark(stream.DialBegan)
	link := h2.Link{Scope: s.Apart(l.b.Node)}
	stop := stream.AfterFunc(ctx, func() { link.Scope.Cancel(context.Cause(ctx)) })
	var version Version
	done := make(chan error, 1)
	conn.Briefly(func() {
		done <- stream.Contained(link.Scope, func() (err error) {
			link.Conn, version, err = l.dial(link.Scope, about)
			return err
		})
	})
	err := <-done
	s.Mark(stream.DialEnded)
	if !stop() && err == nil {
		conn.Abort(link.Conn)
		err = context.Cause(ctx)
	}
	link.Target = link.Scope.Record().Target
	if err != nil {
		s.SetRecord(func(r *telemetry.Record) { r.Target = link.Target })
		link.Scope.End(err)
	}
	return link, version, err
}

// dial opens a connection, and tells which version is spoken on it.
func (l *links) dial(ctx context.Context, about *stream.Info) (conn.Conn, Version, error) {
	to := destination(l.scheme, l.authority, about)
	if to.ALPN = l.versions.only(conn.Offers(l.exit)); l.apart {
		to.ALPN = string(HTTP11)
	}
	c, told, err := l.exit.DialConn(ctx, to)
	if err != nil {
		return nil, "", err
	}
	version, ok := l.versions.by(told.ALPN)
	switch {
	case ok:
		return c, version, nil
	case l.apart:
		err = stream.Refuse(stream.Unavailable, "the server takes no upgrades over HTTP/2, and has chosen it again: let alpn of the tls client have %s", HTTP11)
	default:
		err = stream.Refuse(stream.Unavailable, "the server has chosen %s, which is not among versions: let alpn of the tls client say the same", told.ALPN)
	}
	conn.Abort(c)
	return nil, "", err
}

// destination is what to dial for an authority.
func destination(scheme, authority string, about *stream.Info) *stream.Info {
	host, port := splitAuthority(scheme, authority)
	to := &stream.Info{Dest: stream.Addr{Port: port}, Authority: host}
	if ip, err := netip.ParseAddr(host); err == nil {
		to.Dest.IP = ip.Unmap()
	} else {
		to.Dest.Host = host
	}
	if about != nil {
		to.Local = about.Local
	}
	return to
}

// splitAuthority is the host, without brackets, and the port, that of the scheme if none is said.
func splitAuthority(scheme, authority string) (host string, port uint16) {
	host, port = authority, 80
	if scheme == "https" {
		port = 443
	}
	if h, p, err := net.SplitHostPort(authority); err == nil {
		host = h
		if n, err := strconv.ParseUint(p, 10, 16); err == nil {
			port = uint16(n)
		}
	}
	return strings.Trim(host, "[]"), port
}
