package fan

import (
	"context"
	"errors"
	"os"
	"sync"

	"gozilla/binding"
	"gozilla/stream"
	"gozilla/stream/ws"
	"gozilla/telemetry"
)

// group is the one stream to the exit and the members that share it.
type group[T item] struct {
	b      *binding.Builder
	wanted chan *opening[T] // a member has come and the group is not open

	mu      sync.Mutex // guards what follows
	members map[*member[T]]struct{}
	queues  queues[T]   // theirs
	open    *opening[T] // nil: not yet, or no longer
	leaving func()      // not nil: the gateway drains, and this ends the group
}

// opening is one life of the group's stream.
type opening[T item] struct {
	open  func(s *stream.Scope) (line[T], error)
	line  line[T]        // to be read once it is ready
	in    chan sought[T] // what members send
	ready chan struct{}  // closed once the stream is open, or cannot be opened
	over  chan struct{}  // closed once it has ended
	err   error          // how it ended, nil in order; to be read once it is over
	ended error          // if in order, what the last to be received said

	scope *stream.Scope // while it is opened; nil before and afterwards. The group's lock guards it and what follows.
	given bool          // up: all who wanted it have gone
}

// line is the group's stream once it is open.
type line[T item] interface {
	party[T]
	// keep is an item of it to keep, for all.
	keep(T) T
	// close ends both directions, in order or not.
	close(err error)
}

// sought is an item of a member on its way to the group. The member may use its memory again once it is told on done.
type sought[T item] struct {
	item T
	done chan struct{} // has room
}

func newGroup[T item](b *binding.Builder) *group[T] {
	return &group[T]{b: b, wanted: make(chan *opening[T], 1), members: map[*member[T]]struct{}{}, queues: queues[T]{}}
}

// join makes m a member and waits until the group is open, or over, or the member is gone. If it is not open yet, open opens it.
func (g *group[T]) join(m *member[T], open func(s *stream.Scope) (line[T], error)) *opening[T] {
	g.mu.Lock()
	for g.open != nil && g.open.given { // the next one is opened once it is over
		o := g.open
		g.mu.Unlock()
		select {
		case <-o.over:
		case <-m.gone:
			return o
		}
		g.mu.Lock()
	}
	if g.open == nil {
		g.open = &opening[T]{open: open, in: make(chan sought[T]), ready: make(chan struct{}), over: make(chan struct{})}
		g.wanted <- g.open // has room: the one before is over, else it would be open
	}
	o := g.open
	g.members[m] = struct{}{}
	g.queues[&m.queue] = struct{}{}
	g.mu.Unlock()
	select {
	case <-o.ready:
	case <-o.over:
	case <-m.gone:
	}
	return o
}

func (g *group[T]) leave(m *member[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.members, m)
	delete(g.queues, &m.queue)
	g.part()
	if len(g.members) == 0 && g.open != nil && g.open.scope != nil {
		g.giveUp(g.open)
	}
}

// giveUp ends an opening that nobody waits for any more. The lock is held.
func (g *group[T]) giveUp(o *opening[T]) {
	o.given = true
	o.scope.Cancel(errLeft)
}

// errLeft is that nobody waits for the group.
var errLeft = &stream.Cut{By: telemetry.Client, Why: "gone"}

// part ends a group that nobody needs any more when the gateway drains.
func (g *group[T]) part() {
	if g.leaving != nil && len(g.members) == 0 {
		g.leaving()
	}
}

// run is the group's task: it opens the group whenever a member wants it, and gives every member what comes back. It
// ends with the binding.
func (g *group[T]) run(ctx context.Context) error {
	for {
		select {
		case o := <-g.wanted:
			g.live(ctx, o)
		case <-ctx.Done():
			return nil
		}
	}
}

// errBroken is how a group ends that an internal error ends.
var errBroken = &stream.Cut{By: telemetry.Gateway, Why: "internal error"}

// live is one life of the group. Whatever happens in it, its members learn that it is over.
func (g *group[T]) live(ctx context.Context, o *opening[T]) {
	s := stream.Begin(ctx, g.b.Node)
	o.err = errBroken
	defer g.bury(s, o)
	o.err = g.relay(s, o)
}

// bury ends what is left of a life of the group, so that the next member begins another one.
func (g *group[T]) bury(s *stream.Scope, o *opening[T]) {
	s.End(o.err)
	g.mu.Lock()
	g.open, g.leaving = nil, nil
	members := g.members
	g.members, g.queues = map[*member[T]]struct{}{}, queues[T]{}
	g.mu.Unlock()
	close(o.over)
	for m := range members {
		m.finishes(o.ended, o.err)
	}
}

// relay opens the group and moves items until it ends.
func (g *group[T]) relay(s *stream.Scope, o *opening[T]) error {
	line, err := g.reach(s, o)
	if err != nil {
		return err
	}
	defer stream.While(s, func() { line.stop(context.Cause(s)) })()
	defer s.OnLeave(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.leaving = func() {
			s.Closes(telemetry.Gateway, "drain")
			line.finish(nil)
		}
		g.part()
	})()
	o.line = line
	stop, sent := make(chan struct{}), make(chan error, 1)
	go send(line, o.in, stop, sent)
	close(o.ready)
	if err = g.receive(line); orderly(err) {
		o.ended, err = err, nil
		s.Closes(telemetry.Server, "fin")
	}
	close(stop)
	line.stop(nil)
	if serr := <-sent; serr != nil && !stopped(serr) {
		err = serr // the reason why receive was stopped
	}
	if s.Err() != nil {
		err = context.Cause(s)
	}
	line.close(err)
	return err
}

// reach opens the group, as long as there are members that wait for it.
func (g *group[T]) reach(s *stream.Scope, o *opening[T]) (line[T], error) {
	g.mu.Lock()
	if o.scope = s; len(g.members) == 0 {
		g.giveUp(o)
	}
	g.mu.Unlock()
	line, err := o.open(s)
	g.mu.Lock()
	o.scope = nil
	g.mu.Unlock()
	return line, err
}

// stopped reports whether err is that stop was called.
func stopped(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ws.ErrStopped) || errors.Is(err, ws.ErrLeft)
}

// send is the goroutine that takes what members send to the group. It ends when stop is closed, or when the group takes
// nothing any more, which it says on ended.
func send[T item](line line[T], in chan sought[T], stop chan struct{}, ended chan error) {
	var one [1]T
	for {
		select {
		case x := <-in:
			one[0] = x.item
			err := line.send(one[:])
			x.done <- struct{}{}
			if err != nil {
				line.stop(err)
				ended <- err
				return
			}
		case <-stop:
			ended <- nil
			return
		}
	}
}

// receive gives the members what the group receives, until that ends. Each item is kept once, for all.
func (g *group[T]) receive(line line[T]) error {
	for {
		x, err := line.recv()
		if err != nil {
			return err
		}
		shared := line.keep(x)
		line.release()
		g.give(shared)
	}
}

func (g *group[T]) give(x T) {
	g.queues.give(&g.mu, x)
}
