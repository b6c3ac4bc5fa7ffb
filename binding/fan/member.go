package fan

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

// member is one stream that shares the group.
type member struct {
	end   *conn.End
	flow  stream.Flow
	limit int // bytes that may wait

	gone chan struct{} // closed when the member is cut off

	mu      sync.Mutex
	changed sync.Cond
	queue   [][]byte      // what waits to be sent; the arrays are shared with all members
	waiting int           // bytes in queue and in the hands of write
	held    time.Duration // for how long it has held up the others since it last had caught up
	closing bool          // nothing more will be queued
	err     error         // why the member is cut off; set once
}

// errSlow is that more than the limit waits for a member.
var errSlow = &stream.Cut{By: telemetry.Gateway, Why: "slow reader"}

// ServeConn makes c a member until it or the group ends.
func (g *group) ServeConn(ctx context.Context, c conn.Conn, _ *stream.Info) error {
	s := stream.From(ctx)
	m := &member{end: conn.Take(c, telemetry.Client), flow: s.Flow(), limit: int(s.Limits().Queue), gone: make(chan struct{})}
	m.changed.L = &m.mu
	m.end.Stall = s.Limits().Stall
	defer stream.AfterFunc(ctx, func() { m.cut(context.Cause(ctx)) })()

	o := g.join(m)
	written := make(chan struct{})
	go m.write(written)
	err := m.read(o)
	g.leave(m)
	m.close(m.why(s, o, err))
	<-written
	return m.outcome(g, s)
}

// read takes what the member sends to the group, until either ends. It does not read on while much waits for the member
// to read.
func (m *member) read(o *opening) error {
	done := make(chan struct{}, 1)
	for {
		m.awaitRoom()
		b, err := m.end.Recv()
		if err != nil {
			return err
		}
		m.flow.Received(len(b))
		select {
		case o.in <- piece{b, done}:
		case <-o.over:
			return nil
		case <-m.gone:
			return nil
		}
		select {
		case <-done: // the group has taken it, or will take nothing any more
			m.end.Release()
		case <-m.gone: // what is left of the piece is left to it
			return nil
		}
	}
}

// why is how the member ends if reading ended with err.
func (m *member) why(s *stream.Scope, o *opening, err error) error {
	select {
	case <-o.over:
		if o.err == nil {
			s.Closes(telemetry.Server, "fin")
		}
		return o.err
	default:
	}
	if err == io.EOF {
		s.Closes(telemetry.Client, "fin")
		return nil
	}
	return err
}

// outcome is how the member ended, once nothing is going on any more.
func (m *member) outcome(g *group, s *stream.Scope) error {
	m.mu.Lock()
	err := m.err
	m.mu.Unlock()
	if cut := (*stream.Cut)(nil); errors.As(err, &cut) && cut.Why == errSlow.Why {
		g.b.Warn(s, "binding.fan.member.reset", "A member that does not read was reset (%s).", s.Record().Source)
	}
	return err
}

// awaitRoom waits while much waits for the member, so that it is heard no faster than it listens. What comes back of what
// it has sent already, as much as an echo and the pipes to it hold, still finds room then.
func (m *member) awaitRoom() {
	m.mu.Lock()
	for m.waiting > m.limit/8 && !m.closing {
		m.changed.Wait()
	}
	m.mu.Unlock()
}

// offer queues bytes for the member. It reports false if too much waits already.
func (m *member) offer(b []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.put(b)
}

func (m *member) put(b []byte) bool {
	switch {
	case m.closing:
	case m.waiting+len(b) > m.limit && m.waiting > 0:
		return false
	default:
		m.queue = append(m.queue, b)
		m.waiting += len(b)
		m.changed.Broadcast()
	}
	return true
}

// patience is the part of Stall for which a member may hold up the others in all, before it has caught up with them
// again. A member that reads as fast as they do catches up all the time, and one that does not is soon found out.
const patience = 20

// press is offer for a member that is behind: it waits for room, and cuts the member off once it has been waited for
// too long.
func (m *member) press(b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	began := time.Now()
	until := began.Add(m.end.Stall/patience - m.held)
	defer time.AfterFunc(time.Until(until), m.wake).Stop()
	for !m.put(b) {
		if !time.Now().Before(until) {
			m.fail(errSlow)
			return
		}
		m.changed.Wait()
	}
	m.held += time.Since(began)
}

func (m *member) wake() {
	m.mu.Lock()
	m.changed.Broadcast()
	m.mu.Unlock()
}

// close lets the member come to its end: in order after what waits was sent, or at once if err is not nil.
func (m *member) close(err error) {
	if err != nil {
		m.cut(err)
		return
	}
	m.mu.Lock()
	m.closing = true
	m.changed.Broadcast()
	m.mu.Unlock()
	m.end.StopRecv()
}

// cut ends the member at once.
func (m *member) cut(err error) {
	m.mu.Lock()
	m.fail(err)
	m.mu.Unlock()
}

// fail is cut for those who hold the lock.
func (m *member) fail(err error) {
	if m.err == nil {
		m.err = err
		close(m.gone)
	}
	m.closing = true
	m.queue = nil
	m.changed.Broadcast()
	m.end.Stop()
}

// write is the goroutine that sends what is queued. It ends once the member is closing and nothing waits any more.
func (m *member) write(ended chan struct{}) {
	defer close(ended)
	for {
		batch, n := m.next()
		if batch == nil {
			break
		}
		if err := m.end.SendAll(batch); err != nil {
			m.cut(err)
			return
		}
		m.flow.Sent(n)
		m.mu.Lock()
		if m.waiting -= n; m.waiting == 0 {
			m.held = 0
		}
		m.changed.Broadcast()
		m.mu.Unlock()
	}
	m.mu.Lock()
	err := m.err
	m.mu.Unlock()
	if err == nil {
		m.end.Finish()
	}
}

// batchSize is how much is sent before it counts as sent. It is what one write takes.
const batchSize = 32 << 10

// next takes what is queued, up to a batch, or nil if nothing will come any more.
func (m *member) next() (batch [][]byte, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.queue) == 0 && !m.closing {
		m.changed.Wait()
	}
	i := 0
	for i < len(m.queue) && n < batchSize {
		n += len(m.queue[i])
		i++
	}
	batch, m.queue = m.queue[:i:i], m.queue[i:]
	if len(m.queue) == 0 {
		m.queue = nil
	}
	return batch, n
}
