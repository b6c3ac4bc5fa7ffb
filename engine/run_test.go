package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gozilla/engine"
	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/telemetry"
)

var discard = slog.New(slog.DiscardHandler)

func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// TestStopClosesListenersFirst wants nobody to be let in while a stream that is open may still go on, and Stop to return
// when that ends.
func TestStopClosesListenersFirst(t *testing.T) {
	g := gwtest.Start(t, echoOn("host: 127.0.0.1, port: 0"))
	addr, c := g.Addr("north"), g.Dial("north")
	gwtest.Send(t, c, "hello")
	gwtest.Receive(t, c, "hello")
	stopped := stopping(t, g)
	refusesToConnect(t, addr)
	gwtest.Send(t, c, "still here")
	gwtest.Receive(t, c, "still here")
	select {
	case <-stopped:
		t.Fatal("stopped, and a stream is open")
	default:
	}
	c.CloseWrite()
	gwtest.Sees(t, c, "fin")
	<-stopped
	if r := g.Record(); r.By != telemetry.Client || r.Reason != "fin" {
		t.Errorf("the record is %s", r.Text())
	}
	if n := g.Host.Connections.Used(); n != 0 {
		t.Errorf("%d connections are counted", n)
	}
}

// stopping stops a gateway that has time, and returns once an open stream was asked to leave; the channel is closed once
// it has stopped.
func stopping(t *testing.T, g *gwtest.Gateway) (stopped chan struct{}) {
	asked, stopped := make(chan struct{}, 1), make(chan struct{})
	g.Host.Scopes(func(s *stream.Scope) { s.OnLeave(func() { asked <- struct{}{} }) })
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), gwtest.Patience)
	go func() { // ends with the last stream
		defer close(stopped)
		defer cancel()
		g.Drain(ctx)
	}()
	<-asked
	return stopped
}

// TestStopCutsAtTheDeadline resets what is left then.
func TestStopCutsAtTheDeadline(t *testing.T) {
	g := gwtest.Start(t, echoOn("host: 127.0.0.1, port: 0"))
	c := g.Dial("north")
	gwtest.Send(t, c, "hello")
	gwtest.Receive(t, c, "hello")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	g.Drain(ctx)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	gwtest.Sees(t, c, "rst")
	if r := g.Record(); r.By != telemetry.Gateway || r.Reason != "drain" {
		t.Errorf("the record is %s", r.Text())
	}
	if g.Host.Open() != 0 {
		t.Error("a stream is left")
	}
}

func TestStopTwiceAndWithoutStart(t *testing.T) {
	leak.Check(t)
	e, _ := newEngine()
	e.Stop(t.Context())
	if got := events(e); len(got) != 0 {
		t.Errorf("what was never started says %v", got)
	}
	if _, err := e.Apply(t.Context(), load(echoOn("host: 127.0.0.1, port: 0"), engine.Options{})); err != nil {
		t.Fatal(err)
	}
	e.Stop(t.Context())
	e.Stop(t.Context())
	if got := events(e); !slices.Equal(got, []string{"engine.started", "engine.stopped"}) {
		t.Errorf("the events are %v", got)
	}
}

// TestStopByTwo is a second signal while the first is at work: both return, and the stricter one decides.
func TestStopByTwo(t *testing.T) {
	g := gwtest.Start(t, echoOn("host: 127.0.0.1, port: 0"))
	c := g.Dial("north")
	gwtest.Send(t, c, "hello")
	gwtest.Receive(t, c, "hello")
	stopped := stopping(t, g)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g.Engine.Stop(ctx)
	<-stopped
	gwtest.Sees(t, c, "rst")
}

func events(e *engine.Engine) (ids []string) {
	entries, _, _ := e.Host().Log.Since(0)
	for _, entry := range entries {
		if entry.Event != nil {
			ids = append(ids, entry.Event.ID)
		}
	}
	return ids
}

// TestStartAgain runs another plan after the first.
func TestStartAgain(t *testing.T) {
	leak.Check(t)
	e, _ := newEngine()
	for range 3 {
		if _, err := e.Apply(t.Context(), load(echoOn("host: 127.0.0.1, port: 0"), engine.Options{})); err != nil {
			t.Fatal(err)
		}
		echoes(t, gwtest.Dial(t, e.Addrs("test", "north")[0].String()))
		e.Stop(t.Context())
		if len(e.Addrs("test", "north")) != 0 {
			t.Error("north listens still")
		}
	}
}

// TestStartOfAFaultyPlan changes nothing.
func TestStartOfAFaultyPlan(t *testing.T) {
	e, _ := newEngine()
	p := load("name: test\nbindings:\n  south: { type: nonsense }\n", engine.Options{})
	if _, err := e.Apply(t.Context(), p); err == nil || len(events(e)) != 0 {
		t.Errorf("started: %v, %v", err, events(e))
	}
}

// TestEventsOfALife wants the start to be told once ports are bound and before they take anybody, and the end last.
func TestEventsOfALife(t *testing.T) {
	leak.Check(t)
	e, _ := newEngine()
	bound := make(chan bool, 1)
	undo := e.Host().Log.Handle(func(ev *telemetry.Event) {
		if ev.ID == "engine.started" {
			bound <- len(e.Addrs("test", "north")) == 1 && e.Host().Open() == 0
		}
	})
	defer undo()
	if _, err := e.Apply(t.Context(), load(echoOn("host: 127.0.0.1, port: 0"), engine.Options{})); err != nil {
		t.Fatal(err)
	}
	if !<-bound {
		t.Error("engine.started came before the port was bound")
	}
	c := gwtest.Dial(t, e.Addrs("test", "north")[0].String())
	gwtest.Send(t, c, "hello")
	gwtest.Receive(t, c, "hello")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e.Stop(ctx)
	entries, _, _ := e.Host().Log.Since(0)
	var got []string
	for _, entry := range entries {
		if entry.Record != nil {
			got = append(got, "record")
			continue
		}
		got = append(got, entry.Event.Text()[len("engine:events [01/Jan/2026:00:00:00 +0000] "):])
	}
	want := []string{"[0000000000000000] engine.started Engine Started.", "record", "[0000000000000000] engine.stopped Engine Stopped."}
	if !slices.Equal(got, want) {
		t.Errorf("the log has %q", got)
	}
}

// TestTheContextOfStart is for what derives from it; its end does not end the engine.
func TestTheContextOfStart(t *testing.T) {
	leak.Check(t)
	e, _ := newEngine()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := e.Apply(ctx, load(echoOn("host: 127.0.0.1, port: 0"), engine.Options{})); err != nil {
		t.Fatal(err)
	}
	cancel()
	echoes(t, gwtest.Dial(t, e.Addrs("test", "north")[0].String()))
	e.Stop(t.Context())
}

const acting = `name: test
bindings:
  north:
    type: tcp
    kind: server
    options: { host: 127.0.0.1, port: 0 }
    exit: south
  south:
    type: test
    kind: server
    options: { OPTIONS }
`

// TestAPanicCostsOneStream wants the others to go on.
func TestAPanicCostsOneStream(t *testing.T) {
	g := gwtest.Start(t, strings.ReplaceAll(acting, "{ OPTIONS }", "{}"))
	well, ill := g.Dial("north"), g.Dial("north")
	gwtest.Send(t, well, "hello")
	gwtest.Receive(t, well, "hello")
	gwtest.Send(t, ill, "!")
	gwtest.Sees(t, ill, "rst")
	r := g.Record()
	if r.By != telemetry.Gateway || r.Reason != "internal error" || r.Err != "the test says so" {
		t.Errorf("the record is %s", r.Text())
	}
	if e := g.Event("engine.stream.failed"); e.Scope != r.ID || !e.Warning {
		t.Errorf("the event is %+v", e)
	}
	gwtest.Send(t, well, "still here")
	gwtest.Receive(t, well, "still here")
	if n := g.Metric("south", "stream.errors.received"); n != 1 {
		t.Errorf("%d streams are counted as broken", n)
	}
}

// TestAPanicAtTheDoor wants the next connection to be taken.
func TestAPanicAtTheDoor(t *testing.T) {
	g := gwtest.Start(t, strings.ReplaceAll(listening, "OPTIONS", "ports: 1, panics: true"))
	c := g.Dial("north")
	gwtest.Sees(t, c, "fin")
	r := g.Record()
	if r.By != telemetry.Gateway || r.Reason != "internal error" || r.Err != "the test says so" {
		t.Errorf("the record is %s", r.Text())
	}
	if e := g.Event("engine.stream.failed"); e.Scope != r.ID || e.Name != "north" {
		t.Errorf("the event is %+v", e)
	}
	c = g.Dial("north")
	gwtest.Receive(t, c, "0")
	gwtest.Sees(t, c, "fin")
}

// TestAConstructorThatFails is a fault at the place of its binding, and leaves nothing.
func TestAConstructorThatFails(t *testing.T) {
	cannotListen(t, strings.ReplaceAll(acting, "OPTIONS", "fails: there is too little of it"),
		"zilla.yaml:9:5: there is too little of it")
}

// TestAGuardThatFails is told with the bindings that fail.
func TestAGuardThatFails(t *testing.T) {
	cannotListen(t, strings.ReplaceAll(acting, "OPTIONS", "fails: too little")+"guards:\n  who: { type: test, options: { fails: too much } }\n",
		"zilla.yaml:9:5: too little\nzilla.yaml:13:8: too much")
}

func TestATaskThatFails(t *testing.T) {
	f := func(how, want string) {
		t.Helper()
		g := gwtest.Start(t, strings.ReplaceAll(acting, "OPTIONS", "task: "+how))
		e := g.Event("engine.task.failed")
		if e.Namespace != "test" || e.Name != "south" || !e.Warning || !strings.HasPrefix(e.Message, want) {
			t.Errorf("the event is %+v", e)
		}
		g.Event("engine.task.failed") // it was started again
		c := g.Dial("north")
		gwtest.Send(t, c, "hello")
		gwtest.Receive(t, c, "hello")
	}
	f("fails", "The task fails has ended (the test says so) and starts again in ")
	f("panics", "The task panics has ended (internal error: the test says so) and starts again in ")
}

// TestDescribe draws routes, conditions, a binding that is drawn already, one that nothing leads to, and another
// namespace; what of the system namespace is not used is not there.
func TestDescribe(t *testing.T) {
	gwtest.RunArchives(t, "testdata/describe/*.txtar", func(t *testing.T, a *gwtest.Archive) {
		g := gwtest.Start(t, a.Text("zilla.yaml"), gwtest.Env("SECRET", "10.11.12.0/24"))
		var b strings.Builder
		if err := g.Describe(&b); err != nil {
			t.Fatal(err)
		}
		text := regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(b.String(), "127.0.0.1:PORT")
		a.Expect(t, "tree", regexp.MustCompile(`#[0-9a-f]{8}\b`).ReplaceAllString(text, "#DIGEST"))
	})
}

// digests are those of the bindings in service, as Describe shows them.
func digests(t *testing.T, north string) map[string]string {
	t.Helper()
	g := gwtest.Start(t, "name: test\ntelemetry:\n  metrics: [ stream.opens.sent ]\nguards:\n  who: { type: test }\nbindings:\n"+
		"  east: { type: echo, kind: server }\n  south: { type: echo, kind: server }\n"+north)
	var b strings.Builder
	g.Describe(&b)
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`(test:\w+)  .*  #(\w+)`).FindAllStringSubmatch(b.String(), -1) {
		found[m[1]] = m[2]
	}
	return found
}

// TestDigest changes with the options and nothing else: the rest can be exchanged in place.
func TestDigest(t *testing.T) {
	north := func(port, rest string) string {
		return digests(t, "  north:\n    type: tcp\n    kind: server\n    options: { host: 127.0.0.1, port: "+port+" }\n"+rest)["test:north"]
	}
	base := north("0", "    exit: south\n")
	if len(base) != 8 {
		t.Fatalf("the digest is %q", base)
	}
	for _, same := range []string{
		"    exit: south\n",
		"    exit: east\n",
		"    routes: [ { exit: east, when: [ { port: 7001 } ] } ]\n    exit: south\n",
		"    routes: [ { exit: east, guarded: { who: [ admin ] } } ]\n    exit: south\n",
		"    exit: south\n    telemetry: { metrics: [ stream.* ], attributes: { a: b } }\n",
	} {
		if got := north("0", same); got != base {
			t.Errorf("another digest for\n%s", same)
		}
	}
	for _, other := range []string{"[ 0, 0 ]", "0, backlog: 7", "0, nodelay: false", "0, idle: 1h"} {
		if north(other, "    exit: south\n") == base {
			t.Errorf("the same digest for the port %s", other)
		}
	}
}

// TestMetricsOfBindings are there for every binding, and selected where the file asks for them.
func TestMetricsOfBindings(t *testing.T) {
	g := gwtest.Start(t, `name: test
telemetry:
  metrics: [ stream.opens.received, stream.opens.sent, stream.data.sent ]
bindings:
  north:
    type: tcp
    kind: server
    options: { host: 127.0.0.1, port: 0 }
    telemetry: { metrics: [ stream.opens.* ] }
    exit: south
  south:
    type: echo
    kind: server
    telemetry: { metrics: [ stream.data ] }
`)
	gwtest.Send(t, g.Dial("north"), "hello")
	var selected []string
	count := map[string]int{}
	for _, s := range g.Metrics.Snapshot() {
		count[s.Namespace+":"+s.Binding]++
		if s.Selected && s.Binding != "" {
			selected = append(selected, s.Binding+" "+s.Name)
		}
	}
	if want := []string{"north stream.opens.received", "north stream.opens.sent"}; !slices.Equal(selected, want) {
		t.Errorf("selected are %v", selected)
	}
	if len(count) != 3 || count["test:north"] != 10 || count["test:south"] != 10 || count[":"] != 6 {
		t.Errorf("there are %v", count)
	}
}

// TestMetricsCount what the bindings do.
func TestMetricsCount(t *testing.T) {
	g := gwtest.Start(t, echoOn("host: 127.0.0.1, port: 0"))
	echoes(t, g.Dial("north"))
	g.Record()
	for _, name := range []string{"north", "south"} {
		for metric, want := range map[string]int64{
			"opens.received": 1, "closes.received": 1, "errors.received": 0, "active.received": 0, "data.received": 5,
			"opens.sent": 1, "closes.sent": 1, "errors.sent": 0, "active.sent": 0, "data.sent": 5,
		} {
			if n := g.Metric(name, "stream."+metric); n != want {
				t.Errorf("stream.%s of %s is %d, not %d", metric, name, n, want)
			}
		}
	}
}
