package h2_test

import (
	"testing"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h2"
	"gozilla/stream/web/webtest"
)

// over is how a server is reached: by TCP, or by a pipe.
var over = []struct {
	name string
	of   func(*rig, conn.Server) dial
}{{"tcp", (*rig).tcp}, {"pipe", (*rig).pipes}}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, o := range over {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			webtest.Run(t, func(t *testing.T, h web.Handler) *webtest.Gateway {
				r := &rig{t, webtest.NewHost()}
				r.rests()
				p := r.pool(o.of(r, &h2.Server{Node: node("server"), Handler: h}))
				return &webtest.Gateway{Host: r.host, Opener: p, Holds: 8 << 20}
			})
		})
		t.Run(o.name+" relayed", func(t *testing.T) {
			t.Parallel()
			webtest.Run(t, func(t *testing.T, h web.Handler) *webtest.Gateway {
				r := &rig{t, webtest.NewHost()}
				r.rests()
				back := r.pool(o.of(r, &h2.Server{Node: node("back"), Handler: h}))
				p := r.pool(o.of(r, &h2.Server{Node: node("front"), Handler: web.Dialing(back)}))
				return &webtest.Gateway{Host: r.host, Opener: p, Holds: 16 << 20, Few: true}
			})
		})
	}
}

// TestConformanceTapped has all edges tapped: those of the exchanges at both ends, and that of the connections.
func TestConformanceTapped(t *testing.T) {
	t.Parallel()
	webtest.Run(t, func(t *testing.T, h web.Handler) *webtest.Gateway {
		r := &rig{t, webtest.NewHost()}
		r.rests()
		server := &h2.Server{Node: node("server"), Handler: tap(web.Protocol, web.Serving(h))}
		p := r.pool(r.tcp(tap(conn.Protocol, conn.Serving(server))))
		return &webtest.Gateway{Host: r.host, Opener: tap(web.Protocol, web.Dialing(p)), Holds: 8 << 20}
	})
}

// tap is a port behind an edge that somebody watches.
func tap[P any](p stream.Protocol[P], to P) P {
	edge := stream.NewEdge(p, node("from"))
	edge.Store(&stream.Target[P]{Node: node("to"), Port: to})
	edge.Tap(func(*stream.Crossing) func(*stream.Chunk) { return func(*stream.Chunk) {} })
	return p.Through(edge)
}
