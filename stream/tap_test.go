package stream_test

import (
	"fmt"
	"sync"
	"testing"

	"gozilla/stream"
)

// tappedWords records what is said.
type tappedWords struct {
	words
	by *stream.Recorder
}

func (t tappedWords) Say(s *stream.Scope) string {
	said := t.words.Say(s)
	if rec := t.by.Record(s, &stream.Info{Authority: "about"}, nil); rec != nil {
		rec.Data(true, []byte(said))
		rec.Finish(true)
		rec.Finish(true) // counts once
		rec.Over(nil)
		rec.Data(true, []byte("late")) // does not count
	}
	return said
}

var tappable = stream.Protocol[words]{
	Name: "words", Through: wordsProtocol.Through,
	Tap: func(to words, by *stream.Recorder) words { return tappedWords{to, by} },
}

// notes are what was recorded, a line a chunk.
type notes []string

func (n *notes) watch(c *stream.Crossing) func(*stream.Chunk) {
	return func(k *stream.Chunk) {
		*n = append(*n, fmt.Sprintf("%s>%s %s %s: %d %d@%d %s", c.From, c.To, c.Protocol, c.About.Authority, k.Kind, k.Number, k.Offset, k.Data))
	}
}

func (n *notes) expect(t *testing.T, want ...string) {
	t.Helper()
	if fmt.Sprint(*n) != fmt.Sprint(notes(want)) {
		t.Errorf("recorded is\n%q\nnot\n%q", *n, want)
	}
	*n = nil
}

// recordOf is what is recorded when somebody is asked for his name.
func recordOf(name string) []string {
	about := "test:north>test:" + name + " words about: "
	return []string{
		about + fmt.Sprintf("%d 0@0 ", stream.Begun), about + fmt.Sprintf("%d 1@0 %s", stream.Data, name),
		about + fmt.Sprintf("%d 2@%d ", stream.Finished, len(name)), about + fmt.Sprintf("%d 3@0 ", stream.Over),
	}
}

func TestTap(t *testing.T) {
	r := newRig(t)
	edge := stream.NewEdge(tappable, r.node)
	if from, to := edge.Nodes(); from != r.node || to != nil {
		t.Errorf("an edge that leads nowhere leads from %v to %v", from, to)
	}
	var n notes
	edge.Tap(n.watch) // before it leads anywhere
	toA, _ := stream.TargetOf(tappable, offering("a"))
	toB, _ := stream.TargetOf(tappable, offering("b"))
	port := tappable.Through(edge)
	say := func() {
		s := r.arrive()
		port.Say(s)
		s.End(nil)
	}
	edge.Store(toA)
	say()
	n.expect(t, recordOf("a")...)
	edge.Store(toB) // as a reload does
	say()
	n.expect(t, recordOf("b")...)
	if _, to := edge.Nodes(); to != toB.Node {
		t.Errorf("the edge leads to %v", to)
	}
	edge.Untap()
	say()
	n.expect(t)
	if edge.To() != toB {
		t.Error("the edge does not lead where it did")
	}
	edge.Tap(func(*stream.Crossing) func(*stream.Chunk) { return nil })
	say()
	n.expect(t)
}

// TestTapWithout taps an edge whose protocol has no tap.
func TestTapWithout(t *testing.T) {
	edge := stream.NewEdge(wordsProtocol, node("north"))
	to, _ := stream.TargetOf(wordsProtocol, offering("a"))
	edge.Store(to)
	edge.Tap(func(*stream.Crossing) func(*stream.Chunk) { panic("asked") })
	if edge.To() != to {
		t.Error("the edge leads elsewhere")
	}
}

// TestTapInUse taps and untaps an edge that streams go through, and that leads elsewhere all the time.
func TestTapInUse(t *testing.T) {
	r := newRig(t)
	edge := stream.NewEdge(tappable, r.node)
	toA, _ := stream.TargetOf(tappable, offering("a"))
	toB, _ := stream.TargetOf(tappable, offering("b"))
	edge.Store(toA)
	port := tappable.Through(edge)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				s := r.arrive()
				if said := port.Say(s); said != "a" && said != "b" {
					t.Errorf("%s was reached", said)
				}
				s.End(nil)
			}
		})
	}
	for range 500 {
		edge.Tap(func(*stream.Crossing) func(*stream.Chunk) { return func(*stream.Chunk) {} })
		edge.Store(toB)
		edge.Untap()
		edge.Store(toA)
	}
	wg.Wait()
	if edge.To() != toA {
		t.Error("the edge leads elsewhere")
	}
}

// TestLargePiecesAreCut wants chunks of a bounded size, whose offsets tell where they belong.
func TestLargePiecesAreCut(t *testing.T) {
	r := newRig(t)
	edge := stream.NewEdge(tappable, r.node)
	var sizes []int
	edge.Tap(func(*stream.Crossing) func(*stream.Chunk) {
		return func(c *stream.Chunk) {
			if c.Kind == stream.Data {
				sizes = append(sizes, len(c.Data), int(c.Offset))
			}
		}
	})
	n := node("large")
	stream.Offer(n, tappable, words(speaker(make([]byte, 70<<10))))
	to, _ := stream.TargetOf(tappable, n)
	edge.Store(to)
	s := r.arrive()
	defer s.End(nil)
	tappable.Through(edge).Say(s)
	if want := []int{32 << 10, 0, 32 << 10, 32 << 10, 6 << 10, 64 << 10}; fmt.Sprint(sizes) != fmt.Sprint(want) {
		t.Errorf("sizes and offsets are %v, not %v", sizes, want)
	}
}

// TestUntappedCostsNothing compares an edge that was tapped with one that never was.
func TestUntappedCostsNothing(t *testing.T) {
	edge := stream.NewEdge(tappable, node("north"))
	to, _ := stream.TargetOf(tappable, offering("a"))
	edge.Store(to)
	edge.Tap(func(*stream.Crossing) func(*stream.Chunk) { return func(*stream.Chunk) {} })
	edge.Untap()
	if edge.To() != to {
		t.Fatal("streams do not go where they went before")
	}
	if n := testing.AllocsPerRun(100, func() { edge.To().Port.Say(nil) }); n != 0 {
		t.Errorf("a stream through the edge takes %v allocations", n)
	}
}

// BenchmarkEdge is what it costs to go through an edge.
func BenchmarkEdge(b *testing.B) {
	for _, watched := range []bool{false, true} {
		b.Run(fmt.Sprint("watched=", watched), func(b *testing.B) {
			edge := stream.NewEdge(tappable, node("north"))
			to, _ := stream.TargetOf(tappable, offering("a"))
			edge.Store(to)
			if watched {
				edge.Tap(func(*stream.Crossing) func(*stream.Chunk) { return func(*stream.Chunk) {} })
			}
			s := newRig(b).arrive()
			defer s.End(nil)
			b.ReportAllocs()
			for b.Loop() {
				edge.To().Port.Say(s)
			}
		})
	}
}
