package stream_test

import (
	"testing"

	"gozilla/stream"
)

func BenchmarkArriveAndEnd(b *testing.B) {
	r := newRig(b)
	b.ReportAllocs()
	for b.Loop() {
		r.arrive().End(nil)
	}
}

// BenchmarkConnection is all that a scope does for a connection with one exit.
func BenchmarkConnection(b *testing.B) {
	r := newRig(b)
	exit := node("south")
	b.ReportAllocs()
	for b.Loop() {
		s := r.arrive()
		s.OnEnd(func(error) {})
		s.Took(r.node, stream.RouteExit)
		s.Enter(exit)
		stop := s.AfterFunc(func() {})
		stop()
		s.End(nil)
	}
}

func BenchmarkChild(b *testing.B) {
	r := newRig(b)
	s := r.arrive()
	defer s.End(nil)
	b.ReportAllocs()
	for b.Loop() {
		s.Child(r.node, nil).End(nil)
	}
}

func BenchmarkArriveAndEndParallel(b *testing.B) {
	r := newRig(b)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			r.arrive().End(nil)
		}
	})
}

func BenchmarkNodeString(b *testing.B) {
	n := node("north")
	b.ReportAllocs()
	for b.Loop() {
		_ = n.String()
	}
}

func BenchmarkFlowReceived(b *testing.B) {
	r := newRig(b)
	s := r.arrive()
	defer s.End(nil)
	s.Enter(node("south"))
	f := s.Flow()
	b.ReportAllocs()
	for b.Loop() {
		f.Received(1)
	}
}

func BenchmarkSlots(b *testing.B) {
	r := newRig(b)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if r.Connections.Take() {
				r.Connections.Free()
			}
		}
	})
}
