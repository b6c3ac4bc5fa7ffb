package fan

import (
	"context"
	"errors"
	"io"

	"gozilla/binding"
	"gozilla/stream"
	"gozilla/stream/ws"
	"gozilla/telemetry"
)

// A party is one end of a stream, of bytes or of messages: a member's, or the group's. One goroutine receives while another
// sends.
type party[T item] interface {
	// recv waits for an item, which is lent until release. The error is io.EOF, or a *ws.Closed, for an orderly end.
	recv() (T, error)
	release()
	// send sends the items, or fails.
	send([]T) error
	// finish ends what is sent in order; ended is how what is received has.
	finish(ended error) error
	// stop makes recv and send return, stopRecv only recv, now and later.
	stop(err error)
	stopRecv()
}

// orderly reports whether receiving has ended in order.
func orderly(err error) bool { return err == io.EOF || errors.As(err, new(*ws.Closed)) }

// member is one stream that shares the group.
type member[T item] struct {
	queue[T]
	party[T]
	ended error // how what it is sent ends; set before it is closed
}

// follow ends the member with ctx, until end is called.
func (m *member[T]) follow(ctx context.Context) (end func()) {
	return stream.While(ctx, func() { m.cut(context.Cause(ctx)) })
}

// serve is the life of a member of a group that is open, or over, until either ends.
func (g *group[T]) serve(s *stream.Scope, m *member[T], o *opening[T]) error {
	written := make(chan struct{})
	go m.write(written)
	err := m.read(o)
	g.leave(m)
	m.finishes(m.result(s, o, err))
	<-written
	return m.outcome(g.b, s)
}

// read takes what the member sends to the group, until either ends. It does not read on while much waits for the member
// to read.
func (m *member[T]) read(o *opening[T]) error {
	done := make(chan struct{}, 1)
	for {
		m.awaitRoom()
		x, err := m.recv()
		if err != nil {
			return err
		}
		select {
		case o.in <- sought[T]{x, done}:
		case <-o.over:
			return nil
		case <-m.gone:
			return nil
		}
		select {
		case <-done: // the group has taken it, or will take nothing any more
			m.release()
		case <-m.gone: // what is left of it is left to the group
			return nil
		}
	}
}

// result is how the member ends if reading ended with err: in order, as ended says, or not.
func (m *member[T]) result(s *stream.Scope, o *opening[T], err error) (ended, failed error) {
	select {
	case <-o.over:
		if o.err == nil {
			s.Closes(telemetry.Server, "fin")
		}
		return o.ended, o.err
	default:
	}
	if orderly(err) {
		s.Closes(telemetry.Client, "fin")
		return err, nil
	}
	return nil, err
}

// finishes lets the member come to its end: in order after what waits was sent, or at once if it has failed.
func (m *member[T]) finishes(ended, failed error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case failed != nil:
		m.fail(failed)
		return
	case !m.closing:
		m.ended, m.closing = ended, true
		m.changed.Broadcast()
	}
	if !m.left {
		m.stopRecv()
	}
}

// write is the goroutine that sends what is queued. It ends once the member is closing and nothing waits any more.
func (m *member[T]) write(ended chan struct{}) {
	defer close(ended)
	for {
		batch, n := m.next()
		if batch == nil {
			break
		}
		if err := m.send(batch); err != nil {
			m.cut(err)
			return
		}
		m.sent(n)
	}
	if m.why() == nil {
		m.finish(m.ended)
	}
}

// outcome is how the member ended, once nothing is going on any more.
func (q *queue[T]) outcome(b *binding.Builder, s *stream.Scope) error {
	err := q.why()
	if cut := (*stream.Cut)(nil); errors.As(err, &cut) && cut.Why == errSlow.Why {
		b.Warn(s, "binding.fan.member.reset", "A member that does not read was reset (%s).", s.Record().Source)
	}
	return err
}
