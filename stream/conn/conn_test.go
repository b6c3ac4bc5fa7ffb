package conn_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/conn/conntest"
	"gozilla/telemetry"
)

func TestMain(m *testing.M) { leak.Main(m) }

// pairOf makes two ends of a connection: of a pipe, or of a socket.
type pairOf func(testing.TB) (conn.Conn, conn.Conn)

func pipes(testing.TB) (conn.Conn, conn.Conn) { return conn.Pipe() }

// sockets makes a TCP connection over loopback whose buffers are small, so that it soon takes no more.
func sockets(t testing.TB) (conn.Conn, conn.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled := make(chan net.Conn, 1)
	go func() {
		c, _ := net.Dial("tcp", l.Addr().String())
		dialled <- c
	}()
	accepted, err := l.Accept()
	c := <-dialled
	if err != nil || c == nil {
		t.Fatal("cannot connect over loopback: ", err)
	}
	return c.(*net.TCPConn), accepted.(*net.TCPConn)
}

// bareSockets are sockets of which ours is wrapped, so that it is read and written by Read and Write.
func bareSockets(t testing.TB) (conn.Conn, conn.Conn) {
	x, y := sockets(t)
	return x, &wrapped{Conn: y, below: y}
}

// wrapped is a connection that has another one below, as a *tls.Conn has.
type wrapped struct {
	conn.Conn
	below net.Conn
}

func (w *wrapped) NetConn() net.Conn { return w.below }
func (w *wrapped) Abort()            { conn.Abort(w.Conn) }

// rig is a path that this package makes: what arrives is relayed to what a dialer opens.
type rig struct {
	host    *stream.Host
	node    *stream.Node
	ctx     context.Context
	front   pairOf // the client's end, and ours
	back    pairOf // the server's end, and ours
	servers chan conn.Conn
	port    conn.Port
}

func newRig(t testing.TB, front, back pairOf) *rig {
	r := &rig{
		host:    stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 4096, false)),
		node:    &stream.Node{Namespace: "test", Name: "north", Type: "test", Kind: "server"},
		front:   front,
		back:    back,
		servers: make(chan conn.Conn, 1),
	}
	r.ctx = stream.WithHost(context.Background(), r.host)
	r.port = conn.Dialing(dialer{t, r})
	return r
}

type dialer struct {
	t testing.TB
	r *rig
}

func (d dialer) DialConn(ctx context.Context, about *stream.Info) (conn.Conn, *stream.Info, error) {
	if about.Authority == "hangs" {
		<-ctx.Done()
		return nil, nil, stream.Refuse(stream.Timeout, "not dialled: %w", ctx.Err())
	}
	server, ours := d.r.back(d.t)
	d.r.servers <- server
	return ours, about, nil
}

// arrive hands a new connection to the port and gives the client's end.
func (r *rig) arrive(t testing.TB, about *stream.Info) conn.Conn {
	client, ours := r.front(t)
	s := r.host.Arrive(r.ctx, r.node)
	s.OnEnd(func(err error) {
		var told *stream.Told
		if err != nil && !errors.As(err, &told) {
			conn.Abort(ours)
			return
		}
		ours.Close()
	})
	conn.Start(s, ours, about, r.port)
	return client
}

func (r *rig) gateway(holds int) *conntest.Gateway {
	return &conntest.Gateway{
		Host:  r.host,
		Holds: holds,
		Open: func(t testing.TB) (conn.Conn, conn.Conn) {
			client := r.arrive(t, &stream.Info{})
			return client, <-r.servers
		},
		Hang: func(t testing.TB) conn.Conn { return r.arrive(t, &stream.Info{Authority: "hangs"}) },
	}
}

const (
	pipesHold   = 256 << 10 // two pipes and a buffer
	socketsHold = 64 << 20  // what the system lets four socket buffers grow to
)

func TestRelay(t *testing.T) {
	for _, p := range []struct {
		name        string
		front, back pairOf
		holds       int
	}{
		{"pipe to pipe", pipes, pipes, pipesHold},
		{"socket to socket", sockets, sockets, socketsHold},
		{"socket to pipe", sockets, pipes, socketsHold},
		{"pipe to socket", pipes, sockets, socketsHold},
		{"wrapped socket to socket", bareSockets, sockets, socketsHold},
		{"socket to wrapped socket", sockets, bareSockets, socketsHold},
	} {
		t.Run(p.name, func(t *testing.T) {
			conntest.Run(t, func(t *testing.T) *conntest.Gateway { return newRig(t, p.front, p.back).gateway(p.holds) })
		})
	}
}

// preface is what prefaced wants to see before it sends a stream on.
const preface = "to the server\n"

// prefaced is a Decider that takes a line off the stream.
type prefaced struct{ to conn.Port }

func (p prefaced) Decide(_ context.Context, about *stream.Info, head []byte) (conn.Decision, error) {
	if about.Authority == "hangs" {
		return conn.Decision{To: p.to, About: about}, nil
	}
	if len(head) < len(preface) {
		return conn.Decision{}, nil
	}
	if !bytes.HasPrefix(head, []byte(preface)) {
		return conn.Decision{}, stream.Refuse(stream.Invalid, "no preface")
	}
	return conn.Decision{To: p.to, About: about, Used: len(preface)}, nil
}

func TestRelayBehindDecision(t *testing.T) {
	for name, pair := range map[string]pairOf{"pipes": pipes, "sockets": sockets} {
		t.Run(name, func(t *testing.T) {
			conntest.Run(t, func(t *testing.T) *conntest.Gateway {
				r := newRig(t, pair, pair)
				r.port = conn.Deciding(prefaced{r.port})
				g := r.gateway(socketsHold)
				g.Open = func(t testing.TB) (conn.Conn, conn.Conn) {
					client := r.arrive(t, &stream.Info{})
					client.Write([]byte(preface))
					return client, <-r.servers
				}
				return g
			})
		})
	}
}

// TestServing relays to what is served at the far end of a pipe, which is the path of a server that is dialled.
func TestServing(t *testing.T) {
	conntest.Run(t, func(t *testing.T) *conntest.Gateway {
		r := newRig(t, sockets, pipes)
		far := make(chan *served)
		r.port = conn.Dialing(conn.Serving(serverFunc(func(ctx context.Context, c conn.Conn, _ *stream.Info) error {
			s := &served{Conn: c, over: make(chan error, 1)}
			far <- s
			select {
			case err := <-s.over:
				return err
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})))
		g := r.gateway(socketsHold)
		g.Hang = nil
		g.Open = func(t testing.TB) (conn.Conn, conn.Conn) {
			client := r.arrive(t, &stream.Info{})
			return client, <-far
		}
		return g
	})
}

// served is what a server was given, as the suite's end of a path. The server returns when both directions are over,
// and when the suite closes or aborts its end.
type served struct {
	conn.Conn
	once sync.Once
	over chan error
	ends atomic.Int32
}

func (s *served) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if err == io.EOF {
		s.ended()
	}
	return n, err
}

func (s *served) CloseWrite() error {
	defer s.ended()
	return s.Conn.CloseWrite()
}

func (s *served) ended() {
	if s.ends.Add(1) == 2 {
		s.Close()
	}
}

func (s *served) Close() error { s.once.Do(func() { s.over <- nil }); return nil }
func (s *served) Abort() {
	s.once.Do(func() { s.over <- &stream.Cut{By: telemetry.Server, Why: "rst"} })
}

type serverFunc func(context.Context, conn.Conn, *stream.Info) error

func (f serverFunc) ServeConn(ctx context.Context, c conn.Conn, about *stream.Info) error {
	return f(ctx, c, about)
}

func TestEcho(t *testing.T) {
	for name, pair := range map[string]pairOf{"pipe": pipes, "socket": sockets, "wrapped socket": bareSockets} {
		t.Run(name, func(t *testing.T) {
			conntest.RunEcho(t, func(t *testing.T) (*stream.Host, func(testing.TB) conn.Conn) {
				r := newRig(t, pair, nil)
				r.port = conn.Serving(serverFunc(func(ctx context.Context, c conn.Conn, _ *stream.Info) error {
					return conn.Echo(ctx, c)
				}))
				return r.host, func(t testing.TB) conn.Conn { return r.arrive(t, &stream.Info{}) }
			})
		})
	}
}

const patience = 30 * time.Second

// TestLastWords cancels streams and writes to their ends when they are over, as a protocol does to say why.
func TestLastWords(t *testing.T) {
	for name, serve := range map[string]func(ctx context.Context, c conn.Conn, r *rig) error{
		"relay": func(ctx context.Context, c conn.Conn, r *rig) error { return r.port.ServeConn(ctx, c, &stream.Info{}) },
		"echo":  func(ctx context.Context, c conn.Conn, _ *rig) error { return conn.Echo(ctx, c) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sockets, pipes)
			client, ours := sockets(t)
			s := r.host.Arrive(r.ctx, r.node)
			served := make(chan error)
			go func() { served <- serve(s, ours, r) }()
			s.Cancel(stream.ErrDrained)
			if err := <-served; !errors.Is(err, stream.ErrDrained) {
				t.Errorf("it ends by %v", err)
			}
			if _, err := ours.Write([]byte("bye")); err != nil {
				t.Error(err)
			}
			ours.Close()
			if got, err := io.ReadAll(client); err != nil || string(got) != "bye" {
				t.Errorf("the client gets %q, %v", got, err)
			}
			client.Close()
			s.End(nil)
		})
	}
}
