package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gozilla/config"
	"gozilla/internal/fetch"
	"gozilla/internal/watch"
	"gozilla/telemetry"
)

// An Origin is where a configuration comes from.
type Origin struct {
	Name    string // a path, or a file:, http: or https: address
	Env     func(name string) (value string, set bool)
	Options Options
	Poll    time.Duration // how often an HTTP server is asked that does not wait until something has changed
}

// A Follower keeps an engine at what its origin has.
type Follower struct {
	engine *Engine
	origin Origin
	tell   Teller

	piped bool // the origin is a pipe, of Begin

	changing sync.Mutex // one at a time
	text     []byte     // that was tried last
	seen     watch.File // the file when Reload read it last
	memory   config.Memory
	tag      string // of the text, for an HTTP server

	mu      sync.Mutex // guards what follows
	state   State
	attempt context.CancelCauseFunc // ends the one that began last
}

// Teller is told when another configuration is about to be tried, and what has come of it.
type Teller interface {
	Trying()
	Tried(*Outcome)
}

// An Outcome is what has come of a configuration.
type Outcome struct {
	Plan   *Plan   // what was read; nil if nothing could be
	Change *Change // what it has changed; nil if it was refused
	Err    error   // why it was refused; the faults that have places are in the Plan's Report
}

// Faults are why a configuration was refused, each as file:line:column: what is wrong; none if it was not.
func (o *Outcome) Faults() []string {
	if o.Err == nil {
		return nil
	}
	return faultLines(o.Err)
}

func faultLines(err error) (lines []string) {
	var invalid *config.Invalid
	if !errors.As(err, &invalid) {
		return []string{err.Error()}
	}
	for i := range invalid.Faults {
		if !invalid.Faults[i].Warning {
			lines = append(lines, invalid.Faults[i].String())
		}
	}
	return lines
}

// State is what a Follower knows.
type State struct {
	Generation int64 // the number of the configuration in service, counted from 1
	Loaded     time.Time
	Refusing   bool     // the last configuration that was tried is not in service, or the origin cannot be read
	Refused    *Outcome // of the last one that was not taken; nil if there was none
	RefusedAt  time.Time
}

// Follow makes a follower of an origin. It does nothing before Begin.
func (e *Engine) Follow(o Origin, tell Teller) *Follower {
	return &Follower{engine: e, origin: o, tell: tell}
}

// Source is the origin's text as Load takes it.
func (o *Origin) Source(text []byte) config.Source {
	return config.Source{Name: o.Name, Text: text, Env: o.Env}
}

// State is how it stands.
func (f *Follower) State() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.state
	s.Generation = f.engine.Generation()
	return s
}

// Begin reads the origin and puts what it has in service, nothing if there is nothing: it may come. Unlike later, what is
// wrong with it is not forgiven.
func (f *Follower) Begin(ctx context.Context) *Outcome {
	f.changing.Lock()
	defer f.changing.Unlock()
	f.piped = !fetch.IsRemote(f.origin.Name) && f.origin.isPipe()
	text, fresh, err := f.read(ctx)
	if err != nil {
		return &Outcome{Err: err}
	}
	fresh() // what it is not any more, Run will see
	o := f.try(ctx, text)
	f.note(o)
	return o
}

// Reload reads the origin now and puts what it has in service, also if it is the same text. If ctx ends before that, or
// there is something newer, nothing is tried.
func (f *Follower) Reload(ctx context.Context) *Outcome {
	text, fresh, err := f.read(ctx)
	ctx, end := f.begin(ctx)
	defer end()
	if f.engine.stops.Load() > 0 {
		return &Outcome{Err: errStopped}
	}
	if !fresh() {
		text, fresh, err = f.read(ctx)
		fresh()
	}
	f.tell.Trying()
	return f.take(ctx, text, err)
}

// errOvertaken ends an attempt when a newer one begins, which is not to wait for a name that cannot be resolved.
var errOvertaken = errors.New("there is something newer")

// begin ends the attempt before, and waits for that. end is called when the attempt is over.
func (f *Follower) begin(ctx context.Context) (attempt context.Context, end func()) {
	attempt, cancel := context.WithCancelCause(ctx)
	f.mu.Lock()
	before := f.attempt
	f.attempt = cancel
	f.mu.Unlock()
	if before != nil {
		before(errOvertaken)
	}
	f.changing.Lock()
	return attempt, func() {
		f.changing.Unlock()
		cancel(nil)
	}
}

// Compare tells what Reload would change if the origin had that text; its name is what faults are told with.
func (f *Follower) Compare(ctx context.Context, s config.Source, o Options) *Outcome {
	o.System, o.Authorization, o.Untried = f.origin.Options.System, f.origin.Options.Authorization, true
	s.Env = f.origin.Env
	p := Load(ctx, s, o)
	if p.Report.Err() == nil && p.Empty() {
		return &Outcome{Plan: p, Err: errEmpty}
	}
	change, err := f.engine.Compare(ctx, p)
	return &Outcome{Plan: p, Change: change, Err: err}
}

// errEmpty refuses a configuration in place of which something runs.
var errEmpty = errors.New("the configuration is missing or empty")

// consider takes a text unless it was tried already; what is wrong with the origin is told once. It reports whether the
// text was tried.
func (f *Follower) consider(ctx context.Context, text []byte, err error) bool {
	switch {
	case err == nil && isBlank(text) && f.origin.isNothing(ctx, text):
		if !f.engine.hasSomething() {
			return false // it is waited for
		}
		err = errEmpty
	case err == nil && bytes.Equal(text, f.text):
		f.back()
		return false
	}
	if err != nil && f.knows(err) {
		return false
	}
	f.tell.Trying()
	f.take(ctx, text, err)
	return err == nil
}

// isBlank reports whether a text is likely to have nothing in it.
func isBlank(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && line[0] != '-' && line[0] != '.' && line[0] != '%' {
			return false
		}
	}
	return true
}

// isNothing reports whether a text is a configuration without a namespace.
func (o *Origin) isNothing(ctx context.Context, text []byte) bool {
	p := Load(ctx, o.Source(text), Options{Untried: true})
	return p.Report.Err() == nil && p.Empty()
}

// take puts a text in service, or tells why not.
func (f *Follower) take(ctx context.Context, text []byte, err error) *Outcome {
	o := &Outcome{Err: err}
	if err == nil && ctx.Err() == nil {
		o = f.try(ctx, text)
	}
	if ctx.Err() != nil && o.Change == nil { // it was given up
		f.text = nil
		o = &Outcome{Err: context.Cause(ctx)}
		f.tell.Tried(o)
		return o
	}
	if err != nil {
		f.engine.refusals.Add(1)
	}
	f.note(o)
	if o.Err != nil {
		f.engine.warn("engine.config.refused", fmt.Sprintf("A configuration was refused, number %d goes on: %s", f.engine.Generation(), o.Faults()[0]))
	} else if !o.Change.Nothing() {
		f.engine.event("engine.config.changed", fmt.Sprintf("Configuration %d is in service: %s.", f.engine.Generation(), o.Change.Summary()))
	}
	f.tell.Tried(o)
	return o
}

// try puts a text in service.
func (f *Follower) try(ctx context.Context, text []byte) *Outcome {
	f.text = text
	options := f.origin.Options
	options.Untried = true // what only constructors know, Apply tells
	source := f.origin.Source(text)
	source.Memory = &f.memory
	p := Load(ctx, source, options)
	if p.Report.Err() == nil && p.Empty() && f.engine.hasSomething() {
		f.engine.refusals.Add(1)
		return &Outcome{Plan: p, Err: errEmpty}
	}
	change, err := f.engine.Apply(ctx, p)
	return &Outcome{Plan: p, Change: change, Err: err}
}

// note remembers what has come of it.
func (f *Follower) note(o *Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.Refusing = o.Err != nil; f.state.Refusing {
		f.state.Refused, f.state.RefusedAt = &Outcome{Err: o.Err}, time.Now()
		return
	}
	if !o.Change.Nothing() || f.state.Loaded.IsZero() {
		f.state.Loaded = time.Now()
	}
}

// knows reports whether the origin was not to be had already, for the same reason.
func (f *Follower) knows(err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.Refusing && f.state.Refused.Err.Error() == err.Error()
}

// back notes that the origin has the text again that was tried last: if it could not be had meanwhile, that is over.
func (f *Follower) back() {
	f.mu.Lock()
	defer f.mu.Unlock()
	var invalid *config.Invalid
	if f.state.Refusing && !errors.As(f.state.Refused.Err, &invalid) {
		f.state.Refusing = false
	}
}

// hasSomething reports whether the configuration in service has bindings or anything else of the file's own.
func (e *Engine) hasSomething() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.something
}

func (e *Engine) warn(id, message string) {
	e.host.Log.Event(&telemetry.Event{Time: time.Now(), Namespace: "engine", Name: "events", ID: id, Message: message, Warning: true})
}
