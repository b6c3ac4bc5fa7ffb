package h2_test

import (
	"context"
	"testing"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web/h2"
	"gozilla/stream/web/webtest"
	"gozilla/telemetry"
	wire "gozilla/wire/h2"
)

// upgrading is a server of connections that have begun with a request of HTTP/1.1.
type upgrading struct {
	*h2.Server
	path     string
	settings []byte
}

func (u upgrading) ServeConn(ctx context.Context, c conn.Conn, about *stream.Info) error {
	scope := stream.From(ctx)
	t := conn.NewTransport(scope.Host(), c, telemetry.Client)
	flow := scope.Flow()
	t.Count(&flow)
	scope.OnEnd(func(error) { t.Done() })
	return u.ServeOn(ctx, t, about, request("GET", u.path), u.settings)
}

// TestUpgraded is a request that has come in HTTP/1.1, and is answered as stream 1.
func TestUpgraded(t *testing.T) {
	payload := func(s ...wire.Setting) []byte { return settings(s...)[wire.HeadSize:] }
	for _, o := range webtest.Over {
		for _, c := range []struct {
			name     string
			path     string
			settings []byte
			say      []byte // behind what comes first
			hear     []string
		}{
			{"a request", "/", payload(), nil, []string{"1" + ok("GET http x /")}},
			{"a window", "/", payload(wire.Setting{ID: wire.InitialWindow, Value: 0}), window(1, 100), nil},
			{"an error", "/error", payload(), nil, []string{"1 502 content-length=0 server=S"}},
			{"stream 1 again", "/wait", payload(), get(1, "/"), []string{"1 !STREAM_CLOSED"}},
			{"DATA", "/wait", payload(), data(1, "x"), []string{"1 !STREAM_CLOSED"}},
			{"bad settings", "/wait", payload(wire.Setting{ID: wire.MaxFrameSize, Value: 1}), nil, []string{"goaway 0 PROTOCOL_ERROR"}},
		} {
			t.Run(o.Name+"/"+c.name, func(t *testing.T) {
				r := newRig(t)
				r.Rests()
				h := r.greeted(o.Of(r.Rig, upgrading{server(waits), c.path, c.settings}))
				if len(c.settings) == 6 && c.settings[1] == byte(wire.InitialWindow) {
					h.await(wire.Headers) // of which there is only the head
					h.said = nil
					h.say(c.say)
					if f := h.await(wire.Data); f.Stream != 1 || string(f.Payload) != "GET http x /" {
						t.Errorf("heard %q on %d", f.Payload, f.Stream)
					}
					h.Close()
					return
				}
				h.say(c.say)
				h.hear(c.hear...)
				if c.name == "bad settings" {
					h.ends("fin")
					return
				}
				h.works(5)
				h.Close()
			})
		}
	}
}
