package ws_test

import (
	"context"
	"testing"

	"gozilla/stream/ws"
	"gozilla/stream/ws/wstest"
)

func TestMain(m *testing.M) { wstest.Main(m) }

// TestPipe is a socket inside the process.
func TestPipe(t *testing.T) {
	wstest.Run(t, func(t *testing.T, h ws.Handler) *wstest.Gateway {
		return &wstest.Gateway{Host: wstest.NewHost(), Opener: ws.Serving(h), Holds: 256 << 10}
	})
}

// TestRelay is one that is relayed to another.
func TestRelay(t *testing.T) {
	wstest.Run(t, func(t *testing.T, h ws.Handler) *wstest.Gateway {
		relay := wstest.Func(func(ctx context.Context, r *ws.Request, x ws.Served) error { return ws.Relay(ctx, r, x, ws.Serving(h)) })
		return &wstest.Gateway{Host: wstest.NewHost(), Opener: ws.Serving(relay), Holds: 512 << 10}
	})
}
