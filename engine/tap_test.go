package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"gozilla/engine"
	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
)

func watch(t testing.TB, e *engine.Engine, f engine.Filter) *engine.Watcher {
	t.Helper()
	w, err := e.Watch(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// taken waits for chunks until n streams are over.
func taken(t testing.TB, w *engine.Watcher, n int) (all []*engine.Chunk, lost int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), gwtest.Patience)
	defer cancel()
	for n > 0 {
		chunks, more, err := w.Next(ctx)
		if err != nil {
			t.Fatalf("after %d chunks: %v", len(all), err)
		}
		lost += more
		all = append(all, chunks...)
		for _, c := range chunks {
			if c.Kind == engine.End {
				n--
			}
		}
	}
	return all, lost
}

// story tells what crosses one edge.
func story(all []*engine.Chunk, from, to string) string {
	var b strings.Builder
	for _, c := range all {
		if c.From == from && c.To == to {
			fmt.Fprintf(&b, "%s %s %s%s; ", c.Kind, c.Direction, c.Data, c.Error)
		}
	}
	return b.String()
}

// conversation is what a watcher sees of echoes.
const conversation = "begin  ; data received hello; data sent hello; finish received ; finish sent ; end  ; "

func TestWatch(t *testing.T) {
	g := gwtest.Start(t, echoOn("host: 127.0.0.1, port: 0"))
	before := g.Dial("north") // is not seen
	gwtest.Send(t, before, "hello")
	gwtest.Receive(t, before, "hello")
	w := watch(t, g.Engine, engine.Filter{})
	gwtest.Send(t, before, "again")
	gwtest.Receive(t, before, "again")
	c := g.Dial("north")
	echoes(t, c)
	all, lost := taken(t, w, 1)
	if got := story(all, "test:north", "test:south"); got != conversation || len(all) != 6 || lost != 0 {
		t.Errorf("%d chunks, %d lost: %s", len(all), lost, got)
	}
	begin := all[0]
	if begin.Protocol != "bytes" || begin.Source != c.LocalAddr().String() || begin.Dest != c.RemoteAddr().String() || begin.Connection == 0 || begin.Exchange != begin.Connection {
		t.Errorf("the first chunk is %+v", begin)
	}
	for i, c := range all {
		if c.Number != i || c.Stream != begin.Stream || c.Time.Before(begin.Time) {
			t.Errorf("chunk %d is %+v", i, c)
		}
	}
}

// TestFilter wants the edges tapped that somebody watches, and no others.
func TestFilter(t *testing.T) {
	g := gwtest.Start(t, echoOn("host: 127.0.0.1, port: 0")+"  other: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: south }\n")
	f := func(filter engine.Filter, tapped, streams int) {
		t.Helper()
		w := watch(t, g.Engine, filter)
		if n := g.Tapped(); n != tapped {
			t.Errorf("%d edges are tapped, not %d", n, tapped)
		}
		echoes(t, g.Dial("north"))
		echoes(t, g.Dial("other"))
		all := watch(t, g.Engine, engine.Filter{}) // which tells when it is over
		echoes(t, g.Dial("other"))
		taken(t, all, 1)
		all.Close()
		seen := map[uint64]bool{}
		if streams > 0 {
			chunks, _ := taken(t, w, streams)
			for _, c := range chunks {
				seen[c.Stream] = true
			}
		}
		if len(seen) != streams {
			t.Errorf("%d streams are seen, not %d", len(seen), streams)
		}
		w.Close()
		if n := g.Tapped(); n != 0 {
			t.Errorf("%d edges are tapped while nobody watches", n)
		}
	}
	loopback, elsewhere := netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")
	f(engine.Filter{}, 2, 3)
	f(engine.Filter{Binding: "north"}, 1, 1)
	f(engine.Filter{Binding: "test:other"}, 1, 2)
	f(engine.Filter{Binding: "south"}, 2, 3)
	f(engine.Filter{Source: loopback}, 2, 3)
	f(engine.Filter{Binding: "north", Source: loopback}, 1, 1)
	f(engine.Filter{Source: elsewhere}, 2, 0)
}

func TestWatchOfNothing(t *testing.T) {
	g := gwtest.Start(t, echoOn("host: 127.0.0.1, port: 0"))
	f := func(name, want string) {
		t.Helper()
		_, err := g.Watch(engine.Filter{Binding: name})
		if none := new(engine.NoBinding); !errors.As(err, &none) || err.Error() != want {
			t.Errorf("got %v, not %s", err, want)
		}
	}
	f("nroth", `there is no binding "nroth", did you mean north?`)
	f("test:sout", `there is no binding "test:sout", did you mean test:south?`)
	f("x", `there is no binding "x"`)
}

func TestManyWatch(t *testing.T) {
	e, _ := newEngine()
	var all []*engine.Watcher
	for range engine.Watchers {
		all = append(all, watch(t, e, engine.Filter{}))
	}
	if _, err := e.Watch(engine.Filter{}); !errors.Is(err, engine.TooMany{}) {
		t.Errorf("one too many: %v", err)
	}
	all[3].Close()
	all[3].Close() // counts once
	watch(t, e, engine.Filter{})
	if _, err := e.Watch(engine.Filter{}); !errors.Is(err, engine.TooMany{}) {
		t.Errorf("one too many: %v", err)
	}
}

// TestWatchBeforeStart sees bindings that come into service later.
func TestWatchBeforeStart(t *testing.T) {
	leak.Check(t)
	e, _ := newEngine()
	w := watch(t, e, engine.Filter{})
	if _, err := e.Apply(t.Context(), load(echoOn("host: 127.0.0.1, port: 0"), engine.Options{})); err != nil {
		t.Fatal(err)
	}
	echoes(t, gwtest.Dial(t, e.Addrs("test", "north")[0].String()))
	if all, _ := taken(t, w, 1); story(all, "test:north", "test:south") != conversation {
		t.Errorf("seen: %s", story(all, "test:north", "test:south"))
	}
	e.Stop(t.Context())
	w.Close()
	if n := e.Tapped(); n != 0 {
		t.Errorf("%d edges of what is out of service are tapped", n)
	}
	e.Retap()
	if n := e.Tapped(); n != 0 {
		t.Errorf("%d edges are tapped while nobody watches", n)
	}
}

// TestSlowWatcher does not take anything while more comes than is kept for it. It loses chunks, and is told how many; the
// stream, and another watcher, lose nothing.
func TestSlowWatcher(t *testing.T) {
	g := gwtest.Start(t, echoOn("host: 127.0.0.1, port: 0"))
	slow, quick := watch(t, g.Engine, engine.Filter{}), watch(t, g.Engine, engine.Filter{})
	type got struct {
		chunks []*engine.Chunk
		lost   int64
	}
	all := make(chan got)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	go func() { // ends with what there is to see; if that end was lost, when the time is over
		var q got
		for {
			chunks, lost, err := quick.Next(ctx)
			q.chunks, q.lost = append(q.chunks, chunks...), q.lost+lost
			if err != nil || slices.ContainsFunc(chunks, func(c *engine.Chunk) bool { return c.Kind == engine.End }) {
				all <- q
				return
			}
		}
	}()
	c := g.Dial("north")
	const n = 12 << 20
	go func() {
		c.Write(make([]byte, n))
		c.CloseWrite()
	}()
	if echoed, err := io.Copy(io.Discard, c); echoed != n || err != nil {
		t.Fatalf("%d bytes came back: %v", echoed, err)
	}
	q := <-all
	chunks, lost, err := slow.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bytes := 0
	for i, c := range chunks {
		if bytes += len(c.Data); c.Number != i {
			t.Errorf("chunk %d has number %d", i, c.Number)
		}
	}
	if bytes > 4<<20 || bytes < 3<<20 || lost == 0 {
		t.Errorf("%d bytes were kept in %d chunks, %d were lost", bytes, len(chunks), lost)
	}
	// The quick one may have lost something too, if the machine is busy.
	if q.lost == 0 && len(q.chunks) != len(chunks)+int(lost) {
		t.Errorf("%d chunks were kept and %d lost of %d", len(chunks), lost, len(q.chunks))
	}
	echoes(t, g.Dial("north")) // from now on nothing is lost
	if more, lost := taken(t, slow, 1); story(more, "test:north", "test:south") != conversation || lost != 0 {
		t.Errorf("then %d were lost: %s", lost, story(more, "test:north", "test:south"))
	}
}

// TestChunksAreTheirOwn wants data that does not change when the buffer that it was in is used again.
func TestChunksAreTheirOwn(t *testing.T) {
	g := gwtest.Start(t, echoOn("host: 127.0.0.1, port: 0"))
	w := watch(t, g.Engine, engine.Filter{})
	c := g.Dial("north")
	var sent []byte
	for i := range 100 {
		b := bytes.Repeat([]byte{byte(i)}, 1000)
		sent = append(sent, b...)
		gwtest.Send(t, c, string(b))
		gwtest.Receive(t, c, string(b))
	}
	c.CloseWrite()
	all, _ := taken(t, w, 1)
	for _, direction := range []string{engine.Received, engine.Sent} {
		var got []byte
		for _, c := range all {
			if c.Direction == direction && c.Offset == int64(len(got)) {
				got = append(got, c.Data...)
			}
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("what was %s is not what was seen", direction)
		}
	}
}
