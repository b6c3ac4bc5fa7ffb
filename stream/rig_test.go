package stream_test

import (
	"context"
	"testing"

	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/telemetry"
)

func TestMain(m *testing.M) { leak.Main(m) }

// rig is a host with a binding that scopes begin at.
type rig struct {
	*stream.Host
	node *stream.Node
	ctx  context.Context
}

func newRig(t testing.TB) *rig {
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 16, false))
	return &rig{host, node("north"), stream.WithHost(context.WithoutCancel(t.Context()), host)}
}

func node(name string) *stream.Node {
	return &stream.Node{Namespace: "test", Name: name, Type: "test", Kind: "server"}
}

func (r *rig) arrive() *stream.Scope { return r.Arrive(r.ctx, r.node) }

// last is the record that the log was given last.
func (r *rig) last(t testing.TB) *telemetry.Record {
	t.Helper()
	entries, _, _ := r.Log.Since(0)
	if len(entries) == 0 {
		t.Fatal("there is no record")
	}
	return entries[len(entries)-1].Record
}

// expectStreams looks at the counters of a node, which are the same in both directions.
func expectStreams(t testing.TB, n *stream.Node, opens, closes, errors int64) {
	t.Helper()
	for _, d := range []*telemetry.Direction{&n.Streams.Received, &n.Streams.Sent} {
		if o, c, e := d.Opens.Load(), d.Closes.Load(), d.Errors.Load(); o != opens || c != closes || e != errors {
			t.Errorf("%s: %d opens, %d closes and %d errors, not %d, %d and %d", n, o, c, e, opens, closes, errors)
		}
	}
}
