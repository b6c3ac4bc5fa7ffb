package ws

import (
	"context"
	"strings"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/stream/ws"
	"gozilla/wire/websocket"
)

type server struct {
	b       *binding.Builder
	routes  *binding.Routes[When, config.None, ws.Port]
	deflate bool
}

func newServer(b *binding.Builder, c *Server) (*server, error) {
	return &server{b, binding.RoutesOf(b, &c.Routed, ws.Protocol), c.Options.Compression == PerMessageDeflate}, nil
}

func (s *server) web() web.Port { return web.Serving(s) }

// ServeExchange is part of web.Handler.
func (s *server) ServeExchange(ctx context.Context, r *web.Request, x web.Served) error {
	if r.Protocol == "" {
		x.StopRead() // so that the connection ends, as clients know it from others
	}
	y := &served{x: x, b: s.b, scope: stream.From(ctx), deflate: s.deflate}
	if err := y.h.read(r); err != nil {
		return err
	}
	exit, err := s.choose(ctx, &y.h.Request)
	if err != nil {
		return err
	}
	defer y.scope.OnLeave(y.leave)()
	return y.finish(ctx, exit.ServeSocket(ctx, &y.h.Request, y))
}

// choose is where a socket goes; the protocols that are not spoken there are not offered any more.
func (s *server) choose(ctx context.Context, r *ws.Request) (ws.Port, error) {
	way, err := s.routes.Pick(ctx, func(w *When) bool { return w.holds(r) })
	if err != nil {
		return nil, err
	}
	r.Protocols = spoken(way.When, r)
	return way.Exit, nil
}

// handshake is what a client asks for.
type handshake struct {
	ws.Request
	key     string
	deflate string // the answer to the extensions that it offers, "" if there is none among them that we know
}

// version is that of the protocol (RFC 6455, section 4.1).
const version = "13"

// read reads a handshake (RFC 6455, section 4.2.1; RFC 8441, section 5). The error is the answer.
func (h *handshake) read(r *web.Request) (err error) {
	bad := func(status int, what string, fields ...string) error {
		return &web.Error{Status: status, Header: web.Fields(fields...), Err: stream.Refuse(stream.Invalid, "%s", what)}
	}
	h.Request = ws.Request{Scheme: r.Scheme, Authority: r.Authority, Path: r.Path, Trail: r.Trail(), About: r.About}
	h.key = r.Header.Get("sec-websocket-key")
	switch {
	case !asksFor(r.Protocol):
		return bad(400, "the client does not ask for a WebSocket")
	case r.Method != "GET":
		return bad(400, "a WebSocket is asked for by GET")
	case !r.Interim:
		return bad(400, "a WebSocket needs HTTP/1.1")
	case r.Length != 0:
		return bad(400, "a request for a WebSocket has a body")
	case times(r.Header, "sec-websocket-version") > 1: // section 11.3.5
		return bad(400, "the sec-websocket-version is there more than once")
	case r.Header.Get("sec-websocket-version") != version:
		return bad(426, "the version of the protocol is not "+version, "sec-websocket-version", version)
	case times(r.Header, "sec-websocket-key") > 1: // section 11.3.1
		return bad(400, "the sec-websocket-key is there more than once")
	case !websocket.ValidKey(h.key):
		return bad(400, "the sec-websocket-key is missing or wrong")
	}
	if h.Protocols, err = websocket.Protocols(all(r.Header, "sec-websocket-protocol")); err != nil {
		return bad(400, err.Error())
	}
	if h.deflate, err = websocket.AcceptDeflate(all(r.Header, "sec-websocket-extensions")); err != nil {
		return bad(400, err.Error())
	}
	return nil
}

// asksFor reports whether a WebSocket is among what a client wants to speak.
func asksFor(upgrade string) bool {
	for p := range strings.SplitSeq(upgrade, ",") {
		if strings.EqualFold(strings.Trim(p, " \t"), "websocket") {
			return true
		}
	}
	return false
}

// times is how many lines of that name there are.
func times(h web.Header, name string) (n int) {
	for i := range h {
		if h[i].Name == name {
			n++
		}
	}
	return n
}

// all are the lines of that name, as one.
func all(h web.Header, name string) string {
	var lines []string
	for _, f := range h {
		if f.Name == name {
			lines = append(lines, f.Value)
		}
	}
	return strings.Join(lines, ", ")
}
