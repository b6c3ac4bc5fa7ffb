package ws_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"gozilla/internal/gwtest"
	wire "gozilla/wire/h2"
)

// tunnel is a stream of HTTP/2 that was begun by CONNECT (RFC 8441), alone on its connection.
type tunnel struct {
	net.Conn
	status chan string // of the answer
	come   *io.PipeReader
	over   chan struct{} // closed when nothing more comes

	mu      sync.Mutex // guards what follows, and writing
	changed sync.Cond
	conn    int64 // bytes that may be sent on the connection
	stream  int64 // and on the stream
	gone    bool
}

// opensH2 is a client of a gateway, over HTTP/2.
func opensH2(t testing.TB, g *gwtest.Gateway, path string, deflate bool) *peer {
	t.Helper()
	return asksH2(t, g, "websocket", path, deflate)
}

// asksH2 is opensH2 by that name of the protocol.
func asksH2(t testing.TB, g *gwtest.Gateway, protocol, path string, deflate bool) *peer {
	t.Helper()
	c := &tunnel{Conn: g.Dial("north"), status: make(chan string, 1), over: make(chan struct{}), conn: 65535, stream: 65535}
	c.changed.L = &c.mu
	c.SetDeadline(time.Now().Add(gwtest.Patience))
	var put *io.PipeWriter
	c.come, put = io.Pipe()
	t.Cleanup(func() { c.Close(); c.come.Close(); <-c.over })
	b := wire.AppendSettings([]byte(wire.Preface), wire.Setting{ID: wire.InitialWindow, Value: 1<<31 - 1})
	b = wire.AppendWindow(b, 0, 1<<30)
	at := len(b)
	b = wire.BeginBlock(b)
	fields := []string{":method", "CONNECT", ":protocol", protocol, ":scheme", "http", ":authority", "a", ":path", path, "sec-websocket-version", "13"}
	if deflate {
		fields = append(fields, "sec-websocket-extensions", "permessage-deflate")
	}
	for i := 0; i < len(fields); i += 2 {
		b = wire.AppendField(b, fields[i], fields[i+1])
	}
	c.write(wire.EndBlock(b, at, 1, 0, 16384))
	go c.receive(put)
	if got := <-c.status; got != "200" {
		t.Fatalf("the answer is %s", got)
	}
	return newPeer(t, c, c.finish, true, deflate)
}

func (c *tunnel) write(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.Conn.Write(b)
	return err
}

// receive is the goroutine that takes what comes. It ends with the stream.
func (c *tunnel) receive(put *io.PipeWriter) {
	defer close(c.over)
	err := c.frames(put)
	select {
	case c.status <- "nothing":
	default:
	}
	c.mu.Lock()
	c.gone = true
	c.changed.Broadcast()
	c.mu.Unlock()
	put.CloseWithError(err) // io.EOF for nil
}

func (c *tunnel) frames(put *io.PipeWriter) error {
	table := wire.NewDecoder(func(name, value string) {
		if name == ":status" {
			c.status <- value
		}
	})
	var in []byte
	b := make([]byte, 64<<10)
	for {
		f, n, err := wire.Next(in, 1<<24-1)
		if err != nil {
			return err
		}
		if n == 0 {
			m, err := c.Conn.Read(b)
			if in = append(in, b[:m]...); err != nil {
				return io.ErrUnexpectedEOF // since the stream has not ended
			}
			continue
		}
		in = in[n:]
		switch f.Type {
		case wire.Settings:
			err = c.settings(&f)
		case wire.Headers:
			table.Begin(1<<20, 1000)
			err = table.Write(f.Payload)
		case wire.Data:
			if len(f.Payload) > 0 { // for it waits to be read else, too
				_, err = put.Write(f.Payload)
			}
		case wire.Window:
			c.grow(f.Stream, int64(f.Number))
		case wire.Reset, wire.GoAway:
			return io.ErrUnexpectedEOF
		}
		if err != nil || (f.Type == wire.Data || f.Type == wire.Headers) && f.Flags&wire.EndStream != 0 {
			return err
		}
	}
}

func (c *tunnel) settings(f *wire.Frame) error {
	if f.Flags&wire.Ack != 0 {
		return nil
	}
	for rest := f.Payload; len(rest) > 0; {
		var s wire.Setting
		if s, rest, _ = wire.NextSetting(rest); s.ID == wire.InitialWindow {
			c.grow(1, int64(s.Value)-65535)
		}
	}
	return c.write(wire.AppendSettingsAck(nil))
}

func (c *tunnel) grow(stream uint32, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stream == 0 {
		c.conn += n
	} else {
		c.stream += n
	}
	c.changed.Broadcast()
}

func (c *tunnel) Read(b []byte) (int, error) { return c.come.Read(b) }

func (c *tunnel) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for sent := 0; ; {
		if sent == len(b) {
			return sent, nil
		}
		n := min(len(b)-sent, 16384, int(c.conn), int(c.stream))
		switch {
		case c.gone:
			return sent, io.ErrClosedPipe
		case n <= 0:
			c.changed.Wait()
			continue
		}
		if _, err := c.Conn.Write(wire.AppendData(nil, 1, 0, b[sent:sent+n])); err != nil {
			return sent, err
		}
		sent, c.conn, c.stream = sent+n, c.conn-int64(n), c.stream-int64(n)
	}
}

func (c *tunnel) finish() error { return c.write(wire.AppendData(nil, 1, wire.EndStream, nil)) }
