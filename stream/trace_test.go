package stream_test

import (
	"testing"

	"gozilla/stream"
)

func TestTrace(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	defer s.End(nil)
	if s.Trace() != nil {
		t.Error("a stream has a trace that nobody has attached")
	}
	trace, south := &stream.Trace{}, node("south")
	s.Follow(trace)
	if s.Trace() != trace || trace.To() != nil {
		t.Error("the trace is not there, or knows a way already")
	}
	trace.Note(stream.Verdict{Route: 0, To: south, Missed: [][]string{{"port"}}})
	if trace.To() != nil {
		t.Error("a route that was not taken leads somewhere")
	}
	trace.Note(stream.Verdict{Route: 1, To: south, Taken: true})
	if trace.To() != south {
		t.Error("the route that was taken leads nowhere")
	}
	trace.Forget()
	if trace.To() != nil || len(trace.Verdicts) != 0 {
		t.Error("the trace forgets nothing")
	}
	q := &stream.Question{SNI: "a.example"}
	trace.Knew(q)
	q.SNI = "b.example"
	if trace.Known.SNI != "a.example" {
		t.Error("what was known changes later")
	}
}

// TestAChildForgetsItsTrace wants a child that is used again to have none, as a new one has none.
func TestAChildForgetsItsTrace(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	defer s.End(nil)
	s.Follow(&stream.Trace{})
	c := s.Child(node("one"), nil)
	if c.Trace() != nil {
		t.Error("a child has a trace")
	}
	c.Follow(&stream.Trace{})
	c.End(nil)
	again := s.Child(node("two"), c)
	defer again.End(nil)
	if again != c || again.Trace() != nil {
		t.Error("it is another one, or remembers")
	}
}
