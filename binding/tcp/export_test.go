package tcp

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"gozilla/binding"
	"gozilla/stream/conn"
)

// Resolver is the names that bindings of the type tcp-of-tests know: those of tcp, with this in place of the system's
// resolver.
var Resolver = &testResolver{}

type testResolver struct {
	mu    sync.Mutex
	hosts map[string][]string
	addrs map[string][]string
	made  *client // the client that was made last
}

var errNoSuchHost = errors.New("no such host")

// Set makes the names known: addresses by host, and names by address.
func (r *testResolver) Set(hosts, addrs map[string][]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hosts, r.addrs = hosts, addrs
}

func (r *testResolver) forward(_ context.Context, host string) (ips []netip.Addr, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ip := range r.hosts[host] {
		ips = append(ips, netip.MustParseAddr(ip))
	}
	if ips == nil {
		return nil, errNoSuchHost
	}
	return ips, nil
}

func (r *testResolver) reverse(_ context.Context, addr string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if names := r.addrs[addr]; names != nil {
		return names, nil
	}
	return nil, errNoSuchHost
}

func (r *testResolver) client(b *binding.Builder, c *Client) (*client, error) {
	made, err := newClient(b, c)
	made.names.forward, made.names.reverse = r.forward, r.reverse
	r.made = made
	return made, err
}

func (r *testResolver) server(b *binding.Builder, c *Server) (*server, error) {
	made, err := newServer(b, c)
	made.names.forward, made.names.reverse = r.forward, r.reverse
	return made, err
}

func init() {
	binding.Register(binding.Type{
		Name: "tcp-of-tests",
		Kinds: map[binding.Kind]binding.Form{
			binding.Server: binding.In(Resolver.server, binding.Exits[*server](conn.Protocol), binding.Explains((*server).explain)),
			binding.Client: binding.In(Resolver.client, binding.Face(conn.Protocol, (*client).conn), binding.Explains((*client).explain)),
		},
	})
}
