package http

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"gozilla/config"
	"gozilla/stream"
	"gozilla/stream/web"
)

// forwarding hands on whom a request comes from.
type forwarding struct {
	x, rfc  bool
	trusted []config.CIDR
}

func newForwarding(o *ServerOptions) forwarding {
	return forwarding{
		x:   o.Forwarded == ForwardedX || o.Forwarded == ForwardedBoth,
		rfc: o.Forwarded == ForwardedRFC || o.Forwarded == ForwardedBoth, trusted: o.Trusted,
	}
}

func (f *forwarding) on() bool { return f.x || f.rfc }

// trusts reports whether the peer's own word counts.
func (f *forwarding) trusts(about *stream.Info) bool {
	return about != nil && about.Source.IP.IsValid() &&
		slices.ContainsFunc(f.trusted, func(c config.CIDR) bool { return c.Contains(about.Source.IP) })
}

// apply makes the headers say whom the request comes from.
func (f *forwarding) apply(r *web.Request) {
	if !f.trusts(r.About) {
		r.Header = slices.DeleteFunc(r.Header, func(h web.Field) bool { return web.IsForwarded(h.Name) })
	}
	r.Vouched = true
	var from netip.Addr
	var port uint16
	if r.About != nil {
		from, port = r.About.Source.IP, r.About.Dest.Port
	}
	if f.x {
		f.applyX(r, from, port)
	}
	if f.rfc {
		r.Header = appendTo(r.Header, "forwarded", element(r, from))
	}
}

func (f *forwarding) applyX(r *web.Request, from netip.Addr, port uint16) {
	if from.IsValid() {
		r.Header = appendTo(r.Header, "x-forwarded-for", from.String())
	}
	h := &r.Header
	if !h.Has("x-forwarded-proto") {
		h.Add("x-forwarded-proto", r.Scheme)
	}
	if !h.Has("x-forwarded-host") && r.Authority != "" {
		h.Add("x-forwarded-host", r.Authority)
	}
	if !h.Has("x-forwarded-port") && port != 0 {
		h.Add("x-forwarded-port", strconv.Itoa(int(port)))
	}
}

// element is what forwarded says of one hop (RFC 7239, section 4).
func element(r *web.Request, from netip.Addr) string {
	node := "unknown"
	switch {
	case from.Is4():
		node = from.String()
	case from.IsValid():
		node = `"[` + from.WithZone("").String() + `]"`
	}
	text := "for=" + node + ";proto=" + r.Scheme
	switch {
	case r.Authority == "":
	case strings.ContainsAny(r.Authority, ":[]()/@,;="):
		text += `;host="` + r.Authority + `"` // which has neither quotes nor backslashes
	default:
		text += ";host=" + r.Authority
	}
	return text
}

// appendTo adds a value to the last line of a list, or a line if there is none.
func appendTo(h web.Header, name, value string) web.Header {
	for i := len(h) - 1; i >= 0; i-- {
		if h[i].Name == name {
			h[i].Value += ", " + value
			return h
		}
	}
	return append(h, web.Field{Name: name, Value: value})
}

// scheme is that of the address that the user sees: a trusted proxy in front may have ended TLS. What it says of the host
// does not count, for many pass on what they were told of that.
func (f *forwarding) scheme(r *web.Request) string {
	if !f.on() || !f.trusts(r.About) {
		return r.Scheme
	}
	proto := r.Header.Get("x-forwarded-proto")
	if proto = strings.ToLower(strings.Trim(proto[strings.LastIndexByte(proto, ',')+1:], " \t")); proto == "" {
		return r.Scheme
	}
	return proto
}
