package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gozilla/admin"
	"gozilla/engine"
	"gozilla/internal/gwtest"
)

// runEcho runs a gateway that echoes, and its API.
func runEcho(t *testing.T) (g *gwtest.Gateway, dir string) {
	t.Helper()
	g, dir, _ = runEchoUntil(t)
	return g, dir
}

// runEchoUntil is runEcho for who ends the API.
func runEchoUntil(t *testing.T) (g *gwtest.Gateway, dir string, stop func()) {
	t.Helper()
	g = gwtest.Start(t, `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: south }
  south: { type: echo, kind: server }
`)
	dir, stop = serve(t, &watchedSource{newSource(), g})
	return g, dir, stop
}

type watchedSource struct {
	*source
	g *gwtest.Gateway
}

func (s *watchedSource) Watch(f engine.Filter) (*engine.Watcher, error) { return s.g.Watch(f) }

func echo(t *testing.T, g *gwtest.Gateway, text string) {
	t.Helper()
	c := g.Dial("north")
	gwtest.Send(t, c, text)
	gwtest.Receive(t, c, text)
	c.CloseWrite()
	gwtest.Sees(t, c, "fin")
}

// begin begins a dump that ends with the test.
func begin(t *testing.T, ctx context.Context, dir string, d admin.Dump) *admin.Dumping {
	t.Helper()
	dumping, err := admin.Dial(dir).Dump(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dumping.Close)
	return dumping
}

func TestDump(t *testing.T) {
	g, dir := runEcho(t)
	ctx, cancel := context.WithCancel(t.Context())
	d := begin(t, ctx, dir, admin.Dump{Binding: "north", Source: netip.MustParsePrefix("127.0.0.0/8")})
	echo(t, g, "hello")
	var lines []*admin.DumpLine
	err := d.Each(func(l *admin.DumpLine) error {
		if lines = append(lines, l); l.Kind == engine.End {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if len(lines) != 6 {
		t.Fatalf("there are %d lines", len(lines))
	}
	if l := lines[0]; l.Kind != engine.Begin || l.From != "test:north" || l.To != "test:south" || l.Protocol != "bytes" || l.Lost != 0 {
		t.Errorf("the first line is %+v", l.Chunk)
	}
	if l := lines[1]; l.Kind != engine.Data || l.Direction != engine.Received || string(l.Data) != "hello" || l.Size() != 5 {
		t.Errorf("the second line is %+v", l.Chunk)
	}
}

// TestDumpIsBounded ends by itself.
func TestDumpIsBounded(t *testing.T) {
	g, dir := runEcho(t)
	d := begin(t, t.Context(), dir, admin.Dump{Bytes: 5})
	echo(t, g, "hello")
	bytes := int64(0)
	if err := d.Each(func(l *admin.DumpLine) error { bytes += l.Size(); return nil }); err != nil || bytes != 5 {
		t.Errorf("%d bytes were shown, then %v", bytes, err)
	}
	began := time.Now()
	d = begin(t, t.Context(), dir, admin.Dump{For: 20 * time.Millisecond})
	if err := d.Each(func(*admin.DumpLine) error { return nil }); err != nil || time.Since(began) < 20*time.Millisecond {
		t.Errorf("it ended after %v with %v", time.Since(began), err)
	}
}

// TestDumpEndsWithItsReader ends when the function does not want more, and with the gateway.
func TestDumpEndsWithItsReader(t *testing.T) {
	g, dir, stop := runEchoUntil(t)
	d := begin(t, t.Context(), dir, admin.Dump{})
	echo(t, g, "hello")
	enough := errors.New("enough")
	if err := d.Each(func(*admin.DumpLine) error { return enough }); err != enough {
		t.Errorf("it ended with %v", err)
	}
	d = begin(t, t.Context(), dir, admin.Dump{})
	stop()
	if err := d.Each(func(*admin.DumpLine) error { return nil }); err != nil {
		t.Errorf("the end of the gateway is an error: %v", err)
	}
}

// TestDumpTellsOfLostChunks has a client that does not read.
func TestDumpTellsOfLostChunks(t *testing.T) {
	g, dir := runEcho(t)
	c, err := net.Dial("unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "POST /v1/dump HTTP/1.1\r\nHost: gozilla\r\nContent-Length: 0\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%v: %+v", err, answer)
	}
	const n = 16 << 20
	client := g.Dial("north")
	go func() {
		client.Write(make([]byte, n))
		client.CloseWrite()
	}()
	if echoed, err := io.Copy(io.Discard, client); echoed != n || err != nil {
		t.Fatalf("%d bytes came back: %v", echoed, err)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	shown := int64(0)
	for lines.Scan() {
		var l admin.DumpLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Lost > 0 {
			if shown > n {
				t.Errorf("%d bytes of %d are shown, and something is lost", shown, 2*n)
			}
			return
		}
		shown += l.Size()
	}
	t.Errorf("nobody has told that something is lost: %v", lines.Err())
}

func TestDumpAnswers(t *testing.T) {
	g, _ := runEcho(t)
	h := admin.Handler(&watchedSource{newSource(), g})
	f := func(h http.Handler, method, query string, status int, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/v1/dump?"+query, nil))
		if got := strings.TrimSpace(w.Body.String()); w.Code != status || got != `{"error":"`+want+`"}` {
			t.Errorf("%s: %d %s", query, w.Code, got)
		}
	}
	f(h, "GET", "", 405, "/v1/dump is only for POST")
	f(h, "POST", "binding=nroth", 404, `there is no binding \"nroth\", did you mean north?`)
	f(h, "POST", "source=x", 400, `source must be a network like 10.0.0.0/8, or an address, not \"x\"`)
	f(h, "POST", "for=-1s", 400, `for must be a duration like 30s, not \"-1s\"`)
	f(h, "POST", "bytes=0", 400, `bytes must be a number of at least 1, not \"0\"`)
	f(admin.Handler(newSource()), "POST", "", 429, engine.TooMany{}.Error())
}

func TestParseSource(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if p, err := admin.ParseSource(text); err != nil || p.String() != want {
			t.Errorf("%s is %v, %v, not %s", text, p, err, want)
		}
	}
	f("10.1.2.3/8", "10.0.0.0/8")
	f("10.1.2.3", "10.1.2.3/32")
	f("::ffff:10.1.2.3", "10.1.2.3/32")
	f("fd00::1/16", "fd00::/16")
	if _, err := admin.ParseSource("10.0.0.0/99"); err == nil {
		t.Error("a network of 99 bits is none")
	}
}
