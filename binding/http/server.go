package http

import (
	"context"
	"slices"
	"strings"
	"time"

	"gozilla/binding"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/h2"
	"gozilla/telemetry"
	wire "gozilla/wire/h2"
)

type server struct {
	b         *binding.Builder
	routes    *binding.Routes[When, With, web.Port]
	access    access
	asker     *asker // nil: nobody is asked
	forwarded forwarding
	overrides []override
	requests  requests // nil: nothing is asked of them
	methods   []Method
	via       string // the name in that header, "" for none
	versions  versions
	http1     h1.Server
	http2     h2.Server
}

func newServer(b *binding.Builder, c *Server) (*server, error) {
	o := &c.Options
	s := &server{
		b: b, routes: binding.RoutesOf(b, &c.Routed, web.Protocol), access: newAccess(o.AccessControl),
		asker: newAsker(b, o.Authorization), forwarded: newForwarding(o), overrides: o.overrides, methods: o.Methods, versions: o.versions(),
	}
	var err error
	if s.requests, err = newRequests(b, binding.Server, o.Requests); err != nil {
		return nil, err
	}
	s.via = string(o.Via)
	s.http2 = h2.Server{Node: b.Node, Handler: s, Name: string(o.Server), Broken: s.broken, Secrets: s.asker.secrets()}
	s.http1 = h1.Server{Node: b.Node, Handler: s, Name: string(o.Server), Broken: s.broken, Secrets: s.http2.Secrets}
	if s.versions.http2 {
		s.http1.Next = &s.http2
	}
	return s, nil
}

func (s *server) conn() conn.Port { return conn.Serving(s) }

// ServeConn is part of conn.Server.
func (s *server) ServeConn(ctx context.Context, c conn.Conn, about *stream.Info) error {
	switch version, err := s.speaks(about); {
	case err != nil:
		return s.refuseVersion(ctx, c, about, err)
	case version == HTTP2:
		return s.http2.ServeConn(ctx, c, about)
	}
	return s.http1.ServeConn(ctx, c, about)
}

// http11Required is what a server of HTTP/2 says that wants HTTP/1.1: settings, none, and GOAWAY with that code (RFC 9113,
// sections 3.4, 6.8 and 7). Browsers try again then.
var http11Required = wire.AppendGoAway(wire.AppendSettings(nil), 0, wire.HTTP11Required, "")

// errVersion is that a client has agreed by TLS on a version that the binding does not speak.
func errVersion(alpn string) error {
	return stream.Refuse(stream.Invalid, "the client has agreed on %s, which is not among versions: let alpn of the tls server say the same", alpn)
}

// speaks tells which version a connection begins with, by what was agreed on.
func (s *server) speaks(about *stream.Info) (version Version, err error) {
	switch alpn := about.ALPN; {
	case alpn == string(HTTP2) && !s.versions.http2, alpn == string(HTTP11) && !s.versions.http1:
		return "", errVersion(alpn)
	case alpn == string(HTTP2), !s.versions.http1:
		return HTTP2, nil
	}
	return HTTP11, nil
}

// refuseVersion ends the connection of a client that has agreed on a version which is not spoken.
func (s *server) refuseVersion(ctx context.Context, c conn.Conn, about *stream.Info, err error) error {
	scope := stream.From(ctx)
	s.broken(scope, err)
	if about.ALPN != string(HTTP2) {
		return err
	}
	var flow stream.Flow
	flow.Begin(scope)
	t := conn.NewTransport(scope.Host(), c, telemetry.Client)
	t.Count(&flow)
	t.Watch(func() {})
	defer t.Done()
	if t.Put(http11Required, nil, nil) != nil {
		return err
	}
	t.Linger(ctx, conn.LingerMost)
	return &stream.Told{Err: err}
}

// broken is told of a client that broke the rules.
func (s *server) broken(scope *stream.Scope, err error) {
	s.b.Warn(scope, "binding.http.request.malformed", "A client has broken the rules of HTTP (%v).", err)
}

// ServeExchange is part of web.Handler.
func (s *server) ServeExchange(ctx context.Context, r *web.Request, x web.Served) error {
	if err := s.takes(r); err != nil {
		return err
	}
	if s.b.Host.Log.Watched() {
		s.tell(ctx, r)
	}
	p, err := s.letIn(r)
	switch {
	case err != nil:
		return err
	case p.asks:
		return s.preflight(r, x, p)
	case !s.access.cross && s.via == "":
		return s.serve(ctx, r, x)
	}
	w := &responder{s: s, origin: p.origin, same: p.same}
	if err := s.serve(ctx, r, w.around(x)); err != nil {
		return w.failed(err)
	}
	return nil
}

// takes tells what is wrong with the method of a request, and sees to it that it says no more than is true.
func (s *server) takes(r *web.Request) error {
	if r.About != nil { // what an absolute target says of it proves nothing
		r.Scheme = "http"
		if r.About.Secure != nil {
			r.Scheme = "https"
		}
	}
	if r.Protocol != "" {
		noHTTP(r)
		if strings.EqualFold(r.Protocol, "websocket") { // as conditions have it (RFC 9110, section 7.8)
			r.Protocol = "websocket"
		}
	}
	if !isMethod(r.Method) && !slices.Contains(s.methods, Method(r.Method)) {
		return &web.Error{Status: 501, Err: stream.Refuse(stream.Invalid, "the method %s is not taken", r.Method)}
	}
	return nil
}

// A page is what has a browser send a request; the zero value is none.
type page struct {
	origin string
	same   bool // it is the server's own
	asks   bool // the browser asks in advance what the page may do
}

// letIn refuses pages that have no business here. What is let in, and is no question in advance, says whom it comes from.
func (s *server) letIn(r *web.Request) (p page, err error) {
	if p.origin, err = s.originOf(r); err != nil {
		return p, err
	}
	if p.origin != "" {
		p.same = sameOrigin(p.origin, s.forwarded.scheme(r), r.Authority)
		switch {
		case isPreflight(r):
			p.asks = true
			return p, nil
		case !p.same && !s.access.allows(p.origin):
			return p, refuseOrigin(p.origin)
		}
	}
	if s.forwarded.on() {
		s.forwarded.apply(r)
	}
	return p, nil
}

// originOf is the origin of the page that asks, "" for none. It refuses what we and a server behind could take for
// different things, where that decides who may do what: a path with dots in it, which many servers resolve, unless all may
// go anywhere, and two of what there can be one of (RFC 9110, section 5.3).
func (s *server) originOf(r *web.Request) (origin string, err error) {
	if s.routes.Guarded() && web.Disguised(r.Path) {
		return "", &web.Error{Status: 400, Err: stream.Refuse(stream.Invalid, "the path has escapes in it of what need not be escaped, which others may resolve")}
	}
	if s.routes.Guarded() && web.HasDots(r.Path) {
		return "", &web.Error{Status: 400, Err: stream.Refuse(stream.Invalid, "the path has dots in it that others may resolve")}
	}
	origins, credentials := 0, 0
	for i := range r.Header {
		switch f := &r.Header[i]; f.Name {
		case "origin":
			origins++
			origin = f.Value
		case "authorization":
			credentials++
		}
	}
	if origins > 1 || credentials > 1 {
		return "", &web.Error{Status: 400, Err: stream.Refuse(stream.Invalid, "there is more than one origin, or authorization")}
	}
	return origin, nil
}

// noHTTP ignores the wish to go on in another version of HTTP: what stands behind would be asked for anything then, past
// routes and guards.
func noHTTP(r *web.Request) {
	asked := strings.Split(r.Protocol, ",")
	left := slices.DeleteFunc(slices.Clone(asked), func(p string) bool {
		p = strings.ToLower(strings.Trim(p, " \t"))
		return p == "" || strings.HasPrefix(p, "h2") || strings.HasPrefix(p, "h3") || strings.HasPrefix(p, "http")
	})
	if len(left) < len(asked) {
		r.Protocol = strings.Trim(strings.Join(left, ","), " \t")
		r.Header.Del("http2-settings")
	}
}

// tell emits the event of a request.
func (s *server) tell(ctx context.Context, r *web.Request) {
	scope, who := stream.From(ctx), "-"
	if s.asker != nil {
		if session := scope.Session(s.asker.name); session != nil && session.Identity() != "" {
			who = session.Identity()
		}
	}
	s.b.Host.Log.Tell(&telemetry.Event{
		Time: time.Now(), Namespace: s.b.Node.Namespace, Name: s.b.Node.Name, ID: "binding.http.request.accepted", Scope: scope.ID(),
		Message: who + " " + r.Method + " " + r.Scheme + "://" + r.Authority + r.Path,
	})
}

// serve is what comes once the page that asks, if it is one, is let in.
func (s *server) serve(ctx context.Context, r *web.Request, x web.Served) error {
	if isChallengeResponse(r) {
		if s.asker != nil {
			s.asker.ask(ctx, r) // the answer is the same for whoever has no business here
		}
		return web.Reply(x, 204, nil, nil)
	}
	var asked error
	if s.asker != nil {
		if asked = s.asker.ask(ctx, r); s.asker.ends(ctx) {
			defer stream.While(ctx, x.StopRead)() // a read that waits does not notice by itself
		}
	}
	way, r, err := s.choose(ctx, r, asked)
	if err != nil {
		return err
	}
	if s.requests != nil {
		if x, err = s.requests.check(ctx, r, x); err != nil {
			return err
		}
	}
	return s.asker.refused(way.Exit.ServeExchange(ctx, r, x), asked)
}

// choose is the way that a request takes, and the request as it goes on; asked is what the guard has said.
func (s *server) choose(ctx context.Context, r *web.Request, asked error) (*binding.Way[When, With, web.Port], *web.Request, error) {
	var held *When
	way, err := s.routes.Pick(ctx, func(w *When) bool {
		if !w.holds(r) {
			return false
		}
		held = w
		return true
	})
	if err != nil {
		return nil, nil, s.asker.unrouted(err, asked)
	}
	if r, err = apply(r, s.overrides, way.With.Headers.overrides, held); err != nil {
		return nil, nil, err
	}
	if s.via != "" {
		version := "1.1 "
		if r.About != nil && (r.About.ALPN == "h2" || r.About.ALPN == "h2c") {
			version = "2 "
		}
		r.Header = append(r.Header, web.Field{Name: "via", Value: version + s.via})
	}
	return way, r, nil
}

// preflight answers the question of a browser.
func (s *server) preflight(r *web.Request, x web.Served, p page) error {
	h, err := s.access.preflight(r, p.origin, p.same)
	if err != nil {
		return err
	}
	return web.Reply(x, 204, h, nil)
}

// isChallengeResponse reports whether a request brings nothing but new credentials.
func isChallengeResponse(r *web.Request) bool {
	return r.Method == "POST" && r.Length == 0 && r.Header.Get("content-type") == "application/x-challenge-response"
}
