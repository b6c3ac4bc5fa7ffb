package ws

import (
	"context"

	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/stream/ws"
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
	}
	return err
}

// explain is part of binding.Explains.
func (c *client) explain(ctx context.Context, q *stream.Question) error {
	r := asked(q)
	protocols := all(r.Header, "sec-websocket-protocol")
	var offers []string
	if protocols != "" {
		offers = []string{protocols}
	}
	_, to, err := c.choose(ctx, &ws.Request{Scheme: r.Scheme, Authority: r.Authority, Path: r.Path, Protocols: offers, About: r.About})
	if err != nil {
		return err
	}
	stream.From(ctx).Trace().Notef("opens a WebSocket at %s, path %s", to.Authority, to.Path)
	return nil
}

// asked is the request of a question, as that of who wants a WebSocket.
func asked(q *stream.Question) *web.Request {
	r := &web.Request{Method: "GET", Path: "/", Protocol: "websocket", Interim: true, About: q.About}
	r.Header = web.Fields("sec-websocket-version", version, "sec-websocket-key", web.NewKey())
	for _, f := range q.Header {
		r.Set(f.Name, f.Value)
	}
	return r
}
