package ws_test

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/ws"
	"gozilla/stream/ws/wstest"
	"gozilla/telemetry"
	"gozilla/wire/websocket"
)

// opened is a socket that leads to a port, and the scope it lives in.
func opened(t *testing.T, p ws.Opener) (ws.Opened, *stream.Scope) {
	t.Helper()
	s := stream.Begin(stream.WithHost(context.Background(), wstest.NewHost()), &stream.Node{Name: "test"})
	y, err := p.OpenSocket(s, &ws.Request{Protocols: []string{"one"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { y.Close(); s.End(nil) })
	return y, s
}

// bytesOf is a socket whose handler sees it as bytes.
func bytesOf(t *testing.T, f func(c *ws.BytesConn) error) ws.Opened {
	t.Helper()
	y, _ := opened(t, ws.Serving(wstest.Func(func(_ context.Context, _ *ws.Request, x ws.Served) error {
		if err := x.Accept(""); err != nil {
			return err
		}
		return f(ws.Bytes(x, nil))
	})))
	return y
}

func sends(t *testing.T, y ws.Socket, pieces ...ws.Piece) {
	t.Helper()
	for _, p := range pieces {
		if err := y.Send(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := y.Flush(); err != nil {
		t.Fatal(err)
	}
}

// leaves wants a goodbye to be next.
func leaves(t *testing.T, y ws.Socket, code websocket.Code) {
	t.Helper()
	p, err := y.Receive()
	if c := (*ws.Closed)(nil); !errors.As(err, &c) || c.Code != code {
		t.Errorf("got %q, %v, not %v", p.Data, err, code)
	}
}

// TestBytesOfMessages is what is read of messages, and the messages of what is written.
func TestBytesOfMessages(t *testing.T) {
	y := bytesOf(t, func(c *ws.BytesConn) error {
		b := make([]byte, 4) // less than a message has
		for {
			n, err := c.Read(b)
			if err == io.EOF {
				return nil
			}
			if err == nil {
				_, err = c.Write(b[:n])
			}
			if err != nil {
				return err
			}
		}
	})
	sends(t, y, ws.Piece{Kind: ws.Text, Last: true, Data: []byte("hello")}, ws.Piece{Kind: ws.Binary, Last: true}, ws.Piece{Kind: ws.Binary, Data: []byte(", wo")},
		ws.Piece{Kind: ws.Binary, Last: true, Data: []byte("rld")})
	var got []byte
	for len(got) < 12 {
		p, err := y.Receive()
		if err != nil || p.Kind != ws.Binary || !p.Last || len(p.Data) == 0 || len(p.Data) > 4 {
			t.Fatalf("%v %v %q, %v", p.Kind, p.Last, p.Data, err)
		}
		got = append(got, p.Data...)
	}
	if string(got) != "hello, world" {
		t.Errorf("got %q", got)
	}
	y.SendClose(3000, "")
	leaves(t, y, 3000)
}

// TestBytesEnd is how ends of streams of bytes are goodbyes.
func TestBytesEnd(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(c *ws.BytesConn) error
		code websocket.Code
	}{
		{"its direction", (*ws.BytesConn).CloseWrite, websocket.Normal},
		{"both", (*ws.BytesConn).Close, websocket.Normal},
		{"twice", func(c *ws.BytesConn) error { return errors.Join(c.CloseWrite(), c.CloseWrite(), c.Close()) }, websocket.Normal},
		{"abort", func(c *ws.BytesConn) error { conn.Abort(c); return nil }, websocket.InternalError},
		{"abort behind its end", func(c *ws.BytesConn) error { c.CloseWrite(); c.Abort(); return nil }, websocket.Normal},
		{"writes behind its end", func(c *ws.BytesConn) error {
			c.CloseWrite()
			if _, err := c.Write([]byte("x")); err != ws.ErrLeft {
				return errors.New("it can be written to")
			}
			return nil
		}, websocket.Normal},
		{"reads behind its end", func(c *ws.BytesConn) error {
			c.CloseWrite()
			if b, err := io.ReadAll(c); string(b) != "rest" || err != nil {
				return errors.New("it cannot be read")
			}
			return nil
		}, websocket.Normal},
		{"reads behind a Close", func(c *ws.BytesConn) error {
			c.Close()
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				return err
			}
			return nil
		}, websocket.Normal},
	} {
		t.Run(c.name, func(t *testing.T) {
			ended := make(chan error, 1)
			y := bytesOf(t, func(x *ws.BytesConn) error {
				err := c.end(x)
				ended <- err
				return err
			})
			leaves(t, y, c.code)
			y.Send(ws.Piece{Kind: ws.Text, Last: true, Data: []byte("rest")}) // of which nobody may be there any more
			y.SendClose(websocket.Normal, "")
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBytesDeadline is a read deadline: it ends a Read that waits, and stays; one that was taken back does not.
func TestBytesDeadline(t *testing.T) {
	ended := make(chan error, 1)
	bytesOf(t, func(c *ws.BytesConn) error {
		c.SetReadDeadline(time.Now().Add(time.Hour))
		c.SetDeadline(time.Now().Add(5 * time.Millisecond))
		c.SetReadDeadline(time.Time{})
		c.SetWriteDeadline(time.Now())
		c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		began := time.Now()
		_, err := c.Read(make([]byte, 1))
		if time.Since(began) < 15*time.Millisecond {
			err = errors.New("it was too early")
		}
		c.SetReadDeadline(time.Time{})
		_, again := c.Read(make([]byte, 1))
		ended <- errors.Join(err, again)
		c.SetReadDeadline(time.Now().Add(-time.Second))
		return nil
	})
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) || err.Error() != os.ErrDeadlineExceeded.Error()+"\n"+os.ErrDeadlineExceeded.Error() {
		t.Error(err)
	}
}

// TestBytesOpened is a stream of bytes that was sought as a socket.
func TestBytesOpened(t *testing.T) {
	serve := func(f server) ws.Opened {
		y, _ := opened(t, ws.Viewed(conn.Serving(f)))
		return y
	}
	y := serve(conn.Echo)
	if y.Protocol() != "one" || y.Pending() {
		t.Errorf("%q", y.Protocol())
	}
	sends(t, y, ws.Piece{Kind: ws.Text, Last: true, Data: []byte("hello")})
	if p, err := y.Receive(); err != nil || p.Kind != ws.Binary || !p.Last || string(p.Data) != "hello" {
		t.Errorf("%q, %v", p.Data, err)
	}
	y.SendClose(websocket.Normal, "")
	if err := y.Send(ws.Piece{}); err != ws.ErrLeft {
		t.Error(err)
	}
	leaves(t, y, websocket.Normal)
	y.Close()

	y = serve(func(_ context.Context, c conn.Conn) error { conn.Abort(c); return errors.New("aborted") })
	if _, err := y.Receive(); err == nil || errors.As(err, new(*ws.Closed)) {
		t.Error(err)
	}
	y = serve(conn.Echo)
	late := time.AfterFunc(5*time.Millisecond, y.StopReceive)
	defer late.Stop()
	if _, err := y.Receive(); err != ws.ErrStopped {
		t.Error(err)
	}
	y.Close()
	y.Close()
}

type server func(ctx context.Context, c conn.Conn) error

func (f server) ServeConn(ctx context.Context, c conn.Conn, _ *stream.Info) error { return f(ctx, c) }

// TestBytesServed is a handler of bytes behind a socket.
func TestBytesServed(t *testing.T) {
	y, _ := opened(t, ws.Serving(ws.Viewed(conn.Serving(server(conn.Echo)))))
	sends(t, y, ws.Piece{Kind: ws.Text, Last: true, Data: []byte("hello")})
	if p, err := y.Receive(); err != nil || string(p.Data) != "hello" {
		t.Errorf("%q, %v", p.Data, err)
	}
	y.SendClose(websocket.GoingAway, "")
	leaves(t, y, websocket.GoingAway)
}

// TestBytesOverdue is a binding that goes on writing, or does nothing, behind the client's goodbye: that is answered in time.
func TestBytesOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var served error
		over := make(chan struct{})
		port := ws.Viewed(conn.Serving(server(func(ctx context.Context, c conn.Conn) error {
			defer close(over)
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("it reads %v", err)
			}
			<-ctx.Done()
			served = context.Cause(ctx)
			return served
		})))
		y, _ := opened(t, ws.Serving(wstest.Func(port.ServeSocket)))
		began := time.Now()
		y.SendClose(3000, "")
		leaves(t, y, 3000)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it is answered after %v", took)
		}
		<-over
		if cut := (*stream.Cut)(nil); !errors.As(served, &cut) || cut.Why != "no goodbye" || cut.By != telemetry.Server {
			t.Errorf("it ends by %v", served)
		}
	})
}
