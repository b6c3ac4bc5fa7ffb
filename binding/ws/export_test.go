package ws

import (
	"sync"

	"gozilla/binding"
	"gozilla/stream/web"
	"gozilla/stream/ws"
)

// Servers and Clients are those of the type ws-of-tests, by qualified name.
var Servers, Clients sync.Map

func init() {
	binding.Register(binding.Type{
		Name: "ws-of-tests",
		Kinds: map[binding.Kind]binding.Form{
			binding.Server: binding.In(func(b *binding.Builder, c *Server) (*server, error) {
				s, err := newServer(b, c)
				Servers.Store(b.Node.String(), web.Handler(s))
				return s, err
			}, binding.Face(web.Protocol, (*server).web), binding.Exits[*server](ws.Protocol)),
			binding.Client: binding.In(func(b *binding.Builder, c *Client) (*client, error) {
				s, err := newClient(b, c)
				Clients.Store(b.Node.String(), ws.Opener(s))
				return s, err
			}, binding.Face(ws.Protocol, (*client).ws), binding.Exits[*client](web.Protocol)),
		},
	})
}
