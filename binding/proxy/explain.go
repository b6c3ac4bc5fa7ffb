package proxy

import (
	"context"
	"net/netip"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/wire/proxyproto"
)

// explain is part of binding.Explains: the stream begins with a header, by which a proxy speaks for the client.
func (s *server) explain(ctx context.Context, q *stream.Question) error {
	h := proxyproto.Header{Version: 2, Authority: q.SNI, Transport: proxyproto.Stream}
	if len(q.ALPN) > 0 {
		h.ALPN = q.ALPN[0]
	}
	from, to := same(q.From.IP, q.To.IP)
	if h.Family = proxyproto.Inet6; from.Is4() {
		h.Family = proxyproto.Inet4
	}
	h.Source, h.Dest = netip.AddrPortFrom(from, q.From.Port), netip.AddrPortFrom(to, q.To.Port)
	head, err := h.Append(nil)
	if err != nil {
		return stream.Refuse(stream.Invalid, "cannot write the PROXY header: %w", err)
	}
	how, err := conn.Decided(ctx, s, q.About, head)
	if err == nil {
		q.About = how.About
		stream.From(ctx).Trace().Knew(q)
	}
	return err
}

// explain is part of binding.Explains.
func (c *client) explain(ctx context.Context, q *stream.Question) error {
	_, err := c.choose(ctx, q.About)
	q.About = beyond(q.About)
	return err
}
