package ws

import (
	"cmp"
	"context"
	"slices"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/ws"
)

// check is part of binding.Checks.
func (c *client) check(faces []string) {
	if c.defaults.Authority == "" && slices.Contains(faces, conn.Protocol.Name) {
		c.b.Report.Errorf(c.at, "bytes come here, which do not say which server they are for").Hintf("let the defaults have an authority")
	}
}

func (c *client) conn() conn.Port { return conn.Dialing(c) }

// DialConn is part of conn.Dialer: a socket that carries bytes, to where the defaults say.
func (c *client) DialConn(ctx context.Context, about *stream.Info) (conn.Conn, *stream.Info, error) {
	carrier, err := c.carrier(about)
	if err != nil {
		return nil, nil, err
	}
	life, end := context.WithCancelCause(stream.From(ctx)) // that of the socket, which is longer than that of the dial
	dialled := stream.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	y, err := c.OpenSocket(life, carrier)
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

// carrier is what is asked for on behalf of bytes, which say nothing themselves.
func (c *client) carrier(about *stream.Info) (*ws.Request, error) {
	d := &c.defaults
	if d.Authority == "" {
		return nil, stream.Refuse(stream.Invalid, "bytes do not say which server they are for: let the defaults of the ws client have an authority")
	}
	return &ws.Request{Scheme: cmp.Or(string(d.Scheme), "http"), Authority: string(d.Authority), Path: cmp.Or(string(d.Path), "/"), About: about}, nil
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
