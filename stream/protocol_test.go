package stream_test

import (
	"sync"
	"testing"

	"gozilla/stream"
)

// words is a protocol of the tests: who is asked says its name.
type words interface{ Say(*stream.Scope) string }

type speaker string

func (s speaker) Say(*stream.Scope) string { return string(s) }

type throughWords struct{ edge *stream.Edge[words] }

func (t throughWords) Say(s *stream.Scope) string {
	to := t.edge.To()
	s.Enter(to.Node)
	return to.Port.Say(s)
}

var wordsProtocol = stream.Protocol[words]{Name: "words", Through: func(e *stream.Edge[words]) words { return throughWords{e} }}

func offering(name string) *stream.Node {
	n := node(name)
	stream.Offer(n, wordsProtocol, words(speaker(name)))
	return n
}

func TestTargetOf(t *testing.T) {
	to, ok := stream.TargetOf(wordsProtocol, offering("a"))
	if !ok || to.Node.Name != "a" || to.Port.Say(nil) != "a" {
		t.Errorf("the face is not found: %v, %v", to, ok)
	}
	if _, ok := stream.TargetOf(wordsProtocol, node("without")); ok {
		t.Error("a node without faces has one")
	}
	other := stream.Protocol[words]{Name: "other"}
	if _, ok := stream.TargetOf(other, offering("a")); ok {
		t.Error("a face is found by another protocol")
	}
}

// TestEdgeIsRetargetedInUse sends streams through an edge that leads elsewhere all the time: each goes to one of its
// targets, and is counted there.
func TestEdgeIsRetargetedInUse(t *testing.T) {
	r := newRig(t)
	a, b := offering("a"), offering("b")
	toA, _ := stream.TargetOf(wordsProtocol, a)
	toB, _ := stream.TargetOf(wordsProtocol, b)
	edge := &stream.Edge[words]{From: r.node}
	edge.Store(toA)
	port := wordsProtocol.Through(edge)
	const each = 500
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range each {
				s := r.arrive()
				said := port.Say(s)
				s.End(nil)
				if path := s.Record().Path; path[1].Binding != "test:"+said {
					t.Errorf("%s was reached by %v", said, path)
				}
			}
		})
	}
	for range each {
		edge.Store(toB)
		edge.Store(toA)
	}
	wg.Wait()
	if n := a.Streams.Received.Opens.Load() + b.Streams.Received.Opens.Load(); n != 4*each {
		t.Errorf("%d streams were counted", n)
	}
	edge.Store(toB)
	s := r.arrive()
	if said := port.Say(s); said != "b" {
		t.Errorf("the edge leads to %s", said)
	}
	s.End(nil)
}

func TestNodeNames(t *testing.T) {
	n := node("north")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if n.String() != "test:north" {
				t.Errorf("the name is %s", n)
			}
		})
	}
	wg.Wait()
}
