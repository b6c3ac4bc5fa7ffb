package http

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"gozilla/config"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/wire/http1"
)

// explain is part of binding.Explains: the stream begins with the head of a request.
func (s *server) explain(ctx context.Context, q *stream.Question) error {
	trace := stream.From(ctx).Trace()
	version, err := s.speaks(q.About)
	if err != nil {
		return err
	}
	if version == HTTP2 {
		trace.Notef("speaks HTTP/2")
	}
	if err = s.follow(ctx, q); err != nil {
		trace.Notef("answers with status %d", web.Answer(err).Status)
	}
	return err
}

// follow does what ServeExchange does until a request goes on.
func (s *server) follow(ctx context.Context, q *stream.Question) error {
	r, err := arrived(q)
	if err != nil {
		return err
	}
	trace := stream.From(ctx).Trace()
	err = s.takes(r)
	goesOn(q, r)
	trace.Knew(q)
	if err != nil {
		return err
	}
	p, err := s.letIn(r)
	if err != nil {
		return err
	}
	if p.asks {
		trace.Notef("tells a browser what a page may do")
		_, err := s.access.preflight(r, p.origin, p.same)
		return err
	}
	if isChallengeResponse(r) {
		trace.Notef("takes new credentials")
		return nil
	}
	var asked error
	if s.asker != nil {
		if asked = s.asker.ask(ctx, r); asked != nil {
			trace.Notef("the guard %s gives no session: %s", s.asker.name, strings.TrimPrefix(asked.Error(), "refused: "))
		}
	}
	if _, r, err = s.choose(ctx, r, asked); err != nil {
		return err
	}
	if s.requests != nil {
		if _, err := s.requests.check(ctx, r, nil); err != nil {
			return err
		}
	}
	goesOn(q, r)
	return nil
}

// explain is part of binding.Explains.
func (c *client) explain(ctx context.Context, q *stream.Question) error {
	way, r, err := c.choose(ctx, sought(q))
	if err != nil {
		return err
	}
	trace := stream.From(ctx).Trace()
	trace.Notef("asks %s for %s", r.Authority, cmp.Or(r.Path, "a tunnel"))
	offers := conn.Offers(way.Exit)
	trace.Notef("speaks %s", c.pool.versions.spoken(offers))
	for _, o := range c.pool.versions.vain(offers) {
		trace.Notef("%s", c.fails(o))
	}
	q.About = destination(r.Scheme, r.Authority, r.About)
	q.About.ALPN = c.pool.versions.only(offers)
	return nil
}

// arrived is the request of a question as the engine reads it. What is left out is that of somebody who asks for the
// page /.
func arrived(q *stream.Question) (*web.Request, error) {
	asked := web.Request{Method: "GET", Path: "/", Authority: authorityOf(q)}
	sized := false
	for _, f := range q.Header {
		switch f.Name {
		case ":method", ":path", ":scheme", ":authority":
			asked.Set(f.Name, f.Value)
		case "host":
			asked.Authority = f.Value
		default:
			sized = sized || f.Name == "content-length" || f.Name == "transfer-encoding"
			asked.Header.Add(f.Name, f.Value)
		}
	}
	target := asked.Path
	if asked.Method == "CONNECT" {
		target = asked.Authority
	}
	head := http1.AppendRequestLine(nil, asked.Method, target)
	head = http1.AppendField(head, "host", asked.Authority)
	head, err := http1.AppendFields(head, asked.Header)
	var h http1.Request
	if err == nil {
		err = http1.ParseRequest(append(head, "\r\n"...), &h, nil)
	}
	if err != nil {
		return nil, stream.Refuse(stream.Invalid, "%w", err)
	}
	r := &web.Request{
		Method: h.Method, Scheme: h.Scheme, Authority: h.Authority, Path: h.Path, Protocol: h.Upgrade,
		Header: h.Fields, Length: h.Length, About: q.About,
	}
	if !sized && (r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH") {
		r.Length = -1 // there would be a body
	}
	return r, nil
}

// authorityOf is the host that a client asks for if nothing else is said: that which it has asked for by TLS, or the
// address that it has reached.
func authorityOf(q *stream.Question) string {
	port := q.About.Dest.Port
	switch usual := port == 80 || port == 443; {
	case q.About.Authority == "":
		return q.About.Dest.String()
	case usual:
		return q.About.Authority
	}
	return q.About.Authority + ":" + strconv.Itoa(int(port))
}

// goesOn makes the request that of the question.
func goesOn(q *stream.Question, r *web.Request) {
	q.Header = []stream.Field{{Name: ":method", Value: r.Method}, {Name: ":scheme", Value: r.Scheme},
		{Name: ":authority", Value: r.Authority}, {Name: ":path", Value: r.Path}}
	if r.Protocol != "" {
		q.Header = append(q.Header, stream.Field{Name: "upgrade", Value: r.Protocol})
	}
	for _, f := range r.Header {
		q.Header = append(q.Header, stream.Field(f))
	}
}

// sought is the request of a question as a binding before has passed it on.
func sought(q *stream.Question) *web.Request {
	r := &web.Request{About: q.About}
	for _, f := range q.Header {
		if f.Name[0] == ':' || f.Name == "upgrade" {
			r.Set(f.Name, f.Value)
			continue
		}
		r.Header.Add(f.Name, f.Value)
	}
	return r
}

// Apart is how a condition is taken apart, to tell which of its headers do not look as they must.
func (w *When) Apart() []config.Part[When] {
	parts := make([]config.Part[When], len(w.tests))
	for i := range w.tests {
		parts[i] = config.Part[When]{Key: w.tests[i].name, Only: &When{tests: w.tests[i : i+1]}}
	}
	return parts
}
