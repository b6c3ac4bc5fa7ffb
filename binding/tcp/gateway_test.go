package tcp_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"gozilla/binding"
	"gozilla/binding/tcp"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/conn/conntest"
	"gozilla/telemetry"
)

// proxy is a tcp server in front of a tcp client.
const proxy = `name: test
bindings:
  north:
    type: tcp
    kind: server
    options: { host: 127.0.0.1, port: 0 }
    exit: south
  south:
    type: tcp
    kind: client
    options: { host: 127.0.0.1, port: "${{env.SERVER}}" }
`

// TestConformance runs the suite of the bytes protocol over sockets and a whole gateway.
func TestConformance(t *testing.T) {
	_, port, _ := net.SplitHostPort(gwtest.Hanging(t, "127.0.0.1"))
	conntest.Run(t, func(t *testing.T) *conntest.Gateway {
		server := gwtest.Listen(t, "")
		slow := strings.NewReplacer("north", "slow", "south", "hangs", "SERVER", "HANGING").Replace(strings.SplitN(proxy, "bindings:\n", 2)[1])
		g := gwtest.Start(t, proxy+slow, gwtest.Env("SERVER", server.Port()), gwtest.Env("HANGING", port))
		return &conntest.Gateway{
			Host:  g.Host,
			Holds: 64 << 20,
			Open: func(t testing.TB) (conn.Conn, conn.Conn) {
				client := g.Dial("north")
				return client, server.Next()
			},
			Hang: func(t testing.TB) conn.Conn { return g.Dial("slow") },
		}
	})
}

// steered is a binding that has the client say what the stream wants to reach: the client's first line.
type steered struct{ exit conn.Port }

type steerConfig struct {
	// The head.
	binding.Head
	// The exit.
	binding.Exited
}

func (s *steered) Decide(_ context.Context, about *stream.Info, head []byte) (conn.Decision, error) {
	line, _, whole := strings.Cut(string(head), "\n")
	if !whole {
		return conn.Decision{}, nil
	}
	to := *about
	if ap, err := net.ResolveTCPAddr("tcp", line); err == nil && ap.IP != nil {
		to.Dest = stream.AddrOf(ap)
	}
	return conn.Decision{To: s.exit, About: &to, Used: len(line) + 1}, nil
}

func init() {
	binding.Register(binding.Type{Name: "steer", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(func(b *binding.Builder, _ *steerConfig) (*steered, error) {
			return &steered{binding.ExitOf(b, conn.Protocol)}, nil
		}, binding.Face(conn.Protocol, func(s *steered) conn.Port { return conn.Deciding(s) }), binding.Exits[*steered](conn.Protocol)),
		binding.Proxy: binding.In(func(*binding.Builder, *panicConfig) (*panicking, error) {
			return &panicking{}, nil
		}, binding.Face(conn.Protocol, func(p *panicking) conn.Port { return conn.Serving(p) })),
		binding.Client: binding.In(func(*binding.Builder, *panicConfig) (*panicking, error) {
			return &panicking{}, nil
		}, binding.Face(conn.Protocol, func(p *panicking) conn.Port { return conn.Dialing(p) })),
	}})
}

type panicConfig struct {
	// The head.
	binding.Head
}

// panicking is a binding with a fault.
type panicking struct{}

func (*panicking) ServeConn(context.Context, conn.Conn, *stream.Info) error { panic("a fault of ours") }

func (*panicking) DialConn(context.Context, *stream.Info) (conn.Conn, *stream.Info, error) {
	panic("a fault of ours")
}

// TestClientDialsWhatTheStreamAsksFor is a client without options, by the name that every file may use.
func TestClientDialsWhatTheStreamAsksFor(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			one, two := gwtest.Listen(t, net.JoinHostPort(host, "0")), gwtest.Listen(t, net.JoinHostPort(host, "0"))
			g := gwtest.Start(t, strings.Replace(strings.SplitN(proxy, "  south:", 2)[0], "south", "steer", 1)+
				"  steer: { type: steer, kind: server, exit: \"sys:tcp_client\" }\n")
			for _, server := range []*gwtest.Server{one, two} {
				c := g.Dial("north")
				gwtest.Send(t, c, server.Addr().String()+"\nhello")
				s := server.Next()
				gwtest.Receive(t, s, "hello")
				c.Close()
				gwtest.Sees(t, s, "fin")
				s.Close()
				if r := g.Record(); r.Target != server.Addr().String() || r.Received != 5 {
					t.Errorf("the record is %v", r.Text())
				}
			}
		})
	}
}

func TestMaxConnections(t *testing.T) {
	server := gwtest.Listen(t, "").ServeEcho()
	g := gwtest.Start(t, proxy, gwtest.Env("SERVER", server.Port()), gwtest.Limits(func(l *stream.Limits) { l.Connections = 4 }))
	for round := range 2 {
		var held []*net.TCPConn
		for range 2 { // two each: one accepted, one dialled
			c := g.Dial("north")
			gwtest.Send(t, c, "hello")
			gwtest.Receive(t, c, "hello")
			held = append(held, c)
		}
		if n := g.Metric("", "engine.workers.usage"); n != 4 {
			t.Errorf("%d connections are in use", n)
		}
		for range 5 { // who probes the port is answered
			gwtest.Sees(t, g.Dial("north"), "fin")
		}
		probe := g.Dial("north")
		probe.Write([]byte("hello")) // also one that speaks first
		gwtest.Sees(t, probe, "fin")
		for _, c := range held {
			c.Close()
			g.Record()
		}
		g.AwaitIdle()
		if n := g.Metric("", "engine.workers.usage"); n != 0 {
			t.Errorf("%d connections are in use when all have left", n)
		}
		if n := g.Host.Connections.Refused(); n != int64(6*(round+1)) {
			t.Errorf("%d connections were closed at once", n)
		}
	}
	if n := len(g.Events("engine.capacity.reached")); n == 0 || n > 3 {
		t.Errorf("%d events tell that the limit was reached", n)
	}
}

// TestMaxConnectionsReset has room for what is accepted, not for what is to be dialled: that is refused.
func TestMaxConnectionsReset(t *testing.T) {
	server := gwtest.Listen(t, "").ServeEcho()
	g := gwtest.Start(t, proxy, gwtest.Env("SERVER", server.Port()), gwtest.Limits(func(l *stream.Limits) { l.Connections = 3 }))
	first := g.Dial("north")
	gwtest.Send(t, first, "hello")
	gwtest.Receive(t, first, "hello")
	gwtest.Refused(t, g.Addr("north"))
	checkRecord(t, g.Record(), telemetry.Record{
		Path: path("exit", "south"), By: telemetry.Gateway, Reason: "limit", Err: "3 connections are open, as many as may be",
	})
	first.Close()
	g.Record()
	g.AwaitIdle()
	next := g.Dial("north")
	gwtest.Send(t, next, "hello")
	gwtest.Receive(t, next, "hello")
}

func path(route, to string) []telemetry.Step {
	all := []telemetry.Step{{Binding: "test:north", Route: route}}
	if to != "" {
		all = append(all, telemetry.Step{Binding: "test:" + to})
	}
	return all
}

// checkRecord compares a whole record with the one that is wanted. What differs from run to run is only checked for
// being there where it must be: a Dial or FirstByte that is wanted is 1.
func checkRecord(t *testing.T, got, want telemetry.Record) {
	t.Helper()
	if got.ID == 0 || got.Start.IsZero() || got.Duration <= 0 || !got.Source.IsValid() || !got.Dest.IsValid() {
		t.Errorf("the record is not complete: %+v", got)
	}
	normal := func(d *time.Duration) {
		if *d > 0 {
			*d = 1
		}
	}
	if got.Dial > got.Duration || got.FirstByte > got.Duration {
		t.Errorf("the times of the record do not fit: %s", got.Text())
	}
	normal(&got.Dial)
	if got.Accept > got.Duration {
		t.Errorf("the record says that accepting took %v of %v", got.Accept, got.Duration)
	}
	got.Accept = 0
	normal(&got.FirstByte)
	want.ID, want.Start, want.Source, want.Dest, want.Duration = got.ID, got.Start, got.Source, got.Dest, got.Duration
	want.RTT, want.Retransmits = got.RTT, got.Retransmits
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("the record is\n%s\nnot\n%s", g, w)
	}
}

// TestRecords has a connection end for every reason there is.
func TestRecords(t *testing.T) {
	const idle = "      idle: 200ms\n"
	type peers struct {
		t      *testing.T
		g      *gwtest.Gateway
		client *net.TCPConn
		server *net.TCPConn // nil unless the case is dialled
	}
	// hello goes there and back, so that every field has something to say.
	hello := func(p *peers) {
		gwtest.Send(p.t, p.client, "hello")
		gwtest.Receive(p.t, p.server, "hello")
		gwtest.Send(p.t, p.server, "hi")
		gwtest.Receive(p.t, p.client, "hi")
	}
	whole := func(by telemetry.Side, reason string) telemetry.Record {
		return telemetry.Record{
			Target: "SERVER", Path: path("exit", "south"), Received: 5, Sent: 2, Dial: 1, FirstByte: 1, By: by, Reason: reason,
		}
	}
	for _, c := range []struct {
		name   string
		yaml   string
		limits func(*stream.Limits)
		dialed bool
		run    func(*peers)
		want   telemetry.Record
	}{
		{name: "client fin", dialed: true, want: whole(telemetry.Client, "fin"), run: func(p *peers) {
			hello(p)
			p.client.Close()
			gwtest.Sees(p.t, p.server, "fin")
			p.server.Close()
		}},
		{name: "server fin", dialed: true, want: whole(telemetry.Server, "fin"), run: func(p *peers) {
			hello(p)
			p.server.Close()
			gwtest.Sees(p.t, p.client, "fin")
			p.client.Close()
		}},
		{name: "client rst", dialed: true, want: whole(telemetry.Client, "rst"), run: func(p *peers) {
			hello(p)
			conn.Abort(p.client)
			gwtest.Sees(p.t, p.server, "rst")
		}},
		{name: "server rst", dialed: true, want: whole(telemetry.Server, "rst"), run: func(p *peers) {
			hello(p)
			conn.Abort(p.server)
			gwtest.Sees(p.t, p.client, "rst")
		}},
		{name: "idle timeout", dialed: true, want: whole(telemetry.Gateway, "idle timeout"),
			yaml: strings.Replace(proxy, "options: { host: 127.0.0.1, port: 0 }", "options:\n      host: 127.0.0.1\n      port: 0\n"+idle, 1),
			run: func(p *peers) {
				hello(p)
				gwtest.Sees(p.t, p.client, "rst")
				gwtest.Sees(p.t, p.server, "rst")
			}},
		{name: "idle timeout of the client binding", dialed: true, want: whole(telemetry.Gateway, "idle timeout"),
			yaml: strings.Replace(proxy, `options: { host: 127.0.0.1, port: "${{env.SERVER}}" }`,
				"options:\n      host: 127.0.0.1\n      port: ${{env.SERVER}}\n"+idle, 1),
			run: func(p *peers) {
				hello(p)
				gwtest.Sees(p.t, p.client, "rst")
				gwtest.Sees(p.t, p.server, "rst")
			}},
		{name: "drain", dialed: true, want: whole(telemetry.Gateway, "drain"), run: func(p *peers) {
			hello(p)
			ctx, cancel := context.WithCancel(p.t.Context())
			cancel()
			p.g.Drain(ctx)
			gwtest.Sees(p.t, p.client, "rst")
			gwtest.Sees(p.t, p.server, "rst")
		}},
		{name: "session expired", dialed: true, want: whole(telemetry.Gateway, "session expired"), run: func(p *peers) {
			hello(p)
			p.g.Host.Scopes(func(s *stream.Scope) { s.Admit("test:guard", expired{time.Now().Add(10 * time.Millisecond)}) })
			gwtest.Sees(p.t, p.client, "rst")
			gwtest.Sees(p.t, p.server, "rst")
		}},
		{name: "dial failed", yaml: strings.Replace(proxy, "SERVER", "CLOSED", 1),
			run: func(p *peers) { gwtest.Refused(p.t, p.g.Addr("north")) },
			want: telemetry.Record{
				Target: "CLOSED", Path: path("exit", "south"), Dial: 1, By: telemetry.Server, Reason: "dial failed",
				Err: "dial tcp CLOSED: connect: connection refused",
			}},
		{name: "dial timeout", yaml: strings.Replace(proxy, "SERVER", "HANGING", 1),
			limits: func(l *stream.Limits) { l.Dial = 100 * time.Millisecond },
			run:    func(p *peers) { gwtest.Refused(p.t, p.g.Addr("north")) },
			want: telemetry.Record{
				Target: "HANGING", Path: path("exit", "south"), Dial: 1, By: telemetry.Gateway, Reason: "dial timeout",
				Err: "dial tcp HANGING: i/o timeout",
			}},
		{name: "no route", yaml: strings.Replace(proxy, "    exit: south", "    routes: [ { when: [ { port: 1 } ], exit: south } ]", 1),
			run:  func(p *peers) { gwtest.Sees(p.t, p.g.Dial("north"), "fin") },
			want: telemetry.Record{Path: path("", ""), By: telemetry.Gateway, Reason: "no route"}},
		{name: "internal error while it is served", yaml: strings.Replace(proxy, "exit: south", "exit: bad", 1) + "  bad: { type: steer, kind: proxy }\n",
			run: func(p *peers) { gwtest.Refused(p.t, p.g.Addr("north")); p.g.Event("engine.stream.failed") },
			want: telemetry.Record{
				Path: path("exit", "bad"), By: telemetry.Gateway, Reason: "internal error", Err: "a fault of ours",
			}},
		{name: "internal error while it is dialled", yaml: strings.Replace(proxy, "exit: south", "exit: bad", 1) + "  bad: { type: steer, kind: client }\n",
			run: func(p *peers) { gwtest.Refused(p.t, p.g.Addr("north")); p.g.Event("engine.stream.failed") },
			want: telemetry.Record{
				Path: path("exit", "bad"), By: telemetry.Gateway, Reason: "internal error", Err: "a fault of ours",
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.yaml == "" {
				c.yaml = proxy
			}
			if c.limits == nil {
				c.limits = func(*stream.Limits) {}
			}
			server := gwtest.Listen(t, "")
			ports := map[string]string{"SERVER": server.Port(), "CLOSED": gwtest.ClosedPort(t)}
			if strings.Contains(c.yaml, "HANGING") {
				_, ports["HANGING"], _ = net.SplitHostPort(gwtest.Hanging(t, "127.0.0.1"))
			}
			opts := []gwtest.Option{gwtest.Limits(c.limits)}
			for name, port := range ports {
				opts = append(opts, gwtest.Env(name, port))
			}
			p := &peers{t: t, g: gwtest.Start(t, c.yaml, opts...)}
			if c.dialed {
				p.client = p.g.Dial("north")
				p.server = server.Next()
			}
			c.run(p)
			r := p.g.Record()
			for name, port := range ports {
				r.Target = strings.ReplaceAll(r.Target, "127.0.0.1:"+port, name)
				r.Err = strings.ReplaceAll(r.Err, "127.0.0.1:"+port, name)
			}
			checkRecord(t, r, c.want)
		})
	}
}

// expired is a session that is over.
type expired struct{ at time.Time }

func (expired) Identity() string                { return "" }
func (expired) Attribute(string) (string, bool) { return "", false }
func (expired) Verify([]string) bool            { return true }
func (e expired) Expires() time.Time            { return e.at }
func (expired) Release()                        {}

func TestNamesThatCannotBeResolved(t *testing.T) {
	tcp.Resolver.Set(nil, nil)
	g := gwtest.Start(t, strings.NewReplacer("kind: client\n    options: { host: 127.0.0.1", "kind: client\n    options: { host: nowhere.invalid",
		"type: tcp\n", "type: tcp-of-tests\n").Replace(proxy), gwtest.Env("SERVER", "1"))
	gwtest.Refused(t, g.Addr("north"))
	r := g.Record()
	checkRecord(t, r, telemetry.Record{
		Path: path("exit", "south"), Dial: 1, By: telemetry.Server, Reason: "dial failed", Err: "no such host",
	})
	e := g.Event("binding.tcp.dns.failed")
	if want := "Unable to resolve host dns for address (nowhere.invalid)."; e.Message != want || e.Name != "south" || e.Scope != r.ID || !e.Warning {
		t.Errorf("the event is %+v", e)
	}
	// It is asked for again a second later, not by every connection.
	tcp.Resolver.Set(map[string][]string{"nowhere.invalid": {"127.0.0.1"}}, nil)
	for r.Target == "" && time.Since(r.Start) < 30*time.Second {
		gwtest.Refused(t, g.Addr("north"))
		r = g.Record()
	}
	if r.Target != "127.0.0.1:1" {
		t.Errorf("the record is %s", r.Text())
	}
}

// TestServerByName sends a connection on by the name of the address that it came to, looked up while it waits, then
// from memory.
func TestServerByName(t *testing.T) {
	tcp.Resolver.Set(nil, map[string][]string{"127.0.0.1": {"here.example.com."}})
	server := gwtest.Listen(t, "").ServeEcho()
	g := gwtest.Start(t, strings.NewReplacer("type: tcp\n", "type: tcp-of-tests\n", "    exit: south", `    routes:
      - { when: [ { authority: "*.example.org" } ], exit: nobody }
      - { when: [ { authority: "*.example.com" } ], exit: south }
  nobody: { type: echo, kind: server }`).Replace(proxy), gwtest.Env("SERVER", server.Port()))
	for range 3 {
		c := g.Dial("north")
		gwtest.Send(t, c, "hello")
		gwtest.Receive(t, c, "hello")
		c.Close()
		if r := g.Record(); r.Path[0].Route != "routes[1]" {
			t.Errorf("the record is %s", r.Text())
		}
	}
}

func TestSeveralPorts(t *testing.T) {
	ports := [3]string{gwtest.ClosedPort(t), gwtest.ClosedPort(t), gwtest.ClosedPort(t)}
	server := gwtest.Listen(t, "").ServeEcho()
	g := gwtest.Start(t, strings.NewReplacer("port: 0", "port: [ "+strings.Join(ports[:], ", ")+" ]",
		"    exit: south", "    routes: [ { when: [ { port: [ "+ports[0]+", "+ports[1]+"-"+ports[1]+" ] } ], exit: south } ]").Replace(proxy),
		gwtest.Env("SERVER", server.Port()))
	for i, port := range ports {
		c := g.Dial("north", i)
		if _, got, _ := net.SplitHostPort(g.Addr("north", i)); got != port {
			t.Errorf("listener %d has the port %s, not %s", i, got, port)
		}
		if i == 2 { // server.close.port.not.routed
			gwtest.Sees(t, c, "fin")
			continue
		}
		gwtest.Send(t, c, "hello")
		gwtest.Receive(t, c, "hello")
	}
}

func TestMetrics(t *testing.T) {
	server := gwtest.Listen(t, "")
	g := gwtest.Start(t, proxy, gwtest.Env("SERVER", server.Port()))
	check := func(when string, opens, closes, errors, active, received, sent int64) {
		t.Helper()
		for _, b := range []string{"north", "south"} {
			for name, want := range map[string]int64{
				"opens.received": opens, "opens.sent": opens, "closes.received": closes, "closes.sent": closes,
				"errors.received": errors, "errors.sent": errors, "active.received": active, "active.sent": active,
				"data.received": received, "data.sent": sent,
			} {
				if got := g.Metric(b, "stream."+name); got != want && want >= 0 {
					t.Errorf("%s: stream.%s of %s is %d, not %d", when, name, b, got, want)
				}
			}
		}
	}
	check("at first", 0, 0, 0, 0, 0, 0)
	c := g.Dial("north")
	gwtest.Send(t, c, "hello")
	s := server.Next()
	gwtest.Receive(t, s, "hello")
	gwtest.Send(t, s, "hi")
	gwtest.Receive(t, c, "hi")
	c.Close()
	gwtest.Sees(t, s, "fin")
	s.Close()
	g.Record()
	check("after a connection", 1, 1, 0, 0, 5, 2)
	c = g.Dial("north")
	s = server.Next()
	gwtest.Send(t, s, "hi")
	gwtest.Receive(t, c, "hi")
	check("within another one", 2, 1, 0, 1, 5, -1) // counted once it was sent, which the client may know first
	conn.Abort(c)
	gwtest.Sees(t, s, "rst")
	g.Record()
	check("after its abort", 2, 1, 1, 0, 5, 4)
}

// TestServerOptions is that the options reach the sockets.
func TestServerOptions(t *testing.T) {
	server := gwtest.Listen(t, "").ServeEcho()
	g := gwtest.Start(t, strings.NewReplacer("port: 0 }", "port: 0, nodelay: false, keepalive: 7s, backlog: 5 }",
		`"${{env.SERVER}}" }`, `"${{env.SERVER}}", nodelay: false, keepalive: 0s }`).Replace(proxy), gwtest.Env("SERVER", server.Port()))
	c := g.Dial("north")
	gwtest.Send(t, c, strings.Repeat("hello", 10_000))
	gwtest.Receive(t, c, strings.Repeat("hello", 10_000))
}

// TestAcceptStorm has clients that leave at every stage; an honest one is served meanwhile, and nothing stays.
func TestAcceptStorm(t *testing.T) {
	const clients = 2000
	server := gwtest.Listen(t, "").ServeEcho()
	g := gwtest.Start(t, proxy, gwtest.Env("SERVER", server.Port()), gwtest.Limits(func(l *stream.Limits) { l.Connections = 300 }))
	honest := g.Dial("north")
	gwtest.Send(t, honest, "hello")
	gwtest.Receive(t, honest, "hello")
	storm := make(chan struct{}, 50)
	addr := g.Addr("north")
	for i := range clients {
		storm <- struct{}{}
		go func() {
			defer func() { <-storm }()
			c, err := net.DialTimeout("tcp", addr, gwtest.Patience)
			if err != nil {
				return // reset before it knew that it was connected
			}
			defer conn.Abort(c)
			if i%4 > 0 {
				c.Write(make([]byte, i%4*10_000))
			}
			if i%4 > 1 {
				c.SetReadDeadline(time.Now().Add(time.Millisecond))
				io.CopyN(io.Discard, c, 100)
			}
			if i%4 > 2 {
				c.(*net.TCPConn).CloseWrite()
			}
		}()
		if i%100 == 0 {
			gwtest.Send(t, honest, "still?")
			gwtest.Receive(t, honest, "still?")
		}
	}
	for range cap(storm) {
		storm <- struct{}{}
	}
	honest.Close()
	g.AwaitIdle()
	if n := g.Host.Connections.Used(); n != 0 {
		t.Errorf("%d connections are still counted", n)
	}
}
