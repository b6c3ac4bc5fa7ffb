package fan

import (
	"gozilla/binding"
	"gozilla/stream/conn"
	"gozilla/stream/sse"
	"gozilla/stream/ws"
)

func init() {
	binding.Register(binding.Type{
		Name: "fan",
		Kinds: map[binding.Kind]binding.Form{
			binding.Server: binding.In(newServer, binding.Face(conn.Protocol, (*server).conn), binding.Face(ws.Protocol, (*server).ws), binding.Face(sse.Protocol, (*server).sse), binding.Same[*server]()),
		},
	})
}

// Server joins all streams that come to it into one, and gives each of them everything that comes back.
type Server struct {
	binding.Head
	binding.Exited
}

type server struct {
	bytes    *bytesFan
	messages *messageFan
	events   *eventsFan
}

func newServer(b *binding.Builder, _ *Server) (*server, error) {
	s := &server{newBytesFan(b), newMessageFan(b), newEventsFan(b)}
	b.Go("group of bytes", s.bytes.run)
	b.Go("group of messages", s.messages.run)
	b.Go("topics", s.events.run)
	return s, nil
}

func (s *server) conn() conn.Port { return conn.Serving(s.bytes) }
func (s *server) ws() ws.Port     { return ws.Serving(s.messages) }
func (s *server) sse() sse.Port   { return s.events }
