package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	headerTime  = 5 * time.Second  // until a request is there
	idleTime    = 30 * time.Second // between two requests
	leaveTime   = time.Second      // for the answers that are under way when the context ends
	headerBytes = 16 << 10
	clients     = 64 // at once; who comes then is turned away
	followers   = 32 // of them, who stay for as long as they like
)

// Serve answers what comes in on l until ctx ends, and says in the log what keeps it from that. It closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	g := &gate{Listener: l, ctx: ctx, log: log}
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		ConnState:         g.state,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelError), // of faults of ours: what a client does wrong it is told itself
		BaseContext:       func(net.Listener) context.Context { return ctx }, // so that those who follow end too
	}
	left := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(left)
		leave(ctx, server)
	})
	err := server.Serve(g)
	if !stop() {
		<-left
	}
	g.turned.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("cannot serve %s: %w", l.Addr(), err)
}

// leave lets the answers that are under way come to an end, for a while.
func leave(ctx context.Context, server *http.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // the same connections, now without regard
	}
}

// A gate holds the limit on connections.
type gate struct {
	net.Listener
	ctx  context.Context // that of Serve
	log  *slog.Logger
	open atomic.Int64
	full atomic.Bool // which was told; until half of them have gone

	turning atomic.Int64 // those that are told why they are turned away
	turned  sync.WaitGroup
}

func (g *gate) state(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew: // before Accept is called again
		g.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		if g.open.Add(-1) < clients/2 {
			g.full.Store(false)
		}
	}
}

// Accept is part of net.Listener.
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil || g.open.Load() < clients {
			return c, err
		}
		if !g.full.Swap(true) {
			g.log.Warn(fmt.Sprintf("%d clients are connected to %s, as many as may be: others are turned away", clients, g.Addr()))
		}
		if g.turning.Add(1) > clients {
			g.turning.Add(-1)
			_ = c.Close() // there is no end of them
			continue
		}
		g.turned.Go(func() { g.turnAway(c) })
	}
}

// turnTime is how long it may take to tell a client why it is turned away.
const turnTime = time.Second

// turnAway answers the request of a client, whatever it is. It ends with the client, with ctx, or after turnTime.
func (g *gate) turnAway(c net.Conn) {
	defer g.turning.Add(-1)
	defer c.Close()
	defer context.AfterFunc(g.ctx, func() { _ = c.Close() })()
	_ = c.SetDeadline(time.Now().Add(turnTime))
	if _, err := c.Read(make([]byte, 1)); err != nil { // no client expects an answer before
		return
	}
	if _, err := c.Write(tooMany); err == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(c, headerBytes+bodyBytes)) // to close earlier could take the answer away
	}
}

// tooMany is the answer to who is turned away.
var tooMany = fmt.Appendf(nil, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(tooManyBody), tooManyBody)

var tooManyBody = fmt.Sprintf(`{"error":"%d clients are connected to this gateway, as many as may be: one of them has to end first"}`+"\n", clients)
