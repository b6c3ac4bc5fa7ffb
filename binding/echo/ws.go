package echo

import (
	"context"
	"errors"

	"gozilla/stream/ws"
)

func (s *server) ws() ws.Port { return ws.Serving(s) }

// ServeSocket sends back the messages that x receives, as they come: those of text as text.
func (s *server) ServeSocket(_ context.Context, _ *ws.Request, x ws.Served) error {
	for {
		if !x.Pending() {
			if err := x.Flush(); err != nil {
				return err
			}
		}
		p, err := x.Receive()
		if errors.As(err, new(*ws.Closed)) {
			return nil
		}
		if err == nil {
			err = x.Send(p)
		}
		if err != nil && !errors.Is(err, ws.ErrLeft) {
			return err
		}
	}
}
