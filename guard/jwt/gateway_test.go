package jwt_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/guard"
	_ "gozilla/guard/jwt"
	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

func TestMain(m *testing.M) { leak.Main(m) }

func init() {
	binding.Register(binding.Type{Name: "gate", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(newGate, binding.Face(conn.Protocol, (*gate).conn), binding.Exits[*gate](conn.Protocol)),
	}})
}

// Gate is a test binding in a file: the first line that it receives is a token.
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
	line, err := bufio.NewReaderSize(oneByOne{c}, 16).ReadString('\n')
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

// oneByOne takes no byte that is not asked for.
type oneByOne struct{ conn.Conn }

func (o oneByOne) Read(b []byte) (int, error) { return o.Conn.Read(b[:1]) }

const yaml = `name: test
guards:
  tokens:
    type: jwt
    options:
      issuer: https://issuer.example
      audience: us
      keys: [ KEY ]
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: gate }
  gate:
    type: gate
    kind: server
    options: { guard: tokens }
    routes:
      - { guarded: { tokens: [ read, write ] }, exit: one }
      - { guarded: { tokens: [] }, exit: two }
  one: { type: echo, kind: server }
  two: { type: echo, kind: server }
`

// start runs a gateway, and gives what makes tokens for it.
func start(t *testing.T) (*gwtest.Gateway, func(scope string, lasts time.Duration) string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := (jose.JSONWebKey{Key: public, KeyID: "k", Algorithm: "EdDSA"}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: private, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return gwtest.Start(t, strings.Replace(yaml, "KEY", string(key), 1)), func(scope string, lasts time.Duration) string {
		text, err := jwt.Signed(signer).Claims(map[string]any{
			"iss": "https://issuer.example", "aud": "us", "sub": "alice", "scope": scope, "exp": float64(time.Now().Add(lasts).UnixMilli()) / 1000,
		}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

// TestGuardedRoutes sends peers where their tokens let them.
func TestGuardedRoutes(t *testing.T) {
	g, token := start(t)
	for _, test := range []struct{ who, want string }{
		{token("write read", time.Hour), "one by routes[0]"},
		{token("read", time.Hour), "two by routes[1]"},
		{token("read write", -time.Hour), "unauthenticated"},
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
			t.Errorf("%s, not %s: %s", got, test.want, r.Text())
		}
	}
	e := g.Event("guard.jwt.authorization.failed")
	if want := "JWT token authorization failed for identity (alice). Token is expired."; e.Message != want || e.Name != "tokens" || e.Scope == 0 {
		t.Errorf("%+v", e)
	}
}

// TestExpiry ends a stream when its token ends.
func TestExpiry(t *testing.T) {
	g, token := start(t)
	c := g.Dial("north")
	gwtest.Send(t, c, token("read", time.Second)+"\n")
	gwtest.Sees(t, c, "rst")
	if r := g.Record(); r.By != telemetry.Gateway || r.Reason != "session expired" {
		t.Errorf("the record is %s", r.Text())
	}
}
