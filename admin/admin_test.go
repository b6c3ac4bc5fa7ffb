package admin_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"gozilla/admin"
	"gozilla/engine"
	"gozilla/stream"
	"gozilla/telemetry"
)

// source is a gateway in a test.
type source struct {
	log     *telemetry.Log
	host    *stream.Host
	metrics telemetry.Metrics
	level   slog.LevelVar
}

// quiet is a log that nobody reads.
var quiet = slog.New(slog.DiscardHandler)

func newSource() *source {
	s := &source{log: telemetry.NewLog(nil, 16, false)}
	s.host = stream.NewHost(stream.DefaultLimits(), s.log)
	s.metrics.Add("default", "north", &telemetry.Streams{}, func(name string) bool { return name == "stream.opens.sent" })
	s.metrics.Gauge("engine.workers.usage", "In use", func() int64 { return 3 })
	return s
}

func (s *source) Status() admin.Status {
	return admin.Status{PID: 4711, Version: "1.2.3", Started: time.Unix(0, 0).UTC(), Config: "zilla.yaml", Generation: 1, Loaded: time.Unix(1, 0).UTC(), Ready: true, Connections: 3, Capacity: 10}
}
func (s *source) Host() *stream.Host          { return s.host }
func (s *source) Metrics() *telemetry.Metrics { return &s.metrics }
func (s *source) Level() *slog.LevelVar       { return &s.level }
func (s *source) Graph() engine.Graph {
	return engine.Graph{Bindings: []engine.GraphBinding{
		{Namespace: "default", Name: "north", Type: "tcp", Kind: "server", Listeners: []string{"127.0.0.1:1"}, Exits: []engine.GraphExit{{Route: "exit", To: "default:south"}}},
		{Namespace: "default", Name: "south", Type: "echo", Kind: "server"},
	}}
}

func (s *source) Watch(engine.Filter) (*engine.Watcher, error) { return nil, engine.TooMany{} }

func TestAnswers(t *testing.T) {
	s := newSource()
	s.log.Event(&telemetry.Event{Time: time.UnixMilli(1), Namespace: "engine", Name: "events", ID: "engine.started", Message: "Engine Started."})
	s.log.Record(&telemetry.Record{ID: 7, Start: time.UnixMilli(0)})
	h := admin.Handler(s)
	const logs = `{"seq":1,"event":{"namespace":"engine:events","timestamp":1,"traceId":"0000000000000000","event":"engine.started","message":"Engine Started."}}
{"seq":2,"record":{"id":7,"start":"1970-01-01T00:00:00.000Z","received":0,"sent":0,"duration_ms":0}}
`
	for _, test := range []struct {
		method, target string
		status         int
		kind, body     string
	}{
		{"GET", "/v1/status", 200, "application/json", `{"pid":4711,"version":"1.2.3","started":"1970-01-01T00:00:00Z","config":"zilla.yaml","generation":1,"loaded":"1970-01-01T00:00:01Z","refused":null,"ready":true,"empty":false,"draining":false,"connections":3,"capacity":10,"turned_away":0}` + "\n"},
		{"GET", "/v1/metrics?format=prometheus", 200, "text/plain; version=0.0.4; charset=utf-8", "# HELP engine_workers_usage In use\n# TYPE engine_workers_usage gauge\nengine_workers_usage 3\n" +
			"# HELP stream_opens_sent_total Streams that were opened back to who opened them\n# TYPE stream_opens_sent_total counter\nstream_opens_sent_total{namespace=\"default\",binding=\"north\"} 0\n"},
		{"GET", "/v1/logs", 200, "application/x-ndjson", logs},
		{"GET", "/v1/logs?since=1&follow=false", 200, "application/x-ndjson", logs},
		{"GET", "/v1/logs?since=2", 200, "application/x-ndjson", logs[strings.Index(logs, "\n")+1:]},
		{"GET", "/v1/logs?since=3", 200, "application/x-ndjson", ""},
		{"GET", "/v1/logs?since=x", 400, "application/json", `{"error":"since must be a sequence number, not \"x\""}` + "\n"},
		{"GET", "/v1/logs?follow=x", 400, "application/json", `{"error":"follow must be true or false, not \"x\""}` + "\n"},
		{"GET", "/v1/metrics?format=x", 400, "application/json", `{"error":"there is no format \"x\"; there are json and prometheus"}` + "\n"},
		{"GET", "/v1/records?since=1&follow=false", 200, "application/x-ndjson", logs[strings.Index(logs, "\n")+1:]},
		{"GET", "/v1/bindings", 200, "application/json", `{"bindings":[{"namespace":"default","name":"north","type":"tcp","kind":"server","entry":false,"listeners":["127.0.0.1:1"],"digest":"","exits":[{"route":"exit","to":"default:south"}],"streams":{"open":0,"opened":0,"errors":0,"received":0,"sent":0}},` +
			`{"namespace":"default","name":"south","type":"echo","kind":"server","entry":false,"digest":"","streams":{"open":0,"opened":0,"errors":0,"received":0,"sent":0}}]}` + "\n"},
		{"GET", "/v1/log-level", 200, "application/json", `{"level":"info"}` + "\n"},
		{"GET", "/v1/status?x=1", 400, "application/json", `{"error":"/v1/status takes no parameters"}` + "\n"},
		{"GET", "/v1/logs?sinze=1", 400, "application/json", `{"error":"there is no parameter \"sinze\"; there are since and follow"}` + "\n"},
		{"GET", "/v1/logs?since=1&since=2", 400, "application/json", `{"error":"the parameter since is given 2 times"}` + "\n"},
		{"GET", "/v1/logs?%", 400, "application/json", `{"error":"cannot read the query: invalid URL escape \"%\""}` + "\n"},
		{"GET", "/v2", 404, "application/json", `{"error":"there is no \"/v2\" here; there are /v1/status, /v1/bindings, /v1/connections, /v1/connections/{id}, /v1/metrics, /v1/logs, /v1/records, /v1/dump, /v1/plan, /v1/reload and /v1/log-level"}` + "\n"},
		{"POST", "/v1/status", 405, "application/json", `{"error":"/v1/status is only for GET"}` + "\n"},
		{"HEAD", "/v1/logs", 405, "application/json", `{"error":"/v1/logs is only for GET"}` + "\n"},
		{"POST", "/v1/log-level", 405, "application/json", `{"error":"/v1/log-level is only for GET and PUT"}` + "\n"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(test.method, test.target, nil))
		if w.Code != test.status || w.Body.String() != test.body || w.Header().Get("Content-Type") != test.kind {
			t.Errorf("%s %s: %d %s\n%s\nwant %d %s\n%s", test.method, test.target, w.Code, w.Header().Get("Content-Type"), w.Body, test.status, test.kind, test.body)
		}
		if test.status == 405 && !strings.HasPrefix(w.Header().Get("Allow"), "GET") {
			t.Errorf("%s %s: Allow is %q", test.method, test.target, w.Header().Get("Allow"))
		}
	}
}

func TestTellsOfLostEntries(t *testing.T) {
	s := newSource()
	for range 20 {
		s.log.Record(&telemetry.Record{})
	}
	w := httptest.NewRecorder()
	admin.Handler(s).ServeHTTP(w, httptest.NewRequest("GET", "/v1/logs?since=1", nil))
	lines := strings.Split(w.Body.String(), "\n")
	if lines[0] != `{"lost":true}` || !strings.HasPrefix(lines[1], `{"seq":5,`) || len(lines) != 18 {
		t.Errorf("%d lines:\n%s", len(lines), w.Body)
	}
}

// serve runs the API of s in a new directory until the test ends, or stop is called.
func serve(t *testing.T, s admin.Gateway) (dir string, stop func()) { return serveAndLog(t, s, quiet) }

func serveAndLog(t *testing.T, s admin.Gateway, log *slog.Logger) (dir string, stop func()) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "engine")
	l, err := admin.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var served sync.WaitGroup
	served.Go(func() {
		if err := admin.Serve(ctx, l, admin.Handler(s), log); err != nil {
			t.Error(err)
		}
	})
	stop = func() {
		cancel()
		served.Wait()
	}
	t.Cleanup(stop)
	return dir, stop
}

func TestClient(t *testing.T) {
	s := newSource()
	dir, _ := serve(t, s)
	c := admin.Dial(dir)
	status, err := c.Status(t.Context())
	if err != nil || !reflect.DeepEqual(status, s.Status()) {
		t.Errorf("%v: %+v", err, status)
	}
	samples, err := c.Metrics(t.Context())
	if err != nil || len(samples) != 11 || samples[0].Name != "engine.workers.usage" || samples[0].Value != 3 {
		t.Errorf("%v: %d samples", err, len(samples))
	}
	s.log.Record(&telemetry.Record{ID: 7})
	var got []admin.Entry
	if err := c.Logs(t.Context(), 0, false, func(e admin.Entry) error { got = append(got, e); return nil }); err != nil {
		t.Error(err)
	}
	if len(got) != 1 || got[0].Seq != 1 || got[0].Record.ID != 7 {
		t.Errorf("entries: %+v", got)
	}
	enough := errors.New("enough")
	for _, follow := range []bool{false, true} {
		if err := c.Logs(t.Context(), 0, follow, func(admin.Entry) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("follow %v: %v", follow, err)
		}
	}
}

func TestFollow(t *testing.T) {
	s := newSource()
	dir, stop := serve(t, s)
	s.log.Event(&telemetry.Event{ID: "first"})
	got := make(chan string, 10)
	done := make(chan error, 1)
	go func() {
		done <- admin.Dial(dir).Logs(t.Context(), 1, true, func(e admin.Entry) error { got <- e.Event.ID; return nil })
	}()
	for _, id := range []string{"first", "second", "third"} {
		if id != "first" {
			s.log.Event(&telemetry.Event{ID: id})
		}
		if have := <-got; have != id {
			t.Errorf("got %s, want %s", have, id)
		}
	}
	s.log.Event(&telemetry.Event{ID: "last words"})
	stop()
	if err := <-done; err != nil {
		t.Errorf("the gateway's end is an error: %v", err)
	}
	if have := <-got; have != "last words" {
		t.Errorf("got %s", have)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	s := newSource()
	s.log.Event(&telemetry.Event{})
	dir, stop := serve(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	err := admin.Dial(dir).Logs(ctx, 0, true, func(admin.Entry) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	stop()
}

func TestNobodyThere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	stale := filepath.Join(dir, "stale")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Mkdir(stale, 0o700)); err != nil {
		t.Fatal(err)
	}
	leaveBehind(t, filepath.Join(stale, "admin.sock"))
	for _, dir := range []string{dir, file, stale, filepath.Join(dir, "none")} {
		_, err := admin.Dial(dir).Status(t.Context())
		want := "no gozilla is running in " + dir + "; start one, or name its directory with -P zilla.engine.directory=DIR"
		var gone *admin.NotRunning
		if !errors.As(err, &gone) || err.Error() != want {
			t.Errorf("got %v", err)
		}
	}
}

// leaveBehind makes the socket of a process that died.
func leaveBehind(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func TestNoAPI(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	go server.Serve(l)
	defer server.Close()
	if _, err := admin.Dial(dir).Metrics(t.Context()); err == nil || err.Error() != "cannot ask the gozilla in "+dir+": 404 Not Found" {
		t.Errorf("got %v", err)
	}
}

func TestListen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	l, err := admin.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "admin.sock")
	for name, want := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, path: 0o600 | os.ModeSocket} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, want %v (%v)", name, info.Mode(), want, err)
		}
	}
	l.Close()
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left over")
	}
	leaveBehind(t, path)
	if l, err = admin.Listen(dir); err != nil {
		t.Fatalf("a socket that was left behind: %v", err)
	}
	l.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = admin.Listen(dir); err == nil || err.Error() != "cannot open the admin socket: "+path+" is there and is no socket" {
		t.Errorf("got %v", err)
	}
}

func TestListenWhereOneRuns(t *testing.T) {
	dir, stop := serve(t, newSource())
	const hint = "; stop it, or give this one a directory of its own with -P zilla.engine.directory=DIR"
	_, err := admin.Listen(dir)
	var alive *admin.Alive
	if !errors.As(err, &alive) || alive.PID != 4711 || err.Error() != "gozilla with pid 4711 is running in "+dir+hint {
		t.Errorf("got %v", err)
	}
	if _, err := admin.Dial(dir).Status(t.Context()); err != nil {
		t.Errorf("the one that runs was disturbed: %v", err)
	}
	stop()
	mute, err := net.Listen("unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	if _, err := admin.Listen(dir); err == nil || err.Error() != "another process is running in "+dir+hint {
		t.Errorf("got %v", err)
	}
}

func TestListenFromManySides(t *testing.T) {
	dir := t.TempDir()
	leaveBehind(t, filepath.Join(dir, "admin.sock"))
	const starters = 8
	won := make(chan net.Listener, starters)
	for range starters {
		go func() {
			l, err := admin.Listen(dir)
			if err != nil {
				l = nil
			}
			won <- l
		}()
	}
	var winner net.Listener
	for range starters {
		switch l := <-won; {
		case l == nil:
		case winner != nil:
			t.Error("two have the same directory")
		default:
			winner = l
			go admin.Serve(t.Context(), l, admin.Handler(newSource()), quiet)
		}
	}
	if _, err := admin.Dial(dir).Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLongPath(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, strings.Repeat("x", 120))
	_, err := admin.Listen(dir)
	if err == nil || !strings.Contains(err.Error(), "and the system has room for 107; name a shorter directory with -P zilla.engine.directory=DIR") {
		t.Errorf("got %v", err)
	}
	if _, err := admin.Dial(dir).Status(t.Context()); err == nil || !strings.Contains(err.Error(), "has room for 107") {
		t.Errorf("got %v", err)
	}
	t.Chdir(dir) // from here, there is a short name for it
	l, err := admin.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	go admin.Serve(t.Context(), l, admin.Handler(newSource()), quiet)
	if _, err := admin.Dial(dir).Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRubbishHoldsNothing(t *testing.T) {
	var log bytes.Buffer
	dir, stop := serveAndLog(t, newSource(), slog.New(slog.NewTextHandler(&log, nil)))
	var all []net.Conn
	dial := func(send string) net.Conn {
		c, err := net.Dial("unix", filepath.Join(dir, "admin.sock"))
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, send)
		all = append(all, c)
		return c
	}
	// A body that nobody asked for, and that never comes.
	c := dial("GET /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("%v: %v", err, answer)
	}
	var status admin.Status
	if err := json.NewDecoder(answer.Body).Decode(&status); err != nil || status.PID != 4711 {
		t.Errorf("%v: %+v", err, status)
	}
	for range 100 { // more than are let in
		dial("GET /")
	}
	last := all[len(all)-1]
	last.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer, err = http.ReadResponse(bufio.NewReader(last), nil)
	if err != nil || answer.StatusCode != 503 || !answer.Close {
		t.Fatalf("one too many was not turned away: %v, %v", err, answer)
	}
	if text, err := io.ReadAll(answer.Body); err != nil || string(text) != tooMany {
		t.Errorf("%v: %s", err, text)
	}
	for _, c := range all {
		c.Close()
	}
	stop()
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "64 clients are connected to "+filepath.Join(dir, "admin.sock")+", as many as may be") {
		t.Errorf("the log has\n%s", text)
	}
}

const tooMany = `{"error":"64 clients are connected to this gateway, as many as may be: one of them has to end first"}` + "\n"

// TestTurnedAway tells each client why, whatever it asks for, until there is room again.
func TestTurnedAway(t *testing.T) {
	dir, stop := serve(t, newSource())
	var all []net.Conn
	dial := func() {
		c, err := net.Dial("unix", filepath.Join(dir, "admin.sock"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	for range 64 {
		dial()
	}
	c := admin.Dial(dir)
	// One after the other, for less long than those who say nothing may stay.
	for began, n := time.Now(), 0; n < 100 && time.Since(began) < 2*time.Second; n++ {
		for _, ask := range []func() error{
			func() error { _, err := c.Status(t.Context()); return err },
			func() error {
				_, err := c.Plan(t.Context(), admin.Draft{Text: strings.Repeat("#", 1<<20)})
				return err
			},
		} {
			if err := ask(); err == nil || !strings.Contains(tooMany, `"`+err.Error()+`"`) {
				t.Fatalf("it ends with %v", err)
			}
		}
	}
	for range 200 { // more than are told, who say nothing
		dial()
	}
	for _, c := range all {
		c.Close()
	}
	for {
		_, err := c.Status(t.Context())
		if err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for range 70 {
		dial()
	}
	began := time.Now()
	if stop(); time.Since(began) > 20*time.Second {
		t.Error("who is turned away keeps the gateway from its end")
	}
	for _, c := range all {
		c.Close()
	}
}

// TestFollowersLeaveRoom for others.
func TestFollowersLeaveRoom(t *testing.T) {
	s := newSource()
	s.log.Event(&telemetry.Event{ID: "first"})
	dir, _ := serve(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	following, over := make(chan bool), make(chan error)
	for range 32 {
		go func() {
			over <- admin.Dial(dir).Logs(ctx, 0, true, func(admin.Entry) error { following <- true; return nil })
		}()
	}
	for range 32 {
		<-following
	}
	c := admin.Dial(dir)
	const want = "32 clients follow this gateway, as many as may be: one of them has to end first"
	if err := c.Logs(t.Context(), 0, true, nil); err == nil || err.Error() != want {
		t.Errorf("one more who follows: %v", err)
	}
	if _, err := c.Dump(t.Context(), admin.Dump{}); err == nil || err.Error() != want {
		t.Errorf("one more who dumps: %v", err)
	}
	n := 0
	if err := c.Logs(t.Context(), 0, false, func(admin.Entry) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("who does not follow sees %d entries, %v", n, err)
	}
	cancel()
	for range 32 {
		<-over
	}
	enough := errors.New("enough")
	for { // the gateway may still look at who has left
		err := c.Logs(t.Context(), 0, true, func(admin.Entry) error { return enough })
		if err == enough {
			return
		}
		if err.Error() != want {
			t.Fatal(err)
		}
	}
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
}
