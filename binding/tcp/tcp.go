package tcp

import (
	"gozilla/binding"
	"gozilla/stream/conn"
)

func init() {
	binding.Register(binding.Type{
		Name: "tcp",
		Kinds: map[binding.Kind]binding.Form{
			binding.Server: binding.In(newServer, binding.Exits[*server](conn.Protocol), binding.Explains((*server).explain)),
			binding.Client: binding.In(newClient, binding.Face(conn.Protocol, (*client).conn), binding.Explains((*client).explain)),
		},
		System: "tcp_client: { type: tcp, kind: client }",
	})
}
