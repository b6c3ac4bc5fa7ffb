package config_test

import (
	"errors"
	"time"

	"gozilla/config"
)

// The structs of the tests: a tcp server as a binding would have it, with a field of every shape.

type server struct {
	head
	Options options
	Routes  []route[when, config.None]
	Exit    config.Ref
}

// Check is what only the whole can say.
func (s *server) Check(r *config.Report) {
	if s.Exit == "" && len(s.Routes) == 0 {
		r.Errorf(r.At(s), "a tcp server needs an exit, or a route that has one")
	}
	if s.Exit != "" {
		if ns, name := s.Exit.Split(""); ns == "" && name == "loop" {
			r.Errorf(r.At(&s.Exit), "%s cannot lead to itself", s.Exit).Note(r.At(&s.Options), "its options are %s", "here")
		}
	}
}

type head struct {
	Type string `config:"type,required"`
	Kind kind
}

type kind string

func (kind) Values() []string { return []string{"server", "client", "proxy"} }

type options struct {
	Host    string `config:"host,required"`
	Port    config.Ports
	Backlog percent `config:"backlog,extension"`
	Timeout time.Duration
	TLS     *tls
	Labels  map[string]label
	Only    config.List[kind]
	Numbers numbers
	Raw     *config.Node
	Color   color
}

// Defaults sets what is not zero.
func (o *options) Defaults() {
	o.Timeout = 90 * time.Second
	o.Port = config.Ports{{From: 80, To: 80}, {From: 8000, To: 8010}}
	o.Numbers.Float = 1.5
}

// Check refuses an address nobody can listen on.
func (o *options) Check(r *config.Report) {
	if o.Host == "*" {
		r.Errorf(r.At(&o.Host), "a server cannot listen on %s", o.Host).Hintf("use 0.0.0.0")
	}
	if o.Timeout > time.Hour {
		r.Errorf(r.At(&o.Timeout), "timeout is more than an hour")
	}
}

type tls struct {
	Keys   []string `config:"keys,required"`
	Strict bool
}

// Defaults sets what is not zero.
func (t *tls) Defaults() { t.Strict = true }

type label struct {
	Text string
}

type numbers struct {
	Int   int
	Int8  int8
	Uint  uint
	Float float64
	Bool  bool
}

type percent int

func (percent) Bounds() (lo, hi int64) { return 0, 100 }

// A color decodes itself: text, or a mapping of which only the text is wanted.
type color struct{ Name string }

// DecodeConfig implements config.SelfDecoder.
func (c *color) DecodeConfig(r *config.Report, n *config.Node) {
	if n.Kind == config.Mapping {
		n = n.Get("name")
	}
	if n == nil || n.Kind != config.Scalar {
		r.Errorf(r.At(c), "a color needs a name")
		return
	}
	c.Name = n.Value
}

// ConfigShape says what a color is.
func (color) ConfigShape() *config.Shape { return config.ShapeOf[string]() }

type route[W, X any] struct {
	When    []W
	With    X
	Guarded map[config.Ref][]string
	Exit    config.Ref `config:"exit,required"`
}

type when struct {
	Port      config.Ports
	CIDR      config.CIDR
	Authority config.Wildcard
	Even      even
}

// even is text of a form of its own.
type even string

// UnmarshalText takes text of an even length.
func (e *even) UnmarshalText(b []byte) error {
	if len(b)%2 != 0 {
		return errors.New("cannot halve " + string(b))
	}
	*e = even(b)
	return nil
}

// Pattern is what it looks like.
func (even) Pattern() string { return `^[a-z]+$` }

// Words says what it is.
func (even) Words() string { return "pairs of small letters" }

// parse decodes text that is expected to be right.
func parse(text string, env map[string]string) (*config.Report, []*config.Node) {
	r := &config.Report{}
	lookUp := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	return r, config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte(text), Env: lookUp})
}
