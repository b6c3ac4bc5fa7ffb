package ws

import (
	"context"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/ws"
	"gozilla/wire/websocket"
)

// explain is part of binding.Explains.
func (s *server) explain(ctx context.Context, q *stream.Question) error {
	var h handshake
	err := h.read(asked(q))
	if err == nil {
		_, err = s.choose(ctx, &h.Request)
	}
	if err != nil {
		web.NoteAnswer(ctx, err)
		return err
	}
	r := &h.Request
	q.Header = questionOf(&web.Request{Method: "GET", Scheme: r.Scheme, Authority: r.Authority, Path: r.Path, Header: protocols(r)})
	return nil
}

// explain is part of binding.Explains.
func (c *client) explain(ctx context.Context, q *stream.Question) error {
	trace := stream.From(ctx).Trace()
	r, err := c.sought(trace, q)
	if err != nil {
		return err
	}
	_, to, err := c.choose(ctx, r)
	if err != nil {
		return err
	}
	trace.Notef("opens a WebSocket at %s, path %s", to.Authority, to.Path)
	asked := c.request(to)
	q.Header = questionOf(&asked)
	return nil
}

// sought is the socket of a question: what a binding before has passed on, or what carries bytes.
func (c *client) sought(trace *stream.Trace, q *stream.Question) (*ws.Request, error) {
	if q.Face == conn.Protocol.Name {
		r, err := c.carrier(q.About)
		if err == nil {
			asked := c.request(r)
			q.Header = questionOf(&asked)
			trace.Knew(q)
		}
		return r, err
	}
	r := asked(q)
	offers, err := websocket.Protocols(all(r.Header, "sec-websocket-protocol"))
	return &ws.Request{Scheme: r.Scheme, Authority: r.Authority, Path: r.Path, Protocols: offers, About: r.About}, err
}

// asked is the request of a question, as that of who wants a WebSocket.
func asked(q *stream.Question) *web.Request {
	r := &web.Request{Method: "GET", Path: "/", Protocol: "websocket", Interim: true, About: q.About}
	for _, f := range q.Header {
		if f.Name[0] == ':' || f.Name == "upgrade" || f.Name == "content-length" {
			r.Set(f.Name, f.Value)
			continue
		}
		r.Header.Add(f.Name, f.Value)
	}
	for name, value := range map[string]string{"sec-websocket-version": version, "sec-websocket-key": web.NewKey()} {
		if !r.Header.Has(name) {
			r.Header.Add(name, value)
		}
	}
	return r
}

// questionOf is a request for a socket as a question has it.
func questionOf(r *web.Request) []stream.Field {
	h := []stream.Field{{Name: ":method", Value: r.Method}, {Name: ":scheme", Value: r.Scheme},
		{Name: ":authority", Value: r.Authority}, {Name: ":path", Value: r.Path}, {Name: "upgrade", Value: "websocket"}}
	for _, f := range r.Header {
		h = append(h, stream.Field(f))
	}
	return h
}
