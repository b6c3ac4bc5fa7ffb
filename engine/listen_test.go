package engine_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"gozilla/engine"
	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/telemetry"
)

// echoOn is a gateway whose binding north has these options.
func echoOn(options string) string {
	return `name: test
bindings:
  north:
    type: tcp
    kind: server
    options: { ` + options + ` }
    exit: south
  south: { type: echo, kind: server }
`
}

// newEngine is an engine that runs nothing.
func newEngine() (*engine.Engine, *telemetry.Metrics) {
	host, metrics := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 100, false)), &telemetry.Metrics{}
	return engine.New(host, metrics, discard), metrics
}

// listening is a gateway whose binding north declares what its options say.
const listening = `name: test
bindings:
  north:
    type: test
    kind: remote_server
    options: { OPTIONS }
`

// cannotListen starts a file that must not be able to, and compares its faults.
func cannotListen(t *testing.T, yaml, want string) {
	t.Helper()
	leak.Check(t)
	if _, err := gwtest.TryStart(t, yaml); err == nil || err.Error() != want {
		t.Errorf("the faults are\n%v\nnot\n%s", err, want)
	}
}

func TestPortInUse(t *testing.T) {
	used := gwtest.Listen(t, "")
	cannotListen(t, echoOn("host: 127.0.0.1, port: "+used.Port()),
		"zilla.yaml:6:39: cannot listen on 127.0.0.1:"+used.Port()+": the port is in use")
}

// TestAllListenersOrNone wants nothing to be left of a start of which one port is in use, and all of those to be told.
func TestAllListenersOrNone(t *testing.T) {
	leak.Check(t)
	one, two, free := gwtest.Listen(t, ""), gwtest.Listen(t, ""), gwtest.ClosedPort(t)
	yaml := echoOn(fmt.Sprintf("host: 127.0.0.1, port: [ %s, %s, %s ]", free, one.Port(), two.Port()))
	e, metrics := newEngine()
	plan := load(yaml, engine.Options{})
	_, err := e.Apply(t.Context(), plan)
	if err == nil || strings.Count(err.Error(), "the port is in use") != 2 || len(plan.Report.Faults()) != 2 {
		t.Errorf("the faults are %v", err)
	}
	if len(e.Addrs("test", "north")) != 0 {
		t.Error("north listens")
	}
	for _, s := range metrics.Snapshot() {
		if s.Binding != "" {
			t.Errorf("the metric %s of %s is left", s.Name, s.Binding)
		}
	}
	gwtest.Listen(t, "127.0.0.1:"+free).Close() // it was let go
	one.Close()
	two.Close()
	if _, err := e.Apply(t.Context(), load(yaml, engine.Options{})); err != nil {
		t.Fatalf("it cannot start again: %v", err)
	}
	if n := len(e.Addrs("test", "north")); n != 3 {
		t.Errorf("north listens on %d ports", n)
	}
	e.Stop(t.Context())
}

// TestUnknownHost asks for a name that no resolver has to be asked about.
func TestUnknownHost(t *testing.T) {
	was := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true}
	defer func() { net.DefaultResolver = was }()
	cannotListen(t, echoOn("port: 0, host: no..name"),
		"zilla.yaml:6:31: cannot listen on no..name:0: cannot resolve no..name: no such host")
}

func TestForeignAddress(t *testing.T) {
	cannotListen(t, echoOn("port: 0, host: 192.0.2.1"), // a network for documentation, RFC 5737
		"zilla.yaml:6:31: cannot listen on 192.0.2.1:0: this machine has no such address\n"+
			"  hint: 0.0.0.0 is every IPv4 address of this machine, ::0 every address")
}

func TestPrivilegedPort(t *testing.T) {
	if os.Geteuid() == 0 || unprivilegedFrom() <= 1 {
		t.Skip("here every port is permitted")
	}
	cannotListen(t, echoOn("host: 127.0.0.1, port: 1"), "zilla.yaml:6:39: cannot listen on 127.0.0.1:1: not permitted\n"+
		"  hint: give the binary the capability cap_net_bind_service, or choose a port above 1023")
}

func unprivilegedFrom() (port int) {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return 1024
	}
	fmt.Sscan(string(b), &port)
	return port
}

// TestName listens on a name that the system knows.
func TestName(t *testing.T) {
	g := gwtest.Start(t, echoOn("host: localhost, port: 0"))
	echoes(t, g.Dial("north"))
}

func TestSeveralPorts(t *testing.T) {
	g := gwtest.Start(t, strings.ReplaceAll(listening, "OPTIONS", "ports: 3"))
	seen := map[string]bool{}
	for i := range 3 {
		seen[g.Addr("north", i)] = true
		c := g.Dial("north", i)
		gwtest.Receive(t, c, fmt.Sprint(i)) // each has its own
		gwtest.Sees(t, c, "fin")
	}
	if len(seen) != 3 {
		t.Errorf("the addresses are %v", seen)
	}
}

func TestIPv6(t *testing.T) {
	needsIPv6(t)
	g := gwtest.Start(t, echoOn(`host: "::1", port: 0`))
	echoes(t, g.Dial("north"))
	if addr := g.Addr("north"); !strings.HasPrefix(addr, "[::1]:") {
		t.Errorf("it listens on %s", addr)
	}
}

// TestAnyIPv4 wants 0.0.0.0 to be what it says: IPv4 only.
func TestAnyIPv4(t *testing.T) {
	g := gwtest.Start(t, echoOn("host: 0.0.0.0, port: 0"))
	_, port, _ := net.SplitHostPort(g.Addr("north"))
	echoes(t, gwtest.Dial(t, "127.0.0.1:"+port))
	needsIPv6(t)
	refusesToConnect(t, "[::1]:"+port)
}

// TestAny wants ::0 to be every address.
func TestAny(t *testing.T) {
	needsIPv6(t)
	g := gwtest.Start(t, echoOn(`host: "::0", port: 0`))
	_, port, _ := net.SplitHostPort(g.Addr("north"))
	echoes(t, gwtest.Dial(t, "127.0.0.1:"+port))
	echoes(t, gwtest.Dial(t, "[::1]:"+port))
	for range 2 {
		c := g.Record()
		if !c.Source.IsValid() || c.Source.Addr().Is4In6() {
			t.Errorf("a client has the address %v", c.Source)
		}
	}
}

func needsIPv6(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("there is no IPv6: ", err)
	}
	l.Close()
}

func refusesToConnect(t *testing.T, addr string) {
	t.Helper()
	d := net.Dialer{Timeout: gwtest.Patience}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err == nil {
		c.Close()
		t.Errorf("%s answers", addr)
	} else if !isRefused(err) {
		t.Errorf("%s gives %v", addr, err)
	}
}

// echoes wants everything back that is sent, and ends in order.
func echoes(t *testing.T, c *net.TCPConn) {
	t.Helper()
	gwtest.Send(t, c, "hello")
	gwtest.Receive(t, c, "hello")
	c.CloseWrite()
	gwtest.Sees(t, c, "fin")
}

// TestCapacity closes the connections that are too many at once, and goes on when there is room again.
func TestCapacity(t *testing.T) {
	g := gwtest.Start(t, echoOn("host: 127.0.0.1, port: 0"), gwtest.Limits(func(l *stream.Limits) { l.Connections = 2 }))
	first, second := g.Dial("north"), g.Dial("north")
	for _, c := range []*net.TCPConn{first, second} {
		gwtest.Send(t, c, "hello")
		gwtest.Receive(t, c, "hello")
	}
	const tooMany = 5
	for i := range tooMany {
		c := g.Dial("north")
		if i%2 == 0 {
			c.Write([]byte("hello")) // perhaps it is closed already
		}
		gwtest.Sees(t, c, "fin")
	}
	for name, want := range map[string]int64{"capacity": 2, "usage": 2, "refused": tooMany} {
		if n := g.Metric("", "engine.workers."+name); n != want {
			t.Errorf("engine.workers.%s is %d, not %d", name, n, want)
		}
	}
	if n := g.Metric("north", "stream.opens.received"); n != 2 {
		t.Errorf("%d streams were counted", n)
	}
	e := g.Event("engine.capacity.reached")
	if e.Namespace != "test" || e.Name != "north" || !e.Warning || e.Message != "Closed 1 connections at once: 2 are open, as many as may be." {
		t.Errorf("the event is %+v", e)
	}
	first.CloseWrite()
	gwtest.Sees(t, first, "fin")
	g.Record()
	echoes(t, g.Dial("north"))
	gwtest.Send(t, second, "still here")
	gwtest.Receive(t, second, "still here")
}
