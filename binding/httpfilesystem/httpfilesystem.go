package httpfilesystem

import (
	"gozilla/binding"
	"gozilla/stream/file"
	"gozilla/stream/web"
)

func init() {
	binding.Register(binding.Type{
		Name: "http-filesystem",
		Kinds: map[binding.Kind]binding.Form{
			binding.Proxy: binding.In(newProxy, binding.Face(web.Protocol, (*proxy).web), binding.Exits[*proxy](file.Protocol), binding.Explains((*proxy).explain)),
		},
	})
}
