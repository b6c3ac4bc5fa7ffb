package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"gozilla/admin"
	"gozilla/engine"
	"gozilla/stream"
	"gozilla/telemetry"
)

// shown is an Env whose output a test looks at.
type shown struct {
	Env
	mu       sync.Mutex
	out, err bytes.Buffer
}

func newShown(terminal bool) *shown {
	s := &shown{}
	s.Env = Env{Stdout: lockedWriter{&s.mu, &s.out}, Stderr: lockedWriter{&s.mu, &s.err}, IsTerminal: func(io.Writer) bool { return terminal }}
	return s
}

// take gives what was written since it was called last.
func (s *shown) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.out.String()
	s.out.Reset()
	return text
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// testGateway is an admin.Source.
type testGateway struct {
	log     *telemetry.Log
	host    *stream.Host
	metrics telemetry.Metrics
	north   telemetry.Streams
	level   slog.LevelVar
	status  admin.Status
	graph   engine.Graph
}

func (g *testGateway) Status() admin.Status        { return g.status }
func (g *testGateway) Graph() engine.Graph         { return g.graph }
func (g *testGateway) Host() *stream.Host          { return g.host }
func (g *testGateway) Metrics() *telemetry.Metrics { return &g.metrics }
func (g *testGateway) Level() *slog.LevelVar       { return &g.level }

func (g *testGateway) Watch(engine.Filter) (*engine.Watcher, error) { return nil, engine.TooMany{} }

// runGateway runs a gateway with a little to show, until the test ends.
func runGateway(t *testing.T) (*testGateway, string) {
	t.Helper()
	g := &testGateway{log: telemetry.NewLog(nil, 16, false), status: admin.Status{PID: 1, Loaded: time.Date(2001, 2, 3, 14, 5, 6, 0, time.Local)}}
	g.host = stream.NewHost(stream.DefaultLimits(), g.log)
	g.metrics.Add("default", "north_tcp_server", &g.north, nil)
	g.metrics.Add("other", "south", &telemetry.Streams{}, nil)
	g.metrics.Gauge("engine.workers.capacity", "How many", func() int64 { return 10_000 })
	g.north.Open()
	g.north.Received.Bytes.Add(123456)
	at := time.Date(2026, 8, 1, 14, 5, 6, 0, time.Local)
	g.log.Event(&telemetry.Event{Time: at, Namespace: "engine", Name: "events", ID: "engine.started", Message: "Engine\nStarted."})
	g.log.Record(&telemetry.Record{
		ID: 7, Start: at, Source: netip.MustParseAddrPort("10.0.0.1:5555"), Dest: netip.MustParseAddrPort("10.0.0.2:80"),
		Path: []telemetry.Step{{Binding: "default:north_tcp_server", Route: "exit"}}, Received: 12, Sent: 34,
		Duration: 5 * time.Millisecond, By: telemetry.Client, Reason: "fin",
	})
	dir := t.TempDir()
	l, err := admin.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var served sync.WaitGroup
	served.Go(func() {
		if err := admin.Serve(ctx, l, admin.Handler(g), slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); served.Wait() })
	return g, dir
}

func TestLogs(t *testing.T) {
	_, dir := runGateway(t)
	zone := time.Date(2026, 8, 1, 14, 5, 6, 0, time.Local).Format("-0700")
	event := "engine:events [01/Aug/2026:14:05:06 " + zone + "] [0000000000000000] engine.started Engine\\nStarted.\n"
	record := "2026-08-01 14:05:06.000 #7 10.0.0.1:5555 -> 10.0.0.2:80 default:north_tcp_server exit received 12 sent 34 total 5ms client: fin\n"
	for _, test := range []struct {
		options logsOptions
		want    string
	}{
		{logsOptions{}, event + record},
		{logsOptions{events: true}, event},
		{logsOptions{records: true}, record},
	} {
		env := newShown(false)
		if err := runLogs(t.Context(), &env.Env, dir, test.options); err != nil {
			t.Error(err)
		}
		if got := env.take(); got != test.want {
			t.Errorf("%+v: got\n%s\nwant\n%s", test.options, got, test.want)
		}
	}
	env := newShown(false)
	if err := runLogs(t.Context(), &env.Env, dir, logsOptions{json: true}); err != nil {
		t.Error(err)
	}
	lines := strings.Split(env.take(), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], `{"namespace":"engine:events","timestamp":`) || !strings.HasPrefix(lines[1], `{"id":7,"start":"2026-`) {
		t.Errorf("got %q", lines)
	}
	if err := runLogs(t.Context(), &env.Env, dir, logsOptions{events: true, records: true}); err == nil {
		t.Error("events and records exclude each other")
	}
	var gone *admin.NotRunning
	if err := runLogs(t.Context(), &env.Env, t.TempDir(), logsOptions{}); !errors.As(err, &gone) {
		t.Errorf("got %v", err)
	}
}

func TestLogsAsAccessLog(t *testing.T) {
	g, dir := runGateway(t)
	g.log.Record(exchange("/x"))
	text := "2026-08-01 14:05:06.000 #9 of #7 GET  /x                               200 - received 0 sent 34 total 0s : \n"
	common := `- - - [01/Aug/2026:14:05:06 +0000] "GET /x HTTP/1.1" 200 34`
	for _, test := range []struct {
		options logsOptions
		want    string // what all begins with, or the error
	}{
		{logsOptions{access: "common"}, common + "\n"},
		{logsOptions{access: "combined", records: true}, common + ` "-" "curl/8.0"` + "\n"},
		{logsOptions{access: "common", events: true}, "the format common has no form for events"},
		{logsOptions{records: true}, text},
	} {
		env := newShown(false)
		err := runLogs(t.Context(), &env.Env, dir, test.options)
		got := env.take()
		if test.options.access == "" { // the connection comes first, and times are local
			_, got, _ = strings.Cut(got, "\n")
			test.want = strings.Replace(test.want, "2026-08-01 14:05:06", exchange("").Start.Local().Format("2006-01-02 15:04:05"), 1)
		} else {
			got = strings.Replace(got, exchange("").Start.Local().Format("[02/Jan/2006:15:04:05 -0700]"), "[01/Aug/2026:14:05:06 +0000]", 1)
		}
		if got+textOf(err) != test.want {
			t.Errorf("%+v: got\n%s%v\nwant\n%s", test.options, got, err, test.want)
		}
	}
}

func TestLogsFollow(t *testing.T) {
	g, dir := runGateway(t)
	ctx, cancel := context.WithCancel(t.Context())
	env := newShown(false)
	// The end of the command is asked for by what it prints.
	env.Stdout = testWriter(func(b []byte) (int, error) {
		switch {
		case strings.Contains(string(b), "engine.started"):
			g.log.Event(&telemetry.Event{ID: "more"})
		case strings.Contains(string(b), "more"):
			cancel()
		}
		return len(b), nil
	})
	if err := runLogs(ctx, &env.Env, dir, logsOptions{follow: true, events: true}); err != nil {
		t.Error(err)
	}
	if ctx.Err() == nil {
		t.Error("it ended by itself")
	}
}

type testWriter func([]byte) (int, error)

func (f testWriter) Write(b []byte) (int, error) { return f(b) }

func TestLogsTellOfLost(t *testing.T) {
	env := newShown(false)
	if err := (logsOptions{}).show(&env.Env, admin.Entry{Lost: true}); err != nil {
		t.Error(err)
	}
	if env.take() != "" || !strings.Contains(env.err.String(), "some entries were lost") {
		t.Errorf("stderr: %s", env.err.String())
	}
	env.Stdout = testWriter(func([]byte) (int, error) { return 0, errors.New("no space left") })
	err := (logsOptions{}).show(&env.Env, admin.Entry{Entry: telemetry.Entry{Event: &telemetry.Event{}}})
	if err == nil || err.Error() != "cannot write the logs: no space left" {
		t.Errorf("got %v", err)
	}
}
