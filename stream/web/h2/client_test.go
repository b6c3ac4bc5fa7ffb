package h2_test

import (
	"gozilla/stream"
	"gozilla/stream/web"
)

// begin is the scope of who opens exchanges.
func (r *rig) begin() *stream.Scope { return stream.Begin(r.context(), node("test")) }

func request(method, path string) *web.Request {
	return &web.Request{Method: method, Scheme: "http", Authority: "x", Path: path}
}
