package web

import (
	"context"
	"errors"
	"io"

	"gozilla/stream"
)

// Stream is the bytes of one exchange, both ways: Read is what the other side sends, Write is what this side sends.
// Calls block, which is the back-pressure. One goroutine may read while another writes; no more than that.
//
// The streams of engines are also io.WriterTo: pieces go on as they arrive, uncopied, and the writer is flushed before
// each wait. So io.Copy is the fast way. Some are io.ReaderFrom too, and send files: see [Send].
type Stream interface {
	// Read gives io.EOF at the true end of the body, and another error if it was cut off. Either stays: a Read of no bytes
	// gives it again, and nil while there is none.
	io.Reader
	// StopRead makes a Read that waits return [ErrStopped], and all later ones. Any goroutine may call it.
	StopRead()
	// Trailer is what followed the body, once Read has returned io.EOF.
	Trailer() Header
	// Write may hold p's bytes back until Flush or End; who is about to wait for something else flushes first.
	io.Writer
	Flush() error
	// End ends this side's body, with a trailer if that is not empty, and flushes. The other direction goes on. It is an
	// error if the body is shorter than was said.
	End(trailer Header) error
}

// ErrStopped is what reading gives after StopRead.
var ErrStopped = errors.New("nothing more is wanted")

// Served is an exchange that arrived, in the hands of its Handler.
type Served interface {
	Stream
	// Respond sends the head; it goes out with the first Write, Flush or End. Heads that are not Final may come before.
	// Behind a 101, and behind a 2xx to a CONNECT without Protocol, both directions are raw bytes, over HTTP/1.1 and
	// HTTP/2 alike.
	Respond(*Response) error
}

// Opened is an exchange that was sought, in the hands of who opened it.
type Opened interface {
	Stream
	// Response waits for the head, which is valid until the next call of Response or Close. Those that are not Final
	// come only if Request.Interim asked for them.
	Response() (*Response, error)
	// Close gives up what is not over; a Write that waits returns. It is always called, once is enough.
	Close() error
}

// A Handler is given exchanges that arrived.
type Handler interface {
	// ServeExchange answers r. It owns r and x until it returns, may change r, and leaves no goroutine behind that uses
	// either. If it returns nil, the response is ended. If it returns an error before Respond, the client gets the answer
	// that [Answer] has for it; after Respond, the exchange is broken off, so that nobody takes half a body for a whole
	// one. What it left unread is drained or cut.
	//
	// ctx is, or belongs to, the exchange's Scope. It ends when the client has gone, which may be noticed a second late.
	ServeExchange(ctx context.Context, r *Request, x Served) error
}

// An Opener makes exchanges that are sought.
type Opener interface {
	// OpenExchange begins an exchange. The head may be held back until the first Flush or End; a request of Length 0 that
	// asks for no other protocol is whole, and then until Response. r is lent until Close. The end of ctx breaks the exchange off, which
	// may take a second. An error is a *stream.Refused.
	OpenExchange(ctx context.Context, r *Request) (Opened, error)
}

// Port is a binding's face for http.
type Port interface {
	Handler
	Opener
}

// Protocol is http.
var Protocol = stream.Protocol[Port]{
	Name:    "http",
	Through: func(e *stream.Edge[Port]) Port { return through{e} },
	Tap:     func(to Port, by *stream.Recorder) Port { return tapped{to, by} },
}

type through struct{ edge *stream.Edge[Port] }

func (t through) ServeExchange(ctx context.Context, r *Request, x Served) error {
	to := t.edge.To()
	stream.From(ctx).EnterExchange(to.Node)
	return to.Port.ServeExchange(ctx, r, x)
}

func (t through) OpenExchange(ctx context.Context, r *Request) (Opened, error) {
	to := t.edge.To()
	stream.From(ctx).EnterExchange(to.Node)
	return to.Port.OpenExchange(ctx, r)
}

// Dialing is the port of a binding that opens exchanges. What arrives at it is relayed to what it opens: the turn of
// the path.
func Dialing(o Opener) Port { return dialing{o} }

type dialing struct{ Opener }

func (d dialing) ServeExchange(ctx context.Context, r *Request, x Served) error {
	return Relay(ctx, r, x, d.Opener)
}

// Reply answers with a whole body.
func Reply(x Served, status int, h Header, body []byte) error {
	if err := x.Respond(&Response{Status: status, Header: h, Length: int64(len(body))}); err != nil {
		return err
	}
	_, err := x.Write(body)
	return err
}
