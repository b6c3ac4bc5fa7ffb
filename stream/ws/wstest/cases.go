package wstest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/stream"
	"gozilla/stream/ws"
	"gozilla/wire/websocket"
)

var cases = []struct {
	name string
	run  func(*test)
}{
	{"messages there and back", thereAndBack},
	{"messages in pieces", inPieces},
	{"what was sent is copied", copied},
	{"the handler speaks first", handlerFirst},
	{"what is asked for", asked},
	{"the protocol that is chosen", chosen},
	{"a socket that is refused", refused},
	{"the client takes leave", clientLeaves},
	{"the handler takes leave", handlerLeaves},
	{"the handler returns", handlerReturns},
	{"the handler fails", handlerFails},
	{"the handler returns while the client sends", handlerReturnsEarly},
	{"after a goodbye nothing is sent", left},
	{"after a goodbye what comes is received", receivesOn},
	{"messages do not begin within others", within},
	{"nobody receives any more", stops},
	{"the client closes", clientCloses},
	{"the client is cancelled", clientCancelled},
	{"back-pressure on the client", func(t *test) { backPressure(t, true) }},
	{"back-pressure on the handler", func(t *test) { backPressure(t, false) }},
	{"both send at a time", fullDuplex},
	{"many sockets", many},
}

// lengths are those of messages around all that buffers can have.
var lengths = []int{0, 1, 125, 126, 1000, 16383, 16384, 16385, 65535, 65536, 200000}

func of(kind ws.Kind, n int) message {
	return message{kind, strings.ToValidUTF8(strings.Repeat("grüße, Welt. ", n/13+1)[:n], "x")}
}

func thereAndBack(t *test) {
	t.serve(Echo)
	y := t.open()
	for _, n := range lengths {
		for _, kind := range []ws.Kind{ws.Text, ws.Binary} {
			t.sends(y, of(kind, n))
			t.wants(y, of(kind, n))
		}
	}
	t.sends(y, message{ws.Binary, "\xff\x00\xfe"})
	t.wants(y, message{ws.Binary, "\xff\x00\xfe"})
	if y.Pending() {
		t.Error("something has come that nobody has sent")
	}
	y.SendClose(websocket.Normal, "")
	t.closes(y, websocket.Normal, "")
}

func inPieces(t *test) {
	t.serve(Echo)
	y := t.open()
	for _, at := range [][]int{{0}, {1}, {500}, {1000}, {0, 0, 0}, {1, 2, 3}, {4, 5}, {1000, 1000}} { // within characters, too
		t.sends(y, of(ws.Text, 1000), at...)
		t.sends(y, of(ws.Binary, 1000), at...)
		t.wants(y, of(ws.Text, 1000))
		t.wants(y, of(ws.Binary, 1000))
	}
}

func copied(t *test) {
	t.serve(Echo)
	y := t.open()
	data := []byte("hello")
	for range 3 {
		if err := y.Send(ws.Piece{Kind: ws.Text, Last: true, Data: data}); err != nil {
			t.Fatal(err)
		}
		data[0]++
	}
	y.Flush()
	for _, want := range []string{"hello", "iello", "jello"} {
		t.wants(y, message{ws.Text, want})
	}
}

func handlerFirst(t *test) {
	over := t.serve(func(_ context.Context, _ *ws.Request, x ws.Served) error {
		if err := send(x, message{ws.Text, "welcome"}); err != nil {
			return err
		}
		_, err := receive(x)
		return err
	})
	y := t.open()
	t.wants(y, message{ws.Text, "welcome"})
	t.sends(y, message{ws.Text, "thanks"})
	t.closes(y, websocket.Normal, "")
	if err := t.ends(over); err != nil {
		t.Error(err)
	}
}

func asked(t *test) {
	requests := make(chan ws.Request, 1)
	t.serve(func(ctx context.Context, r *ws.Request, x ws.Served) error {
		requests <- *r
		return Echo(ctx, r, x)
	})
	y := t.open("one", "two")
	r := <-requests
	if r.Scheme != "http" || r.Authority != "example.com" || r.Path != "/path?query" || fmt.Sprint(r.Protocols) != "[one two]" {
		t.Errorf("%+v", r)
	}
	if y.Protocol() != "one" {
		t.Errorf("the protocol is %q", y.Protocol())
	}
}

func chosen(t *test) {
	t.serve(func(ctx context.Context, r *ws.Request, x ws.Served) error {
		if err := x.Accept(r.Protocols[len(r.Protocols)-1]); err != nil {
			return err
		}
		x.Accept("zero") // the first one counts
		return Echo(ctx, r, x)
	})
	if y := t.open("one", "two"); y.Protocol() != "two" {
		t.Errorf("the protocol is %q", y.Protocol())
	}
}

func refused(t *test) {
	for _, reason := range []stream.Reason{stream.NoRoute, stream.Unavailable, stream.Invalid, stream.Timeout} {
		t.serve(func(context.Context, *ws.Request, ws.Served) error { return stream.Refuse(reason, "no") })
		y, err := t.g.Opener.OpenSocket(t.begin(), request())
		if r := (*stream.Refused)(nil); !errors.As(err, &r) || r.Reason != reason {
			t.Errorf("%v: %v", reason, err)
		}
		if y != nil {
			t.Errorf("%v: there is a socket", reason)
		}
	}
}

func within(t *test) {
	t.serve(Echo)
	y := t.open()
	y.Send(ws.Piece{Kind: ws.Text, Data: []byte("a")})
	if err := y.Send(ws.Piece{Kind: ws.Binary, Last: true, Data: []byte("b")}); err != ws.ErrWithin {
		t.Errorf("got %v", err)
	}
	t.sends(y, message{ws.Text, "c"})
	t.wants(y, message{ws.Text, "ac"})
}

// backPressure sends to somebody who does not receive, until that is stuck, and then lets it go on.
func backPressure(t *test, client bool) {
	if t.g = t.make(t.T, Func(Echo)); t.g.Few {
		return
	}
	total := t.g.Holds>>14 + 20
	proceed := make(chan struct{})
	noise := make([]byte, 16<<10) // which nothing can compress
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	var sent atomic.Int64
	sends := func(x ws.Socket) error {
		for range total {
			if err := send(x, message{ws.Binary, string(noise)}); err != nil {
				return err
			}
			sent.Add(1)
		}
		return x.SendClose(websocket.Normal, "")
	}
	var got int
	receives := func(x ws.Socket) error {
		<-proceed
		for {
			if _, err := receive(x); err != nil {
				return err
			}
			got++
		}
	}
	f, g := receives, sends
	if !client {
		f, g = sends, receives
	}
	over := t.serve(func(_ context.Context, _ *ws.Request, x ws.Served) error {
		if err := x.Accept(""); err != nil {
			return err
		}
		x.Flush()
		err := f(x)
		if errors.As(err, new(*ws.Closed)) {
			return nil
		}
		return err
	})
	y := t.open()
	done := make(chan error, 1)
	go func() { done <- g(y) }() // ends when all has moved
	for before := int64(-1); before != sent.Load() || before == 0; {
		before = sent.Load()
		time.Sleep(100 * time.Millisecond) // nothing tells that it is stuck
	}
	if n := int(sent.Load()) << 14; n > t.g.Holds {
		t.Errorf("%d bytes are on their way while nobody receives, more than %d", n, t.g.Holds)
	}
	close(proceed)
	if err := <-done; err != nil && !errors.As(err, new(*ws.Closed)) {
		t.Error(err)
	}
	if !client {
		y.SendClose(websocket.Normal, "")
	}
	if err := t.ends(over); err != nil {
		t.Error(err)
	}
	if got != total {
		t.Errorf("%d messages were received", got)
	}
}

func fullDuplex(t *test) {
	const total = 200
	exchange := func(x ws.Socket) error {
		sent := make(chan error, 1)
		go func() { // ends when all is sent
			for i := range total {
				if err := send(x, of(ws.Text, i*37), i, i*2); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		for i := range total {
			if m, err := receive(x); err != nil || m != of(ws.Text, i*37) {
				return errors.Join(fmt.Errorf("message %d: %v", i, m), err, <-sent)
			}
		}
		return <-sent
	}
	over := t.serve(func(_ context.Context, _ *ws.Request, x ws.Served) error { return exchange(x) })
	if err := exchange(t.open()); err != nil {
		t.Error(err)
	}
	if err := t.ends(over); err != nil {
		t.Error(err)
	}
}

func many(t *test) {
	t.serve(Echo)
	var all sync.WaitGroup
	for i := range 20 {
		y := t.open()
		all.Go(func() {
			for j := range 20 {
				want := message{ws.Text, fmt.Sprint("socket ", i, " message ", j)}
				if err := send(y, want); err != nil {
					t.Error(err)
					return
				}
				if m, err := receive(y); err != nil || m != want {
					t.Errorf("got %v, %v", m, err)
					return
				}
			}
		})
	}
	all.Wait()
}
