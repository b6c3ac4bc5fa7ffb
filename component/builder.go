package component

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"gozilla/config"
	"gozilla/stream"
	"gozilla/telemetry"
)

// A Builder is what a component's constructor is given. The constructor declares with it what the engine is to do;
// nothing of that happens before the whole graph is built.
type Builder struct {
	Node    *stream.Node // the component, as streams see it
	Host    *stream.Host
	Log     *slog.Logger // knows the component's name already
	Metrics *telemetry.Metrics
	Report  *config.Report // is told, by the constructor, what only those know who have everything at hand

	listeners []Listening
	tasks     []Task
	handlers  []func(*telemetry.Event)
}

// A Listener is an address that a component wants connections from.
type Listener struct {
	Host      string        // a literal address, or a name, of which the first address is taken
	Port      uint16        // 0: the system chooses one
	Backlog   int           // connections that may wait to be accepted; 0: as the system has it
	KeepAlive time.Duration // after which the system probes a connection on which nothing moves; 0: never
	Delay     bool          // let the system hold small writes back (Nagle's algorithm)
}

// Listening is a declared listener and who takes its connections.
type Listening struct {
	Listener
	// Serve is called by the goroutine that accepts, so it must not block. It owns the connection and its scope from
	// then on: it sees to it that the scope's End closes the connection.
	Serve func(*stream.Scope, *net.TCPConn)
}

// A Task is something that runs while the component is in service.
type Task struct {
	Name string
	Run  func(context.Context) error
}

// Listen declares a listener. The engine opens it, owns it, accepts on it and holds the limit on connections.
func (b *Builder) Listen(l Listener, serve func(*stream.Scope, *net.TCPConn)) {
	b.listeners = append(b.listeners, Listening{l, serve})
}

// Go declares a task. It is started once the component is in service, its context ends with the component, and if it
// returns before, it is started again, later after each failure.
func (b *Builder) Go(name string, run func(context.Context) error) {
	b.tasks = append(b.tasks, Task{name, run})
}

// OnEvent declares that the component is to be told of every event; f must not block. For exporters.
func (b *Builder) OnEvent(f func(*telemetry.Event)) { b.handlers = append(b.handlers, f) }

// Limits bounds what the component may do.
func (b *Builder) Limits() *stream.Limits { return b.Host.Limits }

// Warn emits an event: something went wrong that the operator should know. s is the stream it happened to, or nil.
func (b *Builder) Warn(s *stream.Scope, id, format string, a ...any) { b.emit(s, true, id, format, a) }

// Inform emits an event about something that went as it should.
func (b *Builder) Inform(s *stream.Scope, id, format string, a ...any) {
	b.emit(s, false, id, format, a)
}

func (b *Builder) emit(s *stream.Scope, warning bool, id, format string, a []any) {
	e := &telemetry.Event{
		Time: time.Now(), Namespace: b.Node.Namespace, Name: b.Node.Name,
		ID: id, Message: fmt.Sprintf(format, a...), Warning: warning,
	}
	if s != nil {
		e.Scope = s.Connection()
	}
	b.Host.Log.Event(e)
}

// Listeners, Tasks and Handlers are what was declared, for the engine.
func (b *Builder) Listeners() []Listening             { return b.listeners }
func (b *Builder) Tasks() []Task                      { return b.tasks }
func (b *Builder) Handlers() []func(*telemetry.Event) { return b.handlers }
