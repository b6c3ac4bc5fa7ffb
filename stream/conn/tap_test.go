package conn_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/conn/conntest"
	"gozilla/telemetry"
)

// tapes are the recordings of a test.
type tapes struct {
	t   testing.TB
	mu  sync.Mutex
	all []*tape
}

// tape is what was recorded of one stream.
type tape struct {
	*stream.Crossing
	chunks         []*stream.Chunk // without their data
	received, sent bytes.Buffer
}

func (s *tapes) watch(c *stream.Crossing) func(*stream.Chunk) {
	tape := &tape{Crossing: c}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, tape)
	return func(c *stream.Chunk) {
		s.mu.Lock()
		defer s.mu.Unlock()
		to := &tape.received
		if c.Sent {
			to = &tape.sent
		}
		if n := len(tape.chunks); c.Number != n || (c.Kind == stream.Begun) != (n == 0) || c.Offset != int64(to.Len()) && c.Kind == stream.Data {
			s.t.Errorf("chunk %d has number %d, kind %d, offset %d behind %d bytes", n, c.Number, c.Kind, c.Offset, to.Len())
		}
		to.Write(c.Data)
		kept := *c
		kept.Data = nil
		tape.chunks = append(tape.chunks, &kept)
	}
}

// tap makes a port whose streams are recorded.
func (s *tapes) tap(to conn.Port) conn.Port {
	edge := stream.NewEdge(conn.Protocol, &stream.Node{Name: "from"})
	edge.Store(&stream.Target[conn.Port]{Node: &stream.Node{Name: "to"}, Port: to})
	edge.Tap(s.watch)
	return conn.Protocol.Through(edge)
}

// finished reports what a tape says of how it has ended: which directions in order, and the error, "-" if it goes on.
func (t *tape) finished() (received, sent bool, err string) {
	err = "-"
	for _, c := range t.chunks {
		switch c.Kind {
		case stream.Finished:
			received, sent = received || !c.Sent, sent || c.Sent
		case stream.Over:
			err = c.Err
		}
	}
	return received, sent, err
}

// agree compares the tapes with the records of their streams.
func (s *tapes) agree(h *stream.Host) {
	records := map[uint64]*telemetry.Record{}
	entries, _, _ := h.Log.Since(0)
	for _, e := range entries {
		records[e.Record.ID] = e.Record
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tape := range s.all {
		r := records[tape.Connection]
		if r == nil {
			continue // of many streams, not all records are kept
		}
		received, sent, err := tape.finished()
		switch {
		case err == "-":
			s.t.Errorf("nothing says that a stream is over which ended with %q (%s)", r.Reason, r.Err)
		case r.Reason != "fin":
			if err == "" {
				s.t.Errorf("a stream that ended with %q (%s) is over in order", r.Reason, r.Err)
			}
		case err != "" || !received || !sent || int64(tape.received.Len()) != r.Received || int64(tape.sent.Len()) != r.Sent:
			s.t.Errorf("recorded: %d bytes, %v, and %d back, %v, then %q; counted: %d and %d", tape.received.Len(), received, tape.sent.Len(), sent, err, r.Received, r.Sent)
		}
	}
}

// TestRelayTapped runs the suite through a tap in front of a relay, behind it, and both.
func TestRelayTapped(t *testing.T) {
	for _, p := range []struct {
		name          string
		front, back   pairOf
		before, after bool
		holds         int
	}{
		{"pipe to pipe", pipes, pipes, true, true, pipesHold},
		{"socket to pipe", sockets, pipes, false, true, socketsHold},
		{"socket to socket", sockets, sockets, true, true, socketsHold},
	} {
		t.Run(p.name, func(t *testing.T) {
			conntest.Run(t, func(t *testing.T) *conntest.Gateway {
				r, s := newRig(t, p.front, p.back), &tapes{t: t}
				to := conn.Port(conn.Dialing(dialer{t, r}))
				if p.after {
					to = conn.Dialing(s.tap(to))
				}
				if p.before {
					to = s.tap(to)
				}
				r.port = to
				t.Cleanup(func() { s.agree(r.host) })
				return r.gateway(p.holds)
			})
		})
	}
}

// TestDecisionTapped has a tap before and behind a decision, which reads ahead.
func TestDecisionTapped(t *testing.T) {
	r, s := newRig(t, sockets, sockets), &tapes{t: t}
	r.port = s.tap(conn.Deciding(prefaced{s.tap(r.port)}))
	client := r.arrive(t, &stream.Info{})
	client.Write([]byte(preface + "hello"))
	server := <-r.servers
	io.ReadFull(server, make([]byte, 5))
	client.CloseWrite()
	server.CloseWrite()
	io.Copy(io.Discard, client)
	if err := r.host.AwaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	client.Close()
	server.Close()
	for i, want := range []string{preface + "hello", "hello"} {
		if got := s.all[i].received.String(); got != want {
			t.Errorf("tap %d has recorded %q", i, got)
		}
		if received, sent, err := s.all[i].finished(); !received || !sent || err != "" {
			t.Errorf("tap %d has recorded the ends %v, %v and %q", i, received, sent, err)
		}
	}
}

func TestEchoTapped(t *testing.T) {
	for name, pair := range map[string]pairOf{"pipe": pipes, "socket": sockets} {
		t.Run(name, func(t *testing.T) {
			conntest.RunEcho(t, func(t *testing.T) (*stream.Host, func(testing.TB) conn.Conn) {
				r, s := newRig(t, pair, nil), &tapes{t: t}
				r.port = s.tap(conn.Serving(serverFunc(func(ctx context.Context, c conn.Conn, _ *stream.Info) error {
					return conn.Echo(ctx, c)
				})))
				t.Cleanup(func() { s.agree(r.host) })
				return r.host, func(t testing.TB) conn.Conn { return r.arrive(t, &stream.Info{}) }
			})
		})
	}
}

// TestTapOfFailures has a dial that fails, and a fault of a server.
func TestTapOfFailures(t *testing.T) {
	r, s := newRig(t, pipes, pipes), &tapes{t: t}
	scope := r.host.Arrive(r.ctx, r.node)
	defer scope.End(nil)
	_, _, err := s.tap(conn.Dialing(failing{})).DialConn(scope, &stream.Info{})
	if !errors.Is(err, errTest) {
		t.Error("the dial has failed with", err)
	}
	if _, _, how := s.all[0].finished(); how != errTest.Error() {
		t.Errorf("recorded is %q", how)
	}
	near, far := conn.Pipe()
	defer near.Close()
	stream.Contained(scope, func() error {
		return s.tap(conn.Serving(serverFunc(func(context.Context, conn.Conn, *stream.Info) error { panic("the test says so") }))).
			ServeConn(scope, far, &stream.Info{})
	})
	if _, _, how := s.all[1].finished(); how != stream.ErrFault.Error() {
		t.Errorf("recorded is %q", how)
	}
}

var errTest = errors.New("the test says so")

type failing struct{}

func (failing) DialConn(context.Context, *stream.Info) (conn.Conn, *stream.Info, error) {
	return nil, nil, errTest
}

// TestUnwantedIsLeftAlone gives a stream that nobody wants to see as it is, so that the kernel can move it.
func TestUnwantedIsLeftAlone(t *testing.T) {
	r := newRig(t, sockets, sockets)
	var got conn.Conn
	edge := stream.NewEdge(conn.Protocol, r.node)
	edge.Store(&stream.Target[conn.Port]{Node: r.node, Port: conn.Serving(serverFunc(func(_ context.Context, c conn.Conn, _ *stream.Info) error {
		got = c
		return nil
	}))})
	edge.Tap(func(*stream.Crossing) func(*stream.Chunk) { return nil })
	scope := r.host.Arrive(r.ctx, r.node)
	defer scope.End(nil)
	near, far := conn.Pipe()
	defer near.Close()
	if conn.Protocol.Through(edge).ServeConn(scope, far, &stream.Info{}); got != conn.Conn(far) {
		t.Errorf("the server was given %T", got)
	}
}
