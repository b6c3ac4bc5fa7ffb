package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	headerTime  = 5 * time.Second  // until a request is there
	idleTime    = 30 * time.Second // between two requests
	leaveTime   = time.Second      // for the answers that are under way when the context ends
	headerBytes = 16 << 10
	clients     = 64 // at once; who comes then is turned away
)

// Serve answers what comes in on l until ctx ends, and says in the log what keeps it from that. It closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		ConnState:         (&gate{log: log, at: l.Addr()}).state,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelError), // of faults of ours: what a client does wrong it is told itself
		BaseContext:       func(net.Listener) context.Context { return ctx }, // so that those who follow end too
	}
	left := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(left)
		leave(ctx, server)
	})
	err := server.Serve(l)
	if !stop() {
		<-left
	}
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
	log  *slog.Logger
	at   net.Addr
	open atomic.Int64
	full atomic.Bool // which was told; until half of them have gone
}

func (g *gate) state(c net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		if g.open.Add(1) > clients {
			_ = c.Close() // the server finds out when it reads
			if !g.full.Swap(true) {
				g.log.Warn(fmt.Sprintf("%d clients are connected to %s, as many as may be: others are turned away", clients, g.at))
			}
		}
	case http.StateClosed, http.StateHijacked:
		if g.open.Add(-1) < clients/2 {
			g.full.Store(false)
		}
	}
}
