package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
	"gozilla/wire/proxyproto"
)

type client struct {
	options ClientOptions
	routes  *binding.Routes[When, config.None, conn.Port]
	lookup  func(ctx context.Context, host string) ([]netip.Addr, error)
}

func newClient(b *binding.Builder, c *Client) (*client, error) {
	return &client{options: c.Options, routes: binding.RoutesOf(b, &c.Routed, conn.Protocol), lookup: lookup}, nil
}

func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

func (c *client) conn() conn.Port { return conn.Dialing(c) }

// DialConn dials the exit of the stream's route and writes the header. Whom the stream wants to reach is told by the
// header only: the exit's options say what is dialled.
func (c *client) DialConn(ctx context.Context, about *stream.Info) (conn.Conn, *stream.Info, error) {
	way, err := c.choose(ctx, about)
	if err != nil {
		return nil, nil, err
	}
	limit := stream.From(ctx).Limits().Dial
	header, err := c.header(ctx, limit, about)
	if err != nil {
		return nil, nil, err
	}
	to, known, err := way.Exit.DialConn(ctx, beyond(about))
	if err != nil {
		return nil, nil, err
	}
	if err := send(ctx, limit, to, header); err != nil {
		conn.Abort(to)
		return nil, nil, refusal("cannot send the PROXY header", err)
	}
	return to, known, nil
}

// beyond is what the exit is told: what it may agree on with the server, since that is what is spoken after the header.
func beyond(about *stream.Info) *stream.Info { return &stream.Info{ALPN: about.ALPN} }

func (c *client) choose(ctx context.Context, about *stream.Info) (*binding.Way[When, config.None, conn.Port], error) {
	return c.routes.Pick(ctx, func(w *When) bool { return w.matches(about) })
}

// Offers is part of conn.Offerer.
func (c *client) Offers() (all []conn.Offer) {
	for _, way := range c.routes.All() {
		all = append(all, conn.Offers(way.Exit)...)
	}
	return all
}

// send writes b. It gives up when ctx ends, or after a while.
func send(ctx context.Context, limit time.Duration, c conn.Conn, b []byte) error {
	c.SetWriteDeadline(time.Now().Add(limit))
	undo := stream.AfterFunc(ctx, func() { c.SetWriteDeadline(time.Unix(1, 0)) })
	_, err := c.Write(b)
	if !undo() {
		return context.Cause(ctx)
	}
	c.SetWriteDeadline(time.Time{})
	return err
}

// refusal is the answer of a client that could not do something that dialling needs.
func refusal(what string, err error) error {
	cut := &stream.Cut{By: telemetry.Server, Why: "dial failed", Err: fmt.Errorf("%s: %w", what, err)}
	var late interface{ Timeout() bool }
	if errors.As(err, &late) && late.Timeout() {
		cut.By, cut.Why = telemetry.Gateway, "dial timeout"
		return &stream.Refused{Reason: stream.Timeout, Err: cut}
	}
	return &stream.Refused{Reason: stream.Unavailable, Err: cut}
}

// header is what is written before the stream.
func (c *client) header(ctx context.Context, limit time.Duration, about *stream.Info) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	h := &proxyproto.Header{Version: int(c.options.Version), Checksum: c.options.Checksum}
	if err := c.addresses(ctx, h, about); err != nil {
		return nil, refusal("cannot resolve what the PROXY header names", err)
	}
	h.Transport = proxyproto.Stream
	if about.Datagram {
		h.Transport = proxyproto.Datagram
	}
	h.ALPN, h.Authority, h.UniqueID, h.Namespace = about.ALPN, about.Authority, about.UniqueID, about.Namespace
	if s := about.Secure; s != nil {
		h.TLS = &proxyproto.TLS{
			Client: proxyproto.ClientTLS, Verify: unverified,
			Version: s.Version, Name: s.Name, Cipher: s.Cipher, Signature: s.Signature, Key: s.Key,
		}
		if s.Name != "" { // it is known of a certificate that is good
			h.TLS.Client |= proxyproto.ClientCertConn | proxyproto.ClientCertSession
			h.TLS.Verify = 0
		}
	}
	b, err := h.Append(nil)
	if err != nil {
		return nil, stream.Refuse(stream.Invalid, "cannot write the PROXY header: %w", err)
	}
	return b, nil
}

// unverified is that the client has shown no certificate.
const unverified = 0xffffffff

// addresses says who opened the stream and whom it wanted to reach. The family is that of who opened it, or of the
// other if that is not known.
func (c *client) addresses(ctx context.Context, h *proxyproto.Header, about *stream.Info) error {
	source, dest := about.Source, about.Dest
	switch {
	case !source.Valid() && !dest.Valid():
		h.Local = true
		return nil
	case source.Path != "", !source.Valid() && dest.Path != "":
		h.Family, h.SourcePath, h.DestPath = proxyproto.Unix, source.Path, dest.Path
		return nil
	}
	from, err := c.address(ctx, source, dest.IP)
	if err != nil {
		return err
	}
	to, err := c.address(ctx, dest, from)
	if err != nil {
		return err
	}
	from, to = same(from, to)
	h.Family = proxyproto.Inet6
	if from.Is4() {
		h.Family = proxyproto.Inet4
	}
	h.Source, h.Dest = netip.AddrPortFrom(from, source.Port), netip.AddrPortFrom(to, dest.Port)
	return nil
}

// address is the address of a, of the family of the other one if a name has several. It is no address if a is none.
func (c *client) address(ctx context.Context, a stream.Addr, other netip.Addr) (netip.Addr, error) {
	if a.Host == "" {
		return a.IP, nil
	}
	all, err := c.lookup(ctx, a.Host)
	if err == nil && len(all) == 0 {
		err = &net.DNSError{Err: "no address", Name: a.Host, IsNotFound: true}
	}
	if err != nil {
		return netip.Addr{}, err
	}
	for i := range all {
		all[i] = all[i].Unmap()
	}
	at := max(0, slices.IndexFunc(all, func(ip netip.Addr) bool { return ip.Is4() == other.Is4() && other.IsValid() }))
	return all[at], nil
}

// same makes two addresses one of the same family: one that is missing is any address, and IPv4 beside IPv6 is written
// as IPv6.
func same(a, b netip.Addr) (netip.Addr, netip.Addr) {
	if !a.IsValid() {
		a = unspecified(b)
	}
	if !b.IsValid() {
		b = unspecified(a)
	}
	if a.Is4() != b.Is4() {
		a, b = netip.AddrFrom16(a.As16()), netip.AddrFrom16(b.As16())
	}
	return a, b
}

// unspecified is any address of a family.
func unspecified(like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}
