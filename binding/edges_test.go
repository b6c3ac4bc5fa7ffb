package binding_test

import (
	"testing"

	"gozilla/stream"
)

// names are the bindings that edges lead to, "-" for nowhere.
func names(edges []stream.Tappable) (all string) {
	for _, e := range edges {
		from, to := e.Nodes()
		all += from.Name + ">"
		if to == nil {
			all += "- "
		} else {
			all += to.Name + " "
		}
	}
	return all
}

// TestEdges finds the edges of routes as they were linked last, and that of an exit always.
func TestEdges(t *testing.T) {
	b, _, find := routed(t, "routes:\n  - { when: [ { door: a } ], exit: one }\n  - { exit: mute }\nexit: two\n")
	before := b.Edges()
	if got := names(before); got != "north>one north>two " {
		t.Errorf("the edges are %s", got)
	}
	b.Link(spec(t, "north", "{ type: test, kind: server, exit: three }"), find)
	after := b.Edges()
	if got := names(after); got != "north>three " {
		t.Errorf("then the edges are %s", got)
	}
	if names(before) != "north>one north>two " {
		t.Error("edges on which there may be streams lead elsewhere")
	}

	s := spec(t, "pass", "{ type: test, kind: proxy, exit: one }")
	p := build(t, s)
	before = p.Edges()
	if got := names(before); got != "pass>- " {
		t.Errorf("before it is linked the edges are %s", got)
	}
	p.Link(s, find)
	p.Link(spec(t, "pass", "{ type: test, kind: proxy, exit: two }"), find)
	if after = p.Edges(); len(after) != 1 || after[0] != before[0] || names(after) != "pass>two " {
		t.Errorf("then the edges are %s", names(after))
	}
	if got := build(t, spec(t, "end", "{ type: test, kind: client }")).Edges(); len(got) != 0 {
		t.Errorf("the edges of an end are %s", names(got))
	}
}
