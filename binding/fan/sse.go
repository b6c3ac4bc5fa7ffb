package fan

import (
	"context"
	"errors"
	"io"
	"sync"

	"gozilla/binding"
	"gozilla/stream"
	"gozilla/stream/sse"
)

// events is a batch of events, for all.
type events struct{ *sse.Batch }

func (e events) size() int { return len(e.Text()) }

// eventsFan is the fan of streams of events. Those who want the same share one stream, a topic.
type eventsFan struct {
	b      *binding.Builder
	exit   sse.Port
	wanted chan *topic // somebody has come for one that is not open

	mu     sync.Mutex // guards topics
	topics map[address]*topic
}

// address is what is wanted.
type address struct{ scheme, authority, path string }

func newEventsFan(b *binding.Builder) *eventsFan {
	return &eventsFan{
		b: b, exit: binding.ExitOf(b, sse.Protocol), wanted: make(chan *topic), topics: map[address]*topic{},
	}
}

// run is the fan's task: it opens topics. It ends with the binding, and the topics with it.
func (f *eventsFan) run(ctx context.Context) error {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		select {
		case t := <-f.wanted:
			open.Go(func() { t.live(ctx) })
		case <-ctx.Done():
			return nil
		}
	}
}

// OpenEvents is part of sse.Opener. Who resumes a stream gets what has come since from the topic, if that goes back far
// enough, and else has a stream of its own.
func (f *eventsFan) OpenEvents(ctx context.Context, r *sse.Request) (sse.Events, error) {
	m := &listener{}
	m.init(stream.From(ctx).Limits(), func(error) {})
	t, isNew, ok := f.join(m, r)
	if !ok {
		e, err := f.exit.OpenEvents(ctx, r)
		if err != nil {
			return nil, err
		}
		return &counted{e, f.b.Node}, nil
	}
	m.topic = t
	m.unfollow = stream.While(ctx, func() { m.cut(context.Cause(ctx)) })
	if isNew {
		select {
		case f.wanted <- t:
		case <-ctx.Done():
			t.end(context.Cause(ctx))
		}
	}
	select {
	case <-t.ready:
	case <-ctx.Done():
		m.Close()
		return nil, stream.Refuse(stream.Unavailable, "%w", context.Cause(ctx))
	}
	if t.refused != nil {
		m.Close()
		return nil, t.refused
	}
	return m, nil
}

// join makes m one of those who listen to what r wants. It reports false if what has come since is not known any more.
func (f *eventsFan) join(m *listener, r *sse.Request) (t *topic, isNew, ok bool) {
	at := address{r.Scheme, r.Authority, r.Path}
	f.mu.Lock()
	defer f.mu.Unlock()
	t = f.topics[at]
	if t == nil {
		t = &topic{fan: f, at: at, asked: *r, ready: make(chan struct{}), queues: queues[events]{}}
		t.asked.Trail = nil // it is nobody's own
		t.before.id, t.before.ok = r.LastID, r.Resumes && r.LastID != ""
		f.topics[at] = t
		isNew = true
	}
	return t, isNew, t.join(m, r)
}

// topic is a stream of events that is shared.
type topic struct {
	fan     *eventsFan
	at      address
	asked   sse.Request   // by the first who came
	ready   chan struct{} // closed once it is open, or cannot be
	refused error         // valid then

	mu     sync.Mutex // guards what follows
	opened sse.Events
	over   error // how it has ended; nil: not yet
	queues queues[events]
	retry  events   // the time to come back in that was told last, for who comes later; no batch: none was
	past   []events // what has come last, for who resumes
	size   int      // of that
	before struct { // what came before it
		id string
		ok bool // it ended with that
	}
}

// join makes m a listener, from where it was before.
func (t *topic) join(m *listener, r *sse.Request) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	var missed []events
	if r.Resumes && r.LastID != "" {
		var ok bool
		if missed, ok = t.since(r.LastID); !ok {
			return false
		}
	}
	if t.retry.Batch != nil { // before what may say otherwise
		m.offer(t.retry)
	}
	for _, e := range missed {
		m.offer(e)
	}
	t.queues[&m.queue] = struct{}{}
	return true
}

// since is what has come after the event of that id. It reports false if that is not known.
func (t *topic) since(id string) (missed []events, ok bool) {
	for i := len(t.past) - 1; i >= 0; i-- {
		all := t.past[i].Events
		for j := len(all) - 1; j >= 0; j-- {
			if !all[j].HasID || all[j].ID != id {
				continue
			}
			if rest := all[j+1:]; len(rest) > 0 {
				missed = append(missed, events{sse.NewBatch(rest...)})
			}
			return append(missed, t.past[i+1:]...), true
		}
	}
	return t.past, t.before.ok && t.before.id == id
}

// remember keeps a batch for who resumes, and forgets what is too much. The time to come back in is not forgotten.
func (t *topic) remember(e events) {
	for i := range e.Events {
		if retry := e.Events[i].Retry; retry > 0 {
			t.retry = events{sse.NewBatch(sse.Event{Retry: retry})}
		}
	}
	t.past = append(t.past, e)
	t.size += e.size()
	for t.size > int(t.fan.b.Limits().Queue) {
		old := t.past[0]
		last := &old.Events[len(old.Events)-1]
		t.before.id, t.before.ok = last.ID, last.HasID
		t.size -= old.size()
		t.past[0] = events{}
		t.past = t.past[1:]
	}
}

// live is the goroutine of a topic. It ends when the stream does, or when nobody listens any more.
func (t *topic) live(ctx context.Context) {
	s := stream.Begin(ctx, t.fan.b.Node)
	var err error = errBroken
	defer func() {
		t.end(err)
		s.End(err)
	}()
	err = t.relay(s)
}

// relay opens the stream and gives what comes, until it ends.
func (t *topic) relay(s *stream.Scope) error {
	opened, err := t.fan.exit.OpenEvents(s, &t.asked)
	if err != nil {
		return err
	}
	defer opened.Close()
	t.mu.Lock()
	t.opened = opened
	t.part()
	t.mu.Unlock()
	close(t.ready)
	for {
		b, err := opened.Next()
		if err == io.EOF || errors.Is(err, sse.ErrStopped) {
			return nil
		}
		if err != nil {
			return err
		}
		e := events{b}
		t.fan.b.Node.ServerEvents.Received.Add(int64(len(b.Events)))
		s.Moved(0, int64(e.size()))
		t.mu.Lock()
		t.remember(e)
		t.mu.Unlock()
		t.queues.give(&t.mu, e)
	}
}

// part stops a topic that nobody listens to. The lock is held.
func (t *topic) part() {
	if t.opened != nil && len(t.queues) == 0 {
		t.opened.Stop()
	}
}

// end ends the topic for its listeners; who comes then begins another one.
func (t *topic) end(err error) {
	t.fan.mu.Lock()
	delete(t.fan.topics, t.at)
	t.fan.mu.Unlock()
	select {
	case <-t.ready:
	default:
		t.refused = err
		close(t.ready)
	}
	t.mu.Lock()
	all := t.queues
	t.queues = queues[events]{}
	if err == nil {
		err = io.EOF
	}
	t.over = err
	t.mu.Unlock()
	for q := range all {
		q.close() // behind what waits
	}
}

// how is how the topic has ended.
func (t *topic) how() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over
}

// leave takes a listener off.
func (t *topic) leave(q *queue[events]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, listens := t.queues[q]; listens {
		delete(t.queues, q)
		t.part()
	}
}

// listener is one who listens to a topic.
type listener struct {
	queue[events]
	topic    *topic
	unfollow func()
	hand     []events // that were taken from the queue
	given    int      // bytes of what Next has given last
}

// Next is part of sse.Events, so are Stop and Close.
func (m *listener) Next() (*sse.Batch, error) {
	m.sent(m.given)
	m.given = 0
	if err := m.why(); err != nil {
		return nil, err
	}
	if len(m.hand) == 0 {
		if m.hand, _ = m.next(); len(m.hand) == 0 {
			if err := m.why(); err != nil {
				return nil, err
			}
			return nil, m.topic.how()
		}
	}
	b := m.hand[0].Batch
	m.given, m.hand = m.hand[0].size(), m.hand[1:]
	m.topic.fan.b.Node.ServerEvents.Sent.Add(int64(len(b.Events)))
	return b, nil
}

func (m *listener) Stop() { m.cut(sse.ErrStopped) }

func (m *listener) Close() error {
	m.unfollow()
	m.topic.leave(&m.queue)
	return nil
}

// counted is a stream that is nobody else's, whose events are counted.
type counted struct {
	sse.Events
	node *stream.Node
}

// Next is part of sse.Events.
func (c *counted) Next() (*sse.Batch, error) {
	b, err := c.Events.Next()
	if err == nil {
		c.node.ServerEvents.Pass(len(b.Events))
	}
	return b, err
}
