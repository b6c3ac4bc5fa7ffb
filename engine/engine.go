package engine

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
)

// An Engine runs configurations, one after the other.
type Engine struct {
	host    *stream.Host
	metrics *telemetry.Metrics
	log     *slog.Logger

	changing sync.Mutex // held while the generation changes: one change at a time
	changes  atomic.Int64
	refusals atomic.Int64
	stops    atomic.Int64 // calls of Stop that are at work
	taps     taps

	mu        sync.Mutex  // guards what follows
	instances []*instance // of the generation in service, exits first
	leaving   []*instance // of generations before it, see retire.go
	losses    []*lost     // of changes a little while ago
	looking   bool        // after these
	inherited []*net.TCPListener
	serves    bool // from the first Apply to Stop
	something bool // what is in service has a namespace
	drains    *drains
}

// New makes an engine that runs nothing yet. The host is its own from then on.
func New(host *stream.Host, metrics *telemetry.Metrics, log *slog.Logger) *Engine {
	e := &Engine{host: host, metrics: metrics, log: log}
	slots := &host.Connections
	metrics.Counter("engine.workers.count", "processors that the gateway uses", func() int64 { return int64(runtime.GOMAXPROCS(0)) })
	metrics.Gauge("engine.workers.capacity", "connections that may be open", slots.Max)
	metrics.Gauge("engine.workers.usage", "connections that are open", slots.Used)
	metrics.Counter("engine.workers.refused", "connections that were closed or not dialled because too many were open", slots.Refused)
	metrics.Counter("engine.config.changes", "configurations that were put in service", e.changes.Load)
	metrics.Counter("engine.config.refusals", "configurations that were refused, while the one before went on", e.refusals.Load)
	return e
}

// Host is what the engine's streams live on.
func (e *Engine) Host() *stream.Host { return e.host }

// Inherit gives the engine listeners that somebody else has opened, such as systemd: where a binding asks for the address
// of one, it is used. They are the engine's own from then on.
func (e *Engine) Inherit(listeners []*net.TCPListener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inherited = append(e.inherited, listeners...)
}

// Generation is the number of the configuration in service, counted from 1; 0 before the first.
func (e *Engine) Generation() int64 { return e.changes.Load() }

// Refusals is how many configurations were refused while another was in service.
func (e *Engine) Refusals() int64 { return e.refusals.Load() }

// errStopped refuses a change of an engine that is about to end.
var errStopped = errors.New("the gateway is about to end")

// Apply puts a plan in service in place of what is, or changes nothing and tells why: the error is that of the plan's
// Report, to which the faults are added that only come up here, such as a port in use. Of what is in service, only that is
// touched that the plan has otherwise: see [Change]. ctx is what the streams' contexts derive from; its end does not stop
// the engine, Stop does.
func (e *Engine) Apply(ctx context.Context, p *Plan) (*Change, error) {
	e.changing.Lock()
	defer e.changing.Unlock()
	d, err := e.prepare(ctx, p, (*draft).bind)
	if err != nil {
		if e.changes.Load() > 0 && ctx.Err() == nil { // else it was given up
			e.refusals.Add(1)
		}
		return nil, err
	}
	e.commit(d)
	return d.change, nil
}

// Compare tells what Apply would change, and changes nothing. The error is as there, a port in use included.
func (e *Engine) Compare(ctx context.Context, p *Plan) (*Change, error) {
	e.changing.Lock()
	defer e.changing.Unlock()
	d, err := e.prepare(ctx, p, (*draft).probe)
	if err != nil {
		return nil, err
	}
	d.undo()
	return d.change, nil
}

// prepare makes all of a generation that can be made beside the one in service; bind opens its listeners.
func (e *Engine) prepare(ctx context.Context, p *Plan, bind func(*draft, context.Context)) (*draft, error) {
	if err := p.Report.Err(); err != nil {
		return nil, err
	}
	if e.stops.Load() > 0 {
		return nil, errStopped
	}
	d := e.draft(p)
	for _, in := range d.made {
		in.begin(stream.WithHost(context.WithoutCancel(ctx), e.host))
	}
	if p.Report.Err() == nil {
		d.collide()
	}
	if p.Report.Err() == nil {
		bind(d, ctx)
	}
	if err := p.Report.Err(); err != nil {
		d.undo()
		return nil, err
	}
	d.compare()
	return d, nil
}

// commit exchanges the generations. Nothing of it can fail. What is new is complete before anything leads to it, and what
// is gone is let go when nothing does any more.
func (e *Engine) commit(d *draft) {
	nodes := d.nodes()
	for _, in := range d.made {
		in.link(nodes)
	}
	for _, in := range d.made {
		in.run(e)
	}
	d.exchange(nodes)
	e.mu.Lock()
	first := !e.serves
	e.instances, e.serves, e.something = d.instances, true, !d.plan.Empty()
	d.own()
	if first {
		e.drains = newDrains()
	}
	e.mu.Unlock()
	e.retap()
	if first || !d.change.Nothing() {
		e.changes.Add(1)
	}
	if first {
		e.event("engine.started", "Engine Started.")
	}
	d.accept()
	e.release(d.closing)
	e.retire(d)
}

// link makes the edges and routes of all instances, from the exits backwards, so that nothing that is reached is
// without them.
func link(instances []*instance) {
	d := draft{instances: instances}
	nodes := d.nodes()
	for _, in := range instances {
		in.link(nodes)
	}
}

// cutWithin is how long the streams have to return that were cut off at the deadline.
const cutWithin = 2 * time.Second

// Stop takes the engine out of service: listeners close at once, streams are asked to take their leave, at the rate that
// the limit leaving says, and what is left at the end of ctx is cut off. It returns when nothing of the engine is left. To
// stop what is not in service is to do nothing, except that the ctx of a second call may end the patience of the first.
func (e *Engine) Stop(ctx context.Context) {
	e.stops.Add(1) // so that no change comes after this one
	defer e.stops.Add(-1)
	e.host.LeaveFromNow()
	e.changing.Lock()
	e.mu.Lock()
	instances := slices.Clone(e.instances)
	slices.Reverse(instances) // entries first
	served, drains := e.serves, e.drains
	e.serves, e.instances, e.drains = false, nil, nil
	e.mu.Unlock()
	e.changing.Unlock()
	closeAll(instances)
	if drains != nil {
		drains.end()
	}
	e.ask(ctx, e.scopes(anyPath), (*stream.Scope).Leave)
	if e.host.AwaitIdle(ctx) != nil {
		e.cut(ctx)
	}
	if served {
		e.event("engine.stopped", "Engine Stopped.")
	}
	e.mu.Lock()
	left := e.leaving
	e.leaving, e.losses, e.looking = nil, nil, false
	for _, l := range e.inherited {
		l.Close()
	}
	e.inherited = nil
	e.mu.Unlock()
	for _, in := range append(instances, left...) {
		in.close()
	}
}

// cut ends every stream.
func (e *Engine) cut(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	e.end(ctx, e.scopes(anyPath), anyPath)
	ctx, cancel := context.WithTimeout(ctx, cutWithin)
	defer cancel()
	if e.host.AwaitIdle(ctx) != nil {
		e.log.Error("streams did not end when they were cut off", "streams", e.host.Open())
	}
}

func (e *Engine) event(id, message string) {
	e.host.Log.Event(&telemetry.Event{Time: time.Now(), Namespace: "engine", Name: "events", ID: id, Message: message})
}
