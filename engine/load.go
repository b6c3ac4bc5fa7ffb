package engine

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"gozilla/binding"
	"gozilla/component"
	"gozilla/config"
	"gozilla/exporter"
	"gozilla/guard"
	"gozilla/internal/fetch"
	"gozilla/vault"
)

// system is the namespace of the bindings that every configuration may name without declaring them.
const system = "sys"

// The categories of which this build has no types yet.
var unbuilt = []*component.Registry[component.Type]{
	component.NewRegistry[component.Type]("store", "memory"),
	component.NewRegistry[component.Type]("catalog", "inline", "filesystem", "schema-registry",
		"karapace-schema-registry", "karapace", "apicurio-registry", "apicurio"),
}

// Plan is a configuration that was read and checked.
type Plan struct {
	Report *config.Report // its faults; nothing can be started while Report.Err is not nil

	spaces   []*space // in the order of the file, the system namespace last
	bindings []*planned
}

// space is a namespace.
type space struct {
	name      string
	config    *config.Namespace
	bindings  map[string]*planned // without what could not be decoded
	vaults    map[string]*drafted[vault.Vault]
	guards    map[string]*drafted[guard.Guard]
	exporters map[string]*drafted[exporter.None]
}

// planned is a binding on its way into the graph.
type planned struct {
	*binding.Spec
	space *space
	refs  []binding.Reference
	faces []string // the protocols by which streams come to it
}

// drafted is another component on its way into service.
type drafted[T any] struct {
	*component.Draft[T]
	name   string
	typ    string
	node   *config.Node
	broken bool // it has faults
}

// Options are how a configuration is read.
type Options struct {
	Strict  bool   // refuse what zilla does not take
	System  string // YAML of further exporters in the system namespace
	Untried bool   // leave out what only the constructors of components know: Apply and Compare tell

	Authorization string // the header's value for files that are fetched by http or https
	Folder        string // of the configuration, which the names of files are relative to; "" for that of its name
}

// Load checks a configuration, and reads the files that its components name; ctx bounds that. Every fault is in the
// plan's Report; a text without a namespace is a plan that serves nothing.
func Load(ctx context.Context, source config.Source, o Options) *Plan {
	p := &Plan{Report: &config.Report{Strict: o.Strict}}
	for _, doc := range config.Parse(p.Report, source) {
		p.addSpace(config.Decode[config.Namespace](p.Report, doc, "a namespace"))
	}
	p.addSystem(o.System)
	for _, s := range p.spaces {
		p.decode(s)
	}
	p.check()
	reading := ctx
	resolve := func(name string) string {
		base := source.Name
		if o.Folder != "" {
			base = filepath.Join(o.Folder, "zilla.yaml")
		}
		return fetch.Resolve(base, name)
	}
	p.loadFiles(&component.Loader{
		Report: p.Report,
		Read: func(name string) ([]byte, error) {
			return fetch.Read(reading, resolve(name), fetch.Options{Max: maxFile, Authorization: o.Authorization, Required: true})
		},
		Path: func(name string) string { return fetch.Path(resolve(name)) },
	})
	reading = context.WithoutCancel(ctx) // tasks read on
	if !o.Untried {
		p.try()
	}
	return p
}

// maxFile is how many bytes a file may have that a component names.
const maxFile = 64 << 20

// loadFiles has those components read their files that have some.
func (p *Plan) loadFiles(l *component.Loader) {
	for _, s := range p.spaces {
		for _, name := range inOrder(s.config.Vaults) {
			if d := s.vaults[name]; d != nil && !d.broken && d.Load != nil {
				d.Load(l)
			}
		}
	}
}

// Empty reports whether the plan serves nothing.
func (p *Plan) Empty() bool { return len(p.spaces) == 1 }

func (p *Plan) addSpace(c *config.Namespace) {
	name := string(c.Name)
	at := p.Report.At(&c.Name)
	first := slices.IndexFunc(p.spaces, func(s *space) bool { return s.name == name })
	switch {
	case name == "": // which is a fault already
	case name == system:
		p.Report.Errorf(at, "the namespace %s is made by gozilla itself", system).Hintf("choose another name")
	case first >= 0:
		f := p.Report.Errorf(at, "there are two namespaces %q", name)
		f.Note(p.Report.At(&p.spaces[first].config.Name), "the first one is here")
	}
	p.spaces = append(p.spaces, &space{name: name, config: c}) // also if its name is wrong: all faults are to be seen at once
}

// addSystem adds the system namespace, of which only that is kept that something refers to.
func (p *Plan) addSystem(exporters string) {
	var text strings.Builder
	fmt.Fprintf(&text, "name: %s\nbindings:\n", system)
	for _, name := range binding.Registry.Names() {
		if t, _ := binding.Registry.Get(name); t.System != "" {
			fmt.Fprintf(&text, "  %s\n", t.System)
		}
	}
	if exporters != "" {
		fmt.Fprintf(&text, "telemetry:\n  exporters:\n    %s\n", exporters)
	}
	r := &config.Report{}
	docs := config.Parse(r, config.Source{Name: system, Text: []byte(text.String())})
	c := config.Decode[config.Namespace](r, docs[0], "a namespace")
	if err := r.Err(); err != nil {
		panic(fmt.Sprintf("engine: the system namespace is wrong: %v", err)) // a binding type's System is
	}
	p.spaces = append(p.spaces, &space{name: system, config: c})
}

func (p *Plan) decode(s *space) {
	s.bindings = map[string]*planned{}
	s.vaults = map[string]*drafted[vault.Vault]{}
	s.guards = map[string]*drafted[guard.Guard]{}
	s.exporters = map[string]*drafted[exporter.None]{}
	for i, of := range []map[string]*config.Node{s.config.Stores, s.config.Catalogs} {
		for _, name := range inOrder(of) {
			p.typeOf(unbuilt[i].Name(), name, of[name], func(n *config.Node) { unbuilt[i].Find(p.Report, n) })
		}
	}
	for _, name := range inOrder(s.config.Vaults) {
		decodeOther(p, s.vaults, vault.Registry, name, s.config.Vaults[name], func(t vault.Type) component.Recipe[vault.Vault] { return t.Recipe })
	}
	for _, name := range inOrder(s.config.Guards) {
		decodeOther(p, s.guards, guard.Registry, name, s.config.Guards[name], func(t guard.Type) component.Recipe[guard.Guard] { return t.Recipe })
	}
	for _, name := range inOrder(s.config.Bindings) {
		if spec := p.binding(s.config.Bindings[name], s.name, name); spec != nil {
			s.bindings[name] = &planned{Spec: spec, space: s}
		}
	}
	for _, name := range inOrder(s.config.Telemetry.Exporters) {
		decodeOther(p, s.exporters, exporter.Registry, name, s.config.Telemetry.Exporters[name], func(t exporter.Type) component.Recipe[exporter.None] { return t.Recipe })
	}
}

// binding decodes a binding, unless that was done the last time already.
func (p *Plan) binding(n *config.Node, namespace, name string) *binding.Spec {
	memo := n.Memo()
	if memo == nil {
		return binding.Decode(p.Report, n, namespace, name)
	}
	if known, _ := memo.Value.(*binding.Spec); known != nil && known.Namespace == namespace {
		return known
	}
	memo.Value = nil
	before := memo.Report.Errors()
	s := binding.Decode(memo.Report, n, namespace, name)
	if memo.Report.Errors() == before { // else it is to be told again
		memo.Value = s
	}
	return s
}

// typeOf calls find with the node that names the type of a component.
func (p *Plan) typeOf(category, name string, n *config.Node, find func(*config.Node)) {
	switch {
	case n.Kind != config.Mapping:
		p.Report.Errorf(n.Pos, "the %s %s must be a mapping", category, name)
	case n.Get("type") == nil, n.Get("type").Kind == config.Null:
		p.Report.Errorf(n.Pos, "the %s %s needs a type", category, name)
	default:
		find(n.Get("type"))
	}
}

func decodeOther[T any, C component.Type](p *Plan, into map[string]*drafted[T], types *component.Registry[C], name string, n *config.Node, recipe func(C) component.Recipe[T]) {
	p.typeOf(types.Name(), name, n, func(typ *config.Node) {
		t, ok := types.Find(p.Report, typ)
		if !ok {
			return
		}
		before := p.Report.Errors()
		draft := recipe(t).Decode(p.Report, n, config.A(typ.Value+" "+types.Name()))
		into[name] = &drafted[T]{Draft: draft, name: name, typ: typ.Value, node: n, broken: p.Report.Errors() > before}
	})
}

// inOrder is the names of a section in the order of the file.
func inOrder(section map[string]*config.Node) []string {
	return slices.SortedFunc(maps.Keys(section), func(a, b string) int {
		return section[a].Pos.Compare(section[b].Pos)
	})
}
