package web

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"gozilla/stream"
)

// Error is an error with an answer.
type Error struct {
	Status int
	Header Header
	Err    error // the details; may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "status " + strconv.Itoa(e.Status)
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// statuses are the answers to who was refused. What is not there is answered by 502.
var statuses = map[stream.Reason]int{
	stream.NoRoute:         404,
	stream.Unauthenticated: 401,
	stream.Expired:         401,
	stream.Forbidden:       403,
	stream.Invalid:         400,
	stream.Timeout:         504,
	stream.Unavailable:     503,
	stream.Limit:           503,
	stream.Draining:        503,
}

// reasons are why a server has refused, by its answer. What is not there is Unavailable.
var reasons = map[int]stream.Reason{
	400: stream.Invalid,
	401: stream.Unauthenticated,
	403: stream.Forbidden,
	404: stream.NoRoute,
	407: stream.Unauthenticated,
	410: stream.NoRoute,
	429: stream.Limit,
	504: stream.Timeout,
}

// ReasonOf is why a server has refused that has answered by a status.
func ReasonOf(status int) stream.Reason {
	if reason, ok := reasons[status]; ok {
		return reason
	}
	return stream.Unavailable
}

// required is the header that an answer must have wherever it goes (RFC 9110, sections 15.5.2, 15.5.6 and 15.5.8).
var required = map[int]string{401: "www-authenticate", 405: "allow", 407: "proxy-authenticate"}

// Required are the lines of an answer without which nobody may say its status on.
func (r *Response) Required() (h Header) {
	name, ok := required[r.Status]
	for i := range r.Header {
		if f := &r.Header[i]; ok && f.Name == name {
			h = append(h, *f)
		}
	}
	return h
}

// Answer is the head that answers an exchange whose handler returned err before it had responded. There is no body.
func Answer(err error) *Response {
	var own *Error
	var refused *stream.Refused
	switch {
	case errors.As(err, &own) && own.Status >= 200 && own.Status < 600:
		return &Response{Status: own.Status, Header: own.Header}
	case errors.As(err, &refused):
		r := &Response{Status: 502}
		if status, ok := statuses[refused.Reason]; ok {
			r.Status = status
		}
		if r.Status == 503 {
			seconds := (refused.RetryAfter + time.Second - 1) / time.Second
			r.Header = Fields("retry-after", strconv.Itoa(int(seconds)))
		}
		return r
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return &Response{Status: 504}
	}
	return &Response{Status: 502}
}

// NoteAnswer is for explain: it notes by which status a request is refused. Where that is for who its client is, an http server in
// front may answer as it does itself: that is its own to say.
func NoteAnswer(ctx context.Context, err error) {
	if r, ok := errors.AsType[*stream.Refused](err); ok && (r.Reason == stream.Unauthenticated || r.Reason == stream.Forbidden) {
		return
	}
	stream.From(ctx).Trace().Notef("answers with status %d", Answer(err).Status)
}
