package ws

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/stream/ws"
	"gozilla/telemetry"
	"gozilla/wire/websocket"
)

type client struct {
	b        *binding.Builder
	routes   *binding.Routes[When, config.None, web.Port]
	defaults Defaults
	deflate  bool
}

func newClient(b *binding.Builder, c *Client) (*client, error) {
	return &client{b, binding.RoutesOf(b, &c.Routed, web.Protocol), c.Options.Defaults, c.Options.Compression == PerMessageDeflate}, nil
}

func (c *client) ws() ws.Port { return ws.Dialing(c) }

// OpenSocket is part of ws.Opener.
func (c *client) OpenSocket(ctx context.Context, r *ws.Request) (ws.Opened, error) {
	way, asked, err := c.choose(ctx, r)
	if err != nil {
		return nil, err
	}
	y := &opened{b: c.b, asked: c.request(asked), key: web.NewKey()}
	y.asked.Header.Set("sec-websocket-key", y.key)
	y.asked.Header = append(y.asked.Header, asked.Trail...)
	x, err := way.OpenExchange(ctx, &y.asked)
	if err != nil {
		return nil, err
	}
	deflate, err := y.agree(x, asked, c.deflate)
	if err != nil {
		x.Close()
		return nil, err
	}
	y.x = x
	y.begin(stream.From(ctx), c.b.Node, x, telemetry.Server, deflate)
	return y, nil
}

// choose is the exit that a socket is asked for at, and what is asked for.
func (c *client) choose(ctx context.Context, r *ws.Request) (web.Port, *ws.Request, error) {
	asked := *r
	d := &c.defaults
	asked.Scheme = cmp.Or(string(d.Scheme), asked.Scheme)
	asked.Authority = cmp.Or(string(d.Authority), asked.Authority)
	asked.Path = cmp.Or(string(d.Path), asked.Path)
	if len(asked.Protocols) == 0 && d.Protocol != "" {
		asked.Protocols = []string{string(d.Protocol)}
	}
	way, err := c.routes.Pick(ctx, func(w *When) bool { return w.holds(&asked) })
	if err != nil {
		return nil, nil, err
	}
	asked.Protocols = spoken(way.When, &asked)
	return way.Exit, &asked, nil
}

// request is what an http client is asked for (RFC 6455, section 4.1).
func (c *client) request(r *ws.Request) web.Request {
	h := web.Fields("sec-websocket-version", version)
	if len(r.Protocols) > 0 {
		h.Add("sec-websocket-protocol", strings.Join(r.Protocols, ", "))
	}
	if c.deflate {
		h.Add("sec-websocket-extensions", websocket.OfferDeflate)
	}
	return web.Request{Method: "GET", Scheme: r.Scheme, Authority: r.Authority, Path: r.Path, Protocol: "websocket", Header: h, About: r.About}
}

// opened is a socket that was sought.
type opened struct {
	socket
	b        *binding.Builder
	x        web.Opened
	asked    web.Request
	key      string
	protocol string
	closing  sync.Once
}

var _ ws.Opened = (*opened)(nil)

// agree waits for what the server says to the handshake.
func (y *opened) agree(x web.Opened, asked *ws.Request, deflate bool) (deflates bool, err error) {
	if err := x.Flush(); err != nil {
		return false, err
	}
	resp, err := x.Response()
	if err != nil {
		return false, err
	}
	h := resp.Header
	broken := func(what string) (bool, error) {
		return false, &web.Error{Status: 502, Err: stream.Refuse(stream.Unavailable, "the server has broken the rules of WebSocket: %s", what)}
	}
	if resp.Status != 101 {
		return false, refusal(resp)
	}
	switch lines := all(h, "sec-websocket-protocol"); {
	case resp.Protocol != "" && !strings.EqualFold(resp.Protocol, "websocket"):
		return broken("it wants to speak " + resp.Protocol)
	case all(h, "sec-websocket-accept") != web.AcceptKey(y.key):
		return broken("its sec-websocket-accept is missing or wrong")
	case lines != "" && !offered(asked, lines):
		return broken("it has chosen a protocol that was not offered")
	default:
		y.protocol = lines
	}
	extensions := all(h, "sec-websocket-extensions")
	if extensions != "" && !deflate {
		return broken("it has chosen an extension that was not offered")
	}
	if deflates, err = websocket.CheckDeflate(extensions); err != nil {
		return broken(err.Error())
	}
	return deflates, nil
}

func offered(r *ws.Request, protocol string) bool {
	for _, p := range r.Protocols {
		if p == protocol {
			return true
		}
	}
	return false
}

// refusal is why a server does not open a socket. A client of HTTP gets what the server has said, if that can mean something to it.
func refusal(r *web.Response) error {
	err := &web.Error{Status: 502, Err: stream.Refuse(web.ReasonOf(r.Status), "the server has answered with status %d", r.Status)}
	switch r.Status {
	case 400, 401, 403, 404, 407, 429, 503, 504:
		err.Status, err.Header = r.Status, r.Required()
	}
	if after := r.Header.Get("retry-after"); after != "" && (r.Status == 429 || r.Status == 503) {
		err.Header.Add("retry-after", after)
	}
	return err
}

// Protocol is part of ws.Opened.
func (y *opened) Protocol() string { return y.protocol }

// Close is part of ws.Opened. A server that knows nothing of an end yet is told.
func (y *opened) Close() error {
	y.closing.Do(func() {
		switch fault := (*websocket.Fault)(nil); {
		case errors.As(y.receiving.err, &fault):
			y.b.Warn(y.scope, "binding.ws.server.rejected", "A server has broken the rules of WebSocket (%v).", fault)
			y.drain(endPatience)
		case y.closed() == nil:
			y.tryClose(websocket.GoingAway)
		default: // an answer is due (RFC 6455, section 5.5.1), should nobody have given one
			y.tryClose(y.closed().Code)
			y.drain(endPatience)
		}
		y.x.StopRead()
		y.x.Close()
		y.end()
	})
	return nil
}
