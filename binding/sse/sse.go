package sse

import (
	"gozilla/binding"
	"gozilla/stream/sse"
	"gozilla/stream/web"
)

func init() {
	binding.Register(binding.Type{
		Name: "sse",
		Kinds: map[binding.Kind]binding.Form{
			binding.Server: binding.In(newServer, binding.Face(web.Protocol, (*server).web), binding.Exits[*server](sse.Protocol), binding.Explains((*server).explain)),
			binding.Client: binding.In(newClient, binding.Face(sse.Protocol, (*client).sse), binding.Exits[*client](web.Protocol), binding.Explains((*client).explain)),
		},
	})
}
