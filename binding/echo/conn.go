package echo

import (
	"context"

	"gozilla/stream"
	"gozilla/stream/conn"
)

func (s *server) conn() conn.Port { return conn.Serving(s) }

// ServeConn sends back the bytes that c receives.
func (s *server) ServeConn(ctx context.Context, c conn.Conn, _ *stream.Info) error {
	return conn.Echo(ctx, c)
}
