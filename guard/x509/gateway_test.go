package x509guard_test

import (
	"bufio"
	"context"
	"strings"
	"testing"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/guard"
	_ "gozilla/guard/x509"
	"gozilla/internal/certs"
	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/stream/conn"
)

func TestMain(m *testing.M) { leak.Main(m) }

func init() {
	binding.Register(binding.Type{Name: "gate", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(newGate, binding.Face(conn.Protocol, (*gate).conn), binding.Exits[*gate](conn.Protocol)),
	}})
}

// Gate is a test binding in a file: the first line that it receives is who comes, as a chain in PEM.
type Gate struct {
	binding.Head
	Options GateOptions
	binding.Routed[config.None, config.None]
}

// GateOptions says whom a gate asks.
type GateOptions struct {
	Guard guard.Ref
}

type gate struct {
	guard  guard.Guard
	name   string
	routes *binding.Routes[config.None, config.None, conn.Port]
}

func newGate(b *binding.Builder, c *Gate) (*gate, error) {
	ref := c.Options.Guard
	return &gate{b.Guard(ref), config.Ref(ref).Qualified(b.Node.Namespace), binding.RoutesOf(b, &c.Routed, conn.Protocol)}, nil
}

func (g *gate) conn() conn.Port { return conn.Serving(g) }

// ServeConn admits who comes to the scope, and sends the stream on.
func (g *gate) ServeConn(ctx context.Context, c conn.Conn, about *stream.Info) error {
	line, err := bufio.NewReaderSize(c, 16<<10).ReadString('\n')
	if err != nil {
		return err
	}
	if session, err := g.guard.Authorize(ctx, strings.TrimSuffix(line, "\n")); err == nil {
		stream.From(ctx).Admit(g.name, session)
	}
	way, err := g.routes.Pick(ctx, func(*config.None) bool { return true })
	if err != nil {
		return err
	}
	return way.Exit.ServeConn(ctx, c, about)
}

const yaml = `name: test
guards:
  clients:
    type: x509
    options:
      identity: subject.cn
      roles:
        client:
          - { issuer.cn: Test Client CA, subject.cn: client-* }
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: gate }
  gate:
    type: gate
    kind: server
    options: { guard: clients }
    routes:
      - { guarded: { clients: [ client ] }, exit: one }
      - { guarded: { clients: [] }, exit: two }
  one: { type: echo, kind: server }
  two: { type: echo, kind: server }
`

// TestGuardedRoutes sends peers where their certificates let them.
func TestGuardedRoutes(t *testing.T) {
	g := gwtest.Start(t, yaml)
	line := func(authority, name string) string {
		ca, err := certs.NewAuthority(authority)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ca.Issue(certs.Request{CommonName: name})
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(p.CertPEM()), "\n", `\n`)
	}
	for _, test := range []struct{ who, want string }{
		{line("Test Client CA", "client-1"), "one by routes[0]"},
		{line("Test Client CA", "alice"), "two by routes[1]"},
		{line("Other CA", "client-1"), "two by routes[1]"},
		{"nonsense", "unauthenticated"},
	} {
		c := g.Dial("north")
		gwtest.Send(t, c, test.who+"\n")
		c.CloseWrite()
		r := g.Record()
		got := r.Reason
		if got == "fin" {
			got = strings.TrimPrefix(r.Path[len(r.Path)-1].Binding, "test:") + " by " + r.Path[1].Route
		}
		if got != test.want {
			t.Errorf("%.20s: %s, not %s: %s", test.who, got, test.want, r.Text())
		}
	}
	e := g.Event("guard.x509.authorization.failed")
	if want := "X509 certificate chain authorization failed for identity (). Unable to parse certificate chain."; e.Message != want || e.Name != "clients" || e.Scope == 0 {
		t.Errorf("%+v", e)
	}
}
