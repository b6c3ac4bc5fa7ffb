package fan

import (
	"context"
	"errors"
	"slices"

	"gozilla/binding"
	"gozilla/stream"
	"gozilla/stream/ws"
	"gozilla/telemetry"
	"gozilla/wire/websocket"
)

// message is a message, whole.
type message struct {
	kind   ws.Kind
	data   []byte
	shared *ws.Shared // for those that are sent to many
}

// messageCost is what a message costs besides its bytes, so that empty ones have a bound too.
const messageCost = 64

func (m message) size() int { return messageCost + len(m.data) }

// messageFan is the fan of WebSockets.
type messageFan struct {
	*group[message]
	exit ws.Port
}

func newMessageFan(b *binding.Builder) *messageFan {
	return &messageFan{newGroup[message](b), binding.ExitOf(b, ws.Protocol)}
}

// ServeSocket makes x a member until it or the group ends. The group is opened as its first member asks for.
func (f *messageFan) ServeSocket(ctx context.Context, r *ws.Request, x ws.Served) error {
	s := stream.From(ctx)
	p := &messageParty{x: x, most: int(s.Limits().Queue)}
	m := &member[message]{party: &served{messageParty: p, scope: s}}
	m.init(s.Limits(), m.stop)
	defer m.leaves()
	defer m.follow(ctx)()
	asked := *r
	asked.Trail = nil // the group is nobody's own
	o := f.join(m, func(s *stream.Scope) (line[message], error) { return f.open(s, &asked) })
	if err := accept(x, r, o, m); err != nil {
		f.leave(m)
		return err
	}
	return f.serve(s, m, o)
}

// accept tells a member that it is one, if the group is open.
func accept(x ws.Served, r *ws.Request, o *opening[message], m *member[message]) error {
	select {
	case <-o.ready:
	case <-o.over:
	case <-m.gone:
		return m.why()
	}
	if o.line == nil { // it could not be opened
		return o.err
	}
	protocol := o.line.(*messageLine).y.Protocol()
	if !slices.Contains(r.Protocols, protocol) {
		protocol = r.Protocol() // that of the group was chosen by what its first member can speak
	}
	if err := x.Accept(protocol); err != nil {
		return err
	}
	return x.Flush()
}

// open opens the socket of the group.
func (f *messageFan) open(s *stream.Scope, r *ws.Request) (line[message], error) {
	y, err := f.exit.OpenSocket(s, r)
	if err != nil {
		return nil, err
	}
	return &messageLine{messageParty: messageParty{x: y, most: int(s.Limits().Queue)}, y: y, flow: s.Flow()}, nil
}

// messageParty is one end of a WebSocket.
type messageParty struct {
	x    ws.Socket
	most int    // bytes that a message may have
	room []byte // for one that comes in pieces
}

// errLong is that a message is longer than what may wait for a member.
var errLong = &stream.Cut{By: telemetry.Client, Why: "message too large", Err: errors.New("a message is longer than the limit queue allows")}

func (p *messageParty) recv() (message, error) {
	p.room = p.room[:0]
	for {
		piece, err := p.x.Receive()
		switch {
		case err != nil:
			return message{}, err
		case len(p.room)+len(piece.Data) > p.most:
			p.x.SendClose(websocket.TooBig, errLong.Err.Error())
			return message{}, errLong
		case piece.Last && len(p.room) == 0:
			return message{kind: piece.Kind, data: piece.Data}, nil
		}
		if p.room = append(p.room, piece.Data...); piece.Last {
			return message{kind: piece.Kind, data: p.room}, nil
		}
	}
}

// roomKept is how much is kept for the next message that comes in pieces.
const roomKept = 4 << 10

func (p *messageParty) release() {
	if cap(p.room) > roomKept {
		p.room = nil
	}
}

func (p *messageParty) send(batch []message) error {
	for i := range batch {
		m := &batch[i]
		err := p.x.Send(ws.Piece{Kind: m.kind, Last: true, Data: m.data, Shared: m.shared})
		if errors.Is(err, ws.ErrLeft) { // the peer was told that nothing more comes
			return nil
		}
		if err != nil {
			return err
		}
	}
	return p.x.Flush()
}

func (p *messageParty) finish(ended error) error {
	code, reason := websocket.Normal, ""
	if closed := (*ws.Closed)(nil); errors.As(ended, &closed) {
		code, reason = closed.Code, closed.Reason
	}
	return p.x.SendClose(code, reason)
}

func (p *messageParty) stop(error) { p.x.StopReceive() }
func (p *messageParty) stopRecv()  {}

// served is a member's end. What it sends returns when its scope is cancelled.
type served struct {
	*messageParty
	scope *stream.Scope
}

func (p *served) stop(err error) {
	p.x.StopReceive()
	if err != error(errLong) && p.scope.Err() == nil { // else it was told, or err is but what the end of its scope has led to
		p.scope.Cancel(err)
	}
}

// messageLine is the group's.
type messageLine struct {
	messageParty
	y    ws.Opened
	flow stream.Flow
}

func (l *messageLine) recv() (message, error) {
	m, err := l.messageParty.recv()
	l.flow.Sent(len(m.data))
	return m, err
}

func (l *messageLine) send(batch []message) error {
	err := l.messageParty.send(batch)
	if err == nil {
		l.flow.Received(len(batch[0].data))
	}
	return err
}

func (l *messageLine) keep(m message) message {
	return message{m.kind, slices.Clone(m.data), &ws.Shared{}}
}

func (l *messageLine) close(error) { l.y.Close() }
