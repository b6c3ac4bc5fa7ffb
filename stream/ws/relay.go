package ws

import (
	"context"
	"errors"
	"slices"

	"gozilla/stream"
)

// Relay is the turn between a socket that arrived and one that is sought. Whoever takes leave, the other side is told by the
// same code.
func Relay(ctx context.Context, r *Request, x Served, o Opener) error {
	y, err := o.OpenSocket(ctx, r)
	if err != nil {
		return err
	}
	defer y.Close()
	protocol := y.Protocol()
	if !slices.Contains(r.Protocols, protocol) { // it was asked for on behalf of who offers none (RFC 6455, section 4.2.2)
		protocol = ""
	}
	if err := x.Accept(protocol); err != nil {
		return err
	}
	up := make(chan error, 1)
	go upload(stream.From(ctx), y, x, up)
	err = pump(x, y)
	if err != nil {
		x.StopReceive()
		y.Close() // so that what is on its way there returns
	}
	if first := <-up; err == nil || first != nil && !errors.Is(first, ErrStopped) {
		err = first
	}
	return err
}

// upload is the goroutine that moves what the client sends. It ends with that direction, or when the other one has failed.
func upload(s *stream.Scope, y Opened, x Served, ended chan<- error) {
	err := stream.Contained(s, func() error { return pump(y, x) })
	if err != nil {
		y.StopReceive()
	}
	ended <- err
}

// pump moves messages on, as they come, until who sends them has taken its leave.
func pump(dst, src Socket) error {
	for {
		if !src.Pending() {
			if err := dst.Flush(); err != nil {
				return err
			}
		}
		p, err := src.Receive()
		if closed := (*Closed)(nil); errors.As(err, &closed) {
			return dst.SendClose(closed.Code, closed.Reason)
		}
		if err == nil {
			err = dst.Send(p)
		}
		if err != nil && !errors.Is(err, ErrLeft) { // the gateway has taken leave: the rest is of no use to anybody
			return err
		}
	}
}
