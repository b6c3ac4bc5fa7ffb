package file_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/stream/file"
	"gozilla/stream/file/filetest"
	"gozilla/telemetry"
)

func TestMain(m *testing.M) { leak.Main(m) }

// tapes are the recordings of a test.
type tapes struct {
	mu  sync.Mutex
	all []*strings.Builder
}

var kinds = map[stream.ChunkKind]string{stream.Begun: "begun", stream.Data: "data", stream.Head: "head", stream.Finished: "finished", stream.Over: "over"}

func (s *tapes) watch(*stream.Crossing) func(*stream.Chunk) {
	tape := &strings.Builder{}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, tape)
	return func(c *stream.Chunk) {
		s.mu.Lock()
		defer s.mu.Unlock()
		direction := ">"
		if c.Sent {
			direction = "<"
		}
		fmt.Fprintf(tape, "%s%s %s%s%s\n", direction, kinds[c.Kind], c.Data, strings.Join(c.Lines, "|"), c.Err)
	}
}

// tap makes a port whose streams are recorded.
func (s *tapes) tap(to file.Port) file.Port {
	edge := stream.NewEdge(file.Protocol, &stream.Node{Name: "from"})
	edge.Store(&stream.Target[file.Port]{Node: &stream.Node{Name: "to"}, Port: to})
	edge.Tap(s.watch)
	return file.Protocol.Through(edge)
}

// TestTappedConformance wants nobody to notice that somebody watches.
func TestTappedConformance(t *testing.T) {
	filetest.Run(t, func(*testing.T) file.Port { return (&tapes{}).tap(&filetest.Fake{}) })
}

// TestUnwatched records nothing where nobody wants to know.
func TestUnwatched(t *testing.T) {
	filetest.Run(t, func(*testing.T) file.Port {
		edge := stream.NewEdge(file.Protocol, &stream.Node{Name: "from"})
		edge.Store(&stream.Target[file.Port]{Node: &stream.Node{Name: "to"}, Port: &filetest.Fake{}})
		edge.Tap(func(*stream.Crossing) func(*stream.Chunk) { return nil })
		return file.Protocol.Through(edge)
	})
}

func TestTap(t *testing.T) {
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 10, false))
	ctx := stream.Begin(stream.WithHost(context.Background(), host), &stream.Node{Name: "client"})
	defer ctx.End(nil)
	var all tapes
	port := all.tap(&filetest.Fake{})
	no := errors.New("no")
	always := func(*file.Info) error { return nil }
	write := func(name string, commits bool) {
		w, err := port.Write(ctx, name, always)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "hello")
		if commits {
			w.Commit(ctx)
		}
		w.Close()
	}
	const about = "type: text/plain|size: 5|tag: 5d41402abc4b2a76b9719d911017c592\n"
	for i, c := range []struct {
		do   func()
		want string
	}{
		{func() { port.Open(ctx, "a") }, ">begun \n>head open /a\n<over there is no such file\n"},
		{func() { write("a", true) }, ">begun \n>head write /a\n>data hello\n>finished \n<head " + about + "<finished \n<over \n"},
		{func() { write("b", false) }, ">begun \n>head write /b\n>data hello\n<over given up\n"},
		{func() { port.Write(ctx, "b", func(*file.Info) error { return no }) }, ">begun \n>head write /b\n<over no\n"},
		{func() {
			f, err := port.Open(ctx, "a")
			if err != nil {
				t.Fatal(err)
			}
			from, _, _ := f.Section(1, 3).Outer()
			if _, ok := from.(syscall.Conn); ok {
				t.Error("the system may send what is recorded")
			}
			io.ReadAll(f.Section(1, 3))
			f.Close()
			f.Close()
		}, ">begun \n>head open /a\n<head " + about + "<data ell\n>finished \n<finished \n<over \n"},
		{func() { port.MakeDir(ctx, "in/") }, ">begun \n>head make /in/\n>finished \n<finished \n<over \n"},
		{func() { port.List(ctx, "") }, ">begun \n>head list /\n<data a\nin\n\n>finished \n<finished \n<over \n"},
		{func() { port.Delete(ctx, "a", nil) }, ">begun \n>head delete /a\n>finished \n<finished \n<over \n"},
	} {
		c.do()
		// What is over has no direction.
		got := strings.ReplaceAll(all.all[i].String(), ">over", "<over")
		if len(all.all) != i+1 || got != c.want {
			t.Errorf("recorded is\n%s\nnot\n%s", got, c.want)
		}
	}
}

func TestValid(t *testing.T) {
	for name, want := range map[string]bool{
		"": true, "a": true, "a/": true, "a/b": true, "...": true, ".a": true, "/": false, "/a": false, "a//b": false, "a//": false,
		".": false, "..": false, "./": false, "a/..": false, "a/../": false, "a\x00": false, "a\\b": false,
	} {
		if got := file.Valid(name); got != want {
			t.Errorf("%q is %v", name, got)
		}
	}
}
