package httpfilesystem

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"gozilla/stream"
	"gozilla/stream/file"
	"gozilla/stream/web"
	"gozilla/telemetry"
)

// pieceMost is how large a file may be that is read before its head is sent.
const pieceMost = 16 << 10

// lastPiece is how much of a larger one is held back until it is known that all before is of one version.
const lastPiece = 4 << 10

var pieces = sync.Pool{New: func() any { return new([pieceMost]byte) }}

// get answers with a file, or a part of it.
func (q *request) get(ctx context.Context) error {
	f, err := q.exit.Open(ctx, q.name)
	if err != nil {
		return q.answer(0, nil, err)
	}
	defer func() { f.Close() }()
	found := judge(q.Header, f.Info(), true)
	var waited time.Duration
	if found == unchanged {
		if waited = waits(q.Header); waited > 0 {
			if f, found, err = q.await(ctx, f, &waited); err != nil {
				return q.answer(0, nil, err)
			}
		}
	}
	if found == fails {
		return q.answer(0, nil, errCondition)
	}
	h := about(f.Info())
	if waited > 0 {
		h = append(h, web.Field{Name: "preference-applied", Value: "wait=" + strconv.Itoa(int(waited/time.Second))})
	}
	if found == unchanged {
		return q.x.Respond(&web.Response{Status: 304, Header: h, Length: -1})
	}
	return q.content(f, h)
}

// about is what the head of an answer says of a version.
func about(now *file.Info) web.Header {
	h := make(web.Header, 0, 8) // what others add has room
	h = append(h, web.Field{Name: "content-type", Value: now.Type}, web.Field{Name: "etag", Value: quoted(now.Tag)})
	if !now.Modified.After(time.Now()) {
		h = append(h, web.Field{Name: "last-modified", Value: now.Modified.UTC().Format(http.TimeFormat)})
	}
	return h
}

// content answers with the content of a file, which h tells of.
func (q *request) content(f file.File, h web.Header) error {
	now := f.Info()
	h = append(h, web.Field{Name: "accept-ranges", Value: "bytes"})
	p := part{n: now.Size, whole: true}
	if q.Method == "GET" {
		p = partOf(q.Header, now)
	}
	resp := &web.Response{Status: 200, Header: h, Length: p.n}
	switch {
	case p.never:
		return web.Reply(q.x, 416, web.Fields("content-range", p.contentRange(now.Size), "etag", quoted(now.Tag)), nil)
	case !p.whole:
		resp.Status = 206
		resp.Header = append(h, web.Field{Name: "content-range", Value: p.contentRange(now.Size)})
	}
	if q.Method == "HEAD" {
		return q.x.Respond(resp)
	}
	return send(q.x, resp, f, p.at, p.n)
}

// errMixed is that a file was written into while it was sent.
var errMixed = errors.New("the file has changed while it was sent")

// send answers with n bytes of a file. The client gets all of them only if they are all of one version.
func send(x web.Served, resp *web.Response, f file.File, at, n int64) error {
	b := pieces.Get().(*[pieceMost]byte)
	defer pieces.Put(b)
	last := b[:min(n, pieceMost)]
	if n > pieceMost {
		last = b[:lastPiece]
		if err := x.Respond(resp); err != nil {
			return err
		}
		before := n - lastPiece
		sent, err := web.Send(x, f.Section(at, before))
		switch {
		case err == io.ErrUnexpectedEOF, err == nil && sent < before:
			return mixed(errMixed)
		case err != nil:
			return err
		}
	}
	_, err := f.Section(at, n).ReadAt(last, n-int64(len(last)))
	if err == nil || err == io.EOF {
		err = f.Check()
	}
	switch {
	case n > pieceMost && err != nil:
		return mixed(err)
	case err != nil:
		return stream.Refuse(stream.Unavailable, "%w", err)
	case n <= pieceMost:
		if err := x.Respond(resp); err != nil {
			return err
		}
	}
	_, err = x.Write(last)
	return err
}

// mixed is how an exchange ends whose client must not take what it has for a whole.
func mixed(err error) error {
	if errors.Is(err, file.ErrChanged) {
		err = errMixed
	}
	return &stream.Cut{By: telemetry.Gateway, Why: "truncated", Err: err}
}

// errWaited is that a client has waited as long as it wanted to.
var errWaited = errors.New("nothing has changed")

// lookEvery is how often it is looked whether a client still waits.
const lookEvery = 2 * time.Second

// errLook is that it is time for that.
var errLook = errors.New("does the client still wait?")

// await waits until a client that has a version of a file can get another one, and gives that; or the same if it has
// waited long enough, if it has ended its side of the connection, as one does that is gone, or if the gateway is about to
// end. waited becomes 0 if it is not waited at all.
func (q *request) await(ctx context.Context, f file.File, waited *time.Duration) (file.File, verdict, error) {
	until, cancel := context.WithTimeoutCause(ctx, *waited, errWaited)
	defer cancel()
	until, leave := context.WithCancelCause(until)
	defer leave(nil)
	defer stream.From(ctx).OnLeave(func() { leave(errWaited) })()
	for {
		next, err := q.newer(until, f)
		switch {
		case errors.Is(err, errWaited):
			return f, unchanged, nil
		case errors.Is(err, file.ErrBusy):
			*waited = 0
			return f, unchanged, nil
		case err != nil:
			return f, unchanged, err
		}
		f.Close()
		f = next
		if found := judge(q.Header, f.Info(), true); found != unchanged {
			return f, found, nil
		}
	}
}

// newer waits for another version until it is time to look after the client.
func (q *request) newer(ctx context.Context, f file.File) (file.File, error) {
	for {
		soon, cancel := context.WithTimeoutCause(ctx, lookEvery, errLook)
		next, err := f.Newer(soon)
		cancel()
		switch {
		case !errors.Is(err, errLook):
			return next, err
		case web.Parted(q.x):
			return nil, errWaited
		}
	}
}

// entry is one entry of a list of a folder.
type entry struct {
	Path string `json:"path"`
	Type string `json:"type"`
}

// listShort is how long a list may be without being counted while it is sent.
const listShort = 64 << 10

// list answers with what is in a folder.
func (q *request) list(ctx context.Context) error {
	select {
	case q.p.lists <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	body, err := q.listed(ctx)
	if len(body) > listShort {
		defer func() { <-q.p.lists }()
	} else {
		<-q.p.lists
	}
	if err != nil {
		return q.answer(0, nil, err)
	}
	h := web.Fields("content-type", "application/json")
	if q.Method == "HEAD" {
		return q.x.Respond(&web.Response{Status: 200, Header: h, Length: int64(len(body))})
	}
	return web.Reply(q.x, 200, h, body)
}

// listed is what is in a folder, as JSON.
func (q *request) listed(ctx context.Context) ([]byte, error) {
	found, err := q.exit.List(ctx, q.name)
	if err != nil {
		return nil, err
	}
	all := make([]entry, len(found))
	for i, e := range found {
		all[i] = entry{e.Name, "file"}
		if e.Dir {
			all[i].Type = "directory"
		}
	}
	return json.Marshal(all)
}
