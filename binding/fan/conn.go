package fan

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"gozilla/binding"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

// group is the one byte stream to the exit and the members that share it.
type group struct {
	b      *binding.Builder
	exit   conn.Port
	wanted chan *opening // a member has come and the group is not open

	mu      sync.Mutex
	members map[*member]struct{}
	open    *opening // nil: not yet, or no longer
	leaving func()   // not nil: the gateway drains, and this ends the group
}

// opening is one life of the group's stream.
type opening struct {
	in    chan piece    // what members send
	ready chan struct{} // closed once the stream is open, or cannot be opened
	over  chan struct{} // closed once it has ended
	err   error         // how it ended, nil in order; to be read once it is over
}

// piece is some bytes of a member on their way to the group. The member may reuse them once it is told on done.
type piece struct {
	b    []byte
	done chan struct{} // has room
}

func newGroup(b *binding.Builder, exit conn.Port) *group {
	return &group{b: b, exit: exit, wanted: make(chan *opening, 1), members: map[*member]struct{}{}}
}

func (s *server) conn() conn.Port { return conn.Serving(s.group) }

// join makes m a member and waits until the group is open, or over.
func (g *group) join(m *member) *opening {
	g.mu.Lock()
	if g.open == nil {
		g.open = &opening{in: make(chan piece), ready: make(chan struct{}), over: make(chan struct{})}
		g.wanted <- g.open // has room: the one before is over, else it would be open
	}
	o := g.open
	g.members[m] = struct{}{}
	g.mu.Unlock()
	select {
	case <-o.ready:
	case <-o.over:
	case <-m.gone:
	}
	return o
}

func (g *group) leave(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.members, m)
	g.part()
}

// part ends a group that nobody needs any more when the gateway drains.
func (g *group) part() {
	if g.leaving != nil && len(g.members) == 0 {
		g.leaving()
	}
}

// run is the group's task: it opens the group whenever a member wants it, and gives every member what comes back. It
// ends with the binding.
func (g *group) run(ctx context.Context) error {
	for {
		select {
		case o := <-g.wanted:
			g.live(ctx, o)
		case <-ctx.Done():
			return nil
		}
	}
}

// live is one life of the group. Whatever happens in it, its members learn that it is over.
func (g *group) live(ctx context.Context, o *opening) {
	s := stream.Begin(ctx, g.b.Node)
	o.err = errBroken
	defer g.bury(s, o)
	o.err = g.serve(s, o)
}

// errBroken is how a group ends that an internal error ends.
var errBroken = &stream.Cut{By: telemetry.Gateway, Why: "internal error"}

// bury ends what is left of a life of the group, so that the next member begins another one.
func (g *group) bury(s *stream.Scope, o *opening) {
	s.End(o.err)
	g.mu.Lock()
	g.open, g.leaving = nil, nil
	members := g.members
	g.members = map[*member]struct{}{}
	g.mu.Unlock()
	close(o.over)
	for m := range members {
		m.close(o.err)
	}
}

// serve opens the group and moves bytes until it ends.
func (g *group) serve(s *stream.Scope, o *opening) error {
	c, _, err := g.exit.DialConn(s, &stream.Info{})
	if err != nil {
		return err
	}
	end := conn.Take(c, telemetry.Server)
	defer stream.AfterFunc(s, end.Stop)()
	defer s.OnLeave(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.leaving = func() {
			s.Closes(telemetry.Gateway, "drain")
			end.Finish()
		}
		g.part()
	})()
	flow := s.Flow()
	stop, sent := make(chan struct{}), make(chan error, 1)
	go send(end, &flow, o.in, stop, sent)
	close(o.ready)
	if err = g.receive(end, &flow); err == nil {
		s.Closes(telemetry.Server, "fin")
	}
	close(stop)
	end.Stop()
	if serr := <-sent; serr != nil && !errors.Is(serr, os.ErrDeadlineExceeded) {
		err = serr // the reason why receive was stopped
	}
	if s.Err() != nil {
		err = context.Cause(s)
	}
	if err != nil {
		conn.Abort(c)
	} else {
		c.Close()
	}
	return err
}

// send is the goroutine that takes what members send to the group. It ends when stop is closed, or when the group takes
// nothing any more, which it says on ended.
func send(end *conn.End, flow *stream.Flow, in chan piece, stop chan struct{}, ended chan error) {
	for {
		select {
		case p := <-in:
			n := len(p.b)
			err := end.Send(p.b)
			p.done <- struct{}{}
			if err != nil {
				end.Stop()
				ended <- err
				return
			}
			flow.Received(n)
		case <-stop:
			ended <- nil
			return
		}
	}
}

// receive gives the members what the group receives. Each piece is copied once, for all.
func (g *group) receive(end *conn.End, flow *stream.Flow) error {
	for {
		b, err := end.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		shared := append([]byte(nil), b...)
		end.Release()
		flow.Sent(len(shared))
		g.give(shared)
	}
}

// give queues bytes for every member. It waits for those that are behind, which lasts no longer than their patience.
func (g *group) give(b []byte) {
	var behind []*member
	g.mu.Lock()
	for m := range g.members {
		if !m.offer(b) {
			behind = append(behind, m)
		}
	}
	g.mu.Unlock()
	for _, m := range behind {
		m.press(b)
	}
}
