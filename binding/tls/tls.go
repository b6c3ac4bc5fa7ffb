package tls

import (
	"gozilla/binding"
	"gozilla/stream/conn"
)

func init() {
	binding.Register(binding.Type{
		Name: "tls",
		Kinds: map[binding.Kind]binding.Form{
			binding.Server: binding.In(newServer, binding.Face(conn.Protocol, (*server).conn), binding.Exits[*server](conn.Protocol), binding.Explains((*server).explain), binding.Checks((*server).check)),
			binding.Client: binding.In(newClient, binding.Face(conn.Protocol, (*client).conn), binding.Exits[*client](conn.Protocol), binding.Explains((*client).explain)),
			binding.Proxy:  binding.In(newProxy, binding.Face(conn.Protocol, (*proxy).conn), binding.Exits[*proxy](conn.Protocol), binding.Explains((*proxy).explain)),
		},
		System: "tls_client: { type: tls, kind: client, exit: tcp_client }",
	})
}
