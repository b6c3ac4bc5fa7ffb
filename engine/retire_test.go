package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gozilla/binding"
	"gozilla/internal/gwtest"
)

// Lasting is a test cache server in a file: an echo with a task, which tells when it ends.
type Lasting struct {
	binding.Head
	Options struct{ Number int }
}

// ended are the numbers of those whose tasks have ended.
var ended = make(chan int, 10)

func newLasting(b *binding.Builder, c *Lasting) (*actor, error) {
	b.Go("last", func(ctx context.Context) error {
		<-ctx.Done()
		ended <- c.Options.Number
		return ctx.Err()
	})
	return &actor{}, nil
}

// TestWhatIsGoneStaysForItsStreams wants the tasks of an instance to go on for as long as a stream is at it, and no longer,
// and its counters not to be lost.
func TestWhatIsGoneStaysForItsStreams(t *testing.T) {
	yaml := func(number int) string {
		return fmt.Sprintf("name: test\nbindings:\n  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: south }\n"+
			"  south: { type: test, kind: cache_server, options: { number: %d } }\n", number)
	}
	g := gwtest.Start(t, yaml(1))
	take := func(number int) {
		t.Helper()
		if _, err := g.Take("zilla.yaml", yaml(number)); err != nil {
			t.Fatal(err)
		}
	}
	c := g.Dial("north")
	gwtest.Send(t, c, "x")
	gwtest.Receive(t, c, "x")
	take(2)
	take(3) // nobody is at 2
	if n := <-ended; n != 2 {
		t.Fatalf("%d has ended", n)
	}
	gwtest.Send(t, c, "x")
	gwtest.Receive(t, c, "x")
	c.Close()
	select {
	case n := <-ended:
		if n != 1 {
			t.Errorf("%d has ended", n)
		}
	case <-time.After(gwtest.Patience):
		t.Error("1 does not end")
	}
	if n, open := g.Metric("south", "stream.opens.received"), g.Metric("south", "stream.active.received"); n != 1 || open != 0 {
		t.Errorf("%d streams are counted, %d are open", n, open)
	}
	g.Drain(t.Context())
	if n := <-ended; n != 3 {
		t.Errorf("%d has ended", n)
	}
}
