package wstest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gozilla/stream/ws"
	"gozilla/wire/websocket"
)

// goodbyes are codes and reasons that go all the way.
var goodbyes = []ws.Closed{
	{Code: websocket.Normal}, {Code: websocket.Normal, Reason: "that is all"}, {Code: websocket.GoingAway}, {Code: websocket.Unsupported}, {Code: 3000, Reason: "grüße"}, {Code: 4999},
	{Code: websocket.NoStatus},
}

func clientLeaves(t *test) {
	for _, c := range goodbyes {
		got := make(chan error, 1)
		over := t.serve(func(_ context.Context, _ *ws.Request, x ws.Served) error {
			_, err := receive(x)
			got <- err
			return nil
		})
		y := t.open()
		if err := y.SendClose(c.Code, c.Reason); err != nil {
			t.Fatal(err)
		}
		y.SendClose(websocket.Policy, "too late")
		if closed := (*ws.Closed)(nil); !errors.As(<-got, &closed) || *closed != c {
			t.Errorf("%v arrives as %v", &c, closed)
		}
		t.closes(y, c.Code, "")
		if err := t.ends(over); err != nil {
			t.Error(err)
		}
	}
}

func handlerLeaves(t *test) {
	for _, c := range goodbyes {
		over := t.serve(func(_ context.Context, _ *ws.Request, x ws.Served) error {
			x.SendClose(c.Code, c.Reason)
			x.SendClose(websocket.Policy, "too late")
			_, err := receive(x)
			if errors.As(err, new(*ws.Closed)) {
				return nil
			}
			return err
		})
		y := t.open()
		t.closes(y, c.Code, c.Reason)
		if err := y.SendClose(c.Code, ""); err != nil {
			t.Fatal(err)
		}
		if err := t.ends(over); err != nil {
			t.Error(err)
		}
	}
}

func handlerReturns(t *test) {
	t.serve(func(_ context.Context, _ *ws.Request, x ws.Served) error { return send(x, message{ws.Text, "bye"}) })
	y := t.open()
	t.wants(y, message{ws.Text, "bye"})
	t.closes(y, websocket.Normal, "")
	t.serve(func(context.Context, *ws.Request, ws.Served) error { return nil })
	t.closes(t.open("one"), websocket.Normal, "")
}

func handlerFails(t *test) {
	t.serve(func(_ context.Context, _ *ws.Request, x ws.Served) error {
		send(x, message{ws.Text, "before"})
		return errors.New("the handler fails")
	})
	y := t.open()
	t.wants(y, message{ws.Text, "before"})
	_, err := receive(y)
	if c := (*ws.Closed)(nil); err == nil || errors.As(err, &c) && c.Code != websocket.InternalError {
		t.Errorf("got %v", err)
	}
}

func handlerReturnsEarly(t *test) {
	over := t.serve(func(_ context.Context, _ *ws.Request, x ws.Served) error {
		_, err := receive(x)
		return err
	})
	y := t.open()
	var sent sync.WaitGroup
	sent.Go(func() { // ends when it has sent all, or cannot any more
		for range 100 {
			if send(y, of(ws.Binary, 100000)) != nil {
				return
			}
		}
	})
	t.closes(y, websocket.Normal, "")
	y.SendClose(websocket.Normal, "")
	sent.Wait()
	if err := t.ends(over); err != nil {
		t.Error(err)
	}
}

func left(t *test) {
	over := t.serve(func(ctx context.Context, r *ws.Request, x ws.Served) error {
		x.SendClose(websocket.Normal, "")
		if err := x.Send(ws.Piece{Kind: ws.Text, Last: true}); err != ws.ErrLeft {
			return fmt.Errorf("the handler sends behind its goodbye: %w", err)
		}
		return nil
	})
	y := t.open()
	y.SendClose(websocket.Normal, "")
	if err := y.Send(ws.Piece{Kind: ws.Text, Last: true}); err != ws.ErrLeft {
		t.Errorf("sending behind a goodbye gives %v", err)
	}
	t.closes(y, websocket.Normal, "")
	if err := t.ends(over); err != nil {
		t.Error(err)
	}
}

func receivesOn(t *test) {
	over := t.serve(func(_ context.Context, _ *ws.Request, x ws.Served) error {
		x.SendClose(4000, "")
		for i := range 3 {
			if m, err := receive(x); err != nil || m.data != fmt.Sprint(i) {
				return fmt.Errorf("message %d is %v, %w", i, m, err)
			}
		}
		if _, err := receive(x); !errors.As(err, new(*ws.Closed)) {
			return err
		}
		return nil
	})
	y := t.open()
	t.closes(y, 4000, "")
	for i := range 3 {
		t.sends(y, message{ws.Text, fmt.Sprint(i)})
	}
	y.SendClose(4000, "")
	if err := t.ends(over); err != nil {
		t.Error(err)
	}
}

func stops(t *test) {
	over := t.serve(func(ctx context.Context, r *ws.Request, x ws.Served) error {
		late := time.AfterFunc(10*time.Millisecond, x.StopReceive)
		defer late.Stop()
		for range 2 {
			if _, err := x.Receive(); err != ws.ErrStopped {
				return fmt.Errorf("got %w", err)
			}
		}
		return send(x, message{ws.Text, "stopped"})
	})
	y := t.open()
	t.wants(y, message{ws.Text, "stopped"})
	if err := t.ends(over); err != nil {
		t.Error(err)
	}
	over = t.serve(Echo)
	y = t.open()
	late := time.AfterFunc(10*time.Millisecond, y.StopReceive)
	defer late.Stop()
	for range 2 {
		if _, err := y.Receive(); err != ws.ErrStopped {
			t.Errorf("got %v", err)
		}
	}
	y.SendClose(websocket.Normal, "")
	if err := t.ends(over); err != nil {
		t.Error(err)
	}
}

func clientCloses(t *test) {
	over := t.serve(Echo)
	y := t.open()
	t.sends(y, message{ws.Text, "hello"})
	t.wants(y, message{ws.Text, "hello"})
	y.Close()
	y.Close()
	t.ends(over)
}

func clientCancelled(t *test) {
	over := t.serve(Echo)
	y, s := t.openIn()
	t.sends(y, message{ws.Text, "hello"})
	t.wants(y, message{ws.Text, "hello"})
	s.Cancel(errors.New("the suite says so"))
	if _, err := receive(y); err == nil || errors.As(err, new(*ws.Closed)) {
		t.Errorf("got %v", err)
	}
	y.Close()
	t.ends(over)
}
