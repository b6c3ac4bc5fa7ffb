package ws

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"gozilla/stream"
	"gozilla/wire/http1"
	"gozilla/wire/websocket"
)

// Kind is what a message consists of.
type Kind uint8

// The kinds.
const (
	Text   = Kind(websocket.Text)   // UTF-8
	Binary = Kind(websocket.Binary) // any bytes
)

func (k Kind) String() string {
	if k == Text {
		return "text"
	}
	return "binary"
}

// A Piece is some of the bytes of a message, or all of them. A piece of text may end in the middle of a character.
type Piece struct {
	Kind Kind // of the message
	Last bool // the message ends with it
	Data []byte
	// Shared is for who sends a whole message to many: what is made of it on the way is made once. The same for all, and for
	// no other message; nil for one that is sent to one.
	Shared *Shared
}

// Shared is what is made of a message once, by who is the first to need it. The zero value is ready.
type Shared struct {
	once sync.Once
	b    []byte
}

// Of is what make gives, or has given before.
func (s *Shared) Of(make func() []byte) []byte {
	s.once.Do(func() { s.b = make() })
	return s.b
}

// Socket is one end of a WebSocket. Calls block, which is the back-pressure. One goroutine may receive while another sends;
// no more than that.
type Socket interface {
	// Receive waits for the next piece, whose bytes are lent until the next call of it or Pending. It flushes nothing that Send
	// holds back. The error is a *[Closed] once the peer has taken its leave, [ErrStopped] after StopReceive, else what has cut
	// the socket off. It stays.
	Receive() (Piece, error)
	// Pending reports whether something has come that Receive has not given yet. Who sends on what it receives flushes when
	// nothing has.
	Pending() bool
	// StopReceive makes a Receive that waits return, and all later ones. Any goroutine may call it.
	StopReceive()
	// Send sends a piece. It may hold it back until Flush, and has copied it, or is done with it, when it returns. A message
	// that was begun is ended before the next one begins.
	Send(Piece) error
	// Flush sends what was held back.
	Flush() error
	// SendClose takes leave, and flushes: nothing can be sent after. The first call counts. What the peer has sent before it
	// answers is still received, for a few seconds.
	SendClose(code websocket.Code, reason string) error
}

// Served is a socket that arrived, in the hands of its Handler.
type Served interface {
	Socket
	// Accept tells the client that the socket is open, and the protocol that is spoken, one of Request.Protocols or "" for
	// none. What comes first of it and of Receive, Send and Flush does so, the latter with the first protocol.
	Accept(protocol string) error
}

// Opened is a socket that was sought, in the hands of who opened it.
type Opened interface {
	Socket
	// Protocol is what the server has chosen to speak, "" for none.
	Protocol() string
	// Close gives up what is not over. It is always called, once is enough.
	Close() error
}

// Request is what a client asks for. It is lent.
type Request struct {
	Scheme, Authority string       // of the HTTP request: http or https
	Path              string       // with its query, as it came
	Protocols         []string     // that the client can speak, and the gateway lets it, the preferred one first
	About             *stream.Info // facts of the connection it came over; nil if it came over none
	// Trail is lines for the header of a request by http that asks for the socket: what the gateway says of the way that this one
	// has come.
	Trail []http1.Field
}

// Protocol is what is spoken if the server has no wishes of its own.
func (r *Request) Protocol() string {
	if len(r.Protocols) == 0 {
		return ""
	}
	return r.Protocols[0]
}

// Closed is how a socket has ended in order: the peer has taken its leave.
type Closed struct {
	Code   websocket.Code // NoStatus if it has given none
	Reason string
}

func (c *Closed) Error() string {
	if c.Reason == "" {
		return fmt.Sprintf("closed: %v", c.Code)
	}
	return fmt.Sprintf("closed: %v: %s", c.Code, c.Reason)
}

// The errors of sockets.
var (
	ErrStopped = errors.New("nothing more is wanted")
	ErrLeft    = errors.New("the socket was closed")               // by SendClose
	ErrWithin  = errors.New("a message begins within another one") // of another kind
)

// A Handler is given sockets that arrived.
type Handler interface {
	// ServeSocket serves x and returns when it is over. An error before Accept refuses the client, in the words of HTTP. After
	// that, nil takes leave, if that was not done, with the client's own code if it did so first and else with Normal; an
	// error, with InternalError. ServeSocket leaves no goroutine behind that uses r or x.
	ServeSocket(ctx context.Context, r *Request, x Served) error
}

// An Opener makes sockets that are sought.
type Opener interface {
	// OpenSocket opens a socket, and returns once the server has accepted it. The end of ctx breaks it off. An error is a
	// *stream.Refused.
	OpenSocket(ctx context.Context, r *Request) (Opened, error)
}

// Port is a binding's face for WebSockets.
type Port interface {
	Handler
	Opener
}

// Protocol is WebSockets.
var Protocol = stream.Protocol[Port]{
	Name:    "ws",
	Through: func(e *stream.Edge[Port]) Port { return through{e} },
	Tap:     func(to Port, by *stream.Recorder) Port { return tapped{to, by} },
	View:    view,
}

type through struct{ edge *stream.Edge[Port] }

func (t through) ServeSocket(ctx context.Context, r *Request, x Served) error {
	to := t.edge.To()
	stream.From(ctx).Enter(to.Node)
	return to.Port.ServeSocket(ctx, r, x)
}

func (t through) OpenSocket(ctx context.Context, r *Request) (Opened, error) {
	to := t.edge.To()
	stream.From(ctx).Enter(to.Node)
	return to.Port.OpenSocket(ctx, r)
}

// Dialing is the port of a binding that opens sockets. What arrives at it is relayed to what it opens: the turn of the path.
func Dialing(o Opener) Port { return dialing{o} }

type dialing struct{ Opener }

func (d dialing) ServeSocket(ctx context.Context, r *Request, x Served) error {
	return Relay(ctx, r, x, d.Opener)
}
