package stream_test

import (
	"net/netip"
	"strings"
	"testing"

	"gozilla/stream"
	"gozilla/telemetry"
)

func TestPathAndRoutes(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	nodes := []*stream.Node{node("a"), node("b"), node("c"), node("d")}
	for _, n := range nodes {
		s.Enter(n)
	}
	s.Took(r.node, 2)
	s.Took(nodes[0], stream.RouteExit)
	s.Took(nodes[1], 63)
	s.Took(nodes[2], 64)
	s.Took(node("stranger"), 1)
	s.End(nil)
	got := pathText(r.last(t))
	want := "test:north routes[2] > test:a exit > test:b routes[63] > test:c routes[64] > test:d"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestTookIsOfTheLastVisit tells the visits of a binding apart that a stream comes through twice.
func TestTookIsOfTheLastVisit(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	s.Took(r.node, 0)
	s.Enter(r.node)
	s.Took(r.node, 1)
	s.End(nil)
	if got := pathText(r.last(t)); got != "test:north routes[0] > test:north routes[1]" {
		t.Errorf("got %s", got)
	}
}

func pathText(r *telemetry.Record) string {
	var steps []string
	for _, step := range r.Path {
		steps = append(steps, strings.TrimSpace(step.Binding+" "+step.Route))
	}
	return strings.Join(steps, " > ")
}

// TestWhatIsBegunIsNotCounted at who began it: a pool's connection is no stream that came to the pool.
func TestWhatIsBegunIsNotCounted(t *testing.T) {
	r := newRig(t)
	pool, exit := node("pool"), node("exit")
	s := stream.Begin(r.ctx, pool)
	s.Enter(exit)
	f := s.Flow()
	f.Received(7)
	f.Sent(5)
	expectStreams(t, exit, 1, 0, 0)
	if n := exit.Streams.Received.Active(); n != 1 {
		t.Errorf("%d streams are active", n)
	}
	s.End(errEnough)
	expectStreams(t, pool, 0, 0, 0)
	expectStreams(t, exit, 1, 0, 1)
	if in, out := exit.Streams.Received.Bytes.Load(), exit.Streams.Sent.Bytes.Load(); in != 7 || out != 5 {
		t.Errorf("the exit counts %d and %d bytes", in, out)
	}
	if n := pool.Streams.Received.Bytes.Load(); n != 0 {
		t.Errorf("the pool counts %d bytes of a stream that it began", n)
	}
	if rec := r.last(t); rec.Received != 7 || rec.Sent != 5 || pathText(rec) != "test:pool > test:exit" {
		t.Errorf("the record is %s", rec.Text())
	}
}

// TestADialThatGoesOn has no duration yet.
func TestADialThatGoesOn(t *testing.T) {
	s := newRig(t).arrive()
	defer s.End(nil)
	s.Mark(stream.DialBegan)
	if d := s.Record().Dial; d != 0 {
		t.Errorf("the dial took %v", d)
	}
}

func TestAnErrorOutweighsCloses(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	s.Closes(telemetry.Server, "fin")
	s.End(&stream.Cut{By: telemetry.Client, Why: "rst"})
	if rec := r.last(t); rec.By != telemetry.Client || rec.Reason != "rst" {
		t.Errorf("the record says %s: %s", rec.By, rec.Reason)
	}
}

// TestARecordIsACopy wants who asks for a record to have one of their own.
func TestARecordIsACopy(t *testing.T) {
	s := newRig(t).arrive()
	defer s.End(nil)
	rec := s.Record()
	rec.Path[0].Binding = "changed"
	if got := s.Record().Path[0].Binding; got != "test:north" {
		t.Errorf("the path begins at %s", got)
	}
}

// TestInfo is whom a stream is between: what a binding notes in its record counts for more.
func TestInfo(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	a, b, c := netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("10.0.0.2:2"), netip.MustParseAddrPort("10.0.0.3:3")
	s.SetInfo(&stream.Info{Source: stream.Addr{IP: a.Addr(), Port: a.Port()}, Dest: stream.Addr{IP: b.Addr(), Port: b.Port()}})
	if have := s.Record(); have.Source != a || have.Dest != b {
		t.Errorf("from %v to %v", have.Source, have.Dest)
	}
	s.SetRecord(func(r *telemetry.Record) { r.Source = c })
	s.End(nil)
	if have := r.last(t); have.Source != c || have.Dest != b {
		t.Errorf("from %v to %v", have.Source, have.Dest)
	}
}
