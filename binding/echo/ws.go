package echo

import (
	"context"

	"gozilla/stream/ws"
)

func (s *server) ws() ws.Port { return ws.Serving(s) }

// ServeSocket sends back the messages that x receives, as they come: those of text as text.
func (s *server) ServeSocket(_ context.Context, _ *ws.Request, x ws.Served) error { return ws.Echo(x) }
