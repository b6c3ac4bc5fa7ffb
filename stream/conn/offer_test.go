package conn_test

import (
	"context"
	"testing"

	"gozilla/stream"
	"gozilla/stream/conn"
)

// offering is a dialer that makes an offer.
type offering struct{ conn.Dialer }

func (offering) Offers() []conn.Offer { return []conn.Offer{{Protocols: []string{"a"}}} }

// silent is a server, which makes none.
type silent struct{}

func (silent) ServeConn(context.Context, conn.Conn, *stream.Info) error { return nil }

// TestOffers is that offers are known at an edge, wherever that leads, and while it is watched too.
func TestOffers(t *testing.T) {
	edge := stream.NewEdge(conn.Protocol, &stream.Node{})
	exit := conn.Protocol.Through(edge)
	f := func(to conn.Port, want int) {
		t.Helper()
		edge.Store(&stream.Target[conn.Port]{Node: &stream.Node{}, Port: to})
		if got := conn.Offers(exit); len(got) != want {
			t.Errorf("it offers %v", got)
		}
	}
	f(conn.Dialing(offering{}), 1)
	edge.Tap(func(*stream.Crossing) func(*stream.Chunk) { return nil })
	f(conn.Dialing(offering{}), 1)
	f(conn.Serving(silent{}), 0)
}
