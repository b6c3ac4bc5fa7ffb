package http

import (
	"fmt"
	"slices"

	"gozilla/stream"
	"gozilla/stream/conn"
)

// versions are those that are spoken.
type versions struct{ http1, http2 bool }

func (o *Options) versions() versions {
	if o.Versions == nil {
		return versions{true, true}
	}
	return versions{slices.Contains(o.Versions, HTTP11), slices.Contains(o.Versions, HTTP2)}
}

// by is the version that is spoken with a server that has agreed on a protocol, or on none: "". It reports false if that is
// not among the versions.
func (v versions) by(alpn string) (Version, bool) {
	switch {
	case alpn == string(HTTP2):
		return HTTP2, v.http2
	case alpn == string(HTTP11):
		return HTTP11, v.http1
	case v.http1:
		return HTTP11, true
	}
	return HTTP2, true
}

// only is the protocol that is to be agreed on with a server, "" if that is left to the server. It is for who speaks one version,
// behind whom a tls client would offer others too, or nothing, though servers speak HTTP/2 with those only who offer it.
func (v versions) only(offers []conn.Offer) string {
	if v.http1 == v.http2 {
		return ""
	}
	only := string(HTTP11)
	if v.http2 {
		only = string(HTTP2)
	}
	if slices.ContainsFunc(offers, func(o conn.Offer) bool {
		return len(o.Protocols) > 1 && slices.Contains(o.Protocols, only) || len(o.Protocols) == 0 && v.http2
	}) {
		return only
	}
	return ""
}

// Declines is part of conn.Decliner.
func (s *server) Declines(alpn string) *stream.Node {
	if _, err := s.speaks(&stream.Info{ALPN: alpn}); err != nil {
		return s.b.Node
	}
	return nil
}

// spoken are the versions in words: HTTP/2 needs an offer, if HTTP/1.1 is spoken too.
func (v versions) spoken(offers []conn.Offer) string {
	agrees := slices.ContainsFunc(offers, func(o conn.Offer) bool { return slices.Contains(o.Protocols, string(HTTP2)) })
	switch {
	case v.http1 && v.http2 && agrees:
		return "HTTP/2 with a server that agrees on it by TLS, else HTTP/1.1"
	case v.http1:
		return "HTTP/1.1"
	}
	return "HTTP/2"
}

// vain are the offers to servers of which none can be agreed on with success: of the two versions they have the one that
// is not spoken, and nothing else.
func (v versions) vain(offers []conn.Offer) []conn.Offer {
	return slices.DeleteFunc(slices.Clone(offers), func(o conn.Offer) bool {
		return len(o.Protocols) == 0 || slices.ContainsFunc(o.Protocols, func(alpn string) bool {
			_, ok := v.by(alpn)
			return ok
		})
	})
}

// check warns of offers that are made in vain. Servers that agree on nothing can be talked to all the same.
func (c *client) check([]string) {
	b := c.pool.b
	var told []*stream.Node
	for _, way := range c.routes.All() {
		for _, o := range c.pool.versions.vain(conn.Offers(way.Exit)) {
			if slices.Contains(told, o.By) {
				continue
			}
			told = append(told, o.By)
			other := HTTP11
			if c.pool.versions.http2 {
				other = HTTP2
			}
			b.Report.Warnf(c.at, "%s", c.fails(o)).Hintf("let alpn of %s have %s, or versions %s", c.nameOf(o.By), other, o.Protocols[0])
		}
	}
}

// fails says what comes of an offer in vain.
func (c *client) fails(o conn.Offer) string {
	return fmt.Sprintf("%s offers servers %s only, which is not among versions: requests to those that agree on it fail", c.nameOf(o.By), o.Protocols[0])
}

// nameOf is what the file calls a binding.
func (c *client) nameOf(n *stream.Node) string {
	if n.Namespace == c.pool.b.Node.Namespace {
		return n.Name
	}
	return n.String()
}
