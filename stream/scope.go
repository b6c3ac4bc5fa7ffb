package stream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/telemetry"
)

// A Scope is the life of one arrived connection, or of one stream that a source began. It is the context of everything
// done on its behalf: reads, writes and dials that are given it return once it was cancelled.
type Scope struct {
	lifetime
	host   *Host
	parent *Scope
	trace  *Trace // nil: nobody asks
	id     uint64
	start  time.Time
	marks  [phases]atomic.Int64 // nanoseconds after start; 0: not yet

	received, sent atomic.Int64
	ended          atomic.Bool
	pooled         bool // see Apart

	mu       sync.Mutex // guards what follows
	path     []step
	onEnd    []func(error)
	onLeave  []*func()
	leaving  bool
	flows    bool // a Flow counts the bytes of the record
	labelled bool // a binding on the path has metrics with attributes
	sessions []admitted
	about    *Info             // nil if not known
	children []*Scope          // exchanges that are going on; see reach.go
	record   *telemetry.Record // what SetRecord and Closes have said so far; nil while that is nothing
}

type step struct {
	node     *Node
	route    int32 // RouteExit and below: see Took
	counted  bool
	exchange bool // counted as an exchange of http
	flows    bool // a Flow counts its bytes
	below    bool // none does: see Below
	labels   telemetry.Labels
}

type admitted struct {
	guard   string
	session Session
	expiry  *time.Timer
}

// A Phase is a moment in the life of a scope.
type Phase uint8

// The phases, in the order in which they usually come. Each is marked once, what comes after counts for nothing.
const (
	Accepted   Phase = iota // the way on is found
	ShakeBegan              // the client and we are about to agree on TLS
	ShakeEnded              // and have, or have not
	DialBegan               // something is about to be dialled
	DialEnded               // and was reached, or not
	FirstByte               // the first byte went back to who opened the stream
	phases
)

// RouteExit stands for a binding's exit where Took wants the index of a route.
const (
	RouteExit = -1
	routeNone = -2
)

type scopeKey struct{}
type hostKey struct{}

// WithHost makes ctx one in which scopes can begin.
func WithHost(ctx context.Context, h *Host) context.Context {
	return context.WithValue(ctx, hostKey{}, h)
}

// From is the scope that ctx belongs to, or nil.
func From(ctx context.Context) *Scope {
	if s, ok := ctx.(*Scope); ok {
		return s
	}
	s, _ := ctx.Value(scopeKey{}).(*Scope)
	return s
}

// Begin makes the scope of a stream that a source or a pool begins; ctx comes from a Host, see [WithHost]. Who calls it
// calls End.
func Begin(ctx context.Context, n *Node) *Scope {
	host, _ := ctx.Value(hostKey{}).(*Host)
	return host.begin(ctx, &Scope{}, n, false)
}

// Arrive makes the scope of a connection that a listener accepted for n, which counts it as one of its streams.
// conn.Start ends it.
func (h *Host) Arrive(ctx context.Context, n *Node) *Scope { return h.begin(ctx, &Scope{}, n, true) }

func (h *Host) begin(ctx context.Context, s *Scope, n *Node, counted bool) *Scope {
	s.host, s.id, s.start = h, h.last.Add(1), time.Now()
	s.follow(ctx)
	s.path = make([]step, 0, 3)
	s.enter(n, counted)
	h.add(s)
	if h.leaving.Load() { // after add: either this, or Leave, meets the other
		s.Leave()
	}
	return s
}

// Child makes the scope of one exchange at n, on the connection of s. It has a record of its own, ends with its parent,
// and who calls it calls End. used is nil, or a child of any connection that has ended, which is made use of again if
// nobody can have kept it.
func (s *Scope) Child(n *Node, used *Scope) *Scope {
	c := used
	if c == nil || !c.lifetime.again() {
		c = &Scope{}
	} else {
		c.renew()
	}
	c.host, c.parent, c.id, c.start = s.host, s, s.host.last.Add(1), time.Now()
	c.follow(s)
	c.add(step{node: n, route: routeNone, exchange: true})
	s.adopt(c)
	return c
}

// Apart makes the scope of a connection that is opened for s, at n, and outlives it: a pool's. Who calls it calls End.
func (s *Scope) Apart(n *Node) *Scope {
	for s.parent != nil {
		s = s.parent
	}
	return s.host.begin(s.base, &Scope{pooled: true}, n, false)
}

// Pooled reports whether the scope is that of a connection that serves one stream after the other.
func (s *Scope) Pooled() bool { return s.pooled }

// renew forgets all that the scope was used for.
func (s *Scope) renew() {
	for i := range s.marks {
		reset(&s.marks[i])
	}
	reset(&s.received)
	reset(&s.sent)
	s.path, s.onEnd, s.onLeave, s.sessions = s.path[:0], s.onEnd[:0], s.onLeave[:0], s.sessions[:0]
	s.leaving, s.flows, s.labelled, s.trace, s.about = false, false, false, nil, nil
	s.ended.Store(false)
}

// Value is part of context.Context.
func (s *Scope) Value(key any) any {
	switch key.(type) {
	case scopeKey:
		return s
	case hostKey:
		return s.host
	}
	return s.base.Value(key)
}

// ID tells the scope from all others of the process.
func (s *Scope) ID() uint64 { return s.id }

// Connection is the id of the connection that the scope is, or is part of.
func (s *Scope) Connection() uint64 {
	for s.parent != nil {
		s = s.parent
	}
	return s.id
}

// Host is what the scope lives on.
func (s *Scope) Host() *Host { return s.host }

// Start is when the scope began.
func (s *Scope) Start() time.Time { return s.start }

// Limits bounds what may be done on behalf of the scope.
func (s *Scope) Limits() *Limits { return s.host.Limits }

// Enter notes that the stream went on to n, and counts it there. Edges call it, nobody else.
func (s *Scope) Enter(n *Node) { s.enter(n, true) }

// reset is a store of 0, which costs ten times what the look does whether there is need for one.
func reset(n *atomic.Int64) {
	if n.Load() != 0 {
		n.Store(0)
	}
}

// EnterExchange is Enter for an exchange of http, of which more is counted.
func (s *Scope) EnterExchange(n *Node) {
	s.add(step{node: n, route: routeNone, counted: true, exchange: true})
}

func (s *Scope) enter(n *Node, counted bool) {
	s.add(step{node: n, route: routeNone, counted: counted})
}

func (s *Scope) add(st step) {
	if st.counted {
		st.node.Streams.Open()
	}
	if st.exchange {
		st.node.Exchanges.Begin()
	}
	s.mu.Lock()
	s.path = append(s.path, st)
	s.labelled = s.labelled || st.exchange && st.node.Attributes.Load().Dynamic()
	s.mu.Unlock()
}

// Again says that what the stream has reached behind n is over, and how, since n seeks it anew: so that the path of one that
// is sought time and again does not grow. Nothing else of the scope may go on there.
func (s *Scope) Again(n *Node, err error) {
	s.mu.Lock()
	behind := len(s.path)
	for i := len(s.path) - 1; i >= 0; i-- {
		if s.path[i].node == n {
			behind = i + 1
			break
		}
	}
	over := slices.Clone(s.path[behind:])
	clear(s.path[behind:])
	s.path = s.path[:behind]
	s.mu.Unlock()
	for i := range over {
		over[i].end(&telemetry.Exchange{}, err)
	}
}

// Label evaluates the attributes that metrics of exchanges have where this one went through. value is what an
// expression such as ${http.request.method} stands for. Who serves the exchange calls it once both heads are known.
func (s *Scope) Label(value func(telemetry.Expression) (string, bool)) {
	if !s.labelled { // which is known by who serves, or opens, the exchange
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.path {
		st := &s.path[i]
		if a := st.node.Attributes.Load(); st.exchange && a.Dynamic() {
			st.labels = a.Labels(telemetry.Labels{}, value)
		}
	}
}

// Took notes the route by which n sends the stream on: its index, or RouteExit.
func (s *Scope) Took(n *Node, route int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.path) - 1; i >= 0; i-- {
		if s.path[i].node == n {
			s.path[i].route = int32(route)
			return
		}
	}
}

// Mark notes that a phase is reached now.
func (s *Scope) Mark(p Phase) {
	if s.marks[p].Load() == 0 {
		s.marks[p].CompareAndSwap(0, max(1, int64(time.Since(s.start))))
	}
}

// At is when a phase was reached, or when the scope began if it was not yet.
func (s *Scope) At(p Phase) time.Time { return s.start.Add(time.Duration(s.marks[p].Load())) }

// OnLeave says how a protocol takes its leave when the gateway drains. The one registered last, the topmost, is asked,
// at once if it is drain time already. undo withdraws it.
func (s *Scope) OnLeave(f func()) (undo func()) {
	s.mu.Lock()
	s.onLeave = append(s.onLeave, &f)
	leaving := s.leaving
	s.mu.Unlock()
	if leaving {
		f()
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, have := range s.onLeave {
			if have == &f {
				s.onLeave = append(s.onLeave[:i:i], s.onLeave[i+1:]...)
				return
			}
		}
	}
}

// OnEnd says what must happen when the stream is over; f is given the error that it ended with. The one registered
// last runs first. It must be called before the scope ends, by who serves the stream.
func (s *Scope) OnEnd(f func(error)) {
	s.mu.Lock()
	s.onEnd = append(s.onEnd, f)
	s.mu.Unlock()
}

// End is called once, when the stream is over, by conn.Start for what arrived, else by who called Begin or Child.
// Further calls do nothing.
func (s *Scope) End(err error) {
	if s.ended.Swap(true) {
		return
	}
	if s.parent != nil {
		s.parent.disown(s)
	}
	s.mu.Lock()
	onEnd, path, sessions := s.onEnd, s.path, s.sessions
	s.mu.Unlock()
	for i := len(onEnd) - 1; i >= 0; i-- {
		onEnd[i](err)
	}
	x := telemetry.Exchange{Received: s.received.Load(), Sent: s.sent.Load(), Duration: time.Since(s.start), Whole: err == nil}
	if !x.Whole {
		x.Whole = errors.As(err, new(*Told))
	}
	for i := range path {
		path[i].end(&x, err)
	}
	for _, a := range sessions {
		if a.expiry != nil {
			a.expiry.Stop()
		}
		a.session.Release()
	}
	r := s.finish(x.Duration, err)
	s.host.Log.Record(r)
	*r = telemetry.Record{Path: r.Path[:0]}
	records.Put(r)
	s.end()
	if s.parent == nil {
		s.host.remove(s)
	}
}

// end counts the end of the stream where it went through.
func (st *step) end(x *telemetry.Exchange, err error) {
	if st.counted {
		st.node.Streams.End(err)
	}
	if st.exchange {
		x.Labels = st.labels
		st.node.Exchanges.End(x)
	}
}

// Admit makes a guard's session part of the scope. The session is released at the scope's end, at once if that has come
// already, and its expiry cancels the scope.
func (s *Scope) Admit(guard string, session Session) {
	s.mu.Lock()
	over := s.ended.Load() // End has set it before it looks for sessions
	if !over {
		a := admitted{guard: guard, session: session}
		if at := session.Expires(); !at.IsZero() {
			a.expiry = s.expire(session, at)
		}
		s.sessions = append(s.sessions, a)
	}
	s.mu.Unlock()
	if over {
		session.Release()
	}
}

// expire cancels the scope when the session is over, which may be later than at: a session can be extended.
func (s *Scope) expire(session Session, at time.Time) *time.Timer {
	s.keep()
	var timer *time.Timer
	set := make(chan struct{})
	timer = time.AfterFunc(time.Until(at), func() {
		<-set
		switch at := session.Expires(); {
		case at.IsZero() || s.ended.Load():
			return
		case time.Until(at) > 0:
			timer.Reset(time.Until(at))
			return
		}
		s.Cancel(&Cut{By: telemetry.Gateway, Why: "session expired"})
	})
	close(set)
	return timer
}

// Session is what the guard of that qualified name has admitted to the scope, or to the one it is a child of; nil if
// nothing.
func (s *Scope) Session(guard string) Session {
	for ; s != nil; s = s.parent {
		s.mu.Lock()
		for _, a := range s.sessions {
			if a.guard == guard {
				s.mu.Unlock()
				return a.session
			}
		}
		s.mu.Unlock()
	}
	return nil
}

// Sessions are those that were admitted to the scope, or to the one it is a child of.
func (s *Scope) Sessions() (all []Session) {
	for ; s != nil; s = s.parent {
		s.mu.Lock()
		for _, a := range s.sessions {
			all = append(all, a.session)
		}
		s.mu.Unlock()
	}
	return all
}

// EndIdle cancels the scope once no byte has moved in either direction for d. It costs the data path nothing: the
// counts are looked at four times in d, so that the end may come a quarter late.
func (s *Scope) EndIdle(d time.Duration) {
	const looks = 4
	var seen int64
	var quiet int
	var timer *time.Timer
	ready := make(chan struct{})
	timer = time.AfterFunc(d/looks, func() {
		<-ready
		if now := s.received.Load() + s.sent.Load(); now != seen {
			seen, quiet = now, 0
		} else if quiet++; quiet >= looks {
			s.Cancel(&Cut{By: telemetry.Gateway, Why: "idle timeout"})
			return
		}
		timer.Reset(d / looks)
	})
	close(ready)
	s.OnEnd(func(error) { timer.Stop() })
}
