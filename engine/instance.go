package engine

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"gozilla/binding"
	"gozilla/component"
	"gozilla/config"
	"gozilla/stream"
)

// An instance is a component in service. Its identity is namespace:name, type, kind and digest, and that of the vaults and
// guards that it names; routes, exit, guarded, telemetry and streams are no part of it, since they can be exchanged in
// place.
type instance struct {
	node   *stream.Node // of other components than bindings the kind is the category
	digest string
	value  any         // what the constructor gave; of other components than bindings
	parts  []*instance // the vaults and guards that it holds

	// What a later generation exchanges; under the lock of the engine.
	source *config.Node  // the component's body in the file
	spec   *binding.Spec // nil for what is not a binding
	exits  []*instance   // where its edges lead

	binding *binding.Binding // nil for what is not a binding

	ctx       context.Context
	cancel    context.CancelCauseFunc
	builder   *component.Builder
	listeners []*listener
	measures  string   // how it is measured: see binding.Spec
	listed    []string // the metrics that its namespace lists
	measured  []func() // what takes its counters back
	undo      []func() // what else close takes back, last first
	tasks     sync.WaitGroup
	quiet     int // looks since a stream was seen at it; see retire.go
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

// link makes the edges and routes those of the spec.
func (in *instance) link(nodes map[string]*stream.Node) {
	if in.binding != nil {
		in.binding.Link(in.spec, func(namespace, name string) *stream.Node { return nodes[namespace+":"+name] })
	}
}

// active is how many streams are at the instance.
func (in *instance) active() int64 { return in.node.Streams.Received.Active() }

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

// close takes the instance out of service, whatever state it is in, and waits until nothing of it runs; not for ever for
// a task that does not return, since the system may hold it, on a file of another machine for example.
func (in *instance) close() {
	closeAll([]*instance{in})
	if in.cancel != nil {
		in.cancel(stream.ErrDrained)
	}
	over := make(chan struct{})
	go func() {
		in.tasks.Wait()
		close(over)
	}()
	late := time.NewTimer(cutWithin)
	defer late.Stop()
	select {
	case <-over:
	case <-late.C:
		in.builder.Log.Error("a task did not end, and is left behind")
	}
	for i := len(in.undo) - 1; i >= 0; i-- {
		in.undo[i]()
	}
	in.undo = nil
	in.unmeasure()
}

// unmeasure takes the counters back.
func (in *instance) unmeasure() {
	for _, remove := range in.measured {
		remove()
	}
	in.measured = nil
}
