package http

import (
	"sync"

	"gozilla/binding"
	"gozilla/stream/conn"
	"gozilla/stream/web"
)

// Made are the servers of the type http-of-tests, by qualified name.
var Made sync.Map

func init() {
	binding.Register(binding.Type{
		Name: "http-of-tests",
		Kinds: map[binding.Kind]binding.Form{
			binding.Server: binding.In(func(b *binding.Builder, c *Server) (*server, error) {
				s, err := newServer(b, c)
				Made.Store(b.Node.String(), web.Handler(s))
				return s, err
			}, binding.Face(conn.Protocol, (*server).conn), binding.Exits[*server](web.Protocol)),
		},
	})
}

// Match matches a text, and gives what the gaps stand for.
func Match(p, s string, path bool) (found []string, ok bool) {
	m := Pattern(p).compile(path)
	if !m.match(s) {
		return nil, false
	}
	found = m.captured(s)
	return found, len(found) == len(m.gaps)
}

// Holds decodes a condition, and tells whether it holds for each request.
func (w *When) Holds(r *web.Request) bool { return w.holds(r) }

// IsSameOrigin tells whether a page of an origin was served by an authority.
var IsSameOrigin = sameOrigin

// Preflight answers a question in advance.
func Preflight(c *AccessControl, r *web.Request, same bool) (web.Header, error) {
	a := newAccess(c)
	return a.preflight(r, r.Header.Get("origin"), same)
}

// Allows is what becomes of a request of a page of another origin, and Append of its answer.
func Allows(c *AccessControl, origin string) bool {
	a := newAccess(c)
	return a.allows(origin)
}

// Append is what an answer says to a browser.
func Append(c *AccessControl, h web.Header, origin string, same bool) web.Header {
	a := newAccess(c)
	if !a.cross {
		return h
	}
	return a.append(h, origin, same)
}

// Credentials are those of a request.
func (c *Credentials) Of(r *web.Request) string { return c.of(r) }

// Challenges are the values of www-authenticate.
func (c *Credentials) Challenges(realm string) []string { return c.challenges(realm) }
