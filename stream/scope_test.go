package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
)

// ctxKey is the key of a value in a context.
type ctxKey struct{}

var errTest = errors.New("the test says so")

// life is a host, and a scope on it.
func life(t testing.TB) (*stream.Host, *stream.Scope) {
	t.Helper()
	h := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 4096, false))
	return h, stream.Begin(stream.WithHost(t.Context(), h), node("source"))
}

// records are the records of a host's log.
func records(h *stream.Host) (all []telemetry.Record) {
	entries, _, _ := h.Log.Since(0)
	for _, e := range entries {
		if e.Record != nil {
			all = append(all, *e.Record)
		}
	}
	return all
}

func TestEndOnce(t *testing.T) {
	h, s := life(t)
	ends := 0
	s.OnEnd(func(err error) {
		if ends++; err != errTest {
			t.Errorf("OnEnd is given %v", err)
		}
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { s.End(errTest) })
	}
	wg.Wait()
	s.End(nil)
	if all := records(h); ends != 1 || len(all) != 1 || all[0].Err != errTest.Error() || h.Open() != 0 {
		t.Errorf("OnEnd ran %d times, there are %d records and %d scopes", ends, len(all), h.Open())
	}
	if s.Err() == nil {
		t.Error("the context of a scope that is over goes on")
	}
}

func TestOnEndOrder(t *testing.T) {
	_, s := life(t)
	var order []int
	for i := range 4 {
		s.OnEnd(func(error) { order = append(order, i) })
	}
	s.End(nil)
	if !slices.Equal(order, []int{3, 2, 1, 0}) {
		t.Errorf("the order is %v", order)
	}
}

func TestLeave(t *testing.T) {
	_, s := life(t)
	defer s.End(nil)
	var asked []string
	on := func(name string) (undo func()) { return s.OnLeave(func() { asked = append(asked, name) }) }
	on("bottom")
	on("middle")
	undo := on("top")
	undo()
	undo() // does nothing
	s.Leave()
	s.Leave() // asks nobody again
	on("late")
	if !slices.Equal(asked, []string{"middle", "late"}) {
		t.Errorf("asked: %v", asked)
	}
	if s.Err() != nil {
		t.Error("to leave cancels the scope")
	}
}

func TestLeaveNobody(t *testing.T) {
	_, s := life(t)
	defer s.End(nil)
	s.OnLeave(func() { t.Error("asked") })()
	s.Leave()
	if s.Err() != nil {
		t.Error("to leave cancels a scope that has nobody to ask")
	}
}

func TestFrom(t *testing.T) {
	h, s := life(t)
	defer s.End(nil)
	derived, cancel := context.WithTimeout(context.WithValue(s, ctxKey{}, 1), time.Hour)
	defer cancel()
	if stream.From(s) != s || stream.From(derived) != s {
		t.Error("From does not find the scope")
	}
	if stream.From(t.Context()) != nil {
		t.Error("From finds a scope where none is")
	}
	other := stream.Begin(derived, node("pool")) // a scope knows its host
	defer other.End(nil)
	if other.Host() != h || other.ID() == s.ID() || other.Limits() != h.Limits {
		t.Error("a scope that begins in another one is not of its host")
	}
}

func TestChild(t *testing.T) {
	h, s := life(t)
	c := s.Child(node("exchange"), nil)
	if h.Open() != 1 {
		t.Errorf("%d scopes are open", h.Open())
	}
	c.Cancel(errTest)
	<-c.Done()
	if s.Err() != nil {
		t.Error("a child cancels its parent")
	}
	c.End(errTest)
	d := s.Child(node("exchange"), nil)
	s.Cancel(errTest)
	<-d.Done()
	if !errors.Is(context.Cause(d), errTest) {
		t.Errorf("the parent's end gives the child %v", context.Cause(d))
	}
	d.End(nil)
	s.End(nil)
	if n := len(records(h)); n != 3 {
		t.Errorf("there are %d records", n)
	}
}

func TestEndIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := life(t)
		defer s.End(nil)
		s.EndIdle(time.Minute)
		flow := s.Flow()
		for range 10 {
			time.Sleep(50 * time.Second)
			flow.Sent(1)
		}
		if s.Err() != nil {
			t.Fatal("ended although bytes move")
		}
		time.Sleep(59 * time.Second)
		if s.Err() != nil {
			t.Fatal("ended before the time is over")
		}
		time.Sleep(17 * time.Second)
		synctest.Wait()
		if cut := (*stream.Cut)(nil); !errors.As(context.Cause(s), &cut) || cut.Why != "idle timeout" {
			t.Errorf("the cause is %v", context.Cause(s))
		}
	})
}

func TestEndIdleOfWhatNeverMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := life(t)
		s.EndIdle(time.Minute)
		began := time.Now()
		<-s.Done()
		if took := time.Since(began); took != time.Minute {
			t.Errorf("it ended after %v", took)
		}
		s.End(nil)
		_, over := life(t)
		over.EndIdle(time.Minute)
		over.End(nil)
		time.Sleep(5 * time.Minute) // nothing runs on for a scope that is over
	})
}

func TestRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := life(t)
		north, south := node("north"), node("south")
		s := h.Arrive(stream.WithHost(t.Context(), h), north)
		start := time.Now()
		s.Took(north, 2)
		s.Enter(south)
		s.Took(south, stream.RouteExit)
		flow := s.Flow()
		flow.Received(3)
		time.Sleep(10 * time.Millisecond)
		s.Mark(stream.DialBegan)
		time.Sleep(20 * time.Millisecond)
		s.Mark(stream.DialEnded)
		flow.Sent(4)
		time.Sleep(30 * time.Millisecond)
		s.Mark(stream.DialEnded) // counts for nothing
		flow.Sent(5)
		s.SetRecord(func(r *telemetry.Record) { r.Target = "there" })
		s.Closes(telemetry.Server, "fin")
		s.Closes(telemetry.Client, "fin") // counts for nothing
		s.End(nil)
		want := telemetry.Record{
			ID: s.ID(), Start: start, Target: "there",
			Path:     []telemetry.Step{{Binding: "test:north", Route: "routes[2]"}, {Binding: "test:south", Route: "exit"}},
			Received: 3, Sent: 9, Dial: 20 * time.Millisecond, FirstByte: 30 * time.Millisecond, Duration: 60 * time.Millisecond,
			By: telemetry.Server, Reason: "fin",
		}
		if got := records(h)[0]; fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("the record is\n%+v, not\n%+v", got, want)
		}
		for _, n := range []*stream.Node{north, south} {
			r := &n.Streams.Received
			if r.Opens.Load() != 1 || r.Closes.Load() != 1 || r.Errors.Load() != 0 || r.Active() != 0 || r.Bytes.Load() != 3 || n.Streams.Sent.Bytes.Load() != 9 {
				t.Errorf("the counters of %s are wrong", n)
			}
		}
	})
}

// TestRecordWhileItChanges is for the race detector.
func TestRecordWhileItChanges(t *testing.T) {
	_, s := life(t)
	n := node("north")
	var wg sync.WaitGroup
	for _, f := range []func(){
		func() { s.Record() },
		func() { s.Enter(n); s.Took(n, 1) },
		func() { f := s.Flow(); f.Sent(1) },
		func() { s.Mark(stream.DialBegan) },
		func() { s.Closes(telemetry.Client, "fin") },
		func() { s.SetRecord(func(r *telemetry.Record) { r.Target = "there" }) },
		func() { s.OnLeave(func() {})() },
		func() { s.Session("test:guard") },
		s.Leave,
	} {
		wg.Go(func() {
			for range 200 {
				f()
			}
		})
	}
	wg.Wait()
	s.End(nil)
}

func TestFlowsCountOnce(t *testing.T) {
	_, s := life(t)
	lower, upper := node("lower"), node("upper")
	s.Enter(lower)
	below := s.Flow()
	s.Enter(upper)
	above := s.Flow()
	below.Received(100)
	above.Received(90)
	if n := lower.Streams.Received.Bytes.Load(); n != 100 {
		t.Errorf("the lower layer has %d bytes", n)
	}
	if n := upper.Streams.Received.Bytes.Load(); n != 90 {
		t.Errorf("the upper layer has %d bytes", n)
	}
	if r := s.Record(); r.Received != 100 {
		t.Errorf("the record has %d bytes", r.Received)
	}
	s.End(nil)
}

func TestHost(t *testing.T) {
	h, first := life(t)
	ctx := stream.WithHost(t.Context(), h)
	all := []*stream.Scope{first}
	for range 99 {
		all = append(all, stream.Begin(ctx, node("source")))
	}
	seen := map[uint64]bool{}
	h.Scopes(func(s *stream.Scope) { seen[s.ID()] = true })
	if len(seen) != 100 || h.Open() != 100 {
		t.Errorf("there are %d scopes, and %d", len(seen), h.Open())
	}
	for _, s := range all {
		go s.End(nil)
	}
	if err := h.AwaitIdle(t.Context()); err != nil || h.Open() != 0 {
		t.Errorf("AwaitIdle gives %v with %d scopes", err, h.Open())
	}
}
