package gwtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/binding"
	"gozilla/component"
	"gozilla/config"
	"gozilla/engine"
	"gozilla/guard"
	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

func TestMain(m *testing.M) { leak.Main(m) }

func newEngine(host *stream.Host) *engine.Engine {
	return engine.New(host, &telemetry.Metrics{}, slog.New(slog.DiscardHandler))
}

func load(yaml string) *engine.Plan {
	return engine.Load(context.Background(), config.Source{Name: "zilla.yaml", Text: []byte(yaml)}, engine.Options{})
}

const echo = `name: test
bindings:
  north:
    type: tcp
    kind: server
    options: { host: 127.0.0.1, port: 0 }
    exit: echo
  echo:
    type: echo
    kind: server
`

// hooks is what the bindings and the guard of these tests do.
var hooks struct {
	sync.Mutex
	task    func(context.Context) error
	session func(credentials string) *session
}

type session struct {
	roles    []string
	expires  time.Time
	released atomic.Int32
}

func (s *session) Identity() string                { return "somebody" }
func (s *session) Attribute(string) (string, bool) { return "", false }
func (s *session) Expires() time.Time              { return s.expires }
func (s *session) Release()                        { s.released.Add(1) }
func (s *session) Verify(roles []string) bool {
	for _, r := range roles {
		if !strings.Contains(strings.Join(s.roles, " "), r) {
			return false
		}
	}
	return true
}

type guardConfig struct{ guard.Head }

type testGuard struct{}

func (testGuard) Authorize(_ context.Context, credentials string) (stream.Session, error) {
	hooks.Lock()
	defer hooks.Unlock()
	if s := hooks.session(credentials); s != nil {
		return s, nil
	}
	return nil, stream.Refuse(stream.Unauthenticated, "unknown credentials")
}

type gateConfig struct {
	binding.Head
	binding.Routed[config.None, config.None]
}

// gate is a binding that learns of credentials, a line of the stream, and has routes that ask for them.
type gate struct {
	routes *binding.Routes[config.None, config.None, conn.Port]
}

func (g *gate) Decide(ctx context.Context, about *stream.Info, head []byte) (conn.Decision, error) {
	credentials, _, whole := strings.Cut(string(head), "\n")
	if !whole {
		return conn.Decision{}, nil
	}
	if session, err := (testGuard{}).Authorize(ctx, credentials); err == nil {
		stream.From(ctx).Admit("test:token", session)
	}
	way, err := g.routes.Pick(ctx, func(*config.None) bool { return true })
	if err != nil {
		return conn.Decision{}, err
	}
	return conn.Decision{To: way.Exit, About: about, Used: len(credentials) + 1}, nil
}

type taskConfig struct{ binding.Head }

type working struct{}

func (working) ServeConn(context.Context, conn.Conn, *stream.Info) error { return nil }

func init() {
	guard.Register("test", func(*component.Builder, *guardConfig) (guard.Guard, error) { return testGuard{}, nil })
	binding.Register(binding.Type{Name: "gate", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(func(b *binding.Builder, c *gateConfig) (*gate, error) {
			return &gate{binding.RoutesOf(b, &c.Routed, conn.Protocol)}, nil
		}, binding.Face(conn.Protocol, func(g *gate) conn.Port { return conn.Deciding(g) }), binding.Exits[*gate](conn.Protocol)),
	}})
	binding.Register(binding.Type{Name: "task", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(func(b *binding.Builder, _ *taskConfig) (working, error) {
			hooks.Lock()
			defer hooks.Unlock()
			if hooks.task == nil {
				return working{}, errors.New("this one cannot be built")
			}
			b.Go("work", hooks.task)
			return working{}, nil
		}, binding.Face(conn.Protocol, func(w working) conn.Port { return conn.Serving(w) })),
	}})
}

// TestEmpty is that no configuration is one that serves nothing.
func TestEmpty(t *testing.T) {
	for _, yaml := range []string{"", "# nothing\n", "name: test\n"} {
		p := load(yaml)
		e := newEngine(stream.NewHost(stream.DefaultLimits(), nil))
		if _, err := e.Apply(t.Context(), p); err != nil {
			t.Errorf("%q: %v", yaml, err)
		}
		e.Stop(t.Context())
	}
}

// TestNothingStaysBound has one listener of several fail: the others are closed again, and it can be tried again.
func TestNothingStaysBound(t *testing.T) {
	free, taken := gwtest.ClosedPort(t), gwtest.Listen(t, "")
	yaml := strings.Replace(echo, "{ host: 127.0.0.1, port: 0 }", "\n      host: 127.0.0.1\n      port: [ "+free+", "+taken.Port()+" ]", 1)
	_, err := gwtest.TryStart(t, yaml)
	want := "zilla.yaml:8:13: cannot listen on 127.0.0.1:" + taken.Port() + ": the port is in use"
	if err == nil || err.Error() != want {
		t.Errorf("the error is %v, not %s", err, want)
	}
	gwtest.Listen(t, "127.0.0.1:"+free).Close()
	taken.Close()
	g := gwtest.Start(t, yaml)
	gwtest.Send(t, g.Dial("north", 1), "hello")
}

func TestUnknownHost(t *testing.T) {
	yaml := strings.Replace(echo, "{ host: 127.0.0.1, port: 0 }", "\n      host: nowhere.invalid\n      port: 0", 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // so that nobody is asked
	p := load(yaml)
	e := newEngine(stream.NewHost(stream.DefaultLimits(), nil))
	_, err := e.Apply(ctx, p)
	if err == nil {
		e.Stop(t.Context())
		t.Fatal("it listens on a host that there is not")
	}
	if got := err.Error(); !strings.HasPrefix(got, "zilla.yaml:7:13: cannot listen on nowhere.invalid:0: cannot resolve nowhere.invalid: ") {
		t.Errorf("the error is %s", got)
	}
}

func TestConstructorFails(t *testing.T) {
	hooks.Lock()
	hooks.task = nil
	hooks.Unlock()
	_, err := gwtest.TryStart(t, strings.Replace(echo, "type: echo", "type: task", 1))
	if want := "zilla.yaml:9:5: this one cannot be built"; err == nil || err.Error() != want {
		t.Errorf("the error is %v, not %s", err, want)
	}
}

func TestCapacityAndProbe(t *testing.T) {
	g := gwtest.Start(t, echo, gwtest.Limits(func(l *stream.Limits) { l.Connections = 2 }))
	one, two := g.Dial("north"), g.Dial("north")
	for _, c := range []*net.TCPConn{one, two} {
		gwtest.Send(t, c, "hello")
		gwtest.Receive(t, c, "hello")
	}
	began := time.Now()
	for range 50 {
		gwtest.Sees(t, g.Dial("north"), "fin")
	}
	if most := 1 + int(time.Since(began)/time.Second); len(g.Events("engine.capacity.reached")) > most {
		t.Errorf("%d events within %v", len(g.Events("engine.capacity.reached")), time.Since(began))
	}
	e := g.Event("engine.capacity.reached")
	if want := "Closed 1 connections at once: 2 are open, as many as may be."; e.Message != want || e.Name != "north" || !e.Warning {
		t.Errorf("the event is %+v", e)
	}
	if got := g.Metric("", "engine.workers.refused"); got != 50 {
		t.Errorf("%d connections were closed at once", got)
	}
	one.Close()
	g.Record()
	for g.Host.Open() > 1 { // the record is written just before its place is free
		time.Sleep(time.Millisecond)
	}
	next := g.Dial("north")
	gwtest.Send(t, next, "hello")
	gwtest.Receive(t, next, "hello")
}

// TestStop has the gateway wait for a stream that goes on, with its port closed already.
func TestStop(t *testing.T) {
	g := gwtest.Start(t, echo)
	c := g.Dial("north")
	gwtest.Send(t, c, "hello")
	gwtest.Receive(t, c, "hello")
	addr := g.Addr("north")
	ctx, cancel := context.WithTimeout(t.Context(), gwtest.Patience)
	defer cancel()
	stopped := make(chan struct{})
	go func() { g.Drain(ctx); close(stopped) }()
	for { // until the listener is closed
		probe, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		probe.Close()
	}
	gwtest.Send(t, c, "still")
	gwtest.Receive(t, c, "still")
	select {
	case <-stopped:
		t.Error("the gateway has not waited")
	default:
	}
	if len(g.Events("engine.stopped")) > 0 {
		t.Error("it says that it has stopped")
	}
	c.Close()
	<-stopped
	if ctx.Err() != nil {
		t.Error("the gateway waited for its deadline")
	}
	g.Event("engine.started")
	g.Event("engine.stopped")
}

func TestStopAtTheDeadline(t *testing.T) {
	g := gwtest.Start(t, echo)
	var all []*net.TCPConn
	for range 20 {
		c := g.Dial("north")
		gwtest.Send(t, c, "hello")
		gwtest.Receive(t, c, "hello")
		all = append(all, c)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	g.Drain(ctx)
	if took := time.Since(began); took > 20*time.Second || took < 50*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	for _, c := range all {
		gwtest.Sees(t, c, "rst")
		if r := g.Record(); r.Reason != "drain" || r.By != telemetry.Gateway {
			t.Errorf("the record is %s", r.Text())
		}
	}
}

func TestStopTwice(t *testing.T) {
	e := newEngine(stream.NewHost(stream.DefaultLimits(), nil))
	if _, err := e.Apply(t.Context(), load(echo)); err != nil {
		t.Fatal(err)
	}
	e.Stop(t.Context())
	e.Stop(t.Context())
	if e.Addrs("test", "north") != nil {
		t.Error("it still has addresses")
	}
}

// TestTasksAreRestarted has a task fail in every way: it runs again, later each time.
func TestTasksAreRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var runs []time.Duration
		began := time.Now()
		hooks.Lock()
		hooks.task = func(ctx context.Context) error {
			mu.Lock()
			runs = append(runs, time.Since(began))
			n := len(runs)
			mu.Unlock()
			switch {
			case n%3 == 0:
				panic("a fault of ours")
			case n%3 == 1:
				return nil
			}
			return errors.New("it does not work")
		}
		hooks.Unlock()
		log := telemetry.NewLog(nil, 16, false)
		e := newEngine(stream.NewHost(stream.DefaultLimits(), log))
		p := load("name: test\nbindings:\n  worker:\n    type: task\n    kind: server\n")
		if _, err := e.Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		e.Stop(t.Context())
		wait := 100 * time.Millisecond
		for i := 1; i < len(runs); i++ {
			if took := runs[i] - runs[i-1]; took < wait/2 || took > wait {
				t.Errorf("run %d came %v after the one before, not within %v", i, took, wait)
			}
			wait = min(2*wait, 30*time.Second)
		}
		if n := len(runs); n < 10 || n > 20 {
			t.Errorf("it ran %d times", n)
		}
		entries, _, _ := log.Since(0)
		var first []string
		for _, entry := range entries {
			if entry.Event.ID == "engine.task.failed" && len(first) < 3 {
				first = append(first, entry.Event.Message)
			}
		}
		want := []string{
			"The task work has ended and starts again in 100ms.",
			"The task work has ended (it does not work) and starts again in 200ms.",
			"The task work has ended (internal error: a fault of ours) and starts again in 400ms.",
		}
		if fmt.Sprint(first) != fmt.Sprint(want) {
			t.Errorf("the events say %q", first)
		}
	})
}

func TestDigests(t *testing.T) {
	digest := func(yaml string) string {
		t.Helper()
		r := &config.Report{}
		docs := config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte(yaml)})
		spec := binding.Decode(r, docs[0], "test", "north")
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		return spec.Digest()
	}
	const head = "type: tcp\nkind: server\n"
	base := digest(head + "options: { host: 0.0.0.0, port: 80 }\nexit: one\n")
	for _, same := range []string{
		"options:\n  port: 80\n  host: 0.0.0.0\nexit: one\n",
		"options: { host: 0.0.0.0, port: 80 }\nexit: two\n",
		"options: { host: 0.0.0.0, port: 80 }\nroutes: [ { when: [ { port: 80 } ], exit: one } ]\n",
		"options: { host: 0.0.0.0, port: 80 }\nexit: one\ntelemetry: { metrics: [ stream.* ] }\n",
		"options: { host: 0.0.0.0, port: 80, nodelay: true, keepalive: 1m }\nexit: one\n", // the defaults, written out
	} {
		if digest(head+same) != base {
			t.Errorf("another digest for\n%s", same)
		}
	}
	for _, other := range []string{
		"options: { host: 0.0.0.0, port: 81 }\nexit: one\n",
		"options: { host: 0.0.0.0, port: [ 80, 81 ] }\nexit: one\n",
		"options: { host: 127.0.0.1, port: 80 }\nexit: one\n",
		"options: { host: 0.0.0.0, port: 80, idle: 1s }\nexit: one\n",
	} {
		if digest(head+other) == base {
			t.Errorf("the same digest for\n%s", other)
		}
	}
}

// guarded is a gate with a route for those who have all roles, one for those who are known, and one for nobody.
const guarded = `name: test
guards:
  token:
    type: test
bindings:
  north:
    type: tcp
    kind: server
    options: { host: 127.0.0.1, port: 0 }
    routes:
      - guarded: { token: [ nobody has this ] } # not evaluated: nothing is known of who connects
        exit: gate
  gate:
    type: gate
    kind: server
    routes:
      - guarded: { token: [ read, write ] }
        exit: echo
      - guarded: { token: [] }
        exit: other
  echo: { type: echo, kind: server }
  other: { type: echo, kind: server }
`

func TestGuarded(t *testing.T) {
	all := map[string]*session{
		"writer": {roles: []string{"read", "write"}},
		"reader": {roles: []string{"read"}},
		"guest":  {expires: time.Now().Add(300 * time.Millisecond), roles: []string{"read", "write"}},
	}
	hooks.Lock()
	hooks.session = func(credentials string) *session { return all[credentials] }
	hooks.Unlock()
	g := gwtest.Start(t, guarded)
	pass := func(who, to string) *net.TCPConn {
		t.Helper()
		c := g.Dial("north")
		gwtest.Send(t, c, who+"\nhello")
		gwtest.Receive(t, c, "hello")
		g.Host.Scopes(func(s *stream.Scope) {
			if path := fmt.Sprint(s.Record().Path); path != "[{test:north routes[0]} "+to+"]" {
				t.Errorf("%s took %s", who, path)
			}
		})
		return c
	}
	for who, to := range map[string]string{
		"writer": "{test:gate routes[0]} {test:echo }",
		"reader": "{test:gate routes[1]} {test:other }",
	} {
		c := pass(who, to)
		if n := all[who].released.Load(); n != 0 {
			t.Errorf("the session of %s was released while it was in use", who)
		}
		c.Close()
		g.Record()
		g.AwaitIdle()
		if n := all[who].released.Load(); n != 1 {
			t.Errorf("the session of %s was released %d times", who, n)
		}
	}
	c := g.Dial("north")
	gwtest.Send(t, c, "nobody\nhello")
	gwtest.Sees(t, c, "rst")
	if r := g.Record(); r.Reason != "unauthenticated" || r.Err != "the guard test:token knows of no session" {
		t.Errorf("the record of who is not known is %s", r.Text())
	}
	g.AwaitIdle()
	c = pass("guest", "{test:gate routes[0]} {test:echo }")
	gwtest.Sees(t, c, "rst")
	if r := g.Record(); r.Reason != "session expired" || r.By != telemetry.Gateway {
		t.Errorf("the record of who has expired is %s", r.Text())
	}
	g.AwaitIdle()
	if n := all["guest"].released.Load(); n != 1 {
		t.Errorf("the session was released %d times", n)
	}
}

// TestGuardedMissingRole has no route for those who are known but lack a role.
func TestGuardedMissingRole(t *testing.T) {
	hooks.Lock()
	hooks.session = func(string) *session { return &session{roles: []string{"read"}} }
	hooks.Unlock()
	g := gwtest.Start(t, strings.Replace(guarded, "      - guarded: { token: [] }\n        exit: other\n", "", 1))
	c := g.Dial("north")
	gwtest.Send(t, c, "reader\nhello")
	gwtest.Sees(t, c, "rst")
	if r := g.Record(); r.Reason != "forbidden" || r.Err != "the guard test:token misses a role of [read write]" {
		t.Errorf("the record is %s", r.Text())
	}
}

// TestAcceptStorm has clients reset their connections as soon as they can; one is served all the while.
func TestAcceptStorm(t *testing.T) {
	g := gwtest.Start(t, echo)
	addr := g.Addr("north")
	honest := g.Dial("north")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for i := range 100 {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					continue
				}
				if i%2 == 0 {
					c.Write([]byte("hello"))
				}
				conn.Abort(c)
			}
		})
	}
	piece := bytes.Repeat([]byte("x"), 1000)
	for range 200 {
		gwtest.Send(t, honest, string(piece))
		gwtest.Receive(t, honest, string(piece))
	}
	wg.Wait()
	honest.Close()
	g.AwaitIdle()
}
