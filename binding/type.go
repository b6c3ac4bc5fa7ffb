package binding

import (
	"context"
	"fmt"
	"slices"

	"gozilla/component"
	"gozilla/config"
	"gozilla/stream"
)

// Registry holds the binding types. The names given here are those that zilla has.
var Registry = component.NewRegistry[*Type]("binding",
	"amqp", "asyncapi", "echo", "fan", "filesystem", "grpc", "grpc-kafka", "http", "http-filesystem", "http-kafka",
	"kafka", "kafka-grpc", "mcp", "mcp-http", "mcp-kafka", "mcp-kafka-connect", "mcp-openapi", "mcp-schema-registry",
	"mqtt", "mqtt-kafka", "openapi", "openapi-asyncapi", "pgsql", "pgsql-kafka", "proxy", "risingwave", "sse",
	"sse-kafka", "tcp", "tls", "ws")

// Kind is what zilla.yaml calls a binding's kind.
type Kind string

// The kinds.
const (
	Server       Kind = "server"
	Client       Kind = "client"
	Proxy        Kind = "proxy"
	RemoteServer Kind = "remote_server"
	RemoteClient Kind = "remote_client"
	CacheServer  Kind = "cache_server"
	CacheClient  Kind = "cache_client"
)

var kinds = []Kind{Server, Client, Proxy, RemoteServer, RemoteClient, CacheServer, CacheClient}

// Type is a binding type.
type Type struct {
	Name  string
	Kinds map[Kind]Form
	// System are bindings that every configuration may name as sys:NAME without declaring them, as the YAML of a
	// bindings section.
	System string
}

// Register adds a type. It is called by init functions only.
func Register(t Type) {
	for kind, form := range t.Kinds {
		form.what = config.A(t.Name + " " + string(kind))
		t.Kinds[kind] = form
	}
	Registry.Register(t.Name, &t)
}

// Variants is part of component.Type.
func (t *Type) Variants() []component.Variant {
	var all []component.Variant
	for _, kind := range t.kinds() {
		all = append(all, t.Kinds[kind].variant(string(kind)))
	}
	return all
}

// kinds are the type's, in the order of the language.
func (t *Type) kinds() []Kind {
	var have []Kind
	for _, kind := range kinds {
		if _, ok := t.Kinds[kind]; ok {
			have = append(have, kind)
		}
	}
	return have
}

// Form is a binding type of one kind: its constructor, the protocols of its faces, and that of its exits.
type Form struct {
	what    string
	faces   []string
	exits   string            // the protocol of the exits, "" if it has none, same for that of the face
	views   map[string]string // of a protocol of the exits, what it is viewed as
	told    bool              // it explains itself
	variant func(kind string) component.Variant
	decode  func(r *config.Report, n *config.Node, f Form) *Spec
}

// same stands for "the protocol of the face that the stream came to".
const same = "same"

// A Part is what In is told about a binding: a face, the protocol of its exits, how it explains itself, or what it has to
// say of where it leads.
type Part[B any] struct {
	face    string
	exits   string
	view    string // of the face, or the exits
	offer   func(*stream.Node, B)
	explain explanation[B]
	check   func(b B, faces []string)
}

// An explanation takes a question through a binding.
type explanation[B any] = func(b B, ctx context.Context, q *stream.Question) error

// Face is a protocol that streams may arrive or be sought by at the binding, and how it takes them. The edge that
// leads there chooses.
func Face[B, P any](p stream.Protocol[P], port func(B) P) Part[B] {
	return Part[B]{face: p.Name, view: viewed(p), offer: func(n *stream.Node, b B) { stream.Offer(n, p, port(b)) }}
}

// viewed is the protocol that streams of p are viewed as, "" for none.
func viewed[P any](p stream.Protocol[P]) string {
	if p.View == nil {
		return ""
	}
	return p.View.As
}

// Exits is the protocol of the binding's exits.
func Exits[B, P any](p stream.Protocol[P]) Part[B] { return Part[B]{exits: p.Name, view: viewed(p)} }

// Same is for a binding whose exits have the protocol of the face that the stream came to.
func Same[B any]() Part[B] { return Part[B]{exits: same} }

// Explains says how streams go through a binding that has routes: f does with a question what the binding does with a
// stream up to where it picks a route, by the same functions, and changes it to what would be passed on. It does no IO,
// and what it calls must not wait. The error is what a stream would end with. A binding with one exit, or without any,
// needs none.
func Explains[B any](f explanation[B]) Part[B] { return Part[B]{explain: f} }

// Checks tells what is wrong with a binding that only those know who ask its exits, or know by which of its faces streams
// come: f tells the Report that the constructor was given. It is called when a file is checked, once all that is in it has been
// made and leads where it should, and does no IO.
func Checks[B any](f func(b B, faces []string)) Part[B] { return Part[B]{check: f} }

// In makes the form of a constructor. C is the config struct of the binding's body, which embeds Head.
func In[C, B any, Body interface {
	*C
	body
}](construct func(*Builder, *C) (B, error), parts ...Part[B]) Form {
	f := Form{variant: component.VariantOf[C], views: map[string]string{}}
	for _, p := range parts {
		if p.view != "" {
			f.views[p.face+p.exits] = p.view // one of which is ""
		}
		if p.face != "" {
			f.faces = append(f.faces, p.face)
		}
		if p.exits != "" {
			f.exits = p.exits
		}
		f.told = f.told || p.explain != nil
	}
	f.decode = func(r *config.Report, n *config.Node, f Form) *Spec {
		c := config.Decode[C](r, n, f.what)
		s := &Spec{Pos: n.Pos, Source: n, Form: f, body: Body(c)}
		s.digest = config.Digest(c, "routes", "exit", "telemetry", "streams")
		s.ways = config.Digest(c, "telemetry", "streams")
		s.measures = config.Digest(s.Telemetry())
		s.build = func(b *Builder) error {
			made, err := construct(b, c)
			if err != nil {
				return err
			}
			for _, p := range parts {
				if p.offer != nil {
					p.offer(b.Node, made)
				}
				if p.check != nil {
					b.check = func(faces []string) { p.check(made, faces) }
				}
				if p.explain != nil {
					b.explain = func(ctx context.Context, q *stream.Question) error { return p.explain(made, ctx, q) }
				}
			}
			return nil
		}
		return s
	}
	return f
}

// Decode reads the binding that a file declares at n. It is nil if its type or kind is not to be had, which r is told.
func Decode(r *config.Report, n *config.Node, namespace, name string) *Spec {
	if n.Kind != config.Mapping {
		r.Errorf(n.Pos, "the binding %s must be a mapping", name)
		return nil
	}
	typ := n.Get("type")
	if typ == nil || typ.Kind == config.Null {
		r.Errorf(n.Pos, "the binding %s needs a type", name).Hintf("%s", instead(n, "type", "this build has "+config.Words(Registry.Names())))
		return nil
	}
	t, ok := Registry.Find(r, typ)
	if !ok {
		return nil
	}
	kind := n.Get("kind")
	if kind == nil || kind.Kind == config.Null {
		r.Errorf(n.Pos, "the binding %s needs a kind", name).
			Hintf("%s", instead(n, "kind", config.A(t.Name)+" binding is a "+config.Words(t.kinds())))
		return nil
	}
	form, ok := t.Kinds[Kind(kind.Value)]
	if !ok || kind.Kind != config.Scalar {
		t.wrongKind(r, kind)
		return nil
	}
	s := form.decode(r, n, form)
	s.Namespace, s.Name, s.Type, s.Kind = namespace, name, t.Name, Kind(kind.Value)
	s.name = namespace + ":" + name
	s.refer(r)
	return s
}

// instead is a hint about a key that is missing: that another one may have been meant for it, or else.
func instead(n *config.Node, key, otherwise string) string {
	for _, e := range n.Entries {
		if _, ok := config.Like(e.Key.Value, []string{key}); ok && e.Key.Value != key {
			return fmt.Sprintf("did you mean %q where it says %s?", key, e.Key.Show())
		}
	}
	return otherwise
}

func (t *Type) wrongKind(r *config.Report, kind *config.Node) {
	f := r.Errorf(kind.Pos, "%s binding cannot be a %s", config.A(t.Name), kind.Show())
	switch {
	case kind.Kind != config.Scalar:
		f.Text = fmt.Sprintf("the kind of a binding must be text, not %s", kind.Show())
	case !slices.Contains(kinds, Kind(kind.Value)):
		f.Text = fmt.Sprintf("there is no kind %s", kind.Show())
	}
	f.Hintf("%s binding is a %s", config.A(t.Name), config.Words(t.kinds()))
}
