package proxy

import (
	"gozilla/binding"
	"gozilla/stream/conn"
)

func init() {
	binding.Register(binding.Type{
		Name: "proxy",
		Kinds: map[binding.Kind]binding.Form{
			binding.Server: binding.In(newServer, binding.Face(conn.Protocol, (*server).conn), binding.Exits[*server](conn.Protocol), binding.Explains((*server).explain)),
			binding.Client: binding.In(newClient, binding.Face(conn.Protocol, (*client).conn), binding.Exits[*client](conn.Protocol), binding.Explains((*client).explain)),
		},
	})
}
