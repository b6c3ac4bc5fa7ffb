package sse

import (
	"context"
	"strings"
	"time"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/stream/sse"
	"gozilla/stream/web"
)

type client struct {
	b      *binding.Builder
	routes *binding.Routes[When, config.None, web.Port]
	retry  time.Duration
}

func newClient(b *binding.Builder, c *Client) (*client, error) {
	return &client{b, binding.RoutesOf(b, &c.Routed, web.Protocol), c.Options.Retry.duration()}, nil
}

func (c *client) sse() sse.Port { return c }

// OpenEvents is part of sse.Port.
func (c *client) OpenEvents(ctx context.Context, r *sse.Request) (sse.Events, error) {
	exit, err := c.choose(ctx, r)
	if err != nil {
		return nil, err
	}
	e := newEvents(ctx, c, exit, r)
	if err := e.open(); err != nil {
		e.Close()
		return nil, refused(err)
	}
	return e, nil
}

func (c *client) choose(ctx context.Context, r *sse.Request) (web.Port, error) {
	way, err := c.routes.Pick(ctx, func(w *When) bool { return w.holds(r.Path) })
	if err != nil {
		return nil, err
	}
	return way.Exit, nil
}

// asks is the request by http for events.
func asks(r *sse.Request) *web.Request {
	q := &web.Request{
		Method: "GET", Scheme: r.Scheme, Authority: r.Authority, Path: r.Path, About: r.About,
		Header: web.Fields("accept", "text/event-stream", "cache-control", "no-cache"),
	}
	if r.Resumes {
		q.Header.Add("last-event-id", r.LastID)
	}
	q.Header = append(q.Header, r.Trail...)
	return q
}

// A refusal is the answer of a server that gives no events.
type refusal struct {
	status int // of the answer
	text   string
	after  time.Duration // when it may be worth another try; 0: not said
	says   web.Header    // what goes on with the status, such as by what the client can show who it is
}

func (r *refusal) Error() string { return r.text }

// again reports whether the server may say something else later.
func (r *refusal) again() bool { return r.status == 408 || r.status == 429 || r.status >= 500 }

// refusalOf is why an answer has no events; nil if it has.
func refusalOf(r *web.Response) *refusal {
	kind, _, _ := strings.Cut(r.Header.Get("content-type"), ";")
	coding := r.Header.Get("content-encoding")
	switch {
	case r.Status != 200:
		return &refusal{r.Status, "the server has answered with status " + statusText(r.Status), retryAfter(r.Header), r.Required()}
	case !strings.EqualFold(strings.TrimSpace(kind), "text/event-stream"):
		return &refusal{status: 200, text: "the server has answered with something else than a stream of events"}
	case coding != "" && !strings.EqualFold(coding, "identity"):
		return &refusal{status: 200, text: "the server has compressed what it sends, without being asked to"}
	}
	return nil
}

// refused is the error of who asked for events: what the server has said of the request is said on.
func refused(err error) error {
	r, ok := err.(*refusal)
	if !ok {
		return asRefused(err)
	}
	answer := &web.Error{Status: 502, Header: r.says, Err: r}
	reason := web.ReasonOf(r.status)
	switch {
	case r.status == 204: // there is nothing, and there will be nothing
		reason, answer.Status = stream.NoRoute, r.status
	case r.status >= 400 && r.status < 500, r.status == 503, r.status == 504:
		answer.Status = r.status
	}
	if r.after > 0 {
		answer.Header.Add("retry-after", seconds(r.after))
	}
	return &stream.Refused{Reason: reason, Err: answer, RetryAfter: r.after}
}

// explain is part of binding.Explains.
func (c *client) explain(ctx context.Context, q *stream.Question) error {
	r := &sse.Request{About: q.About}
	for _, f := range q.Header {
		switch f.Name {
		case ":scheme":
			r.Scheme = f.Value
		case ":authority":
			r.Authority = f.Value
		case ":path":
			r.Path = f.Value
		case "last-event-id":
			r.LastID, r.Resumes = f.Value, true
		}
	}
	_, err := c.choose(ctx, r)
	if err != nil {
		return err
	}
	stream.From(ctx).Trace().Notef("asks %s for the events of %s", r.Authority, r.Path)
	asked := asks(r)
	q.Header = append([]stream.Field{{Name: ":method", Value: asked.Method}}, questionOf(&sse.Request{Scheme: r.Scheme, Authority: r.Authority, Path: r.Path})...)
	for _, f := range asked.Header {
		q.Header = append(q.Header, stream.Field(f))
	}
	return nil
}
