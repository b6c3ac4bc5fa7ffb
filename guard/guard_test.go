package guard_test

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gozilla/binding"
	"gozilla/component"
	"gozilla/config"
	"gozilla/guard"
	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

func TestMain(m *testing.M) { leak.Main(m) }

func init() {
	guard.Register("test", newKeeper)
	binding.Register(binding.Type{Name: "gate", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(newGate, binding.Face(conn.Protocol, (*gate).conn), binding.Exits[*gate](conn.Protocol)),
	}})
}

// Keeper is a test guard in a file.
type Keeper struct {
	guard.Head
	Options KeeperOptions
}

// KeeperOptions says whom a test guard knows.
type KeeperOptions struct {
	Roles   map[string][]string // by identity
	Expires time.Duration       // after which a session ends; 0: never
}

type keeper struct {
	KeeperOptions
	given, open atomic.Int64 // sessions
}

// keepers are the guards in service, by host and qualified name: bindings of this build are not given guards yet.
var keepers sync.Map

type keeperKey struct {
	host *stream.Host
	name string
}

func newKeeper(b *component.Builder, c *Keeper) (guard.Guard, error) {
	k := &keeper{KeeperOptions: c.Options}
	keepers.Store(keeperKey{b.Host, b.Node.String()}, k)
	return k, nil
}

func keeperOf(h *stream.Host, name string) *keeper {
	k, _ := keepers.Load(keeperKey{h, name})
	return k.(*keeper)
}

// Authorize gives those a session who are known.
func (k *keeper) Authorize(_ context.Context, name string) (stream.Session, error) {
	roles, ok := k.Roles[name]
	if !ok {
		return nil, stream.Refuse(stream.Unauthenticated, "%s is not known", name)
	}
	k.given.Add(1)
	k.open.Add(1)
	s := &session{name: name, roles: roles, release: func() { k.open.Add(-1) }}
	if k.Expires > 0 {
		s.expires = time.Now().Add(k.Expires)
	}
	return s, nil
}

type session struct {
	name    string
	roles   []string
	expires time.Time
	release func()
}

func (s *session) Identity() string                { return s.name }
func (s *session) Attribute(string) (string, bool) { return "", false }
func (s *session) Expires() time.Time              { return s.expires }
func (s *session) Release()                        { s.release() }
func (s *session) Verify(roles []string) bool {
	return !slices.ContainsFunc(roles, func(role string) bool { return !slices.Contains(s.roles, role) })
}

// Gate is a test binding in a file: the first line that it receives says who comes, and the routes where to.
type Gate struct {
	binding.Head
	Options GateOptions
	binding.Routed[gateWhen, config.None]
}

// GateOptions says whom a gate asks.
type GateOptions struct {
	Guards []config.Ref
}

type gateWhen struct {
	Door string
}

type gate struct {
	b      *binding.Builder
	guards []config.Ref
	routes *binding.Routes[gateWhen, config.None, conn.Port]
}

func newGate(b *binding.Builder, c *Gate) (*gate, error) {
	return &gate{b, c.Options.Guards, binding.RoutesOf(b, &c.Routed, conn.Protocol)}, nil
}

func (g *gate) conn() conn.Port { return conn.Serving(g) }

// ServeConn reads "NAME DOOR", asks all guards, and sends the stream on.
func (g *gate) ServeConn(ctx context.Context, c conn.Conn, about *stream.Info) error {
	line, err := bufio.NewReaderSize(oneByOne{c}, 16).ReadString('\n')
	if err != nil {
		return err
	}
	name, door, _ := strings.Cut(strings.TrimSpace(line), " ")
	s := stream.From(ctx)
	for _, ref := range g.guards {
		qualified := ref.Qualified(g.b.Node.Namespace)
		if session, err := keeperOf(g.b.Host, qualified).Authorize(ctx, name); err == nil {
			s.Admit(qualified, session)
		}
	}
	way, err := g.routes.Pick(ctx, func(w *gateWhen) bool { return w.Door == door })
	if err != nil {
		return err
	}
	return way.Exit.ServeConn(ctx, c, about)
}

// oneByOne takes no byte that is not asked for.
type oneByOne struct{ conn.Conn }

func (o oneByOne) Read(b []byte) (int, error) { return o.Conn.Read(b[:1]) }

const yaml = `name: test
guards:
  who: { type: test, options: { roles: { alice: [ admin, reader ], bob: [ reader ], carol: [] } } }
  from: { type: test, options: { roles: { alice: [ here ], carol: [ here ] } } }
bindings:
  north:
    type: tcp
    kind: server
    options: { host: 127.0.0.1, port: 0 }
    exit: gate
  gate:
    type: gate
    kind: server
    options: { guards: [ who, from, other:who ] }
    routes:
ROUTES
  one: { type: echo, kind: server }
  two: { type: echo, kind: server }
  three: { type: echo, kind: server }
---
name: other
guards:
  who: { type: test, options: { roles: { dave: [ admin ] } } }
`

// start is a gateway whose gate has these routes, each as on one line: {when}, guarded, exit.
func start(t *testing.T, routes ...string) *gwtest.Gateway {
	t.Helper()
	text := strings.Replace(yaml, "ROUTES", "      - "+strings.Join(routes, "\n      - "), 1)
	return gwtest.Start(t, text)
}

// expect sends somebody through the gate, and tells where they came out: "one", or why not. Nothing of their sessions is
// left afterwards.
func expect(t *testing.T, g *gwtest.Gateway, who, want string) {
	t.Helper()
	c := g.Dial("north")
	gwtest.Send(t, c, who+"\n")
	c.CloseWrite()
	r := g.Record()
	got := r.Reason
	if r.Err != "" {
		got += ": " + r.Err
	}
	if r.Reason == "fin" {
		got = strings.TrimPrefix(r.Path[len(r.Path)-1].Binding, "test:") + " by " + r.Path[1].Route
	}
	if got != want {
		t.Errorf("%s: %s, not %s", who, got, want)
	}
	for _, name := range []string{"test:who", "test:from", "other:who"} {
		if k := keeperOf(g.Host, name); k.open.Load() != 0 {
			t.Errorf("%s: %d of %d sessions of %s are left", who, k.open.Load(), k.given.Load(), name)
		}
	}
}

func TestRoles(t *testing.T) {
	g := start(t,
		"{ guarded: { who: [ admin, reader ] }, exit: one }",
		"{ guarded: { who: [ reader ] }, exit: two }",
		"{ guarded: { who: [] }, exit: three }")
	expect(t, g, "alice", "one by routes[0]")
	expect(t, g, "bob", "two by routes[1]")     // misses a role of the first
	expect(t, g, "carol", "three by routes[2]") // no role is asked for
	expect(t, g, "mallory", "unauthenticated: the guard test:who knows of no session")
	if n := keeperOf(g.Host, "test:who").given.Load(); n != 3 {
		t.Errorf("%d sessions were given", n)
	}
}

func TestNoRouteIsLeft(t *testing.T) {
	g := start(t, "{ guarded: { who: [ admin ] }, when: [ { door: front } ], exit: one }")
	expect(t, g, "alice front", "one by routes[0]")
	expect(t, g, "bob front", "forbidden: the guard test:who misses a role of [admin]")
	expect(t, g, "mallory front", "unauthenticated: the guard test:who knows of no session")
	expect(t, g, "alice back", "no route") // no guard was asked
	expect(t, g, "mallory back", "no route")
}

// TestPublicRouteLast is the pattern that is meant for those who are not let through.
func TestPublicRouteLast(t *testing.T) {
	g := start(t, "{ guarded: { who: [ admin ] }, exit: one }", "{ exit: two }")
	expect(t, g, "alice", "one by routes[0]")
	expect(t, g, "bob", "two by routes[1]")
	expect(t, g, "mallory", "two by routes[1]")
}

func TestAllGuardsMustAgree(t *testing.T) {
	g := start(t, "{ guarded: { who: [ reader ], from: [ here ] }, exit: one }")
	expect(t, g, "alice", "one by routes[0]")
	expect(t, g, "bob", "unauthenticated: the guard test:from knows of no session")
	expect(t, g, "carol", "forbidden: the guard test:who misses a role of [reader]")
}

func TestGuardOfAnotherNamespace(t *testing.T) {
	g := start(t, "{ guarded: { other:who: [ admin ] }, exit: one }")
	expect(t, g, "dave", "one by routes[0]")
	expect(t, g, "alice", "unauthenticated: the guard other:who knows of no session") // whom test:who knows
}

// TestExpiry ends a stream whose session is over, and releases it.
func TestExpiry(t *testing.T) {
	text := strings.Replace(yaml, "ROUTES", "      - { guarded: { who: [] }, exit: one }", 1)
	g := gwtest.Start(t, strings.Replace(text, "options: { roles: { alice", "options: { expires: 50ms, roles: { alice", 1))
	c := g.Dial("north")
	gwtest.Send(t, c, "alice\n")
	gwtest.Sees(t, c, "rst")
	if r := g.Record(); r.By != telemetry.Gateway || r.Reason != "session expired" {
		t.Errorf("the record is %s", r.Text())
	}
	if k := keeperOf(g.Host, "test:who"); k.given.Load() != 1 || k.open.Load() != 0 {
		t.Errorf("%d of %d sessions are left", k.open.Load(), k.given.Load())
	}
}

func TestRegisteredTwice(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); got != `component: guard type "test" is registered twice` {
			t.Errorf("the panic is %s", got)
		}
	}()
	guard.Register("test", newKeeper)
}
