package tls

import (
	"crypto/tls"
	"slices"
	"strings"

	"gozilla/config"
	"gozilla/stream"
	"gozilla/stream/conn"
)

// matchName matches names, in which upper and lower case are the same.
func matchName(w config.Wildcard, name string) bool {
	return config.Wildcard(strings.ToLower(string(w))).Match(strings.ToLower(name))
}

// holdsFor reports whether what the condition says of name, protocol and port holds. A name or a protocol that is not
// there holds for no condition about it.
func (w *When) holdsFor(authority, alpn string, port uint16) bool {
	return (w.Authority == "" || authority != "" && matchName(w.Authority, authority)) &&
		(w.ALPN == "" || alpn != "" && w.ALPN.Match(alpn)) &&
		w.holdsForPort(port)
}

func (w *When) holdsForPort(port uint16) bool { return w.Port == nil || w.Port.Has(port) }

// protocol is the one that the server agrees on, of those that a client offers; "" for none. The first offer that the
// options allow is taken, unless the client asks for a name: then the last route that would take one of the offers
// decides, by the first that it takes.
func (s *server) protocol(hello *tls.ClientHelloInfo, about *stream.Info) string {
	offers := hello.SupportedProtos
	chosen := ""
	if s.options.ALPN != nil {
		offers = slices.DeleteFunc(slices.Clone(offers), func(p string) bool { return !slices.Contains(s.options.ALPN, p) })
		if len(offers) > 0 {
			chosen = offers[0]
		}
	}
	if hello.ServerName == "" || s.options.SNI != nil && !slices.ContainsFunc(s.options.SNI, func(name string) bool { return strings.EqualFold(name, hello.ServerName) }) {
		return chosen
	}
	for _, way := range s.routes.All() {
		for _, offer := range offers {
			if takes(way.When, hello.ServerName, offer, about.Dest.Port) {
				chosen = offer
				break
			}
		}
	}
	return chosen
}

// takes reports whether one of a route's conditions holds for a name, a protocol and a port, or there are none.
func takes(when []When, authority, alpn string, port uint16) bool {
	return len(when) == 0 || slices.ContainsFunc(when, func(w When) bool { return w.holdsFor(authority, alpn, port) })
}

// check warns of protocols that are agreed on to be ended by everybody to whom they may lead.
func (s *server) check([]string) {
	for _, alpn := range s.options.ALPN {
		if by := s.declined(alpn); by != nil {
			name := by.String()
			if by.Namespace == s.b.Node.Namespace {
				name = by.Name
			}
			s.b.Report.Warnf(s.at, "%s does not speak %s: clients that agree on it are let go", name, alpn).Hintf("leave it out of alpn")
		}
	}
}

// declined tells who ends a stream of a protocol, whichever way it takes; nil if some way is good, or there is none.
func (s *server) declined(alpn string) (by *stream.Node) {
	ways := s.routes.All()
	for i := range ways {
		way := &ways[i]
		if len(way.When) > 0 && !slices.ContainsFunc(way.When, func(w When) bool { return w.ALPN == "" || w.ALPN.Match(alpn) }) {
			continue
		}
		if by = conn.Declines(way.Exit, alpn); by == nil {
			return nil
		}
	}
	return by
}
