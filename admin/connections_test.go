package admin_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gozilla/admin"
	"gozilla/stream"
	"gozilla/telemetry"
)

// arrive begins a connection from an address that goes through north and, if it is named, another binding.
func (s *source) arrive(t *testing.T, from string, through ...string) *stream.Scope {
	scope := s.host.Arrive(t.Context(), &stream.Node{Namespace: "default", Name: "north"})
	for _, name := range through {
		namespace, name, _ := strings.Cut(name, ":")
		scope.Enter(&stream.Node{Namespace: namespace, Name: name})
	}
	scope.SetRecord(func(r *telemetry.Record) { r.Source = netip.MustParseAddrPort(from) })
	return scope
}

func TestConnections(t *testing.T) {
	s := newSource()
	s.arrive(t, "10.0.0.1:1", "default:south")
	s.arrive(t, "10.1.0.1:2", "other:gone")
	s.arrive(t, "[::ffff:10.0.0.1]:3", "default:south")
	s.arrive(t, "[2001:db8::1]:4")
	for _, test := range []struct{ query, want string }{
		{"", "4: 1 2 3 4"},
		{"limit=2", "4: 3 4"},
		{"binding=north", "4: 1 2 3 4"},
		{"binding=south", "2: 1 3"},
		{"binding=default:south&limit=1", "2: 3"},
		{"binding=south&source=10.0.0.0/8", "2: 1 3"},
		{"source=10.0.0.0/16", "2: 1 3"},
		{"source=10.0.0.1", "2: 1 3"},
		{"source=::ffff:10.0.0.1", "2: 1 3"},
		{"source=2001:db8::/32", "1: 4"},
		{"source=192.168.0.1", "0:"},
		{"namespace=other", "1: 2"},
		{"namespace=default", "4: 1 2 3 4"},
		{"binding=gone", "1: 2"}, // not in service any more
		{"namespace=other&binding=gone", "1: 2"},
		{"namespace=other&binding=south", `there is no binding "south" in the namespace "other"; there is default:north, default:south`},
		{"binding=west", `there is no binding "west"; there is default:north, default:south`},
		{"namespace=west", `there is no binding in the namespace "west"`},
		{"source=x", `source must be a network like 10.0.0.0/8, or an address, not "x"`},
		{"source=10.0.0.0/33", `source must be a network like 10.0.0.0/8, or an address, not "10.0.0.0/33"`},
		{"limit=x", `limit must be a number from 1 to 10000, not "x"`},
		{"limit=0", `limit must be a number from 1 to 10000, not "0"`},
		{"limit=10001", `the limit must be from 1 to 10000`},
	} {
		w := httptest.NewRecorder()
		admin.Handler(s).ServeHTTP(w, httptest.NewRequest("GET", "/v1/connections?"+test.query, nil))
		var got string
		if w.Code == 200 {
			var all admin.Connections
			decode(t, w.Body.Bytes(), &all)
			got = fmt.Sprintf("%d:", all.Total)
			for _, r := range all.Connections {
				got += fmt.Sprint(" ", r.ID)
			}
		} else {
			var fault struct{ Error string }
			decode(t, w.Body.Bytes(), &fault)
			got = fault.Error
		}
		if got != test.want {
			t.Errorf("%s: %s\nwant %s", test.query, got, test.want)
		}
	}
}

// A connection is found by the ways of its exchanges, which are told.
func TestWaysOfExchanges(t *testing.T) {
	s := newSource()
	scope := s.arrive(t, "10.0.0.1:1", "default:web")
	s.arrive(t, "10.0.0.1:2", "default:web")
	web := &stream.Node{Namespace: "default", Name: "web"}
	exchange := func(through string) *stream.Scope {
		x := scope.Child(web, nil)
		x.Enter(&stream.Node{Namespace: "other", Name: through})
		return x
	}
	lines := func(f admin.Filter) string {
		t.Helper()
		all, err := f.List(s.host)
		if err != nil {
			t.Fatal(err)
		}
		var text []string
		for _, r := range all.Connections {
			text = append(text, strings.Join(r.PathLines(), "; "))
		}
		return strings.Join(text, " | ")
	}
	check := func(f admin.Filter, want string) {
		t.Helper()
		if got := lines(f); got != want {
			t.Errorf("%+v: %s\nwant %s", f, got, want)
		}
	}
	const plain = "default:north > default:web"
	check(admin.Filter{}, plain+" | "+plain)
	check(admin.Filter{Binding: "ws0"}, "")
	one := exchange("ws0")
	check(admin.Filter{}, plain+" > other:ws0 | "+plain)
	check(admin.Filter{Binding: "ws0"}, plain+" > other:ws0")
	check(admin.Filter{Namespace: "other"}, plain+" > other:ws0")
	check(admin.Filter{Binding: "other:ws0", Source: "10.0.0.1"}, plain+" > other:ws0")
	check(admin.Filter{Binding: "ws0", Source: "10.0.0.2"}, "")
	two := exchange("ws0")
	check(admin.Filter{Binding: "ws0"}, plain+" > other:ws0 (2 exchanges)")
	check(admin.Filter{Binding: "web", Limit: 1}, plain)
	all := []*stream.Scope{one, two}
	for i := range 20 {
		all = append(all, exchange(fmt.Sprint("sse", i)))
	}
	const sockets, events = "; 2 exchanges: default:web > other:ws0", "; 1 exchange: default:web > other:sse"
	check(admin.Filter{Binding: "sse7"}, plain+events+"7"+sockets+events+"0"+events+"1"+events+"2"+events+"3"+events+"4; 14 exchanges on other ways")
	dir, _ := serve(t, s)
	if told, err := admin.Dial(dir).Connections(t.Context(), admin.Filter{Binding: "sse7"}); err != nil || strings.Join(told.Connections[0].PathLines(), "; ") != lines(admin.Filter{Binding: "sse7"}) {
		t.Errorf("the client is told %v, %v", told, err)
	}
	for _, x := range all {
		x.End(nil)
	}
	check(admin.Filter{}, plain+" | "+plain)
	check(admin.Filter{Binding: "ws0"}, "")
}

// The newest are kept however many there are.
func TestManyConnections(t *testing.T) {
	s := newSource()
	node := &stream.Node{Namespace: "default", Name: "north"}
	const many = 50_000
	for range many {
		s.host.Arrive(t.Context(), node)
	}
	all, err := admin.Filter{Limit: 3}.List(s.host)
	if err != nil || all.Total != many || len(all.Connections) != 3 {
		t.Fatalf("%v: %d of %d", err, len(all.Connections), all.Total)
	}
	for i, r := range all.Connections {
		if r.ID != many-2+uint64(i) {
			t.Errorf("number %d is #%d", i, r.ID)
		}
	}
}

func TestCloseConnection(t *testing.T) {
	s := newSource()
	dir, _ := serve(t, s)
	c := admin.Dial(dir)
	kept, closed := s.arrive(t, "10.0.0.1:1"), s.arrive(t, "10.0.0.1:2")
	if err := c.Close(t.Context(), closed.ID()); err != nil {
		t.Fatal(err)
	}
	var cut *stream.Cut
	if !errors.As(context.Cause(closed), &cut) || cut.By != telemetry.Gateway || cut.Why != "closed by admin" || kept.Err() != nil {
		t.Errorf("the one to be closed: %v, the other one: %v", context.Cause(closed), kept.Err())
	}
	closed.End(context.Cause(closed))
	if r := s.host.Log.Last(1); len(r) != 1 || r[0].Reason != "closed by admin" {
		t.Errorf("the record is %v", r)
	}
	if err := c.Close(t.Context(), closed.ID()); err == nil || err.Error() != "there is no connection 2" {
		t.Errorf("closing it again: %v", err)
	}
	if all, err := c.Connections(t.Context(), admin.Filter{Binding: "north", Source: "10.0.0.0/8", Limit: 5}); err != nil || all.Total != 1 || all.Connections[0].ID != kept.ID() {
		t.Errorf("%v: %+v", err, all)
	}
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"DELETE", "/v1/connections/2", 404},
		{"DELETE", "/v1/connections/x", 400},
		{"DELETE", "/v1/connections/-1", 400},
		{"DELETE", "/v1/connections/", 404},
		{"DELETE", "/v1/connections/1/", 404},
		{"DELETE", "/v1/connections", 405},
		{"GET", "/v1/connections/1", 405},
		{"DELETE", "/v1/connections/1?force=true", 400},
		{"DELETE", "/v1/connections/1", 204},
	} {
		w := httptest.NewRecorder()
		admin.Handler(s).ServeHTTP(w, httptest.NewRequest(test.method, test.path, nil))
		if w.Code != test.status {
			t.Errorf("%s %s: %d, want %d\n%s", test.method, test.path, w.Code, test.status, w.Body)
		}
	}
}

func TestLogLevel(t *testing.T) {
	s := newSource()
	dir, _ := serve(t, s)
	c := admin.Dial(dir)
	if l, err := c.LogLevel(t.Context()); err != nil || l != "info" {
		t.Errorf("%v: %s", err, l)
	}
	if l, err := c.SetLogLevel(t.Context(), "DEBUG"); err != nil || l != "debug" || s.level.Level() != slog.LevelDebug {
		t.Errorf("%v: %s, %v", err, l, s.level.Level())
	}
	for body, want := range map[string]string{
		`{"level":"loud"}`:                  `the level must be debug, info, warn or error, not "loud"`,
		`{}`:                                `the level must be debug, info, warn or error, not ""`,
		`{"level":"warn","for":"1m"}`:       `cannot read the body: json: unknown field "for"`,
		`{"level":"warn"}{"level":"error"}`: `cannot read the body: there is more than one value`,
		``:                                  `cannot read the body: EOF`,
		`warn`:                              `cannot read the body: invalid character 'w' looking for beginning of value`,
		`{"level":"` + strings.Repeat("x", 9<<20) + `"}`: `cannot read the body: http: request body too large`,
	} {
		w := httptest.NewRecorder()
		admin.Handler(s).ServeHTTP(w, httptest.NewRequest("PUT", "/v1/log-level", strings.NewReader(body)))
		var fault struct{ Error string }
		decode(t, w.Body.Bytes(), &fault)
		if w.Code != 400 || fault.Error != want || s.level.Level() != slog.LevelDebug {
			t.Errorf("%.40s: %d %s, want %s; the level is %v", body, w.Code, fault.Error, want, s.level.Level())
		}
	}
}

// A client that stalls in the middle of a body is turned away in time, and others do not wait for it.
func TestStallingBody(t *testing.T) {
	s := newSource()
	dir, _ := serve(t, s)
	c, err := net.Dial("unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "PUT /v1/log-level HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"level\":")
	if _, err := admin.Dial(dir).Status(t.Context()); err != nil {
		t.Error(err)
	}
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if errors.Is(err, os.ErrDeadlineExceeded) || err == nil && answer.StatusCode != 400 {
		t.Errorf("%v, %v", answer, err)
	}
	if s.level.Level() != slog.LevelInfo {
		t.Error("half a body has an effect")
	}
}

// No GET changes anything: neither the endpoint's own method nor one that is written over it has an effect.
func TestReadingChangesNothing(t *testing.T) {
	s := newSource()
	scope := s.arrive(t, "10.0.0.1:1")
	for _, path := range []string{"/v1/connections/1", "/v1/log-level?level=debug", "/v1/log-level", "/v1/connections?close=1"} {
		r := httptest.NewRequest("GET", path, strings.NewReader(`{"level":"debug"}`))
		r.Header.Set("X-HTTP-Method-Override", "PUT")
		admin.Handler(s).ServeHTTP(httptest.NewRecorder(), r)
	}
	if scope.Err() != nil || s.level.Level() != slog.LevelInfo {
		t.Errorf("the connection: %v, the level: %v", scope.Err(), s.level.Level())
	}
}

func TestReference(t *testing.T) {
	page := admin.Reference()
	for _, want := range []string{"## GET /v1/status\n", "## DELETE /v1/connections/{id}\n", "* `source`: ", `"generation": 2,`, "## PUT /v1/log-level\n", `{"level":"debug"}`} {
		if strings.Count(page, want) < 1 {
			t.Errorf("the page has no %q", want)
		}
	}
}
