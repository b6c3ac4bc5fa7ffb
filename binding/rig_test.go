package binding_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gozilla/binding"
	"gozilla/component"
	"gozilla/config"
	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/telemetry"
)

func TestMain(m *testing.M) { leak.Main(m) }

// words is a protocol of the tests: who is reached says its name.
type words interface{ Say(*stream.Scope) string }

type throughWords struct{ edge *stream.Edge[words] }

func (t throughWords) Say(s *stream.Scope) string {
	to := t.edge.To()
	s.Enter(to.Node)
	return to.Port.Say(s)
}

var wordsProtocol = stream.Protocol[words]{Name: "words", Through: func(e *stream.Edge[words]) words { return throughWords{e} }}

type table = binding.Routes[when, with, words]

func init() {
	binding.Register(binding.Type{Name: "test", Kinds: map[binding.Kind]binding.Form{
		binding.Client: binding.In(newEnd, binding.Face(wordsProtocol, (*end).words)),
		binding.Server: binding.In(newRouter, binding.Face(wordsProtocol, (*router).words), binding.Exits[*router](wordsProtocol)),
		binding.Proxy:  binding.In(newPass, binding.Face(wordsProtocol, (*pass).words), binding.Same[*pass]()),
		// One that filters.
		binding.CacheClient: binding.In(newFilter),
	}})
}

// End is a test client: it says its name.
type End struct {
	binding.Head
}

type end struct{ name string }

func newEnd(b *binding.Builder, _ *End) (*end, error) { return &end{b.Node.Name}, nil }

func (e *end) words() words             { return e }
func (e *end) Say(*stream.Scope) string { return e.name }

// Router is a test server: it has routes.
type Router struct {
	binding.Head
	Options routerOptions
	binding.Routed[when, with]
}

type routerOptions struct{ Fails string }

type when struct{ Door, Colour string }

type with struct{ Hat string }

type router struct{ routes *table }

func newRouter(b *binding.Builder, c *Router) (*router, error) {
	if c.Options.Fails != "" {
		return nil, errors.New(c.Options.Fails)
	}
	r := &router{binding.RoutesOf(b, &c.Routed, wordsProtocol)}
	made = r.routes
	return r, nil
}

// What was made last: the table of a router, the exit of a proxy, the table of a filter.
var (
	made     *table
	passed   words
	filtered *binding.Routes[when, config.None, config.None]
)

func (r *router) words() words             { return r }
func (r *router) Say(*stream.Scope) string { return "router" }

// Pass is a test proxy: it has an exit.
type Pass struct {
	binding.Head
	binding.Exited
}

type pass struct{}

func newPass(b *binding.Builder, _ *Pass) (*pass, error) {
	passed = binding.ExitOf(b, wordsProtocol)
	return &pass{}, nil
}

func (p *pass) words() words { return passed }

// Filter is a test cache client: its routes lead nowhere.
type Filter struct {
	binding.Head
	binding.Filtered[when]
}

func newFilter(b *binding.Builder, c *Filter) (*struct{}, error) {
	filtered = binding.FiltersOf(b, &c.Filtered)
	return nil, nil
}

// decode reads a binding of the namespace test.
func decode(t testing.TB, name, body string) (*binding.Spec, *config.Report) {
	t.Helper()
	r := &config.Report{}
	docs := config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte(body)})
	return binding.Decode(r, docs[0], "test", name), r
}

// spec is decode of what has no faults.
func spec(t testing.TB, name, body string) *binding.Spec {
	t.Helper()
	s, r := decode(t, name, body)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return s
}

var host = stream.NewHost(stream.DefaultLimits(), nil)

// build makes a binding, which is not linked yet.
func build(t testing.TB, s *binding.Spec) *binding.Binding {
	t.Helper()
	node := &stream.Node{Namespace: s.Namespace, Name: s.Name, Type: s.Type, Kind: string(s.Kind)}
	b, err := s.Build(&component.Builder{Node: node, Host: host, Metrics: &telemetry.Metrics{}, Log: slog.New(slog.DiscardHandler)}, binding.Parts{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ends finds the bindings test:one to test:four, which say their names, and test:mute, which has no face.
func ends(t testing.TB) binding.Resolver {
	nodes := map[string]*stream.Node{"test:mute": {Namespace: "test", Name: "mute"}}
	for _, name := range []string{"one", "two", "three", "four"} {
		b := build(t, spec(t, name, "{ type: test, kind: client }"))
		nodes[b.Node.String()] = b.Node
	}
	return func(namespace, name string) *stream.Node { return nodes[namespace+":"+name] }
}

// routed is a test server in service: its binding, its table, and where its exits lead.
func routed(t testing.TB, body string) (*binding.Binding, *table, binding.Resolver) {
	t.Helper()
	s := spec(t, "north", "type: test\nkind: server\n"+body)
	b, find := build(t, s), ends(t)
	b.Link(s, find)
	return b, made, find
}

// arrive is a stream that came to b. It ends with the test.
func arrive(t testing.TB, b *binding.Binding) *stream.Scope {
	s := arriveAlone(b)
	t.Cleanup(func() { s.End(nil) })
	return s
}

// arriveAlone is arrive for who ends the stream.
func arriveAlone(b *binding.Binding) *stream.Scope {
	return host.Arrive(stream.WithHost(context.Background(), host), b.Node)
}

// door matches a condition as bindings do: keys that are left out hold.
func door(name, colour string) func(*when) bool {
	return func(w *when) bool {
		return (w.Door == "" || w.Door == name) && (w.Colour == "" || w.Colour == colour)
	}
}

// session has the roles that are in its text.
type session string

func (s session) Identity() string                { return string(s) }
func (s session) Attribute(string) (string, bool) { return "", false }
func (s session) Expires() time.Time              { return time.Time{} }
func (s session) Release()                        {}
func (s session) Verify(roles []string) bool {
	for _, role := range roles {
		if !strings.Contains(string(s), role) {
			return false
		}
	}
	return true
}
