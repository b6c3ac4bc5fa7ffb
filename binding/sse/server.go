package sse

import (
	"context"
	"errors"
	"io"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/model"
	"gozilla/stream"
	"gozilla/stream/sse"
	"gozilla/stream/web"
	"gozilla/telemetry"
)

type server struct {
	b        *binding.Builder
	routes   *binding.Routes[When, config.None, sse.Port]
	retry    Milliseconds // 0: nothing is said
	gzip     bool
	requests []request
}

// request is an entry of the option, made ready.
type request struct {
	path    pattern
	content model.Coder
}

func newServer(b *binding.Builder, c *Server) (*server, error) {
	o := &c.Options
	s := &server{b: b, routes: binding.RoutesOf(b, &c.Routed, sse.Protocol), retry: o.Retry, gzip: o.Compression == CompressionGzip}
	for i := range o.Requests {
		m, err := o.Requests[i].Content.Build(b.Builder)
		if err != nil {
			return nil, err
		}
		s.requests = append(s.requests, request{o.Requests[i].path, m.Encoder()})
	}
	return s, nil
}

func (s *server) web() web.Port { return web.Serving(s) }

// ServeExchange is part of web.Handler.
func (s *server) ServeExchange(ctx context.Context, r *web.Request, x web.Served) error {
	q, err := requestOf(r, x)
	if err != nil {
		return err
	}
	exit, err := s.choose(ctx, q)
	if err != nil {
		return err
	}
	events, err := exit.OpenEvents(ctx, q)
	if err != nil {
		return err
	}
	defer events.Close()
	timed := wantsTime(r.Header)
	zipped := s.gzip && takesGzip(r.Header)
	if err := x.Respond(&web.Response{Status: 200, Header: s.header(timed, zipped), Length: -1}); err != nil {
		return err
	}
	if r.Method == "HEAD" {
		return nil
	}
	w := newWriter(ctx, x, timed, zipped)
	w.lastID = q.LastID
	return s.send(ctx, w, events, s.content(q.Path))
}

// choose is where a request goes. What we and a server behind could take for different paths is refused where that decides
// who may have what.
func (s *server) choose(ctx context.Context, q *sse.Request) (sse.Port, error) {
	if s.routes.Guarded() && (web.HasDots(q.Path) || web.Disguised(q.Path)) {
		return nil, stream.Refuse(stream.Invalid, "the path can be taken for another one")
	}
	way, err := s.routes.Pick(ctx, func(w *When) bool { return w.holds(q.Path) })
	if err != nil {
		return nil, err
	}
	return way.Exit, nil
}

// header is that of the answer. What happens now is nothing to be stored.
func (s *server) header(timed, zipped bool) web.Header {
	kind := "text/event-stream"
	if timed {
		kind += ";ext=timestamp"
	}
	h := web.Fields("content-type", kind, "cache-control", "no-store")
	if s.gzip {
		h.Add("vary", "accept-encoding")
	}
	if zipped {
		h.Add("content-encoding", "gzip")
	}
	return h
}

// content is what the data of events must look like; nil if nothing is asked of them.
func (s *server) content(path string) model.Coder {
	for i := range s.requests {
		if s.requests[i].path.match(path) {
			return s.requests[i].content
		}
	}
	return nil
}

// send sends events until there are no more, or the client is gone. When the gateway leaves, or the way to the events is
// taken from it, it ends the stream in order, so that the client comes back for what follows.
func (s *server) send(ctx context.Context, w *writer, events sse.Events, content model.Coder) error {
	scope := stream.From(ctx)
	defer scope.OnLeave(events.Stop)()
	defer w.note()
	defer w.close()
	if err := w.begin(s.retry.duration(), events.Stop); err != nil {
		return err
	}
	check := &checker{s: s, content: content}
	for {
		b, err := events.Next()
		switch {
		case errors.Is(err, io.EOF):
			scope.Closes(telemetry.Server, "fin")
			return w.end()
		case errors.Is(err, sse.ErrStopped):
			scope.Closes(telemetry.Gateway, "drain")
			return w.end()
		case err != nil:
			return err
		}
		s.b.Node.ServerEvents.Received.Add(int64(len(b.Events)))
		if content != nil {
			if b = check.batch(ctx, b); b == nil {
				continue
			}
		}
		if err := w.send(b); err != nil {
			return err
		}
		s.b.Node.ServerEvents.Sent.Add(int64(len(b.Events)))
	}
}

// A checker looks at the data of events.
type checker struct {
	s       *server
	content model.Coder
	told    bool
}

// batch is b if all of its events are right, else another one without those that are not; nil if that is empty.
func (c *checker) batch(ctx context.Context, b *sse.Batch) *sse.Batch {
	changed := false
	events := make([]sse.Event, 0, len(b.Events))
	for _, e := range b.Events {
		if e.HasData {
			data, err := c.content.Value(ctx, nil, e.Data)
			if err != nil {
				c.tell(ctx, err)
				changed = true
				continue
			}
			if !c.content.Identity() {
				e.Data, changed = data, true
			}
		}
		events = append(events, e)
	}
	switch {
	case !changed:
		return b
	case len(events) == 0:
		return nil
	}
	return sse.NewBatch(events...)
}

// tell tells of the first event of a stream that is left out.
func (c *checker) tell(ctx context.Context, err error) {
	if !c.told {
		c.told = true
		c.s.b.Warn(stream.From(ctx), "binding.sse.event.rejected", "An event was left out of a stream (%v).", err)
	}
}

// explain is part of binding.Explains.
func (s *server) explain(ctx context.Context, q *stream.Question) error {
	r := &web.Request{Method: "GET", Path: "/", About: q.About}
	for _, f := range q.Header {
		r.Set(f.Name, f.Value)
	}
	asked, err := requestOf(r, nil)
	if err == nil {
		_, err = s.choose(ctx, asked)
	}
	if err != nil {
		web.NoteAnswer(ctx, err)
		return err
	}
	stream.From(ctx).Trace().Notef("asks for the events of %s", asked.Path)
	q.Header = questionOf(asked)
	return nil
}

// questionOf is a request for events as a question has it.
func questionOf(r *sse.Request) []stream.Field {
	h := []stream.Field{{Name: ":scheme", Value: r.Scheme}, {Name: ":authority", Value: r.Authority}, {Name: ":path", Value: r.Path}}
	if r.Resumes {
		h = append(h, stream.Field{Name: "last-event-id", Value: r.LastID})
	}
	return h
}
