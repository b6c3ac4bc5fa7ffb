package proxy

import (
	"bytes"
	"strings"

	"gozilla/config"
	"gozilla/stream"
)

// matches reports whether all of the condition holds for a stream.
func (w *When) matches(about *stream.Info) bool {
	return (w.Transport == "" || (w.Transport == Datagram) == about.Datagram) &&
		(w.Family == "" || w.Family == familyOf(about)) &&
		w.Source.matches(about.Source, w.Family) &&
		w.Destination.matches(about.Dest, w.Family) &&
		w.Info.matches(about)
}

// familyOf is the family of what a stream wants to reach, or of where it comes from if that is not known.
func familyOf(about *stream.Info) Family {
	a := about.Dest
	if !a.Valid() {
		a = about.Source
	}
	switch {
	case a.IP.Is4():
		return Inet4
	case a.IP.IsValid():
		return Inet6
	case a.Host != "":
		return Inet
	case a.Path != "":
		return Unix
	}
	return ""
}

func (e *Endpoint) matches(a stream.Addr, f Family) bool {
	return (e.Port == nil || a.Valid() && a.Path == "" && *e.Port == a.Port) && (e.Host.text == "" || e.Host.matches(a, f))
}

func (h *Host) matches(a stream.Addr, f Family) bool {
	switch {
	case a.IP.IsValid():
		return h.isNetwork() && h.network.Contains(a.IP)
	case a.Host != "":
		return (f == Inet || !h.isNetwork()) && config.Wildcard(strings.ToLower(h.text)).Match(strings.ToLower(a.Host))
	case a.Path != "":
		return (f == Unix || !h.isNetwork()) && strings.HasPrefix(a.Path, h.text)
	}
	return false
}

func (i *Info) matches(about *stream.Info) bool {
	return (i.ALPN == "" || i.ALPN == about.ALPN) &&
		(i.Authority == "" || i.Authority == about.Authority) &&
		(i.Identity == nil || bytes.Equal(i.Identity, about.UniqueID)) &&
		(i.Namespace == "" || i.Namespace == about.Namespace) &&
		(i.Secure == Secure{} || about.Secure != nil && i.Secure.matches(about.Secure))
}

func (s *Secure) matches(about *stream.Secure) bool {
	return (s.Version == "" || s.Version == about.Version) &&
		(s.Cipher == "" || s.Cipher == about.Cipher) &&
		(s.Key == "" || s.Key == about.Key) &&
		(s.Name == "" || s.Name == about.Name) &&
		(s.Signature == "" || s.Signature == about.Signature)
}
