package echo

import (
	"gozilla/binding"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/ws"
)

func init() {
	binding.Register(binding.Type{
		Name: "echo",
		Kinds: map[binding.Kind]binding.Form{
			binding.Server: binding.In(newServer, binding.Face(conn.Protocol, (*server).conn), binding.Face(web.Protocol, (*server).web), binding.Face(ws.Protocol, (*server).ws)),
		},
	})
}

// Server sends back what it receives. It takes no options and leads nowhere.
type Server struct {
	binding.Head
}

type server struct{}

func newServer(*binding.Builder, *Server) (*server, error) { return &server{}, nil }
