package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"gozilla/binding"
	"gozilla/component"
	"gozilla/config"
	"gozilla/guard"
	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/stream/conn"
)

func TestMain(m *testing.M) { leak.Main(m) }

// words is a protocol that none of the real bindings speaks.
type words interface {
	Say(context.Context, string) error
}

type throughWords struct{ edge *stream.Edge[words] }

func (t throughWords) Say(ctx context.Context, word string) error {
	to := t.edge.To()
	stream.From(ctx).Enter(to.Node)
	return to.Port.Say(ctx, word)
}

var wordsProtocol = stream.Protocol[words]{Name: "words", Through: func(e *stream.Edge[words]) words { return throughWords{e} }}

func init() {
	binding.Register(binding.Type{Name: "test", Kinds: map[binding.Kind]binding.Form{
		// Takes bytes and speaks words.
		binding.Proxy: binding.In(newSpeaker, binding.Face(conn.Protocol, (*speaker).conn), binding.Exits[*speaker](wordsProtocol)),
		// Takes words.
		binding.Client: binding.In(newListener, binding.Face(wordsProtocol, (*listener).words)),
		// Takes bytes, and does what its options say.
		binding.Server: binding.In(newActor, binding.Face(conn.Protocol, (*actor).conn)),
		// Declares listeners.
		binding.RemoteServer: binding.In(newPorts),
		// Takes bytes, and has a task.
		binding.CacheServer: binding.In(newLasting, binding.Face(conn.Protocol, (*actor).conn)),
	}})
	guard.Register("test", func(_ *component.Builder, c *testGuard) (guard.Guard, error) {
		if c.Options.Fails != "" {
			return nil, errors.New(c.Options.Fails)
		}
		return nil, nil
	})
}

// Ports is a test remote server in a file.
type Ports struct {
	binding.Head
	Options PortsOptions
}

// PortsOptions says what a test remote server listens on, and how.
type PortsOptions struct {
	Port      uint16
	Ports     int
	Backlog   int
	KeepAlive time.Duration
	Delay     bool
	Panics    bool // instead of taking the first connection
}

// accepted are the connections that test remote servers have taken and hold until the test says so.
var accepted = make(chan *net.TCPConn, 1)

func newPorts(b *binding.Builder, c *Ports) (*struct{}, error) {
	o := c.Options
	l := component.Listener{Host: "127.0.0.1", Port: o.Port, Backlog: o.Backlog, KeepAlive: o.KeepAlive, Delay: o.Delay}
	panics := o.Panics
	for i := range max(o.Ports, 1) {
		b.Listen(l, func(s *stream.Scope, c *net.TCPConn) {
			if panics {
				panics = false
				panic("the test says so")
			}
			s.OnEnd(func(error) { c.Close() })
			if o.Ports > 0 {
				fmt.Fprint(c, i)
				s.End(nil)
				return
			}
			accepted <- c
			go func() { // ends when the client has left
				io.Copy(io.Discard, c)
				s.End(nil)
			}()
		})
	}
	return nil, nil
}

type testGuard struct {
	guard.Head
	Options struct{ Fails string }
}

// Speaker is a test proxy in a file.
type Speaker struct {
	binding.Head
	binding.Routed[SpeakerWhen, config.None]
}

// SpeakerWhen is what a route of it asks.
type SpeakerWhen struct {
	Word string
}

type speaker struct{}

func newSpeaker(b *binding.Builder, c *Speaker) (*speaker, error) {
	binding.RoutesOf(b, &c.Routed, wordsProtocol)
	return &speaker{}, nil
}

func (s *speaker) conn() conn.Port { return conn.Serving(s) }

func (s *speaker) ServeConn(context.Context, conn.Conn, *stream.Info) error { return nil }

// Listener is a test client in a file.
type Listener struct {
	binding.Head
	// What it does.
	Options *struct{ Number int }
}

type listener struct{}

func newListener(*binding.Builder, *Listener) (*listener, error) { return &listener{}, nil }

func (l *listener) words() words { return l }

func (l *listener) Say(context.Context, string) error { return nil }

// Actor is a test server in a file.
type Actor struct {
	binding.Head
	Options ActorOptions
}

// ActorOptions says what a test server does.
type ActorOptions struct {
	Fails string // what its constructor says
	Task  string // what its task does: fails or panics
}

type actor struct{}

func newActor(b *binding.Builder, c *Actor) (*actor, error) {
	if c.Options.Fails != "" {
		return nil, errors.New(c.Options.Fails)
	}
	if c.Options.Task != "" {
		b.Go(c.Options.Task, act(c.Options.Task))
	}
	return &actor{}, nil
}

func act(how string) func(context.Context) error {
	return func(ctx context.Context) error {
		if how == "panics" {
			panic("the test says so")
		}
		return errors.New("the test says so")
	}
}

func (a *actor) conn() conn.Port { return conn.Serving(a) }

// ServeConn panics if it receives an exclamation mark, and sends everything else back.
func (a *actor) ServeConn(_ context.Context, c conn.Conn, _ *stream.Info) error {
	b := make([]byte, 1)
	for {
		if _, err := c.Read(b); err != nil {
			return err
		}
		if b[0] == '!' {
			panic("the test says so")
		}
		if _, err := c.Write(b); err != nil {
			return err
		}
	}
}
