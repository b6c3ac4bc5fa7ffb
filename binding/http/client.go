package http

import (
	"context"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/guard"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/wire/http1"
)

type client struct {
	pool      *pool
	routes    *binding.Routes[When, With, conn.Port]
	overrides []override
	requests  requests   // nil: nothing is asked of responses
	presenter *presenter // nil: nothing is shown
	at        config.Pos // of the versions in the file
}

// A presenter shows to servers what a guard has for them.
type presenter struct {
	guard guard.Presenter
	name  string // qualified
	to    []place
}

func newClient(b *binding.Builder, c *Client) (*client, error) {
	made := &client{
		pool: newPool(b, c.Options.versions()), routes: binding.RoutesOf(b, &c.Routed, conn.Protocol), overrides: c.Options.overrides,
		at: b.Report.At(&c.Options.Versions),
	}
	var err error
	if made.requests, err = newRequests(b, binding.Client, c.Options.Requests); err != nil {
		return nil, err
	}
	for ref, by := range c.Options.Authorization {
		g, ok := b.Guard(ref).(guard.Presenter)
		if !ok {
			b.Report.Warnf(b.Report.AtKey(&c.Options.Authorization, string(ref)), "the guard %s has nothing to show to a server", ref)
			continue
		}
		made.presenter = &presenter{g, config.Ref(ref).Qualified(b.Node.Namespace), by.Credentials.places}
	}
	return made, nil
}

func (c *client) web() web.Port { return web.Dialing(c) }

// OpenExchange is part of web.Opener.
func (c *client) OpenExchange(ctx context.Context, r *web.Request) (web.Opened, error) {
	way, r, err := c.choose(ctx, r)
	if err != nil {
		return nil, err
	}
	y, err := c.pool.begin(ctx, origin{exit: way.Exit, scheme: r.Scheme, authority: r.Authority}, r)
	if err != nil {
		return nil, err
	}
	if c.requests != nil {
		return c.requests.opened(ctx, r, y), nil
	}
	return y, nil
}

// choose is the way that a request takes, and the request as it is sent.
func (c *client) choose(ctx context.Context, r *web.Request) (*binding.Way[When, With, conn.Port], *web.Request, error) {
	way, err := c.routes.Pick(ctx, func(w *When) bool { return w.holds(r) })
	if err != nil {
		return nil, nil, err
	}
	if len(c.overrides) > 0 || c.presenter != nil {
		if r, err = c.changed(ctx, r); err != nil {
			return nil, nil, err
		}
	}
	if r.Scheme == "" || !http1.IsAuthority(r.Authority) {
		return nil, nil, stream.Refuse(stream.Invalid, "the request does not say which server it is for")
	}
	return way, r, nil
}

// changed is the request as it is sent: r itself is only lent.
func (c *client) changed(ctx context.Context, r *web.Request) (*web.Request, error) {
	r = r.Clone()
	r, err := apply(r, c.overrides, nil, nil)
	if err != nil || c.presenter == nil {
		return r, err
	}
	return r, c.presenter.show(ctx, r)
}

// show writes into a request what the guard has for its session.
func (p *presenter) show(ctx context.Context, r *web.Request) error {
	shown, ok := p.guard.Present(stream.From(ctx).Session(p.name))
	if !ok {
		return nil
	}
	for i := range p.to {
		if err := p.to[i].put(r, &shown); err != nil {
			return stream.Refuse(stream.Invalid, "what the guard %s has for the server: %w", p.name, err)
		}
	}
	return nil
}
