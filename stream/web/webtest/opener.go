package webtest

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"gozilla/stream/web"
)

// An Opener is a web.Opener whose exchanges are answered by a function, once their requests are whole. It fails its test
// where a rule of the port is broken.
type Opener struct {
	T testing.TB
	// Answer is what comes in answer to a request. An error of Response's is Answer.Err of an answer without a head.
	Answer func(r *web.Request, body string, trailer web.Header) (*Answer, Body)

	mu   sync.Mutex
	open int
	used bool
}

// OpenExchange is part of web.Opener.
func (o *Opener) OpenExchange(_ context.Context, r *web.Request) (web.Opened, error) {
	looks(o.T, r.Header)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open++; !o.used {
		o.used = true
		o.T.Cleanup(func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			if o.open > 0 {
				o.T.Errorf("%d exchanges were not closed", o.open)
			}
		})
	}
	return &fakeOpened{o: o, r: r, ended: r.Length == 0 && r.Protocol == "" && !r.Tunnel(), left: r.Length, whole: make(chan struct{})}, nil
}

// fakeOpened is an exchange of an Opener.
type fakeOpened struct {
	o *Opener
	r *web.Request

	mu      sync.Mutex // guards what follows
	sent    strings.Builder
	left    int64
	ended   bool
	trailer web.Header
	whole   chan struct{} // closed when the request is, or when the exchange is closed
	told    bool          // whole is closed
	answer  *Answer
	in      Body
	heads   []*web.Response
	read    int
	eof     bool
	stopped bool
	closed  bool
}

func (y *fakeOpened) begin(what string) {
	y.mu.Lock()
	if y.closed {
		y.o.T.Errorf("%s is called after Close", what)
	}
}

// tell says that the request is whole.
func (y *fakeOpened) tell() {
	if !y.told {
		y.told = true
		close(y.whole)
	}
}

func (y *fakeOpened) Write(p []byte) (int, error) {
	y.begin("Write")
	defer y.mu.Unlock()
	switch {
	case len(p) == 0:
		return 0, nil
	case y.ended:
		y.o.T.Error("Write is called after the end of the body")
		return 0, errBroken
	case y.left >= 0 && int64(len(p)) > y.left:
		y.o.T.Errorf("the body is longer than %d bytes, as was said", y.r.Length)
		return 0, errBroken
	case y.left >= 0:
		y.left -= int64(len(p))
	}
	return y.sent.Write(p)
}

func (y *fakeOpened) Flush() error {
	y.begin("Flush")
	defer y.mu.Unlock()
	if y.r.Protocol != "" || y.r.Tunnel() {
		y.tell()
	}
	return nil
}

func (y *fakeOpened) End(trailer web.Header) error {
	y.begin("End")
	defer y.mu.Unlock()
	if y.left > 0 {
		y.o.T.Errorf("the body is shorter than %d bytes, as was said", y.r.Length)
		return errBroken
	}
	looks(y.o.T, trailer)
	if !y.ended {
		y.ended, y.trailer = true, append(y.trailer, trailer...)
	}
	y.tell()
	return nil
}

func (y *fakeOpened) Response() (*web.Response, error) {
	y.begin("Response")
	if y.ended {
		y.tell()
	}
	y.mu.Unlock()
	<-y.whole
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.answer == nil {
		y.answer, y.in = y.o.Answer(y.r, y.sent.String(), y.trailer)
		for _, h := range y.answer.Interim {
			if y.r.Interim {
				y.heads = append(y.heads, h)
			}
		}
	}
	switch {
	case len(y.heads) > 0:
		h := y.heads[0]
		y.heads = y.heads[1:]
		return h, nil
	case y.answer.Head == nil:
		return nil, y.answer.Err
	}
	return y.answer.Head, nil
}

func (y *fakeOpened) Read(p []byte) (int, error) {
	y.begin("Read")
	defer y.mu.Unlock()
	if y.answer == nil || y.answer.Head == nil {
		y.o.T.Error("Read is called before there is a response")
		return 0, errBroken
	}
	rest := y.in.Text[y.read:]
	switch {
	case y.stopped:
		return 0, web.ErrStopped
	case len(rest) > 0:
		n := copy(p, rest)
		y.read += n
		return n, nil
	case y.in.Err != nil:
		return 0, y.in.Err
	}
	y.eof = true
	return 0, io.EOF
}

func (y *fakeOpened) StopRead() {
	y.begin("StopRead")
	defer y.mu.Unlock()
	y.stopped = true
}

func (y *fakeOpened) Trailer() web.Header {
	y.begin("Trailer")
	defer y.mu.Unlock()
	if !y.eof {
		y.o.T.Error("Trailer is called before the end of the body")
		return nil
	}
	return y.in.Trailer
}

func (y *fakeOpened) Close() error {
	y.mu.Lock()
	defer y.mu.Unlock()
	if !y.closed {
		y.closed = true
		y.tell()
		y.o.mu.Lock()
		y.o.open--
		y.o.mu.Unlock()
	}
	return nil
}
