package filesystem

import (
	"gozilla/binding"
	"gozilla/stream/file"
)

func init() {
	binding.Register(binding.Type{
		Name: "filesystem",
		Kinds: map[binding.Kind]binding.Form{
			binding.Server: binding.In(newServer, binding.Face(file.Protocol, (*server).files)),
		},
	})
}
