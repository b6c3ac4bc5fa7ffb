package engine

import (
	"maps"
	"net"
	"slices"
	"strconv"

	"gozilla/binding"
	"gozilla/component"
	"gozilla/config"
	"gozilla/exporter"
	"gozilla/guard"
	"gozilla/stream"
	"gozilla/telemetry"
	"gozilla/vault"
)

// A draft is a generation on its way into service, made beside the one that is.
type draft struct {
	engine *Engine
	plan   *Plan
	change *Change

	instances []*instance // of the new generation: what is kept and what is made, exits before what leads to them
	made      []*instance
	gone      []*instance // of the old generation
	planned   map[*instance]*planned
	kept      map[*instance]*kept // of the bindings among the instances
	running   map[identity]*instance

	opened  []*listener // new sockets
	handed  []handover
	closing []*listener // that nobody wants any more
	lost    lost        // what streams that are open lose
}

// identity is what tells a component from the others of a generation.
type identity struct{ category, name string }

func (in *instance) identity() identity {
	if in.spec != nil {
		return identity{"binding", in.node.String()}
	}
	return identity{in.node.Kind, in.node.String()}
}

// kept is what the plan has otherwise of a binding that stays.
type kept struct {
	exits    []*instance
	rerouted bool // routes or exits are other ones
}

// build makes an instance of every component that the plan needs, as if nothing ran.
func (e *Engine) build(p *Plan) []*instance { return e.draft(p).instances }

// draft finds what of the running generation can stay, and makes the rest: other components first, then bindings with
// their exits before them.
func (e *Engine) draft(p *Plan) *draft {
	size := len(p.bindings)
	d := &draft{
		engine: e, plan: p, instances: make([]*instance, 0, size), running: make(map[identity]*instance, len(e.instances)),
		planned: make(map[*instance]*planned, size), kept: make(map[*instance]*kept, size),
	}
	e.mu.Lock()
	for _, in := range e.instances {
		d.running[in.identity()] = in
	}
	e.mu.Unlock()
	parts := binding.Parts{Vaults: map[string]vault.Vault{}, Guards: map[string]guard.Guard{}}
	at := make(map[identity]*instance, size)
	for _, s := range p.spaces {
		draftOthers(d, at, s, "vault", s.vaults, parts.Vaults)
		draftOthers(d, at, s, "guard", s.guards, parts.Guards)
		draftOthers(d, at, s, "exporter", s.exporters, map[string]exporter.None{})
	}
	for _, b := range p.bindings {
		d.binding(at, b, parts)
	}
	for _, in := range d.running {
		if at[in.identity()] != in {
			d.gone = append(d.gone, in)
		}
	}
	return d
}

// draftOthers is draft for the components of one category, which it puts into values by their qualified names.
func draftOthers[T any](d *draft, at map[identity]*instance, s *space, category string, drafts map[string]*drafted[T], values map[string]T) {
	for _, name := range slices.Sorted(maps.Keys(drafts)) {
		from := drafts[name]
		id := identity{category, s.name + ":" + name}
		in := d.running[id]
		if in == nil || in.node.Type != from.typ || in.digest != from.Digest {
			in = d.other(s, category, name, from.typ, func(in *instance) (err error) {
				in.source, in.digest = from.node, from.Digest
				in.value, err = from.Build(in.builder)
				return err
			})
		}
		value, made := in.value.(T)
		values[id.name] = value
		if made && d.running[id] == in && from.Renew != nil {
			from.Renew(value)
		}
		at[id] = in
		d.instances = append(d.instances, in)
	}
}

// other makes a component that is no binding.
func (d *draft) other(s *space, category, name, typ string, build func(*instance) error) *instance {
	node := &stream.Node{Namespace: s.name, Name: name, Type: typ, Kind: category}
	in := d.engine.instance(d.plan.Report, node, nil, "")
	if err := build(in); err != nil {
		d.plan.Report.Errorf(in.source.Pos, "%v", err)
	}
	d.made = append(d.made, in)
	return in
}

// binding is draft for a binding, whose exits and parts are there already.
func (d *draft) binding(at map[identity]*instance, b *planned, parts binding.Parts) {
	id := identity{"binding", b.Qualified()}
	in := d.running[id]
	var holds, exits []*instance
	stays := in != nil && in.node.Type == b.Type && in.node.Kind == string(b.Kind) && in.digest == b.Digest()
	for _, ref := range b.refs {
		to := at[identity{ref.To, ref.Qualified}]
		switch {
		case to == nil:
		case ref.To == "binding":
			exits = append(exits, to)
		case ref.Route < 0:
			holds = append(holds, to)
			stays = stays && slices.Contains(in.parts, to)
		}
	}
	if stays {
		d.stay(in, b, exits, parts)
	} else {
		in = d.make(b, holds, exits, parts)
	}
	at[id], d.planned[in] = in, b
	d.instances = append(d.instances, in)
}

// make makes a binding.
func (d *draft) make(b *planned, holds, exits []*instance, parts binding.Parts) *instance {
	node := &stream.Node{Namespace: b.Namespace, Name: b.Name, Type: b.Type, Kind: string(b.Kind)}
	in := d.engine.instance(d.plan.Report, node, b.Source, b.Digest())
	in.spec, in.parts, in.exits = b.Spec, holds, exits
	var err error
	if in.binding, err = b.Build(in.builder, parts); err != nil {
		d.plan.Report.Errorf(b.Pos, "%v", err)
	}
	d.made = append(d.made, in)
	return in
}

// stay notes what a kept binding has otherwise in the plan.
func (d *draft) stay(in *instance, b *planned, exits []*instance, parts binding.Parts) {
	k := &kept{exits: exits, rerouted: in.spec.Ways() != b.Ways()}
	d.kept[in] = k
	if !k.rerouted {
		return
	}
	// What only the constructor knows of the routes is told too.
	trial := d.engine.instance(d.plan.Report, &stream.Node{Namespace: b.Namespace, Name: b.Name, Type: b.Type, Kind: string(b.Kind)}, b.Source, "")
	if _, err := b.Build(trial.builder, parts); err != nil {
		d.plan.Report.Errorf(b.Pos, "%v", err)
	}
}

// measure makes what the binding counts known, as the file wants it.
func (in *instance) measure(e *Engine, b *planned) {
	metrics := b.space.config.Telemetry.Metrics
	if in.measures == b.Measures() && slices.Equal(in.listed, metrics) {
		return
	}
	in.measures, in.listed = b.Measures(), metrics
	in.unmeasure()
	in.measured = append(in.measured, e.metrics.Add(b.Namespace, b.Name, &in.node.Streams, selects(b.space, b)))
	if b.turns("http", "ws") { // as the engine of WebSocket does, which sees where messages end
		in.measured = append(in.measured, e.metrics.Add(b.Namespace, b.Name, &in.node.Messages, selects(b.space, b)))
	}
	if b.speaks("sse") {
		in.measured = append(in.measured, e.metrics.Add(b.Namespace, b.Name, &in.node.ServerEvents, selects(b.space, b)))
	}
	if b.speaks("http") {
		attributes, _ := telemetry.ParseAttributes(b.Telemetry().Attributes) // what is wrong was told by check
		in.node.Attributes.Store(attributes)
		in.measured = append(in.measured, e.metrics.Add(b.Namespace, b.Name, &in.node.Exchanges, selects(b.space, b)))
	}
}

// speaks reports whether streams of a protocol come to the binding, or begin there.
func (b *planned) speaks(protocol string) bool {
	return slices.ContainsFunc(b.faces, func(face string) bool { return face == protocol || b.Form.ExitFor(face) == protocol })
}

// turns reports whether the binding makes streams of one protocol of those of the other, whichever way round.
func (b *planned) turns(one, other string) bool {
	return slices.ContainsFunc(b.faces, func(face string) bool {
		exit := b.Form.ExitFor(face)
		return face == one && exit == other || face == other && exit == one
	})
}

// nodes are those of the draft's bindings, by name.
func (d *draft) nodes() map[string]*stream.Node {
	nodes := make(map[string]*stream.Node, len(d.instances))
	for _, in := range d.instances {
		if in.spec != nil {
			nodes[in.node.String()] = in.node
		}
	}
	return nodes
}

// collide tells of ports that two bindings want.
func (d *draft) collide() {
	taken := map[component.Listener]*instance{} // by host and port only
	for _, in := range d.instances {
		for _, l := range in.builder.Listeners() {
			at := component.Listener{Host: l.Host, Port: l.Port}
			other := taken[at]
			switch {
			case l.Port == 0: // the system chooses, a different one each time
			case other != nil && other != in:
				where, _ := blame(d.file(in), at, nil)
				first, _ := blame(d.file(other), at, nil)
				d.plan.Report.Errorf(where, "%s listens on %s already", other.node, net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port)))).
					Note(first, "it is asked for here")
			default:
				taken[at] = in
			}
		}
	}
}

// undo takes back all that was made.
func (d *draft) undo() {
	for _, l := range d.opened {
		d.engine.giveBack(l)
	}
	for _, in := range d.gone {
		for _, l := range in.listeners {
			setReusePort(l.tcp, false)
		}
	}
	for _, in := range d.made {
		in.close()
	}
}

// exchange gives kept bindings what they have otherwise, exits first, and all of them their counters.
func (d *draft) exchange(nodes map[string]*stream.Node) {
	for _, in := range d.instances {
		b := d.planned[in]
		if b == nil {
			continue
		}
		in.measure(d.engine, b)
		k := d.kept[in]
		if k == nil {
			continue
		}
		relink := k.rerouted || !slices.Equal(in.exits, k.exits)
		d.engine.mu.Lock()
		in.spec, in.source, in.exits = b.Spec, b.Source, k.exits
		d.engine.mu.Unlock()
		if relink {
			in.link(nodes)
		}
	}
}

// file is what the plan's file says of the instance.
func (d *draft) file(in *instance) *config.Node {
	if b := d.planned[in]; b != nil {
		return b.Source
	}
	return in.source
}
