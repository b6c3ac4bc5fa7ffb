package httpfilesystem

import (
	"context"
	"errors"
	"io"
	"strings"

	"gozilla/binding"
	"gozilla/stream"
	"gozilla/stream/file"
	"gozilla/stream/web"
)

// listsMost is how many lists of folders that are long may be on their way at once.
const listsMost = 16

type proxy struct {
	routes *binding.Routes[When, With, file.Port]
	lists  chan struct{} // holds one for each
}

func newProxy(b *binding.Builder, c *Proxy) (*proxy, error) {
	return &proxy{binding.RoutesOf(b, &c.Routed, file.Protocol), make(chan struct{}, listsMost)}, nil
}

func (p *proxy) web() web.Port { return web.Serving(p) }

// request is one that is served: what it is about, and where that is.
type request struct {
	*web.Request
	p    *proxy
	x    web.Served
	exit file.Port
	name string
}

// ServeExchange is part of web.Handler.
func (p *proxy) ServeExchange(ctx context.Context, r *web.Request, x web.Served) error {
	exit, name, err := p.choose(ctx, r)
	if err != nil {
		return err
	}
	q := &request{r, p, x, exit, name}
	dir := file.IsDir(name)
	switch r.Method {
	case "PUT":
		return q.put(ctx)
	case "POST":
		if dir {
			if err := q.bodyless("to make a folder"); err != nil {
				return err
			}
			return q.answer(204, nil, exit.MakeDir(ctx, name))
		}
		return q.post(ctx)
	case "DELETE":
		return q.answer(204, nil, exit.Delete(ctx, name, q.condition()))
	}
	switch err := q.bodyless("to read"); {
	case err != nil:
		return err
	case dir:
		return q.list(ctx)
	}
	return q.get(ctx)
}

// choose is where a request goes, and the file that it is about.
func (p *proxy) choose(ctx context.Context, r *web.Request) (file.Port, string, error) {
	path, _, _ := strings.Cut(r.Path, "?")
	path = plain(path)
	var held *When
	way, err := p.routes.Pick(ctx, func(w *When) bool {
		if w.Method != "" && string(w.Method) != r.Method || !w.anyPath && !w.path.match(path, nil) {
			return false
		}
		held = w
		return true
	})
	switch {
	case err != nil:
		return nil, "", err
	case !isMethod(r.Method):
		return nil, "", stream.Refuse(stream.NoRoute, "nothing is done to files by %s", r.Method)
	}
	name, err := way.With.target.name(held, path, way.With.dir)
	if err == nil && r.Method == "PUT" && file.IsDir(name) {
		err = errFolder
	}
	switch err {
	case nil:
		return way.Exit, name, nil
	case errPath, errParam, errFolder:
		return nil, "", stream.Refuse(stream.NoRoute, "%w", err)
	}
	return nil, "", stream.Refuse(stream.Invalid, "%w", err)
}

func isMethod(m string) bool {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "DELETE":
		return true
	}
	return false
}

// explain is part of binding.Explains.
func (p *proxy) explain(ctx context.Context, q *stream.Question) error {
	r := &web.Request{Method: "GET", Path: "/"}
	for _, f := range q.Header {
		if f.Name == ":method" || f.Name == ":path" {
			r.Set(f.Name, f.Value)
		}
	}
	_, name, err := p.choose(ctx, r)
	if err == nil {
		stream.From(ctx).Trace().Notef("asks for /%s", name)
	}
	return err
}

// bodyless refuses a request that has a body where nobody knows what it would mean.
func (q *request) bodyless(why string) error {
	n := 0
	if q.Length < 0 { // it may be none
		var b [1]byte
		var err error
		if n, err = q.x.Read(b[:]); n == 0 && err != io.EOF {
			return err
		}
	}
	if q.Length > 0 || n > 0 {
		return stream.Refuse(stream.Invalid, "a request %s has a body", why)
	}
	return nil
}

// statuses are the answers to what a port cannot do. They are no failures of the exchange.
var statuses = []struct {
	err    error
	status int
}{
	{file.ErrNotFound, 404},
	{file.ErrForbidden, 403},
	{file.ErrExists, 409},
	{file.ErrNotEmpty, 409},
	{file.ErrChanged, 412},
	{errCondition, 412},
	{errUnconditional, 428},
}

// answer answers without a body, by what has become of the request.
func (q *request) answer(status int, h web.Header, err error) error {
	switch {
	case err == nil:
		return web.Reply(q.x, status, h, nil)
	case errors.Is(err, file.ErrFull):
		return &web.Error{Status: 507, Err: &stream.Refused{Reason: stream.Limit, Err: err}}
	case errors.Is(err, file.ErrLong):
		return &web.Error{Status: 500, Err: &stream.Refused{Reason: stream.Limit, Err: err}}
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			return web.Reply(q.x, s.status, nil, nil)
		}
	}
	return err
}
