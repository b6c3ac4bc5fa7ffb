package httpfilesystem

import (
	"context"
	"errors"
	"io"

	"gozilla/stream"
	"gozilla/stream/file"
	"gozilla/stream/web"
)

var (
	errCondition     = errors.New("the condition of the request does not hold")
	errUnconditional = errors.New("the request does not say which version it replaces")
)

// condition is that of a request which says one; else nil.
func (q *request) condition() file.If {
	if !conditional(q.Header) {
		return nil
	}
	return func(now *file.Info) error {
		if now == nil {
			return file.ErrNotFound
		}
		return q.judge(now)
	}
}

func (q *request) judge(now *file.Info) error {
	if judge(q.Header, now, false) != holds {
		return errCondition
	}
	return nil
}

// put replaces a version that is known to the client, or makes a file if there is to be none.
func (q *request) put(ctx context.Context) error {
	if q.Header.Has("content-range") { // a part would become the whole (RFC 9110, section 14.5)
		return stream.Refuse(stream.Invalid, "parts of files cannot be written")
	}
	status := 204
	if creates(q.Header) {
		status = 201
	}
	return q.write(ctx, status, func(now *file.Info) error {
		switch {
		case now == nil && status == 201:
			return nil
		case now == nil:
			return file.ErrNotFound
		case status == 204 && !names(q.Header):
			return errUnconditional
		}
		return q.judge(now)
	})
}

// post makes a file. Of none there is no version that a client could have meant (RFC 9110, section 13.1.1).
func (q *request) post(ctx context.Context) error {
	return q.write(ctx, 204, func(now *file.Info) error {
		switch {
		case now != nil:
			return file.ErrExists
		case q.Header.Has("if-match"):
			return errCondition
		}
		return nil
	})
}

// write makes a version of what the request brings.
func (q *request) write(ctx context.Context, status int, on file.If) error {
	w, err := q.exit.Write(ctx, q.name, on)
	if err != nil {
		return q.answer(0, nil, err)
	}
	defer w.Close()
	to := &taking{Writer: w}
	if _, err = io.Copy(to, q.x); err != nil {
		if to.err == nil { // what comes is not whole
			return err
		}
		return q.answer(0, nil, to.err)
	}
	info, err := w.Commit(ctx)
	if err != nil {
		return q.answer(0, nil, err)
	}
	return q.answer(status, web.Fields("etag", quoted(info.Tag)), nil)
}

// taking is where a body goes, which says whether it was there that it could not go on.
type taking struct {
	io.Writer
	err error
}

// Write is part of io.Writer.
func (t *taking) Write(p []byte) (n int, err error) {
	n, err = t.Writer.Write(p)
	t.err = err
	return n, err
}
