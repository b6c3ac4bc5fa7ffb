package fan

import (
	"gozilla/binding"
	"gozilla/stream/conn"
)

func init() {
	binding.Register(binding.Type{
		Name: "fan",
		Kinds: map[binding.Kind]binding.Form{
			binding.Server: binding.In(newServer, binding.Face(conn.Protocol, (*server).conn), binding.Same[*server]()),
		},
	})
}

// Server joins all streams that come to it into one, and gives each of them everything that comes back.
type Server struct {
	binding.Head
	binding.Exited
}

type server struct{ group *group }

func newServer(b *binding.Builder, _ *Server) (*server, error) {
	g := newGroup(b, binding.ExitOf(b, conn.Protocol))
	b.Go("group", g.run)
	return &server{g}, nil
}
