package ws

import (
	"gozilla/binding"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/ws"
)

func init() {
	binding.Register(binding.Type{
		Name: "ws",
		Kinds: map[binding.Kind]binding.Form{
			binding.Server: binding.In(newServer, binding.Face(web.Protocol, (*server).web), binding.Exits[*server](ws.Protocol), binding.Explains((*server).explain)),
			binding.Client: binding.In(newClient, binding.Face(ws.Protocol, (*client).ws), binding.Face(conn.Protocol, (*client).conn),
				binding.Exits[*client](web.Protocol), binding.Explains((*client).explain), binding.Checks((*client).check)),
		},
	})
}
