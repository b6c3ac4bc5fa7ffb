package prometheus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"gozilla/component"
	"gozilla/exporter"
	"gozilla/stream"
	"gozilla/telemetry"
)

const (
	headerTime  = 5 * time.Second  // until the head of a request is there
	requestTime = 10 * time.Second // until all of it is
	answerTime  = 10 * time.Second // until an answer was taken
	idleTime    = 2 * time.Minute  // between two requests; longer than most scrape intervals
	leaveTime   = time.Second      // for the answers that are under way at the end
	headerBytes = 16 << 10
)

func init() { exporter.Register("prometheus", newExporter) }

func newExporter(b *component.Builder, c *Config) error {
	for i := range c.Options.Endpoints {
		at := &c.Options.Endpoints[i]
		e := &endpoint{path: at.Path, metrics: b.Metrics, log: b.Log, queue: make(chan *client, waiting)}
		b.Listen(component.Listener{Host: "0.0.0.0", Port: at.Port}, e.accept)
		b.Go(fmt.Sprintf("serve metrics on port %d", at.Port), e.run)
	}
	return nil
}

// waiting is how many connections may wait to be taken by the HTTP server, which is never longer than a moment.
const waiting = 64

// An endpoint is an HTTP server on a port that the engine listens on.
type endpoint struct {
	path    string
	metrics *telemetry.Metrics
	log     *slog.Logger
	queue   chan *client
}

// accept takes a new connection. It runs on the goroutine that accepts.
func (e *endpoint) accept(s *stream.Scope, tcp *net.TCPConn) {
	c := newClient(s, tcp)
	select {
	case e.queue <- c:
	default:
		s.End(stream.Refuse(stream.Limit, "%d connections wait to be served", waiting))
	}
}

// run serves until ctx ends.
func (e *endpoint) run(ctx context.Context) error {
	server := &http.Server{
		Handler:           e,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		ConnState:         func(c net.Conn, s http.ConnState) { c.(*client).state(s) },
		ErrorLog:          slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
	}
	left := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(left)
		leave(ctx, server)
	})
	err := server.Serve(newHandover(e.queue))
	if !stop() {
		<-left
	}
	e.turnAway()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("cannot serve metrics: %w", err)
}

// leave lets the answers that are under way come to an end, for a while.
func leave(ctx context.Context, server *http.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // the same connections, now without regard
	}
}

// turnAway ends the connections that no server has taken.
func (e *endpoint) turnAway() {
	for {
		select {
		case c := <-e.queue:
			c.scope.End(stream.ErrDrained)
		default:
			return
		}
	}
}

// ServeHTTP answers one request.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != e.path:
		http.Error(w, "Metrics are at "+e.path, http.StatusNotFound)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Metrics can only be read", http.StatusMethodNotAllowed)
	default:
		var b bytes.Buffer
		if err := telemetry.WritePrometheus(&b, e.metrics.Snapshot()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", telemetry.PrometheusType)
		w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
		_, _ = w.Write(b.Bytes()) // who asked is gone: there is nobody to tell
	}
}
