package binding_test

import (
	"fmt"
	"strings"
	"testing"

	"gozilla/stream"
)

// told is what a trace was told of routes, in a line.
func told(trace *stream.Trace) string {
	var all []string
	for _, v := range trace.Verdicts {
		to := "nowhere"
		if v.To != nil {
			to = v.To.Name
		}
		switch {
		case v.Taken:
			all = append(all, fmt.Sprintf("%d to %s is taken", v.Route, to))
		case v.Kept != nil:
			all = append(all, fmt.Sprintf("%d to %s is kept: %v", v.Route, to, v.Kept.Err))
		default:
			all = append(all, fmt.Sprintf("%d to %s misses %v", v.Route, to, v.Missed))
		}
	}
	return strings.Join(all, "; ")
}

func traced(s *stream.Scope) *stream.Trace {
	trace := &stream.Trace{}
	s.Follow(trace)
	return trace
}

func TestTrace(t *testing.T) {
	b, routes, _ := routed(t, doors)
	f := func(name, colour, want string) {
		t.Helper()
		s := arrive(t, b)
		trace := traced(s)
		for range 2 { // the second look is told alone
			if _, err := routes.Pick(s, door(name, colour)); err != nil {
				t.Fatal(err)
			}
			if got := told(trace); got != want {
				t.Errorf("Pick: %s %s: %s, not %s", colour, name, got, want)
			}
		}
		to := trace.To()
		if _, err := routes.First(s, door(name, colour)); err != nil {
			t.Fatal(err)
		}
		if got := told(trace); got != want || trace.To() != to || to == nil {
			t.Errorf("First: %s %s: %s, not %s", colour, name, got, want)
		}
	}
	f("front", "red", "0 to one is taken")
	f("front", "green", "0 to one misses [[colour] [door]]; 1 to two is taken")
	f("cellar", "blue", "0 to one misses [[door colour] [door]]; 1 to two misses [[door]]; 2 to three is taken")
	f("cellar", "green", "0 to one misses [[door colour] [door]]; 1 to two misses [[door]]; 2 to three misses [[colour]]; -1 to four is taken")
}

// TestTraceOfKeysTogether names all keys where each would hold by itself.
func TestTraceOfKeysTogether(t *testing.T) {
	b, routes, _ := routed(t, "routes: [ { when: [ { door: front, colour: red } ], exit: one } ]\n")
	s := arrive(t, b)
	trace := traced(s)
	_, err := routes.Pick(s, func(w *when) bool { return w.Door == "" || w.Colour == "" })
	if got := told(trace); err == nil || got != "0 to one misses [[door colour]]" || trace.To() != nil {
		t.Errorf("%v: %s", err, got)
	}
}

func TestTraceOfGuards(t *testing.T) {
	b, routes, _ := routed(t, guards)
	s := arrive(t, b)
	s.Admit("test:who", session("reader"))
	trace := traced(s)
	if _, err := routes.Pick(s, door("back", "")); err != nil {
		t.Fatal(err)
	}
	const kept = "0 to one is kept: the guard other:where knows of no session"
	if got, want := told(trace), kept+"; 1 to two misses [[door]]; -1 to three is taken"; got != want {
		t.Errorf("Pick: %s, not %s", got, want)
	}
	ways := routes.Authorized(s)
	routes.Missed(s, &ways[0], door("back", ""))
	routes.Took(s, &ways[1])
	if got, want := told(trace), kept+"; 1 to two misses [[door]]; -1 to three is taken"; got != want {
		t.Errorf("Authorized: %s, not %s", got, want)
	}
	if got := s.Record().Path[0].Route; got != "exit" {
		t.Errorf("the record has the route %s", got)
	}
}

// TestNoTrace costs nothing where nobody asks.
func TestNoTrace(t *testing.T) {
	b, routes, _ := routed(t, many(100))
	s, match := arrive(t, b), door("d99", "")
	ways := routes.All()
	if n := testing.AllocsPerRun(100, func() {
		routes.Pick(s, match)
		routes.Missed(s, &ways[0], match)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestExplain follows a binding that says nothing of itself to its exit.
func TestExplain(t *testing.T) {
	s := spec(t, "south", "{ type: test, kind: proxy, exit: two }")
	b := build(t, s)
	f := func(want string) {
		t.Helper()
		scope := arrive(t, b)
		traced(scope)
		to, err := b.Explain(scope, &stream.Question{})
		if got := fmt.Sprint(to); err != nil || got != want {
			t.Errorf("it goes to %s, %v, not to %s", got, err, want)
		}
	}
	f("<nil>")
	b.Link(s, ends(t))
	f("test:two")
	if s.Form.Explained() {
		t.Error("it is said to explain itself")
	}
}
