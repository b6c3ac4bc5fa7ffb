package tls

import (
	"context"
	"errors"
	"slices"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
	"gozilla/wire/clienthello"
)

// A proxy chooses an exit by what the client says before anything is secured, and passes on what it has read.
type proxy struct {
	b      *binding.Builder
	routes *binding.Routes[When, config.None, conn.Port]
}

func newProxy(b *binding.Builder, c *Proxy) (*proxy, error) {
	return &proxy{b, binding.RoutesOf(b, &c.Routed, conn.Protocol)}, nil
}

func (p *proxy) conn() conn.Port { return conn.Deciding(p) }

// Decide is part of conn.Decider. A connection whose port no route takes is refused at once; one whose hello none takes
// is closed in order.
func (p *proxy) Decide(ctx context.Context, about *stream.Info, head []byte) (conn.Decision, error) {
	port, scope := about.Dest.Port, stream.From(ctx)
	if len(head) == 0 {
		return conn.Decision{}, p.known(scope, port)
	}
	hello, n, err := clienthello.Parse(head)
	if errors.Is(err, clienthello.ErrLong) {
		return conn.Decision{}, &stream.Told{Err: &stream.Refused{Reason: stream.Invalid, Err: err}}
	}
	if err != nil {
		return conn.Decision{}, &stream.Refused{Reason: stream.Invalid, Err: err}
	}
	if n == 0 {
		return conn.Decision{}, nil
	}
	to := *about
	if hello.ServerName != "" {
		to.Authority = hello.ServerName
		scope.SetRecord(func(r *telemetry.Record) { r.Authority = hello.ServerName })
	}
	way, err := p.routes.Pick(ctx, func(w *When) bool {
		if w.ALPN == "" {
			return w.sees() && w.holdsFor(hello.ServerName, "", port)
		}
		return w.sees() && slices.ContainsFunc(hello.ALPN, func(alpn string) bool { return w.holdsFor(hello.ServerName, alpn, port) })
	})
	if err != nil {
		return conn.Decision{}, &stream.Told{Err: err}
	}
	return conn.Decision{To: way.Exit, About: &to}, nil
}

// known is nil if some route that is authorized takes the port.
func (p *proxy) known(s *stream.Scope, port uint16) error {
	ways := p.routes.Authorized(s)
	for i := range ways {
		way := &ways[i]
		if len(way.When) == 0 || slices.ContainsFunc(way.When, func(w When) bool { return w.sees() && w.holdsForPort(port) }) {
			return nil
		}
		p.routes.Missed(s, way, func(w *When) bool { return w.sees() && w.holdsForPort(port) })
	}
	return stream.Refuse(stream.NoRoute, "no route takes the port %d", port)
}

// sees reports whether the condition asks only for what a proxy can see, which certificates are not.
func (w *When) sees() bool { return len(w.Trust) == 0 && w.Mutual != Shown(Required) }

// Undecided is part of conn.Witness. zilla tells nothing here.
func (p *proxy) Undecided(ctx context.Context, _ *stream.Info, _ int, err error) {
	var refused *stream.Refused
	if !errors.As(err, &refused) {
		return
	}
	switch refused.Reason {
	case stream.Timeout:
		faultTimeout.tell(p.b, stream.From(ctx))
	case stream.Invalid:
		faultFailed.tell(p.b, stream.From(ctx))
	}
}
