package prometheus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"gozilla/component"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/telemetry"
)

// A rig runs an exporter with one endpoint, and does what the engine does for it.
type rig struct {
	t      *testing.T
	host   *stream.Host
	node   *stream.Node
	addr   string
	url    string
	scopes chan *stream.Scope
	stop   func() error
}

func start(t *testing.T) *rig {
	t.Helper()
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 64, false))
	b := &component.Builder{
		Node: &stream.Node{Namespace: "default", Name: "metrics"}, Host: host,
		Log: slog.New(slog.DiscardHandler), Metrics: &telemetry.Metrics{},
	}
	var north telemetry.Streams
	north.Open()
	b.Metrics.Add("default", "north", &north, func(name string) bool { return name == "stream.opens.received" })
	b.Metrics.Gauge("engine.workers.capacity", "How many", func() int64 { return 7 })
	if err := newExporter(b, &Config{Options: &Options{Endpoints: []Endpoint{{Scheme: HTTP, Port: 7190, Path: "/metrics"}}}}); err != nil {
		t.Fatal(err)
	}
	if l := b.Listeners()[0]; l.Host != "0.0.0.0" || l.Port != 7190 {
		t.Errorf("listens on %s:%d", l.Host, l.Port)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &rig{t: t, host: host, node: b.Node, addr: l.Addr().String(), scopes: make(chan *stream.Scope, 100)}
	r.url = "http://" + r.addr
	go r.listen(ctx, l.(*net.TCPListener), b.Listeners()[0].Serve)
	done := make(chan error, 1)
	go func() { done <- b.Tasks()[0].Run(ctx) }()
	r.stop = func() error {
		cancel()
		l.Close()
		err := <-done
		r.stop = func() error { return nil }
		return err
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// listen ends with the listener.
func (r *rig) listen(ctx context.Context, l *net.TCPListener, serve func(*stream.Scope, *net.TCPConn)) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return
		}
		s := r.host.Arrive(ctx, r.node)
		r.scopes <- s
		serve(s, c)
	}
}

// record waits for the next record.
func (r *rig) record(seq uint64) *telemetry.Record {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	if err := r.host.Log.Wait(ctx, seq); err != nil {
		r.t.Fatal(err)
	}
	entries, _, _ := r.host.Log.Since(seq)
	return entries[0].Record
}

const body = `# HELP engine_workers_capacity How many
# TYPE engine_workers_capacity gauge
engine_workers_capacity 7
# HELP stream_opens_received_total Streams that were opened towards the binding
# TYPE stream_opens_received_total counter
stream_opens_received_total{namespace="default",binding="north"} 1
`

func TestAnswers(t *testing.T) {
	r := start(t)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, test := range []struct {
		method, path string
		status       int
		allow, body  string
	}{
		{"GET", "/metrics", 200, "", body},
		{"GET", "/metrics?x=1", 200, "", body},
		{"HEAD", "/metrics", 200, "", ""},
		{"POST", "/metrics", 405, "GET, HEAD", "Metrics can only be read\n"},
		{"DELETE", "/metrics", 405, "GET, HEAD", "Metrics can only be read\n"},
		{"GET", "/metrics/x", 404, "", "Metrics are at /metrics\n"},
		{"GET", "/", 404, "", "Metrics are at /metrics\n"},
		{"POST", "/", 404, "", "Metrics are at /metrics\n"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), test.method, r.url+test.path, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != test.status || string(got) != test.body || answer.Header.Get("Allow") != test.allow {
			t.Errorf("%s %s: %v %s %q\n%s", test.method, test.path, err, answer.Status, answer.Header.Get("Allow"), got)
		}
		if test.status == 200 && (answer.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" ||
			answer.ContentLength != int64(len(body))) {
			t.Errorf("%s %s: header %v", test.method, test.path, answer.Header)
		}
	}
	if n := r.node.Streams.Received.Opens.Load(); n != 1 {
		t.Errorf("%d connections, want one that is kept open", n)
	}
}

// dial opens a connection and gives the gateway's side of it too.
func (r *rig) dial() (net.Conn, *stream.Scope) {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c, <-r.scopes
}

func ask(t *testing.T, c net.Conn) *http.Response {
	t.Helper()
	fmt.Fprintf(c, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(answer.Body); err != nil || string(got) != body {
		t.Fatalf("%v: %q", err, got)
	}
	return answer
}

func TestRecordOfAConnection(t *testing.T) {
	r := start(t)
	c, s := r.dial()
	ask(t, c)
	c.Close()
	rec := r.record(1)
	if rec.ID != s.ID() || rec.Source.String() != c.LocalAddr().String() || rec.Dest.String() != r.addr ||
		rec.By != telemetry.Client || rec.Reason != "fin" || rec.Received != 34 || rec.Sent <= int64(len(body)) || rec.FirstByte == 0 {
		t.Errorf("%s", rec.Text())
	}
	if d := &r.node.Streams.Received; d.Opens.Load() != 1 || d.Closes.Load() != 1 || d.Bytes.Load() != 34 {
		t.Errorf("opens %d, closes %d, bytes %d", d.Opens.Load(), d.Closes.Load(), d.Bytes.Load())
	}
}

// ended waits until the peer has closed c.
func ended(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if b, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) || len(b) > 0 {
		t.Errorf("still open: %q, %v", b, err)
	}
}

func TestCancelEndsAConnection(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, c net.Conn){
		"idle":  func(t *testing.T, c net.Conn) { ask(t, c) },
		"quiet": func(*testing.T, net.Conn) {},
		"half":  func(_ *testing.T, c net.Conn) { io.WriteString(c, "GET /met") },
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			c, s := r.dial()
			prepare(t, c)
			s.Cancel(&stream.Cut{By: telemetry.Gateway, Why: "admin close"})
			ended(t, c)
			if rec := r.record(1); rec.By != telemetry.Gateway || rec.Reason != "admin close" {
				t.Errorf("%s", rec.Text())
			}
		})
	}
}

func TestLeaveEndsAnIdleConnection(t *testing.T) {
	r := start(t)
	c, s := r.dial()
	ask(t, c)
	s.Leave()
	ended(t, c)
	if rec := r.record(1); rec.By != telemetry.Gateway || rec.Reason != "drain" {
		t.Errorf("%s", rec.Text())
	}
}

func TestLeaveLetsAnAnswerEnd(t *testing.T) {
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 8, false))
	s := host.Arrive(t.Context(), &stream.Node{})
	c := newClient(s, new(net.TCPConn))
	c.state(http.StateNew)
	c.state(http.StateActive)
	s.Leave()
	if s.Err() != nil {
		t.Error("the answer was cut")
	}
	c.state(http.StateIdle)
	if s.Err() == nil {
		t.Error("the connection goes on")
	}
}

func TestEndOfTheTask(t *testing.T) {
	r := start(t)
	idle, _ := r.dial()
	ask(t, idle)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	ended(t, idle)
}

func TestTooManyAtOnce(t *testing.T) {
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 8, false))
	e := &endpoint{queue: make(chan *client, 1)} // and nobody serves
	node := &stream.Node{}
	first, second := host.Arrive(t.Context(), node), host.Arrive(t.Context(), node)
	e.accept(first, new(net.TCPConn))
	e.accept(second, new(net.TCPConn))
	if first.Err() != nil || second.Err() == nil {
		t.Errorf("first: %v, second: %v", first.Err(), second.Err())
	}
	e.turnAway()
	if first.Err() == nil {
		t.Error("the first one is left over")
	}
	entries, _, _ := host.Log.Since(0)
	if len(entries) != 2 || entries[0].Record.Reason != "limit" || entries[1].Record.Reason != "drain" {
		t.Errorf("%d records", len(entries))
	}
}

func TestChecks(t *testing.T) {
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{}, "a prometheus exporter needs at least one endpoint"},
		{Options{Endpoints: []Endpoint{{Port: 0, Path: "/metrics"}}}, "port 0 is no port"},
		{Options{Endpoints: []Endpoint{{Port: 1, Path: "metrics"}}}, `path "metrics" must begin with a slash` + "\n  hint: write \"/metrics\""},
		{Options{Endpoints: []Endpoint{{Port: 1, Path: "/a?b"}}}, `path "/a?b" must be without a query and without a fragment`},
		{Options{Endpoints: []Endpoint{{Port: 1, Path: "/a"}, {Port: 1, Path: "/b"}}}, "port 1 is that of another endpoint\n  note: it is here first"},
		{Options{Endpoints: []Endpoint{{Port: 1, Path: "/a"}, {Port: 2, Path: "/a"}}}, ""},
	} {
		var r config.Report
		for i := range test.options.Endpoints {
			test.options.Endpoints[i].Check(&r)
		}
		test.options.Check(&r)
		got := ""
		if err := r.Err(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
	var e Endpoint
	if e.Defaults(); e.Path != "/metrics" {
		t.Errorf("the path is %q", e.Path)
	}
}

func TestConfig(t *testing.T) {
	for _, test := range []struct{ file, want string }{
		{"type: prometheus\noptions:\n  endpoints:\n    - scheme: http\n      port: 7190\n", ""},
		{"type: prometheus\n", "zilla.yaml:1:1: a prometheus exporter needs options"},
		{"type: prometheus\noptions:\n  endpoints: []\n", "zilla.yaml:3:14: a prometheus exporter needs at least one endpoint"},
		{"type: prometheus\noptions:\n  endpoints:\n    - scheme: http\n      port: 1\n      path: metrics\n",
			"zilla.yaml:6:13: path \"metrics\" must begin with a slash\n  hint: write \"/metrics\""},
		{"type: prometheus\noptions:\n  endpoints:\n    - scheme: http\n      port: 1\n    - scheme: http\n      port: 1\n",
			"zilla.yaml:7:13: port 1 is that of another endpoint\n  note: zilla.yaml:5:13: it is here first"},
	} {
		var r config.Report
		roots := config.Parse(&r, config.Source{Name: "zilla.yaml", Text: []byte(test.file)})
		if len(roots) != 1 {
			t.Fatal(r.Err())
		}
		c := config.Decode[Config](&r, roots[0], "a prometheus exporter")
		switch err := r.Err(); {
		case err == nil && test.want == "":
			if e := c.Options.Endpoints[0]; e != (Endpoint{Scheme: HTTP, Port: 7190, Path: "/metrics"}) {
				t.Errorf("decoded: %+v", e)
			}
		case err == nil || err.Error() != test.want:
			t.Errorf("got\n%v\nwant\n%s", err, test.want)
		}
	}
}
