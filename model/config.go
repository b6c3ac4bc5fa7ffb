package model

import (
	"gozilla/component"
	"gozilla/config"
)

// Config is a model where it is used, in a config struct: the name of a type alone, or a mapping with the type's options.
type Config struct {
	// The type.
	Model string
	// Digest is equal for equal configurations.
	Digest string

	build func(*Builder) (Model, error)
}

// DecodeConfig reads what a file says.
func (c *Config) DecodeConfig(r *config.Report, n *config.Node) {
	name, body := n, n
	switch n.Kind {
	case config.Mapping:
		if name = n.Get("model"); name == nil || name.Kind == config.Null {
			at := n.Pos
			if name != nil {
				at = name.Pos
			}
			f := r.Errorf(at, "a model needs the key model, which says of what type it is")
			if typed := n.Get("type"); typed != nil && typed.Kind == config.Scalar {
				f.Hintf("did you mean %q where it says type?", "model")
			} else {
				f.Hintf("this build has %s", config.Words(Registry.Names()))
			}
			return
		}
	case config.Scalar:
		key := &config.Node{Kind: config.Scalar, Pos: n.Pos, Value: "model"}
		body = &config.Node{Kind: config.Mapping, Pos: n.Pos, Entries: []config.Entry{{Key: key, Value: n}}}
	case config.Null:
		r.Errorf(n.Pos, "a model cannot be empty").Hintf("this build has %s", config.Words(Registry.Names()))
		return
	default:
		r.Errorf(n.Pos, "a model must be the name of a type or a mapping, not %s", n.Show())
		return
	}
	t, ok := Registry.Find(r, name)
	if !ok {
		return
	}
	c.Model = name.Value
	c.Digest, c.build = t.decode(r, body, config.A(name.Value)+" model")
}

// ConfigShape is what a model looks like.
func (Config) ConfigShape() *config.Shape {
	return &config.Shape{Form: config.FormAny, Words: "the name of a model or a mapping"}
}

// Build makes the model, for the component that b is of. It is nil for nil.
func (c *Config) Build(b *component.Builder) (Model, error) {
	if c == nil || c.build == nil {
		return nil, nil
	}
	return c.build(&Builder{b})
}

// Head is what a file says of every model.
type Head struct {
	// The model type.
	Model string `config:"model,required"`
	// What becomes of values that can be read but are against the rules, such as a number that is out of its range: strict
	// refuses them, lenient lets them pass and emits an event. A mapping says it for each direction: decode is that of
	// values which come in from outside, encode that of those which go out. Values that cannot be read are always refused.
	Validate Validate
}

// Defaults is what holds for keys that are left out.
func (h *Head) Defaults() { h.Validate = Validate{Strict, Strict} }

// Validate says what becomes of values that are against the rules, by direction.
type Validate struct {
	// That of values which come in from outside.
	Decode Rigour
	// That of values which go out.
	Encode Rigour
}

// Rigour is what becomes of values that are against the rules.
type Rigour string

// The kinds of rigour.
const (
	Strict  Rigour = "strict"  // they are refused
	Lenient Rigour = "lenient" // they pass, with an event
)

// Values are the choices.
func (Rigour) Values() []string { return []string{string(Strict), string(Lenient)} }

// directions is Validate where a file tells directions apart.
type directions struct {
	Decode, Encode Rigour
}

func (d *directions) Defaults() { d.Decode, d.Encode = Strict, Strict }

// DecodeConfig reads what a file says.
func (v *Validate) DecodeConfig(r *config.Report, n *config.Node) {
	if n.Kind != config.Mapping {
		rigour := *config.Decode[Rigour](r, n, "validate")
		v.Decode, v.Encode = rigour, rigour
		return
	}
	d := config.Decode[directions](r, n, "validate")
	v.Decode, v.Encode = d.Decode, d.Encode
}

// ConfigShape is what it looks like.
func (Validate) ConfigShape() *config.Shape {
	return &config.Shape{Form: config.FormAny, Words: "strict, lenient or a mapping"}
}

// String is how it would be written.
func (v Validate) String() string {
	if v.Decode == v.Encode {
		return string(v.Decode)
	}
	return "{ decode: " + string(v.Decode) + ", encode: " + string(v.Encode) + " }"
}

// Type is a model type.
type Type struct {
	variant func() component.Variant
	decode  func(r *config.Report, n *config.Node, what string) (digest string, build func(*Builder) (Model, error))
}

// Register adds a model type; C is the config struct of its body, which embeds Head.
func Register[C any](name string, construct func(*Builder, *C) (Model, error)) {
	Registry.Register(name, Type{
		variant: func() component.Variant { return component.VariantOf[C]("") },
		decode: func(r *config.Report, n *config.Node, what string) (string, func(*Builder) (Model, error)) {
			c := config.Decode[C](r, n, what)
			return config.Digest(c), func(b *Builder) (Model, error) { return construct(b, c) }
		},
	})
}

// Variants is part of component.Type: there is one.
func (t Type) Variants() []component.Variant { return []component.Variant{t.variant()} }

var _ component.Type = Type{}
