package engine

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"gozilla/binding"
	"gozilla/component"
	"gozilla/config"
	"gozilla/exporter"
	"gozilla/guard"
	"gozilla/stream"
	"gozilla/telemetry"
	"gozilla/vault"
)

// An instance is a component in service. Its identity is namespace:name, type, kind and digest; routes, exit, guarded
// and telemetry are no part of it, since they can be exchanged in place.
type instance struct {
	node   *stream.Node
	digest string
	source *config.Node // the component's body in the file

	spec    *binding.Spec    // nil for what is not a binding
	binding *binding.Binding // nil for what is not a binding

	ctx       context.Context
	cancel    context.CancelCauseFunc
	builder   *component.Builder
	listeners []*listener
	undo      []func() // what close takes back, last first
	tasks     sync.WaitGroup
}

// build makes an instance of every component that the plan needs: other components first, then bindings with their
// exits before them.
func (e *Engine) build(p *Plan) []*instance {
	var all []*instance
	parts := binding.Parts{Vaults: map[string]vault.Vault{}, Guards: map[string]guard.Guard{}}
	exporters := map[string]exporter.None{}
	for _, s := range p.spaces {
		all = append(all, buildOthers(e, p, s, "vault", s.vaults, parts.Vaults)...)
		all = append(all, buildOthers(e, p, s, "guard", s.guards, parts.Guards)...)
		all = append(all, buildOthers(e, p, s, "exporter", s.exporters, exporters)...)
	}
	for _, b := range p.bindings {
		node := &stream.Node{Namespace: b.Namespace, Name: b.Name, Type: b.Type, Kind: string(b.Kind)}
		in := e.instance(p.Report, node, b.Source, b.Digest())
		in.spec = b.Spec
		var err error
		if in.binding, err = b.Build(in.builder, parts); err != nil {
			p.Report.Errorf(b.Pos, "%v", err)
		}
		in.undo = append(in.undo, e.metrics.Add(b.Namespace, b.Name, &in.node.Streams, selects(b.space, b)))
		if b.hasExchanges() {
			in.node.Attributes, _ = telemetry.ParseAttributes(b.Telemetry().Attributes) // what is wrong was told by check
			in.undo = append(in.undo, e.metrics.Add(b.Namespace, b.Name, &in.node.Exchanges, selects(b.space, b)))
		}
		all = append(all, in)
	}
	return all
}

// hasExchanges reports whether exchanges of http come to the binding, or begin there.
func (b *planned) hasExchanges() bool {
	return slices.ContainsFunc(b.faces, func(face string) bool { return face == "http" || b.Form.ExitFor(face) == "http" })
}

// buildOthers makes the components of one category, and puts them into made by their qualified names.
func buildOthers[T any](e *Engine, p *Plan, s *space, category string, drafts map[string]*drafted[T], made map[string]T) []*instance {
	var all []*instance
	for name, d := range drafts {
		node := &stream.Node{Namespace: s.name, Name: name, Type: d.typ, Kind: category}
		in := e.instance(p.Report, node, d.node, d.Digest)
		var err error
		if made[node.String()], err = d.Build(in.builder); err != nil {
			p.Report.Errorf(d.node.Pos, "%v", err)
		}
		all = append(all, in)
	}
	return all
}

func (e *Engine) instance(r *config.Report, node *stream.Node, source *config.Node, digest string) *instance {
	in := &instance{node: node, source: source, digest: digest}
	in.builder = &component.Builder{
		Node: node, Host: e.host, Metrics: e.metrics, Report: r,
		Log: e.log.With(slog.String("component", node.String())),
	}
	return in
}

// begin gives the instance its context.
func (in *instance) begin(ctx context.Context) { in.ctx, in.cancel = context.WithCancelCause(ctx) }

// run starts what the component has declared, except for its listeners.
func (in *instance) run(e *Engine) {
	for _, f := range in.builder.Handlers() {
		in.undo = append(in.undo, e.host.Log.Handle(f))
	}
	for _, t := range in.builder.Tasks() {
		in.tasks.Go(func() { in.keepRunning(t) })
	}
}

const (
	restartAfter    = 100 * time.Millisecond
	restartAtLatest = 30 * time.Second
)

// keepRunning is the goroutine of a task: it starts it again when it fails, each time later. It ends with the instance.
func (in *instance) keepRunning(t component.Task) {
	wait := restartAfter
	for {
		began := time.Now()
		err := in.attempt(t)
		if in.ctx.Err() != nil {
			return
		}
		if time.Since(began) > restartAtLatest {
			wait = restartAfter
		}
		why := ""
		if err != nil {
			why = fmt.Sprintf(" (%v)", err)
		}
		in.builder.Warn(nil, "engine.task.failed", "The task %s has ended%s and starts again in %v.", t.Name, why, wait)
		select {
		case <-time.After(wait/2 + rand.N(wait/2)):
		case <-in.ctx.Done():
			return
		}
		wait = min(2*wait, restartAtLatest)
	}
}

// attempt runs a task once, and turns a fault of ours into an error.
func (in *instance) attempt(t component.Task) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("internal error: %v", fault)
		}
	}()
	return t.Run(in.ctx)
}

// unbind closes the listeners.
func (in *instance) unbind() {
	for _, l := range in.listeners {
		l.close()
	}
}

// close takes the instance out of service, whatever state it is in, and waits until nothing of it runs; not for ever for
// a task that does not return, since the system may hold it, on a file of another machine for example.
func (in *instance) close() {
	in.unbind()
	if in.cancel != nil {
		in.cancel(stream.ErrDrained)
	}
	over := make(chan struct{})
	go func() {
		in.tasks.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(cutWithin):
		in.builder.Log.Error("a task did not end, and is left behind")
	}
	for i := len(in.undo) - 1; i >= 0; i-- {
		in.undo[i]()
	}
	in.undo = nil
}
