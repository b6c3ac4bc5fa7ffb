package echo

import (
	"context"
	"io"

	"gozilla/stream/web"
)

func (s *server) web() web.Port { return web.Serving(s) }

// ServeExchange sends back the body of the request, as it comes, and its trailer; behind a CONNECT what comes then.
func (s *server) ServeExchange(_ context.Context, r *web.Request, x web.Served) error {
	var first [1]byte
	n := 0
	if r.Continue && r.Length != 0 { // who waits to be asked for the body would take an answer for the end of it
		var err error
		if n, err = x.Read(first[:]); err != nil && err != io.EOF {
			return err
		}
	}
	resp := &web.Response{Status: 200, Length: r.Length}
	if kind := r.Header.Get("content-type"); kind != "" && r.Length != 0 {
		resp.Header = web.Fields("content-type", kind)
	}
	if err := x.Respond(resp); err != nil || r.Length == 0 && !r.Tunnel() {
		return err
	}
	if _, err := x.Write(first[:n]); err != nil {
		return err
	}
	if _, err := io.Copy(x, x); err != nil {
		return err
	}
	return x.End(x.Trailer())
}
