package http

import (
	"gozilla/binding"
	"gozilla/stream/conn"
	"gozilla/stream/web"
)

func init() {
	binding.Register(binding.Type{
		Name: "http",
		Kinds: map[binding.Kind]binding.Form{
			binding.Server: binding.In(newServer, binding.Face(conn.Protocol, (*server).conn), binding.Exits[*server](web.Protocol), binding.Explains((*server).explain)),
			binding.Client: binding.In(newClient, binding.Face(web.Protocol, (*client).web), binding.Exits[*client](conn.Protocol), binding.Explains((*client).explain), binding.Checks((*client).check)),
		},
		System: `http_client: { type: http, kind: client, routes: [ { when: [ { headers: { ":scheme": https } } ], exit: tls_client } ], exit: tcp_client }`,
	})
}
