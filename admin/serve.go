package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
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

// Serve answers what comes in on l until ctx ends. It closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		ConnState:         (&gate{}).state,
		ErrorLog:          log.New(io.Discard, "", 0),                        // what a client does wrong is its own affair
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
type gate struct{ open atomic.Int64 }

func (g *gate) state(c net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		if g.open.Add(1) > clients {
			_ = c.Close() // the server finds out when it reads
		}
	case http.StateClosed, http.StateHijacked:
		g.open.Add(-1)
	}
}
