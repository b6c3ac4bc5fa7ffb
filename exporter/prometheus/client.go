package prometheus

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"

	"gozilla/stream"
	"gozilla/telemetry"
)

// A client is the connection of somebody who asks: to the HTTP server it is a net.Conn, to the gateway a stream. The
// end of either is the end of both.
type client struct {
	net.Conn
	scope *stream.Scope
	flow  stream.Flow

	mu      sync.Mutex
	busy    bool // a request is being answered
	leaving bool
}

func newClient(s *stream.Scope, tcp *net.TCPConn) *client {
	c := &client{Conn: tcp, scope: s, flow: s.Flow()}
	s.SetRecord(func(r *telemetry.Record) {
		r.Source, r.Dest = stream.AddrOf(tcp.RemoteAddr()).AddrPort(), stream.AddrOf(tcp.LocalAddr()).AddrPort()
	})
	stop := context.AfterFunc(s, func() { s.End(context.Cause(s)) })
	s.OnEnd(func(error) {
		stop()
		_ = tcp.Close() // all that was sent is with the system
	})
	s.OnLeave(c.leave)
	return c
}

// Read is part of net.Conn.
func (c *client) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.flow.Received(n)
	if errors.Is(err, io.EOF) {
		c.scope.Closes(telemetry.Client, "fin")
	}
	return n, err
}

// Write is part of net.Conn.
func (c *client) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if n > 0 {
		c.flow.Sent(n)
	}
	return n, err
}

// Close is part of net.Conn. The HTTP server calls it when it is done.
func (c *client) Close() error {
	c.scope.Closes(telemetry.Gateway, "closed")
	c.scope.End(nil)
	return nil
}

// leave ends the connection, after the answer that is under way.
func (c *client) leave() {
	c.scope.Closes(telemetry.Gateway, "drain")
	c.mu.Lock()
	c.leaving = true
	busy := c.busy
	c.mu.Unlock()
	if !busy {
		_ = c.Close()
	}
}

// state is told by the HTTP server what it does with the connection.
func (c *client) state(s http.ConnState) {
	if s != http.StateActive && s != http.StateIdle {
		return
	}
	c.mu.Lock()
	c.busy = s == http.StateActive
	end := c.leaving && !c.busy
	c.mu.Unlock()
	if end {
		_ = c.Close()
	}
}

// A handover is a net.Listener to which connections come from another one.
type handover struct {
	queue  <-chan *client
	closed chan struct{}
	once   sync.Once
}

func newHandover(queue <-chan *client) *handover {
	return &handover{queue: queue, closed: make(chan struct{})}
}

// Accept is part of net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.queue:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close is part of net.Listener.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr is part of net.Listener.
func (h *handover) Addr() net.Addr { return &net.TCPAddr{} }
