package stream_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
)

// TestAChildIsUsedAgain for an exchange on another connection: nothing of the first is left.
func TestAChildIsUsedAgain(t *testing.T) {
	r := newRig(t)
	first, second := r.arrive(), r.arrive()
	c := first.Child(r.node, nil)
	id := c.ID()
	c.EnterExchange(node("exit"))
	c.Took(r.node, 3)
	c.Mark(stream.FirstByte)
	c.Moved(10, 20)
	c.OnEnd(func(error) {})
	c.Closes(telemetry.Server, "fin")
	c.SetRecord(func(r *telemetry.Record) { r.Authority, r.HTTP.Status = "one", 200 })
	c.End(nil)
	if got := c.Err(); !errors.Is(got, stream.ErrOver) {
		t.Errorf("after its end the error is %v", got)
	}
	again := second.Child(r.node, c)
	if again != c {
		t.Fatal("another scope is used")
	}
	if c.Err() != nil || c.ID() == id {
		t.Errorf("the error is %v, the id %d", c.Err(), c.ID())
	}
	c.End(nil)
	got := r.last(t)
	if got.Connection != second.ID() || got.Authority != "" || got.HTTP.Status != 0 || got.FirstByte != 0 || got.Received != 0 || got.By != telemetry.Client {
		t.Errorf("the record is %+v", got)
	}
	if path := pathText(got); path != "test:north" {
		t.Errorf("the path is %s", path)
	}
	first.End(nil)
	second.End(nil)
}

// TestAChildThatSomebodyKeeps is not used again.
func TestAChildThatSomebodyKeeps(t *testing.T) {
	for name, keep := range map[string]func(*stream.Scope){
		"done":      func(c *stream.Scope) { c.Done() },
		"after":     func(c *stream.Scope) { c.AfterFunc(func() {}) },
		"derived":   func(c *stream.Scope) { _, cancel := context.WithCancel(c); cancel() },
		"cancelled": func(c *stream.Scope) { c.Cancel(errEnough) },
		"session":   func(c *stream.Scope) { c.Admit("g", &guest{expires: time.Now().Add(time.Hour)}) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := r.arrive()
			c := s.Child(r.node, nil)
			keep(c)
			c.End(nil)
			d := s.Child(r.node, c)
			if d == c {
				t.Error("it is used again")
			}
			if d.Err() != nil {
				t.Errorf("the next one's error is %v", d.Err())
			}
			d.End(nil)
			s.End(nil)
		})
	}
}

// TestParentReachesAChild that is used again, by all ways to learn of it.
func TestParentReachesAChild(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	c := s.Child(r.node, nil)
	c.End(nil)
	c = s.Child(r.node, c)
	called := make(chan struct{})
	c.AfterFunc(func() { close(called) })
	s.Cancel(errEnough)
	<-called
	<-c.Done()
	if !errors.Is(c.Err(), errEnough) || !errors.Is(context.Cause(c), errEnough) {
		t.Errorf("%v, %v", c.Err(), context.Cause(c))
	}
	c.End(nil)
	s.End(nil)
}

// TestExchangesAreCounted where they begin and where they go; what was told the client counts as whole.
func TestExchangesAreCounted(t *testing.T) {
	r := newRig(t)
	method, err := telemetry.ParseAttributes(map[string]string{"method": "${http.request.method}"})
	if err != nil {
		t.Fatal(err)
	}
	r.node.Attributes.Store(method)
	exit := node("exit")
	metrics := &telemetry.Metrics{}
	metrics.Add("test", "north", &r.node.Exchanges, nil)
	metrics.Add("test", "exit", &exit.Exchanges, nil)
	s := r.arrive()
	for _, end := range []error{nil, &stream.Told{Err: stream.Refuse(stream.NoRoute, "no")}, &stream.Cut{By: telemetry.Server, Why: "rst"}} {
		c := s.Child(r.node, nil)
		c.EnterExchange(exit)
		c.Moved(5, 7)
		c.Label(func(telemetry.Expression) (string, bool) { return "GET", true })
		c.End(end)
	}
	open := s.Child(r.node, nil)
	want := map[string]int64{
		"north http.active.requests": 1, "exit http.active.requests": 0,
		"north http.duration": 2, "exit http.duration": 2, "exit http.response.size": 2,
	}
	got := map[string]int64{}
	for _, sample := range metrics.Snapshot() {
		got[sample.Binding+" "+sample.Name] += sample.Value
		if sample.Binding == "north" && sample.Name == "http.duration" && sample.Value > 0 && sample.Labels["method"] != "GET" {
			t.Errorf("the labels are %v", sample.Labels)
		}
	}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s is %d, not %d", name, got[name], n)
		}
	}
	if n := exit.Streams.Received.Bytes.Load(); n != 15 {
		t.Errorf("%d bytes were received at the exit", n)
	}
	open.End(nil)
	s.End(nil)
}

// longer is a guest whose session is extended once, when it would be over.
type longer struct {
	guest
	asked int
}

func (l *longer) Expires() time.Time {
	if l.asked++; l.asked == 2 {
		l.expires = l.expires.Add(time.Minute)
	}
	return l.expires
}

func TestASessionIsExtended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := r.arrive()
		s.Admit("test:guard", &longer{guest: guest{expires: time.Now().Add(time.Minute)}})
		began := time.Now()
		<-s.Done()
		if took := time.Since(began); took != 2*time.Minute {
			t.Errorf("cancelled after %v", took)
		}
		s.End(context.Cause(s))
	})
}

// TestAgain wants the path of a stream that is sought time and again not to grow, and what was counted to be even.
func TestAgain(t *testing.T) {
	r := newRig(t)
	s := r.arrive()
	client, server := node("client"), node("server")
	s.Enter(client)
	for range 3 {
		s.EnterExchange(server)
		s.Again(client, errEnough)
	}
	s.Again(node("elsewhere"), errEnough)
	s.EnterExchange(server)
	s.End(nil)
	if path := pathText(r.last(t)); path != "test:north > test:client > test:server" {
		t.Errorf("the path is %s", path)
	}
	expectStreams(t, client, 1, 1, 0)
	expectStreams(t, server, 4, 1, 3)
}
