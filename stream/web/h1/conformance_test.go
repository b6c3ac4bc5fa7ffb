package h1_test

import (
	"errors"
	"testing"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/webtest"
)

func as[T error](err error, to *T) bool { return errors.As(err, to) }

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
				p := r.pool(o.of(r, &h1.Server{Node: node("server"), Handler: h}))
				return &webtest.Gateway{Host: r.host, Opener: p, Holds: 8 << 20}
			})
		})
		t.Run(o.name+" relayed", func(t *testing.T) {
			t.Parallel()
			webtest.Run(t, func(t *testing.T, h web.Handler) *webtest.Gateway {
				r := &rig{t, webtest.NewHost()}
				r.rests()
				back := r.pool(o.of(r, &h1.Server{Node: node("back"), Handler: h}))
				p := r.pool(o.of(r, &h1.Server{Node: node("front"), Handler: web.Dialing(back)}))
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
		server := &h1.Server{Node: node("server"), Handler: tap(web.Protocol, web.Serving(h))}
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

// rests fails the test if a scope is left at its end.
func (r *rig) rests() {
	r.Cleanup(func() {
		if !await(r.host) {
			r.Errorf("%d streams are still open", r.host.Open())
		}
	})
}
