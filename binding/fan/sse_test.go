package fan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
	"gozilla/stream/sse"
	"gozilla/stream/sse/ssetest"
	"gozilla/stream/web"
	"gozilla/telemetry"
)

func TestEventsConformance(t *testing.T) {
	ssetest.Run(t, func(t *testing.T) ssetest.Source {
		f := newFake(t)
		t.Cleanup(f.stop)
		s := ssetest.Of(&f.source)
		s.Port = f.topics
		return s
	})
}

// trail is what is said of the way of whoever listens.
var trail = web.Fields("via", "1.1 a")

// listen opens a stream, after an event if its id is not "".
func (f *fake) listen(t *testing.T, path, after string) sse.Events {
	t.Helper()
	s := stream.Begin(stream.WithHost(context.Background(), f.host), &stream.Node{Name: "client"})
	e, err := f.topics.OpenEvents(s, &sse.Request{Path: path, LastID: after, Resumes: after != "", Trail: trail})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Close()
		s.End(nil)
	})
	return e
}

func (f *fake) emit(ids ...string) {
	var all []sse.Event
	for _, id := range ids {
		all = append(all, sse.Event{ID: id, HasID: id != "", Data: []byte("data of " + id), HasData: true})
	}
	f.source.Emit(all...)
	synctest.Wait()
}

// gets compares the ids of the events that come next.
func gets(t *testing.T, e sse.Events, want ...string) {
	t.Helper()
	var got []string
	for len(got) < len(want) {
		b, err := e.Next()
		if err != nil {
			t.Fatalf("got %q and %v, not %q", got, err, want)
		}
		for i := range b.Events {
			got = append(got, b.Events[i].ID)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got %q, not %q", got, want)
	}
}

func TestListenersShareAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		one, two, other := f.listen(t, "/a", ""), f.listen(t, "/a", ""), f.listen(t, "/b", "")
		f.emit("1")
		b, _ := one.Next()
		if c, _ := two.Next(); b != c {
			t.Error("they do not get the same batch")
		}
		gets(t, other, "1")
		if n := len(f.source.Requests()); n != 2 {
			t.Errorf("%d streams were opened for two topics", n)
		}
		one.Close()
		f.emit("2")
		gets(t, two, "2")
		two.Close() // the last one
		synctest.Wait()
		if err := f.source.Await(t.Context(), 1); err != nil { // that of /b
			t.Error(err)
		}
		other.Close()
	})
}

// TestResume is that who comes again gets what it has missed, without another stream as long as that is known.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		f.host.Limits.Queue = 1 << 10
		first := f.listen(t, "/a", "10") // so that all come again who have lost the same gateway
		same := f.listen(t, "/a", "10")
		f.emit("11", "", "12")
		f.emit("13")
		gets(t, first, "11", "", "12", "13")
		gets(t, same, "11", "", "12", "13")
		resumed := func(after string, want ...string) {
			t.Helper()
			e := f.listen(t, "/a", after)
			gets(t, e, want...)
			e.Close()
		}
		resumed("10", "11", "", "12", "13")
		resumed("11", "", "12", "13")
		resumed("12", "13")
		live := f.listen(t, "/a", "13")
		f.emit("14")
		gets(t, live, "14")
		resumed("13", "14")
		if n := len(f.source.Requests()); n != 1 {
			t.Fatalf("%d streams were opened", n)
		}
		first.Close()
		same.Close()
		for i := range 100 { // which is more than is kept
			f.emit(fmt.Sprint(100 + i))
			gets(t, live, fmt.Sprint(100+i))
		}
		resumed("198", "199")
		f.listen(t, "/a", "14") // has a stream of its own
		if all := f.source.Requests(); len(all) != 2 || all[1].LastID != "14" || !all[1].Resumes {
			t.Errorf("the streams that were opened: %+v", all)
		}
	})
}

// TestEventsAreCounted has two share a stream, and another one have one of its own.
func TestEventsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		one, two, own := f.listen(t, "/a", ""), f.listen(t, "/a", ""), f.listen(t, "/a", "unknown")
		f.emit("1", "2")
		for _, e := range []sse.Events{one, two, own} {
			gets(t, e, "1", "2")
		}
		if n := &f.node.ServerEvents; n.Received.Load() != 4 || n.Sent.Load() != 6 {
			t.Errorf("it has received %d events and sent %d", n.Received.Load(), n.Sent.Load())
		}
	})
}

// TestSlowListener is that one who does not read is cut off, and the others are not.
func TestSlowListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		slow, quick := f.listen(t, "/a", ""), f.listen(t, "/a", "")
		read := make(chan int)
		go func() {
			n := 0
			for {
				b, err := quick.Next()
				if err != nil {
					read <- n
					return
				}
				n += len(b.Events)
			}
		}()
		text := []byte(strings.Repeat("x", 1<<10))
		for range 1000 {
			f.source.Emit(sse.Event{Data: text, HasData: true})
		}
		f.source.End()
		if n := <-read; n != 1000 {
			t.Errorf("who reads got %d events", n)
		}
		_, err := slow.Next()
		if cut := (*stream.Cut)(nil); !errors.As(err, &cut) || cut.Why != "slow reader" || cut.By != telemetry.Gateway {
			t.Errorf("who does not read sees %v", err)
		}
	})
}

func TestEndOfATopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		for _, end := range []error{io.EOF, &stream.Cut{By: telemetry.Server, Why: "rst"}} {
			one := f.listen(t, "/a", "")
			f.emit("1")
			f.source.Cut(end)
			synctest.Wait()
			gets(t, one, "1")
			if _, err := one.Next(); !errors.Is(err, end) {
				t.Errorf("the end is %v, not %v", err, end)
			}
			again := f.listen(t, "/a", "1")
			f.emit("2")
			gets(t, again, "2")
			again.Close()
			synctest.Wait()
		}
		refused := stream.Refuse(stream.Unavailable, "not now")
		f.source.Refuse(refused)
		for range 2 {
			s := stream.Begin(stream.WithHost(context.Background(), f.host), &stream.Node{Name: "client"})
			if _, err := f.topics.OpenEvents(s, &sse.Request{Path: "/a"}); !errors.Is(err, refused) {
				t.Errorf("it is refused by %v", err)
			}
			s.End(nil)
		}
	})
}

// TestRetryIsToldToAll is that who comes later is told the time to come back in that was told last, before what it has missed.
func TestRetryIsToldToAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		f.host.Limits.Queue = 1 << 10
		says := func(e sse.Events) string {
			text := ""
			for !strings.Contains(text, "data") {
				b, err := e.Next()
				if err != nil {
					t.Fatal(err)
				}
				text += string(b.Text())
			}
			return text
		}
		first := f.listen(t, "/a", "")
		f.source.Emit(sse.Event{Retry: time.Second}, sse.Event{Retry: 4321 * time.Millisecond})
		f.emit("1")
		f.emit("2")
		late, resumed := f.listen(t, "/a", ""), f.listen(t, "/a", "1")
		f.emit("3")
		for _, c := range []struct {
			e    sse.Events
			want string
		}{
			{first, "retry:1000\n\nretry:4321\n\nid:1\ndata:data of 1\n\n"},
			{late, "retry:4321\n\nid:3\ndata:data of 3\n\n"},
			{resumed, "retry:4321\n\nid:2\ndata:data of 2\n\n"},
		} {
			if got := says(c.e); got != c.want {
				t.Errorf("got %q, not %q", got, c.want)
			}
		}
		late.Close()
		resumed.Close()
		gets(t, first, "2", "3")
		for i := range 100 { // which is more than is kept
			f.emit(fmt.Sprint(100 + i))
			gets(t, first, fmt.Sprint(100+i))
		}
		last := f.listen(t, "/a", "")
		f.emit("200")
		if got := says(last); !strings.HasPrefix(got, "retry:4321\n\nid:200\n") {
			t.Errorf("got %q", got)
		}
	})
}

// TestTrailOfTopics is that a topic is asked for on behalf of nobody, and a stream of one's own on behalf of oneself.
func TestTrailOfTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		f.listen(t, "/a", "")
		f.emit("1")
		f.listen(t, "/a", "unknown")
		all := f.source.Requests()
		if len(all) != 2 || all[0].Trail != nil || len(all[1].Trail) != 1 {
			t.Errorf("asked was %+v", all)
		}
	})
}

// TestManySlowListeners is that those who do not read hold up the others no longer than one of them would.
func TestManySlowListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		for range 50 {
			f.listen(t, "/a", "")
		}
		quick := f.listen(t, "/a", "")
		text := []byte(strings.Repeat("x", 32<<10))
		began := time.Now()
		for i := range 20 {
			f.source.Emit(sse.Event{ID: fmt.Sprint(i), HasID: true, Data: text, HasData: true})
			gets(t, quick, fmt.Sprint(i))
		}
		if took := time.Since(began); took > f.host.Limits.Stall/20 {
			t.Errorf("they were waited for for %v", took)
		}
	})
}
