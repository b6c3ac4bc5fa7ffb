package ws

import (
	"cmp"
	"context"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/ws"
)

func (c *client) conn() conn.Port { return conn.Dialing(c) }

// DialConn is part of conn.Dialer: a socket that carries bytes, to where the defaults say.
func (c *client) DialConn(ctx context.Context, about *stream.Info) (conn.Conn, *stream.Info, error) {
	if c.defaults.Authority == "" {
		return nil, nil, stream.Refuse(stream.Invalid, "bytes do not say which server they are for: let the defaults of the ws client have an authority")
	}
	life, end := context.WithCancelCause(stream.From(ctx)) // that of the socket, which is longer than that of the dial
	dialled := stream.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	y, err := c.OpenSocket(life, &ws.Request{Scheme: "http", Path: cmp.Or(string(c.defaults.Path), "/"), About: about})
	switch {
	case err == nil && !dialled():
		y.Close()
		return nil, nil, context.Cause(ctx)
	case err != nil:
		dialled()
		end(nil)
		return nil, nil, err
	}
	return ws.DialledBytes(living{y, end}, about), about, nil
}

// living is a socket whose life ends with it.
type living struct {
	ws.Opened
	end context.CancelCauseFunc
}

// Close is part of ws.Opened.
func (l living) Close() error {
	err := l.Opened.Close()
	l.end(nil)
	return err
}
