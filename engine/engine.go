package engine

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
)

// An Engine runs configurations.
type Engine struct {
	host    *stream.Host
	metrics *telemetry.Metrics
	log     *slog.Logger

	mu        sync.Mutex
	instances []*instance // exits first
	serves    bool        // from Start to Stop

	taps taps
}

// New makes an engine that runs nothing yet. The host is its own from then on.
func New(host *stream.Host, metrics *telemetry.Metrics, log *slog.Logger) *Engine {
	e := &Engine{host: host, metrics: metrics, log: log}
	slots := &host.Connections
	metrics.Counter("engine.workers.count", "processors that the gateway uses", func() int64 { return int64(runtime.GOMAXPROCS(0)) })
	metrics.Gauge("engine.workers.capacity", "connections that may be open", slots.Max)
	metrics.Gauge("engine.workers.usage", "connections that are open", slots.Used)
	metrics.Counter("engine.workers.refused", "connections that were closed or not dialled because too many were open", slots.Refused)
	return e
}

// Host is what the engine's streams live on.
func (e *Engine) Host() *stream.Host { return e.host }

// Start puts a plan in service, or changes nothing and tells why: the error is that of the plan's Report, to which the
// faults are added that only come up here, such as a port in use. ctx is what the streams' contexts derive from; its
// end does not stop the engine, Stop does.
func (e *Engine) Start(ctx context.Context, p *Plan) error {
	if err := p.Report.Err(); err != nil {
		return err
	}
	instances := e.build(p)
	for _, in := range instances {
		in.begin(stream.WithHost(context.WithoutCancel(ctx), e.host))
	}
	if p.Report.Err() == nil {
		bind(ctx, p.Report, instances)
	}
	if err := p.Report.Err(); err != nil {
		for _, in := range instances {
			in.close()
		}
		return err
	}
	link(instances)
	e.mu.Lock()
	e.instances, e.serves = instances, true
	e.mu.Unlock()
	e.retap()
	for _, in := range instances {
		in.run(e)
	}
	e.event("engine.started", "Engine Started.")
	for _, in := range instances {
		in.accept(e)
	}
	return nil
}

// link makes the edges and routes of all instances, from the exits backwards, so that nothing that is reached is
// without them.
func link(instances []*instance) {
	nodes := map[string]*stream.Node{}
	for _, in := range instances {
		nodes[in.node.String()] = in.node
	}
	find := func(namespace, name string) *stream.Node { return nodes[namespace+":"+name] }
	for _, in := range instances {
		if in.binding != nil {
			in.binding.Link(in.spec, find)
		}
	}
}

// cutWithin is how long the streams have to return that were cut off at the deadline.
const cutWithin = 2 * time.Second

// Stop takes the engine out of service: listeners close at once, streams are asked to take their leave, and what is left
// at the end of ctx is cut off. It returns when nothing of the engine is left. To stop what is not in service is to do
// nothing, except that the ctx of a second call may end the patience of the first.
func (e *Engine) Stop(ctx context.Context) {
	e.mu.Lock()
	instances := slices.Clone(e.instances)
	slices.Reverse(instances) // entries first
	served := e.serves
	e.serves, e.instances = false, nil
	e.mu.Unlock()
	for _, in := range instances {
		in.unbind()
	}
	e.host.Leave()
	if e.host.AwaitIdle(ctx) != nil {
		e.cut(ctx)
	}
	if served {
		e.event("engine.stopped", "Engine Stopped.")
	}
	for _, in := range instances {
		in.close()
	}
}

// cut ends every stream.
func (e *Engine) cut(ctx context.Context) {
	e.host.Scopes(func(s *stream.Scope) { s.Cancel(stream.ErrDrained) })
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cutWithin)
	defer cancel()
	if e.host.AwaitIdle(ctx) != nil {
		e.log.Error("streams did not end when they were cut off", "streams", e.host.Open())
	}
}

func (e *Engine) event(id, message string) {
	e.host.Log.Event(&telemetry.Event{Time: time.Now(), Namespace: "engine", Name: "events", ID: id, Message: message})
}
