package ws

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/ws"
	"gozilla/telemetry"
	"gozilla/wire/websocket"
)

// socket is one end of a WebSocket, whose frames are the bytes of an exchange of HTTP that has switched to them.
type socket struct {
	receiving
	sending
	scope *stream.Scope
	host  *stream.Host
	node  *stream.Node

	swept stream.Swept
	seen  atomic.Int64 // by the sweeper's time, when something has come
	asked atomic.Bool  // by a ping, since then
	bye   atomic.Int64 // when we have taken leave; 0: not yet
	late  atomic.Pointer[stream.Cut]

	sessions []stream.Session               // of its request
	settles  atomic.Bool                    // somebody is about to pay what is owed
	told     struct{ received, sent int64 } // messages that were counted

	mu   sync.Mutex // guards what follows
	over bool       // nothing may be begun
	work sync.WaitGroup
}

// byePatience is how long a peer has to answer a goodbye, endPatience is how long a server has to end the connection behind
// that, and lingerMost how many bytes of messages are thrown away meanwhile. expiryAhead is how long before the end of its
// session a client is told of it.
const (
	byePatience = 5 * time.Second
	endPatience = time.Second
	expiryAhead = 1500 * time.Millisecond // somewhat more than the sweeper's second
	lingerMost  = 1 << 20
)

// begin makes s the end of a socket whose peer is side.
func (s *socket) begin(scope *stream.Scope, node *stream.Node, raw web.Stream, side telemetry.Side, deflate bool) {
	s.scope, s.host, s.node = scope, scope.Host(), node
	client := side == telemetry.Client
	in, out := &s.receiving, &s.sending
	in.s, in.raw, in.side, in.most = s, raw, side, int64(s.host.Limits.Message)
	in.hand, _ = raw.(interface{ Buffered() int })
	in.seq = websocket.Sequence{FromClient: client, Deflate: deflate}
	in.want = 1
	out.s, out.raw, out.masks, out.deflate = s, raw, !client, deflate
	if side == telemetry.Client {
		s.sessions = scope.Sessions()
	}
	s.host.Sweeper.Add(&s.swept, s.look)
	s.stirs()
}

// stirs takes note of a sign of life.
func (s *socket) stirs() {
	s.seen.Store(int64(s.host.Sweeper.Now()))
	if s.asked.Load() {
		s.asked.Store(false)
	}
}

// look is what the sweeper does.
func (s *socket) look(now time.Duration) {
	s.tell()
	// Who is not listened to cannot be said to be silent, nor one that is still to be sent what comes before a ping: if it takes
	// nothing of that, the sending ends.
	if !s.receiving.waits.Load() || s.sending.waits() {
		s.stirs()
	}
	if s.bye.Load() == 0 && s.expires() {
		s.start(s.expire)
	}
	quiet, patience := now-time.Duration(s.seen.Load()), s.host.Limits.Ping
	switch bye := time.Duration(s.bye.Load()); {
	case bye != 0 && now-bye > byePatience:
		s.giveUp("no goodbye")
	case quiet > 2*patience:
		s.giveUp("silent")
	case quiet > patience && !s.asked.Swap(true):
		s.start(s.ping)
	}
}

// giveUp ends the wait for a peer.
func (s *socket) giveUp(why string) {
	if s.late.CompareAndSwap(nil, &stream.Cut{By: s.side, Why: why}) {
		s.receiving.raw.StopRead()
	}
}

// start has f done beside what goes on, unless that is over. f may wait for the peer.
func (s *socket) start(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.work.Add(1)
	conn.Briefly(func() {
		defer s.work.Done()
		f()
	})
}

// settle sends the pongs that are owed, before the peer is waited for. That is done beside it, since who does not read has
// to be received from all the same: where neither end did, none would ever get on.
func (s *socket) settle() {
	if s.owed.any.Load() && !s.settles.Swap(true) {
		s.start(func() {
			s.settles.Store(false)
			s.Flush() // a failure shows when something is sent
		})
	}
}

// ping asks the peer whether it is there.
func (s *socket) ping() {
	s.sending.control(websocket.Ping, nil)
	s.Flush() // who cannot be sent to is given up for being silent
}

// leave takes leave because the gateway ends, or because a change has taken the socket's way.
func (s *socket) leave() {
	code, reason := goodbye(s.host)
	s.scope.Closes(telemetry.Gateway, "drain")
	s.leaves(telemetry.Gateway, code, reason)
}

// expires reports whether a session of the request is about to end, which ends the socket, as any exchange, whether a route
// asks for it or not. It can be extended until then.
func (s *socket) expires() bool {
	for _, session := range s.sessions {
		if at := session.Expires(); !at.IsZero() && time.Until(at) < expiryAhead {
			return true
		}
	}
	return false
}

// expire takes leave because a session ends. Behind its end nothing could be said in order.
func (s *socket) expire() {
	const why = "session expired"
	s.scope.Closes(telemetry.Gateway, why)
	s.leaves(telemetry.Gateway, websocket.Policy, why)
}

// goodbye is what is said by a gateway that ends, or that goes on without the way that a socket has taken.
func goodbye(h *stream.Host) (websocket.Code, string) {
	if h.Leaving() {
		return websocket.GoingAway, "the gateway ends"
	}
	return websocket.ServiceRestart, "the configuration has changed"
}

// tell counts the messages that have moved since it did so last: those of the client's side are received.
func (s *socket) tell() {
	received, sent := s.counts()
	if s.side == telemetry.Server {
		received, sent = sent, received
	}
	s.node.Messages.Received.Add(received - s.told.received)
	s.node.Messages.Sent.Add(sent - s.told.sent)
	s.told.received, s.told.sent = received, sent
}

// counts is how many messages have come and gone.
func (s *socket) counts() (came, went int64) {
	return s.receiving.messages.Load(), s.sending.messages.Load()
}

// ends notes by which goodbye the socket ends, and reports whether it is the first one: others do not count.
func (s *socket) ends(by telemetry.Side, code websocket.Code, reason string) (first bool) {
	if code == websocket.NoStatus {
		code = 0
	}
	s.scope.Closes(by, "fin")
	s.scope.SetRecord(func(r *telemetry.Record) {
		if first = r.WS.By == ""; first {
			r.WS.By, r.WS.Code, r.WS.Reason = by, uint16(code), reason
		}
	})
	return first
}

// unsaid takes back what ends has noted: the goodbye has not gone out.
func (s *socket) unsaid() {
	s.scope.SetRecord(func(r *telemetry.Record) { r.WS.By, r.WS.Code, r.WS.Reason = "", 0, "" })
}

// blamed is an error of the exchange: who gives a server up that does not read says that of the server, since a client would be
// told otherwise that it was slow itself.
func (s *socket) blamed(err error) error {
	if err == nil || s.side != telemetry.Server {
		return err
	}
	cut := (*stream.Cut)(nil)
	if errors.As(err, &cut) && cut.By == telemetry.Gateway && cut.Why == "slow reader" {
		return &stream.Cut{By: telemetry.Server, Why: cut.Why, Err: cut.Err}
	}
	return err
}

// stopped is why nothing is received any more though nothing has ended.
func (s *socket) stopped() error {
	if late := s.late.Load(); late != nil {
		return late
	}
	return ws.ErrStopped
}

// end ends what begin began: nobody uses the exchange any longer.
func (s *socket) end() {
	s.host.Sweeper.Remove(&s.swept)
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.work.Wait()
	s.tell()
	s.sending.end()
	s.endInflating()
	s.free()
}

// drain ends the connection, waits until the peer has done so, and reports whether it has: what it still sends is of no use.
// Without that the connection could be reset before the peer has read the goodbye.
func (s *socket) drain(patience time.Duration) (ended bool) {
	raw := s.receiving.raw
	late := time.AfterFunc(patience, raw.StopRead)
	defer late.Stop()
	b := buffers.Get().(*[muchSize]byte)
	defer buffers.Put(b)
	if !s.sending.finish() {
		return false
	}
	for {
		if _, err := raw.Read(b[:]); err != nil {
			return err == io.EOF
		}
	}
}

// closed is how the peer has taken its leave, nil if it has not.
func (s *socket) closed() (c *ws.Closed) {
	errors.As(s.receiving.err, &c)
	return c
}
