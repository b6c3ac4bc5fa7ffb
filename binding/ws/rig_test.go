package ws_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/binding"
	wsbinding "gozilla/binding/ws"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/ws"
	"gozilla/telemetry"
)

// A hook is a binding of tests, which does what a test says.
type hook struct{ name string }

// hooks are what they do, by name.
var hooks struct {
	sync.Map // of func(*ws.Request, ws.Served) error, or func(context.Context, *web.Request, web.Served) error
}

type hookConfig struct{ binding.Head }

func (h hook) ServeSocket(_ context.Context, r *ws.Request, x ws.Served) error {
	f, _ := hooks.Load(h.name)
	return f.(func(*ws.Request, ws.Served) error)(r, x)
}

func (h hook) ServeExchange(ctx context.Context, r *web.Request, x web.Served) error {
	f, _ := hooks.Load(h.name)
	return f.(func(context.Context, *web.Request, web.Served) error)(ctx, r, x)
}

func init() {
	made := func(b *binding.Builder, _ *hookConfig) (hook, error) { return hook{b.Node.String()}, nil }
	binding.Register(binding.Type{Name: "hook", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(made, binding.Face(ws.Protocol, func(h hook) ws.Port { return ws.Serving(h) }),
			binding.Face(web.Protocol, func(h hook) web.Port { return web.Serving(h) })),
	}})
}

// rig is a gateway in a bubble of testing/synctest: nothing of it touches the system.
type rig struct {
	*testing.T
	g *gwtest.Gateway
}

// inBubble runs f where time passes when everybody waits.
func inBubble(t *testing.T, f func(r *rig), opts ...gwtest.Option) {
	t.Helper()
	conn.Cold(true)
	defer conn.Cold(false)
	synctest.Test(t, func(t *testing.T) {
		f(&rig{t, gwtest.Start(t, `name: test
bindings:
  server: { type: ws-of-tests, kind: server, exit: served }
  served: { type: hook, kind: server }
  group: { type: ws-of-tests, kind: server, exit: fan }
  fan: { type: fan, kind: server, exit: echo }
  echo: { type: echo, kind: server }
  client: { type: ws-of-tests, kind: client, exit: asked }
  asked: { type: hook, kind: server }
`, opts...)})
	})
}

// echoes sends back what comes.
func echoes(_ *ws.Request, x ws.Served) error { return ws.Echo(x) }

// client is a client of the server, over HTTP/1.1, whose sockets go to f; scope is that of its connection.
func (r *rig) client(f func(*ws.Request, ws.Served) error) (p *peer, scope *stream.Scope) {
	r.Helper()
	hooks.Store("test:served", f)
	r.Cleanup(r.g.AwaitIdle)
	return r.clientOf("test:server")
}

// clientOf is a client of that server.
func (r *rig) clientOf(name string) (p *peer, scope *stream.Scope) {
	r.Helper()
	server, _ := wsbinding.Servers.Load(name)
	near, far := conn.Pipe()
	node := &stream.Node{Name: "listener"}
	scope = r.g.Host.Arrive(stream.WithHost(context.Background(), r.g.Host), node)
	scope.OnEnd(func(err error) {
		if err == nil || errors.As(err, new(*stream.Told)) || scope.Err() != nil { // a reset overtakes what was said, which it does not in TCP
			far.Close()
		} else {
			far.Abort()
		}
	})
	conn.Start(scope, far, &stream.Info{}, conn.Serving(&h1.Server{Node: node, Handler: server.(web.Handler)}))
	r.Cleanup(near.Abort)
	io.WriteString(near, handshake("/"))
	return newPeer(r, near, near.CloseWrite, true, false), scope
}

// server is a server of the client, by hand, and the socket that the client has opened there.
func (r *rig) server() (p *peer, y ws.Opened, scope *stream.Scope) {
	r.Helper()
	peers := make(chan *peer)
	hooks.Store("test:asked", func(ctx context.Context, q *web.Request, x web.Served) error {
		h := web.Fields("sec-websocket-accept", web.AcceptKey(q.Header.Get("sec-websocket-key")))
		if err := x.Respond(&web.Response{Status: 101, Protocol: "websocket", Header: h, Length: -1}); err != nil {
			return err
		}
		x.Flush()
		peers <- newPeer(r, flushing{x}, func() error { return x.End(nil) }, false, false)
		<-ctx.Done()
		return nil
	})
	opener, _ := wsbinding.Clients.Load("test:client")
	scope = stream.Begin(stream.WithHost(context.Background(), r.g.Host), &stream.Node{Name: "source"})
	var err error
	opened := make(chan struct{})
	go func() { // ends with the handshake
		y, err = opener.(ws.Opener).OpenSocket(scope, &ws.Request{Scheme: "http", Authority: "a", Path: "/"})
		close(opened)
	}()
	p = <-peers
	<-opened
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { y.Close(); scope.End(nil) })
	return p, y, scope
}

type flushing struct{ web.Served }

func (f flushing) Write(b []byte) (int, error) {
	n, err := f.Served.Write(b)
	if err == nil {
		err = f.Served.Flush()
	}
	return n, err
}

// shaken waits for the head of the answer.
func (p *peer) shaken() *peer {
	p.t.Helper()
	var head []byte
	for b := make([]byte, 1); len(head) < 4 || string(head[len(head)-4:]) != "\r\n\r\n"; head = append(head, b[0]) {
		if _, err := p.rw.Read(b); err != nil {
			p.t.Fatalf("%q, %v", head, err)
		}
	}
	if string(head[:12]) != "HTTP/1.1 101" {
		p.t.Fatalf("%q", head)
	}
	return p
}

// late is how much later than it is due something may be noticed.
const late = 1500 * time.Millisecond

// after fails the test unless about d has passed.
func (r *rig) after(began time.Time, d time.Duration) {
	r.Helper()
	if took := time.Since(began); took < d-250*time.Millisecond || took > d+late {
		r.Errorf("it took %v, not %v", took, d)
	}
}

// wants fails the test unless the next message or control frame is that one.
func (p *peer) wants(op int, data string) {
	p.t.Helper()
	if m, err := p.next(); err != nil || int(m.op) != op || m.data != data {
		p.t.Fatalf("%v, %v, not %d %q", m, err, op, data)
	}
}

// leaves wants a goodbye.
func (p *peer) leaves(code int) {
	p.t.Helper()
	if _, got := p.hears(); int(got) != code {
		p.t.Fatalf("the code is %d, not %d", got, code)
	}
}

// ended wants of the record of a socket how it has ended.
func (r *rig) ended(by telemetry.Side, reason string) telemetry.Record {
	r.Helper()
	rec := r.g.RecordOf(func(rec *telemetry.Record) bool { return rec.Connection != 0 })
	if rec.By != by || rec.Reason != reason {
		r.Errorf("the record says %q, %q (%s), not %q, %q", rec.By, rec.Reason, rec.Err, by, reason)
	}
	return rec
}
