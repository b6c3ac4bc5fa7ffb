package binding_test

import (
	"fmt"
	"strings"
	"testing"

	"gozilla/stream"
)

// many is that many routes, of which the last one matches the door that is asked for.
func many(n int) string {
	var b strings.Builder
	b.WriteString("routes:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - { when: [ { door: d%d } ], exit: one }\n", i)
	}
	return b.String()
}

func BenchmarkFirst(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			north, routes, _ := routed(b, many(n))
			s := arrive(b, north)
			match := door(fmt.Sprint("d", n-1), "")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := routes.First(s, match); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPickGuarded(b *testing.B) {
	north, routes, _ := routed(b, "routes:\n  - { guarded: { who: [ admin ] }, exit: one }\nexit: two\n")
	s := arrive(b, north)
	s.Admit("test:who", session("admin"))
	match := door("", "")
	b.ReportAllocs()
	for b.Loop() {
		if way, err := routes.Pick(s, match); err != nil || way.Index == stream.RouteExit {
			b.Fatal(way, err)
		}
	}
}
