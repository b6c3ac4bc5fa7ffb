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
	at       config.Pos // of the authority among the defaults
	deflate  bool
}

func newClient(b *binding.Builder, c *Client) (*client, error) {
	defaults := &c.Options.Defaults
	return &client{
		b: b, routes: binding.RoutesOf(b, &c.Routed, web.Protocol),
		defaults: *defaults, at: b.Report.At(&defaults.Authority), deflate: c.Options.Compression == PerMessageDeflate,
	}, nil
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
	deflate, err := y.agree(stream.From(ctx), x, asked, c.deflate)
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
	asked.Scheme = cmp.Or(asked.Scheme, string(d.Scheme))
	asked.Authority = cmp.Or(asked.Authority, string(d.Authority))
	asked.Path = cmp.Or(asked.Path, string(d.Path))
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
	h := append(web.Fields("sec-websocket-version", version), protocols(r)...)
	if c.deflate {
		h.Add("sec-websocket-extensions", websocket.OfferDeflate)
	}
	return web.Request{Method: "GET", Scheme: r.Scheme, Authority: r.Authority, Path: r.Path, Protocol: "websocket", Header: h, About: r.About}
}

// protocols are the line that offers them, if there are any.
func protocols(r *ws.Request) web.Header {
	if len(r.Protocols) == 0 {
		return nil
	}
	return web.Fields("sec-websocket-protocol", strings.Join(r.Protocols, ", "))
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
func (y *opened) agree(s *stream.Scope, x web.Opened, asked *ws.Request, deflate bool) (deflates bool, err error) {
	if err := x.Flush(); err != nil {
		return false, err
	}
	resp, err := x.Response()
	if err != nil {
		return false, err
	}
	h := resp.Header
	broken := func(what string) (bool, error) {
		y.rejects(s, what)
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

// rejects tells of a server that has broken the rules.
func (y *opened) rejects(s *stream.Scope, what string) {
	y.b.Warn(s, "binding.ws.server.rejected", "A server has broken the rules of WebSocket (%s).", what)
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

// SendClose is part of ws.Socket. Where there is no ws server in front whose client has taken leave, as for bytes and for the
// group of a fan, the record knows who has ended the stream: that one takes leave, before the server can answer.
func (y *opened) SendClose(code websocket.Code, reason string) error {
	by := y.scope.Record().By
	first := by != "" && by != telemetry.Server && y.ends(by, code, reason)
	err := y.sending.SendClose(code, reason)
	if err != nil && first {
		y.unsaid()
	}
	return err
}

// Close is part of ws.Opened. A server that knows nothing of an end yet is told.
func (y *opened) Close() error {
	y.closing.Do(func() {
		ended := false
		switch fault := (*websocket.Fault)(nil); {
		case errors.As(y.receiving.err, &fault):
			y.rejects(y.scope, fault.Error())
			ended = y.drain(endPatience)
		case y.closed() == nil:
			y.tryClose(websocket.GoingAway)
		default: // an answer is due (RFC 6455, section 5.5.1), should nobody have given one
			y.tryClose(y.closed().Code)
			ended = y.drain(endPatience)
		}
		if !ended {
			y.x.StopRead()
		}
		y.x.Close()
		y.end()
		y.note()
	})
	return nil
}

// note adds to the record what has moved. A ws server in front knows better what its client has got, and comes later.
func (y *opened) note() {
	came, went := y.counts()
	y.scope.SetRecord(func(r *telemetry.Record) { r.WS.Received, r.WS.Sent = went, came })
}
