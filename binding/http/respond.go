package http

import (
	"errors"
	"io"
	"slices"

	"gozilla/stream/web"
)

// A responder changes the head of a response on its way back.
type responder struct {
	web.Served
	s      *server
	origin string // of the page that asks, "" for none
	same   bool   // it is the server's own
}

// quick is a responder over an engine that can do more than it must.
type quick struct {
	*responder
	io.WriterTo
	buffered
}

type buffered interface{ Buffered() int }

// around gives the exchange whose answers are changed on their way.
func (w *responder) around(x web.Served) web.Served {
	w.Served = x
	to, ok := x.(io.WriterTo)
	b, also := x.(buffered)
	if ok && also {
		return quick{w, to, b}
	}
	return w
}

// ReadFrom lets engines send files as they do without a responder.
func (w *responder) ReadFrom(r io.Reader) (int64, error) { return web.Send(w.Served, r) }

// Parted is what the engine knows of the client.
func (w *responder) Parted() bool { return web.Parted(w.Served) }

// Respond is part of web.Served.
func (w *responder) Respond(r *web.Response) error {
	if !r.Final() {
		return w.Served.Respond(r)
	}
	c := *r // which is lent, and its array too
	c.Header = slices.Clip(r.Header)
	if w.s.access.cross {
		c.Header = w.s.access.append(c.Header, w.origin, w.same)
	}
	if w.s.via != "" {
		c.Header = append(c.Header, web.Field{Name: "via", Value: "1.1 " + w.s.via})
	}
	return w.Served.Respond(&c)
}

// failed is an error whose answer a page may see too, if there is to be one: also where there was one, the engine may take it back
// while nothing of it has gone out.
func (w *responder) failed(err error) error {
	if !w.s.access.cross {
		return err
	}
	answer := web.Answer(err)
	var own *web.Error
	if errors.As(err, &own) {
		err = own.Err
	}
	return &web.Error{Status: answer.Status, Header: w.s.access.append(slices.Clip(answer.Header), w.origin, w.same), Err: err}
}
