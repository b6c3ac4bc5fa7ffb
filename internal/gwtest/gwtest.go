// Package gwtest runs gateways inside of tests: a zilla.yaml, on ports that the system chooses, with everything that
// happens in it at hand as it comes.
//
//	g := gwtest.Start(t, yaml)
//	c := g.Dial("north")             a client of the binding north
//	r := g.Record()                  the record of the connection that ended first, then the next one …
//	e := g.Event("binding.tcp…")     waits for it
//
// A port is chosen by the system where the file says 0, and [Server] is something to dial, which a file finds by its
// port in the environment. [RunScripts] does all of that for a folder of txtar files that tell a conversation.
package gwtest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gozilla/config"
	"gozilla/engine"
	_ "gozilla/internal/all" // the types that files name
	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/telemetry"
)

// Patience bounds everything that must happen, however slow the machine.
const Patience = 30 * time.Second

// A Gateway is a gateway that runs until the test ends.
type Gateway struct {
	*engine.Engine
	Host    *stream.Host
	Metrics *telemetry.Metrics

	t    testing.TB
	env  func(string) (string, bool)
	stop sync.Once

	mu   sync.Mutex
	seen map[uint64]bool // the entries of the log that were given
}

// Option is something that a test wants of its gateway.
type Option func(*options)

type options struct {
	limits stream.Limits
	habits stream.Habits
	env    map[string]string
	traces bool
	watch  bool
}

// Limits lets f change the limits of the gateway.
func Limits(f func(*stream.Limits)) Option { return func(o *options) { f(&o.limits) } }

// Habits lets bindings do what properties ask for.
func Habits(h stream.Habits) Option { return func(o *options) { o.habits = h } }

// Env sets a variable that the file asks for with ${{env.NAME}}.
func Env(name, value string) Option { return func(o *options) { o.env[name] = value } }

// Traces lets internal errors tell where they happened.
func Traces() Option { return func(o *options) { o.traces = true } }

// Watched has somebody watch what crosses all edges, as gozilla dump does.
func Watched() Option { return func(o *options) { o.watch = true } }

// Start runs a zilla.yaml until the test ends, and fails the test if it cannot, or if something of the gateway is left
// then.
func Start(t testing.TB, yaml string, opts ...Option) *Gateway {
	t.Helper()
	g, err := TryStart(t, yaml, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TryStart is Start for a file that may not be able to run: the error has its faults.
func TryStart(t testing.TB, yaml string, opts ...Option) (*Gateway, error) {
	t.Helper()
	leak.Check(t)
	o := options{limits: *stream.DefaultLimits(), env: map[string]string{}}
	for _, f := range opts {
		f(&o)
	}
	log := slog.New(slog.DiscardHandler)
	g := &Gateway{Metrics: &telemetry.Metrics{}, t: t, seen: map[uint64]bool{}}
	g.Host = stream.NewHost(&o.limits, telemetry.NewLog(log, int(o.limits.Records), false))
	g.Host.Traces, g.Host.Habits = o.traces, o.habits
	g.Engine = engine.New(g.Host, g.Metrics, log)
	g.env = func(name string) (string, bool) {
		v, ok := o.env[name]
		return v, ok
	}
	if _, err := g.Take("zilla.yaml", yaml); err != nil {
		return nil, err
	}
	t.Cleanup(g.close)
	if o.watch {
		g.watch()
	}
	return g, nil
}

// Take has the gateway run another file.
func (g *Gateway) Take(name, yaml string) (*engine.Change, error) {
	plan := engine.Load(g.t.Context(), config.Source{Name: name, Text: []byte(yaml), Env: g.env}, engine.Options{})
	return g.Engine.Apply(g.t.Context(), plan)
}

// watch takes all chunks until the gateway has stopped.
func (g *Gateway) watch() {
	w, err := g.Watch(engine.Filter{})
	if err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var over sync.WaitGroup
	over.Go(func() { // ends with ctx
		for {
			if _, _, err := w.Next(ctx); err != nil {
				return
			}
		}
	})
	g.t.Cleanup(func() { cancel(); over.Wait(); w.Close() })
}

// close stops the gateway. Streams that the test has left open are cut off.
func (g *Gateway) close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	g.Drain(ctx)
	if n := g.Host.Open(); n != 0 {
		g.t.Errorf("%d streams are left", n)
	}
	if n := g.Host.Connections.Used(); n != 0 {
		g.t.Errorf("%d connections are still counted", n)
	}
}

// Drain stops the gateway: streams may go on until ctx ends.
func (g *Gateway) Drain(ctx context.Context) { g.stop.Do(func() { g.Engine.Stop(ctx) }) }

// Addr is the address of a binding's listener: the first, or the one at index i. The name is that of a binding of the
// namespace test, or NAMESPACE:NAME.
func (g *Gateway) Addr(name string, i ...int) string {
	g.t.Helper()
	ref := config.Ref(name)
	addrs := g.Addrs(ref.Split("test"))
	at := 0
	if len(i) > 0 {
		at = i[0]
	}
	if at >= len(addrs) {
		g.t.Fatalf("%s listens on %v", name, addrs)
	}
	return addrs[at].String()
}

// Dial connects to a binding, see Addr. The connection is closed with the test.
func (g *Gateway) Dial(name string, i ...int) *net.TCPConn {
	g.t.Helper()
	return Dial(g.t, g.Addr(name, i...))
}

// Dial connects to an address. The connection is closed with the test.
func Dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	d := net.Dialer{Timeout: Patience}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// DialAny is Dial for a connection that is perhaps reset before the client knows that it was made: it is nil then.
func DialAny(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	d := net.Dialer{Timeout: Patience}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		return nil
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// Refused connects to an address and fails the test unless that is answered by a reset.
func Refused(t testing.TB, addr string) {
	t.Helper()
	if c := DialAny(t, addr); c != nil {
		Sees(t, c, "rst")
	}
}

// Record waits for a record that was not given yet, in the order in which connections end.
func (g *Gateway) Record() telemetry.Record {
	g.t.Helper()
	return *g.await("a record", func(e telemetry.Entry) bool { return e.Record != nil }).Record
}

// RecordOf waits for a record that was not given yet and that f accepts.
func (g *Gateway) RecordOf(f func(*telemetry.Record) bool) telemetry.Record {
	g.t.Helper()
	return *g.await("such a record", func(e telemetry.Entry) bool { return e.Record != nil && f(e.Record) }).Record
}

// Event waits for an event with the id that was not given yet.
func (g *Gateway) Event(id string) telemetry.Event {
	g.t.Helper()
	return *g.await("an event "+id, func(e telemetry.Entry) bool { return e.Event != nil && e.Event.ID == id }).Event
}

// Events are all events with the id so far.
func (g *Gateway) Events(id string) (all []telemetry.Event) {
	entries, _, _ := g.Host.Log.Since(0)
	for _, e := range entries {
		if e.Event != nil && e.Event.ID == id {
			all = append(all, *e.Event)
		}
	}
	return all
}

func (g *Gateway) await(what string, want func(telemetry.Entry) bool) telemetry.Entry {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	for seq := uint64(0); ; {
		entries, next, _ := g.Host.Log.Since(seq)
		for _, e := range entries {
			if g.give(e, want) {
				return e
			}
		}
		if seq = next; g.Host.Log.Wait(ctx, seq) != nil {
			g.t.Fatalf("there is not %s", what)
		}
	}
}

func (g *Gateway) give(e telemetry.Entry, want func(telemetry.Entry) bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seen[e.Seq] || !want(e) {
		return false
	}
	g.seen[e.Seq] = true
	return true
}

// AwaitIdle waits until no stream is open.
func (g *Gateway) AwaitIdle() {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := g.Host.AwaitIdle(ctx); err != nil {
		g.t.Fatalf("%d streams are still open", g.Host.Open())
	}
}

// Metric is the value of a metric of a binding of the namespace test, or of the engine if binding is "".
func (g *Gateway) Metric(binding, name string) int64 {
	g.t.Helper()
	for _, s := range g.Metrics.Snapshot() {
		if s.Name == name && s.Binding == binding {
			return s.Value
		}
	}
	g.t.Fatalf("there is no metric %s of %q", name, binding)
	return 0
}

// Server is something that a gateway can dial: it takes connections, and leaves them to the test.
type Server struct {
	net.Listener
	t testing.TB
}

// Listen makes a server at an address; "" is any port of 127.0.0.1. It is closed with the test.
func Listen(t testing.TB, addr string) *Server {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &Server{l, t}
}

// Port is the server's, as text.
func (s *Server) Port() string {
	_, port, _ := net.SplitHostPort(s.Addr().String())
	return port
}

// Next waits for the next connection, which is closed with the test.
func (s *Server) Next() *net.TCPConn {
	s.t.Helper()
	s.Listener.(*net.TCPListener).SetDeadline(time.Now().Add(Patience))
	c, err := s.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// ServeEcho sends back what comes on every connection from now on.
func (s *Server) ServeEcho() *Server {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := s.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { io.Copy(c, c); c.Close() })
		}
	})
	s.t.Cleanup(func() { s.Close(); wg.Wait() })
	return s
}

// ClosedPort is a port of 127.0.0.1 on which nothing listens.
func ClosedPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// Send writes a text, and fails the test if that takes too long.
func Send(t testing.TB, c net.Conn, text string) {
	t.Helper()
	c.SetWriteDeadline(time.Now().Add(Patience))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatalf("cannot send %.40q: %v", text, err)
	}
}

// Receive reads as many bytes as text has, and fails the test if they are others.
func Receive(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if got := receive(c, len(text), Patience); got != text {
		t.Fatalf("received %.80q, not %.80q", got, text)
	}
}

func receive(c net.Conn, n int, wait time.Duration) string {
	b := make([]byte, n)
	c.SetReadDeadline(time.Now().Add(wait))
	n, _ = io.ReadFull(c, b)
	return string(b[:n])
}

// Sees fails the test unless the next thing that c reads is an end of that kind: "fin" or "rst".
func Sees(t testing.TB, c net.Conn, how string) {
	t.Helper()
	if got := next(c); got != how {
		t.Fatalf("saw %s, not %s", got, how)
	}
}

// next is the next thing that is read, which should be an end.
func next(c net.Conn) string {
	b := make([]byte, 100)
	c.SetReadDeadline(time.Now().Add(Patience))
	n, err := c.Read(b)
	if n > 0 {
		return "bytes: " + strings.ToValidUTF8(string(b[:n]), "?")
	}
	return How(err)
}
