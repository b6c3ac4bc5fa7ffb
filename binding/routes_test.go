package binding_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"gozilla/binding"
	"gozilla/stream"
)

const doors = `routes:
  - when: [ { door: front, colour: red }, { door: back } ]
    with: { hat: top }
    exit: one
  - when: [ { door: front } ]
    exit: two
  - when: [ { colour: blue } ]
    exit: test:three
exit: four
`

func TestPickTakesTheFirstThatMatches(t *testing.T) {
	b, routes, _ := routed(t, doors)
	f := func(name, colour, want string) {
		t.Helper()
		for how, pick := range map[string]func(*stream.Scope) (*binding.Way[when, with, words], error){
			"Pick": func(s *stream.Scope) (*binding.Way[when, with, words], error) {
				return routes.Pick(s, door(name, colour))
			},
			"First": func(s *stream.Scope) (*binding.Way[when, with, words], error) {
				return routes.First(s, door(name, colour))
			},
		} {
			s := arrive(t, b)
			way, err := pick(s)
			if err != nil {
				t.Fatal(err)
			}
			got := way.Exit.Say(s) + " by " + s.Record().Path[0].Route + " with " + way.With.Hat
			if got != want {
				t.Errorf("%s: %s %s goes to %s, not %s", how, colour, name, got, want)
			}
		}
	}
	f("front", "red", "one by routes[0] with top")
	f("back", "green", "one by routes[0] with top") // any of the conditions
	f("front", "green", "two by routes[1] with ")   // all of the keys
	f("front", "blue", "two by routes[1] with ")    // in the order of the file
	f("cellar", "blue", "three by routes[2] with ") // a qualified name
	f("cellar", "green", "four by exit with ")      // the exit comes last
}

func TestPickFindsNone(t *testing.T) {
	b, routes, _ := routed(t, "routes: [ { when: [ { door: front } ], exit: one } ]\n")
	s := arrive(t, b)
	for how, pick := range map[string]func() error{
		"Pick":  func() error { _, err := routes.Pick(s, door("back", "")); return err },
		"First": func() error { _, err := routes.First(s, door("back", "")); return err },
	} {
		var refused *stream.Refused
		if err := pick(); !errors.As(err, &refused) || refused.Reason != stream.NoRoute {
			t.Errorf("%s gives %v", how, err)
		}
	}
	if route := s.Record().Path[0].Route; route != "" {
		t.Errorf("the record has the route %s", route)
	}
}

// TestAWayWithoutConditions always matches, also one with an empty list of them.
func TestAWayWithoutConditions(t *testing.T) {
	for _, route := range []string{"{ exit: one }", "{ when: [], exit: one }", "{ when: [ {} ], exit: one }"} {
		b, routes, _ := routed(t, "routes: [ "+route+" ]\n")
		if _, err := routes.Pick(arrive(t, b), door("front", "red")); err != nil {
			t.Errorf("%s: %v", route, err)
		}
	}
}

const guards = `routes:
  - guarded: { who: [ admin ], other:where: [] }
    exit: one
  - guarded: { who: [] }
    when: [ { door: front } ]
    exit: two
exit: three
`

// TestGuards has a session admitted to the scope by each guard that stands before a colon.
func TestGuards(t *testing.T) {
	b, routes, _ := routed(t, guards)
	f := func(want string, sessions ...string) {
		t.Helper()
		s := arrive(t, b)
		for _, text := range sessions {
			guard, roles, _ := strings.Cut(text, "=")
			s.Admit(guard, session(roles))
		}
		way, err := routes.Pick(s, door("front", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := way.Exit.Say(s); got != want {
			t.Errorf("%v goes to %s, not %s", sessions, got, want)
		}
		var all []string
		for _, way := range routes.Authorized(s) {
			all = append(all, way.Exit.Say(s))
		}
		if all[0] != want || all[len(all)-1] != "three" {
			t.Errorf("%v: authorized are %v", sessions, all)
		}
	}
	f("one", "test:who=admin", "other:where=")
	f("two", "test:who=admin", "test:where=") // a guard of that name in another namespace
	f("two", "test:who=reader", "other:where=")
	f("two", "test:who=")
	f("three", "other:where=")
	f("three")
	if n := len(routes.All()); n != 3 {
		t.Errorf("All gives %d ways", n)
	}
	s := arrive(t, b)
	if way, err := routes.First(s, door("front", "")); err != nil || way.Exit.Say(s) != "one" {
		t.Error("First asks the guards")
	}
}

func TestWhyAGuardRefuses(t *testing.T) {
	b, routes, _ := routed(t, "routes:\n  - { guarded: { who: [ admin ] }, when: [ { door: front } ], exit: one }\n")
	f := func(name, roles string, want stream.Reason) {
		t.Helper()
		s := arrive(t, b)
		if roles != "" {
			s.Admit("test:who", session(roles))
		}
		_, err := routes.Pick(s, door(name, ""))
		var refused *stream.Refused
		if !errors.As(err, &refused) || refused.Reason != want {
			t.Errorf("%q at the %s door: %v, not %s", roles, name, err, want)
		}
	}
	f("front", "", stream.Unauthenticated)
	f("front", "reader", stream.Forbidden)
	f("back", "", stream.NoRoute) // the guard is not asked
	f("back", "admin", stream.NoRoute)
}

// TestAuthorizedLeavesTheTableAlone wants who is given the ways of one stream not to change those of another.
func TestAuthorizedLeavesTheTableAlone(t *testing.T) {
	b, routes, _ := routed(t, guards)
	if n := len(routes.Authorized(arrive(t, b))); n != 1 {
		t.Errorf("%d ways are open to anybody", n)
	}
	if got := routes.All(); len(got) != 3 || got[0].Index != 0 || got[1].Index != 1 || got[2].Index != stream.RouteExit {
		t.Errorf("the table became %v", got)
	}
}

// TestExitsThatAreNotThere are left out: the stream goes by the next way.
func TestExitsThatAreNotThere(t *testing.T) {
	b, routes, _ := routed(t, "routes: [ { exit: nowhere }, { exit: mute }, { exit: other:one } ]\nexit: four\n")
	s := arrive(t, b)
	if way, err := routes.Pick(s, door("", "")); err != nil || way.Exit.Say(s) != "four" || len(routes.All()) != 1 {
		t.Errorf("%v, of %d ways", err, len(routes.All()))
	}
}

// TestRoutesAreExchanged under a live binding: a stream that has picked goes on as it has picked.
func TestRoutesAreExchanged(t *testing.T) {
	b, routes, find := routed(t, "exit: one\n")
	s := arrive(t, b)
	before, err := routes.Pick(s, door("", ""))
	if err != nil {
		t.Fatal(err)
	}
	b.Link(spec(t, "north", "type: test\nkind: server\n"+doors), find)
	if got := before.Exit.Say(s); got != "one" {
		t.Errorf("what was picked leads to %s now", got)
	}
	if way, _ := routes.Pick(s, door("front", "")); way.Exit.Say(s) != "two" || s.Record().Path[0].Route != "routes[1]" {
		t.Error("the routes are those of before")
	}
}

// TestRoutesAreExchangedInUse is for the race detector: every stream sees one table, the old or the new one.
func TestRoutesAreExchangedInUse(t *testing.T) {
	b, routes, find := routed(t, "exit: one\n")
	specs := []*binding.Spec{
		spec(t, "north", "type: test\nkind: server\nroutes: [ { when: [ { door: front } ], exit: two } ]\nexit: two\n"),
		spec(t, "north", "type: test\nkind: server\nexit: one\n"),
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				s := arriveAlone(b)
				way, err := routes.Pick(s, door("front", ""))
				if err != nil {
					t.Error(err)
					return
				}
				said := way.Exit.Say(s)
				if got := said + " by " + s.Record().Path[0].Route; got != "one by exit" && got != "two by routes[0]" {
					t.Errorf("a stream went to %s", got)
				}
				routes.Authorized(s)
				s.End(nil)
			}
		})
	}
	for i := range 300 {
		b.Link(specs[i%2], find)
	}
	close(stop)
	wg.Wait()
}

func TestExit(t *testing.T) {
	s := spec(t, "north", "{ type: test, kind: proxy, exit: one }")
	b, find := build(t, s), ends(t)
	exit := passed
	b.Link(s, find)
	scope := arrive(t, b)
	if got := exit.Say(scope); got != "one" {
		t.Errorf("the exit leads to %s", got)
	}
	b.Link(spec(t, "north", "{ type: test, kind: proxy, exit: test:two }"), find)
	if got := exit.Say(scope); got != "two" {
		t.Errorf("the exit leads to %s after the exchange", got)
	}
}

func TestFilters(t *testing.T) {
	s := spec(t, "north", "type: test\nkind: cache_client\nroutes:\n  - when: [ { door: front } ]\n  - { when: [ { door: back } ], guarded: { who: [ admin ] } }\n")
	b := build(t, s)
	b.Link(s, ends(t))
	scope := arrive(t, b)
	if way, err := filtered.Pick(scope, door("front", "")); err != nil || way.Index != 0 {
		t.Errorf("the first filter: %v", err)
	}
	if _, err := filtered.Pick(scope, door("back", "")); err == nil {
		t.Error("a filter lets in who is not authorized")
	}
	scope.Admit("test:who", session("admin"))
	if way, err := filtered.Pick(scope, door("back", "")); err != nil || way.Index != 1 {
		t.Errorf("the second filter: %v", err)
	}
	b.Link(spec(t, "north", "{ type: test, kind: cache_client }"), nil)
	if n := len(filtered.All()); n != 0 {
		t.Errorf("%d filters are left", n)
	}
}

func TestReferences(t *testing.T) {
	s, _ := decode(t, "north", `type: test
kind: server
exit: last
routes:
  - guarded: { who: [], other:where: [] }
    exit: first
  - exit: other:second
`)
	var got []string
	for _, ref := range s.References() {
		got = append(got, fmt.Sprintf("%s %s %d at %d:%d", ref.To, ref.Name, ref.Route, ref.Pos.Line, ref.Pos.Column))
	}
	want := []string{"binding last -1 at 3:7", "guard who 0 at 5:16", "guard other:where 0 at 5:25", "binding first 0 at 6:11", "binding other:second 1 at 7:11"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestReferencesOfOthers(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		s, _ := decode(t, "north", body)
		got := ""
		for _, ref := range s.References() {
			got += fmt.Sprintf("%s %s %d at %d:%d", ref.To, ref.Name, ref.Route, ref.Pos.Line, ref.Pos.Column)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
	f("{ type: test, kind: client }", "")
	f("{ type: test, kind: proxy, exit: one }", "binding one -1 at 1:34")
	f("{ type: test, kind: cache_client, routes: [ {}, { guarded: { who: [] } } ] }", "guard who 1 at 1:62")
}
