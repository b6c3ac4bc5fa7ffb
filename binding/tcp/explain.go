package tcp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"gozilla/stream"
)

// explain is part of binding.Explains.
func (s *server) explain(ctx context.Context, q *stream.Question) error {
	scope := stream.From(ctx)
	if s.asksForName() {
		scope.Trace().Notef("no name is looked up here: a route that asks for an authority does not hold")
	}
	quiet := &server{routes: s.routes, names: s.names.quiet()}
	_, err := quiet.choose(scope, q.About)
	return err
}

// explain is part of binding.Explains.
func (c *client) explain(ctx context.Context, q *stream.Question) error {
	scope, quiet := stream.From(ctx), *c
	quiet.names = c.names.quiet()
	to, err := quiet.targets(ctx, scope, q.About)
	if err != nil {
		return refusal(err)
	}
	note := "dials " + c.called(to[0], q.About)
	if isUnknown(to[0]) && len(c.routes.All()) > 0 {
		note += ", if the address of that name is allowed"
	}
	scope.Trace().Notef("%s", note)
	return nil
}

// called is what is dialled, by its name where that is not looked up.
func (c *client) called(to netip.AddrPort, about *stream.Info) string {
	if !isUnknown(to) {
		return to.String()
	}
	names := []string{about.Dest.Host, about.Authority}
	if c.options != nil && (len(c.routes.All()) == 0 || !about.Dest.Valid()) {
		names = []string{c.options.Host}
	}
	name := names[slices.IndexFunc(names, func(name string) bool { return name != "" })]
	return net.JoinHostPort(name, strconv.Itoa(int(to.Port())))
}

// isUnknown tells of the address of a name that was not looked up. It may be any.
func isUnknown(a netip.AddrPort) bool { return !a.Addr().IsValid() }

var errQuiet = errors.New("there is no such name")

// quiet knows names without asking for them: a host has one address, which is unknown, and no address has a name.
func (n *names) quiet() *names {
	return &names{
		max: n.max,
		forward: func(_ context.Context, host string) ([]netip.Addr, error) {
			if host == "*" {
				return nil, errQuiet
			}
			return []netip.Addr{{}}, nil
		},
		reverse: func(context.Context, string) ([]string, error) { return nil, errQuiet },
		hosts:   map[string]*answer[netip.Addr]{},
		addrs:   map[netip.Addr]*answer[string]{},
	}
}
