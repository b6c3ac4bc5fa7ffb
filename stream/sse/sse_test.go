package sse_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/stream/sse"
	"gozilla/stream/sse/ssetest"
)

func TestMain(m *testing.M) { leak.Main(m) }

// tape is the recordings of a test.
type tape struct {
	mu sync.Mutex
	b  strings.Builder
}

var kinds = map[stream.ChunkKind]string{stream.Begun: "begun", stream.Head: "head", stream.Message: "message", stream.Finished: "finished", stream.Over: "over"}

func (s *tape) watch(*stream.Crossing) func(*stream.Chunk) {
	return func(c *stream.Chunk) {
		s.mu.Lock()
		defer s.mu.Unlock()
		fmt.Fprintf(&s.b, "%s %s%q%s%s\n", kinds[c.Kind], c.Label, c.Data, strings.Join(c.Lines, "|"), c.Err)
	}
}

func tap(w stream.Watch, to sse.Port) sse.Port {
	edge := stream.NewEdge(sse.Protocol, &stream.Node{Name: "from"})
	edge.Store(&stream.Target[sse.Port]{Node: &stream.Node{Name: "to"}, Port: to})
	edge.Tap(w)
	return sse.Protocol.Through(edge)
}

// TestTappedConformance wants nobody to notice that somebody watches, or could.
func TestTappedConformance(t *testing.T) {
	for name, w := range map[string]stream.Watch{"watched": (&tape{}).watch, "not": func(*stream.Crossing) func(*stream.Chunk) { return nil }} {
		t.Run(name, func(t *testing.T) {
			ssetest.Run(t, func(*testing.T) ssetest.Source {
				f := &ssetest.Fake{}
				s := ssetest.Of(f)
				s.Port = tap(w, f)
				return s
			})
		})
	}
}

func TestTap(t *testing.T) {
	scope := ssetest.NewScope(t, t.Context())
	f := &ssetest.Fake{}
	open := func(do func(sse.Events)) string {
		var s tape
		e, err := tap(s.watch, f).OpenEvents(scope, &sse.Request{Scheme: "http", Authority: "a:80", Path: "/x", LastID: "7", Resumes: true})
		if err == nil {
			do(e)
			e.Close()
		}
		return s.b.String()
	}
	const head = "begun \"\"\nhead \"\"events http://a:80/x|last-event-id: 7\nfinished \"\"\n"
	check := func(got, want string) {
		t.Helper()
		if got != head+want {
			t.Errorf("recorded is\n%s\nnot\n%s", got, head+want)
		}
	}
	check(open(func(e sse.Events) {
		f.Emit(sse.Event{ID: "8", HasID: true, Data: []byte("a\nb"), HasData: true}, ssetest.Data("c"))
		f.End()
		e.Next()
		e.Next()
	}), `message event"id:8\ndata:a\ndata:b\n\n"`+"\n"+`message event"data:c\n\n"`+"\nfinished \"\"\nover \"\"\n")
	check(open(func(e sse.Events) { f.Cut(errors.New("no more")); e.Next() }), "over \"\"no more\n")
	check(open(func(e sse.Events) {}), "over \"\"given up\n")
	f.Refuse(stream.Refuse(stream.NoRoute, "nothing there"))
	check(open(nil), "over \"\"refused: no route: nothing there\n")
}

// TestBatch writes what is written once, and any number of batches in blocks that are one stream.
func TestBatch(t *testing.T) {
	at := time.UnixMilli(0x123)
	batches := []*sse.Batch{
		sse.NewBatch(sse.Event{ID: "1", HasID: true, Type: "t", Data: []byte("x"), HasData: true, Time: at}, sse.Event{ID: "2", HasID: true}),
		sse.NewBatch(ssetest.Data(strings.Repeat("again and ", 10_000)), sse.Event{Retry: time.Second}),
		sse.NewBatch(ssetest.Data("end")),
	}
	for _, timed := range []bool{false, true} {
		var text, blocks []byte
		for _, b := range batches {
			one := b.Text()
			if timed {
				one = b.Timed()
			}
			text = append(text, one...)
			blocks = append(blocks, b.Deflated(timed)...)
			if first, again := b.Deflated(timed), b.Deflated(timed); &first[0] != &again[0] {
				t.Error("the blocks are made twice")
			}
		}
		if len(blocks) > len(text)/10 {
			t.Errorf("%d bytes have become %d", len(text), len(blocks))
		}
		got, err := io.ReadAll(flate.NewReader(bytes.NewReader(append(blocks, 3, 0))))
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%v: %q", err, got[:min(len(got), 200)])
		}
		begins := "id:1\nevent:t\ndata:x\n\nid:2\n\n"
		if timed {
			begins = "timestamp:0x123\n" + begins
		}
		if !bytes.HasPrefix(text, []byte(begins)) {
			t.Errorf("the text is %q", text[:100])
		}
	}
	if id, ok := batches[0].Last(); id != "2" || !ok {
		t.Errorf("the last id is %q, %v", id, ok)
	}
	if id, ok := batches[1].Last(); id != "" || ok {
		t.Errorf("there is the last id %q, %v", id, ok)
	}
}

// TestDeflatedIsNotLonger has texts that get shorter, and others, which get no longer than the heads of blocks are.
func TestDeflatedIsNotLonger(t *testing.T) {
	random := make([]byte, 200_000)
	rand.NewChaCha8([32]byte{}).Read(random)
	hex := fmt.Sprintf("%x", random)
	for _, n := range []int{1, 10, 15, 40, 107, 500, 70_000, 400_000} {
		for name, data := range map[string]string{"hex": hex[:n], "again": strings.Repeat("again and ", n/10+1)[:n], "random": string(bytes.ReplaceAll(bytes.ReplaceAll(random[:n/2], []byte("\n"), nil), []byte("\r"), nil))} {
			b := sse.NewBatch(ssetest.Data(data))
			text, blocks := b.Text(), b.Deflated(false)
			if most := len(text) + 5*(len(text)/(1<<16-1)+1); len(blocks) > most {
				t.Errorf("%s: %d bytes have become %d", name, len(text), len(blocks))
			}
			got, err := io.ReadAll(flate.NewReader(bytes.NewReader(append(slices.Clone(blocks), 3, 0))))
			if err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s: %d bytes have become %d others: %v", name, len(text), len(got), err)
			}
		}
	}
}

// BenchmarkDeflate has what the pool saves: making a compressor costs more than a batch.
func BenchmarkDeflate(b *testing.B) {
	event := ssetest.Data(`{"symbol":"GOZ","price":12.34,"at":"2024-01-01T00:00:00Z"}`)
	b.Run("pooled", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sse.NewBatch(event).Deflated(false)
		}
	})
	b.Run("made", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w, _ := flate.NewWriter(io.Discard, flate.BestSpeed)
			w.Write(sse.NewBatch(event).Text())
			w.Flush()
		}
	})
}
