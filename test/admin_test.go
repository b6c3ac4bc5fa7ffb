package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// adminSocket is where a gateway that runs in dir is asked.
func adminSocket(dir string) string { return filepath.Join(dir, ".zilla", "engine", "admin.sock") }

// connections are those that gozilla connections shows.
func connections(t testing.TB, dir string, args ...string) (all []struct {
	ID             uint64
	Source, Target string
	Received, Sent int64
	Path           []struct{ Binding string }
}) {
	t.Helper()
	status, out, stderr := run(t, dir, append([]string{"connections", "--json"}, args...)...)
	if status != 0 {
		t.Fatalf("connections %v: status %d\n%s", args, status, stderr)
	}
	answer := struct {
		Total       int
		Connections any
	}{Connections: &all}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Total != len(all) {
		t.Fatalf("%v: %d of %d\n%s", err, len(all), answer.Total, out)
	}
	return all
}

func TestAdminSocketIsOnlyForItsUser(t *testing.T) {
	g := start(t, echo(freePort(t)))
	info, err := os.Stat(adminSocket(g.dir))
	if err != nil || info.Mode().Type() != os.ModeSocket || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v", info.Mode(), err)
	}
	g.terminate()
}

// A connection is found by where it comes from and where it goes, and closed; the others do not notice, and its record
// tells.
func TestConnectionsAreListedAndClosed(t *testing.T) {
	port, direct := freePort(t), freePort(t)
	zilla := relay(port, direct) + fmt.Sprintf(`  east:
    type: tcp
    kind: server
    options:
      host: 127.0.0.1
      port: %d
    exit: echo
  echo:
    type: echo
    kind: server
`, direct)
	g := start(t, zilla)
	kept, closed := converse(t, port), converse(t, port)
	find := func(c *conversation) uint64 {
		t.Helper()
		for _, have := range connections(t, g.dir, "--binding", "south") {
			if have.Source == c.LocalAddr().String() {
				if have.Received != 6 || have.Target != address(direct) || len(have.Path) != 2 {
					t.Errorf("%+v", have)
				}
				return have.ID
			}
		}
		t.Fatal("the connection is not there")
		return 0
	}
	if n := len(connections(t, g.dir)); n != 4 {
		t.Errorf("%d connections, want 4", n)
	}
	if n := len(connections(t, g.dir, "--source", "10.0.0.0/8")); n != 0 {
		t.Errorf("%d connections from elsewhere", n)
	}
	id := find(closed)
	if status, out, stderr := run(t, g.dir, "connections", "--close", fmt.Sprint(id)); status != 0 || out != fmt.Sprintf("connection %d is closed\n", id) {
		t.Errorf("status %d: %s%s", status, out, stderr)
	}
	if _, err := closed.r.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client sees %v, want a reset", err)
	}
	kept.say("still there")
	told := func() bool {
		_, out, _ := run(t, g.dir, "logs", "--records")
		return strings.Contains(out, fmt.Sprintf(" #%d ", id)) && strings.Contains(out, "gateway: closed by admin")
	}
	eventually(t, "the record tells who closed it", told)
	if status, _, stderr := run(t, g.dir, "connections", "--close", fmt.Sprint(id)); status != 1 || stderr != fmt.Sprintf("gozilla: there is no connection %d\n", id) {
		t.Errorf("closing it again: status %d: %s", status, stderr)
	}
	kept.end()
	g.terminate()
}

// Connections that only wait are closed as well: a client's between two requests, and one to a server that is kept for
// later, after which another one is made.
func TestIdleHTTPConnectionsAreClosed(t *testing.T) {
	b := newBackend(t, tells)
	port := freePort(t)
	g := start(t, hosting(port, b.port, "exit: out"))
	c, other := call(t, port), call(t, port)
	c.asks("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200)
	// closing closes the one connection at a binding, or that of a client, and waits until it is gone.
	closing := func(binding, source string) {
		t.Helper()
		find := func() string {
			for _, have := range connections(t, g.dir, "--binding", binding) {
				if source == "" || have.Source == source {
					return fmt.Sprint(have.ID)
				}
			}
			return ""
		}
		id := find()
		if status, _, stderr := run(t, g.dir, "connections", "--close", id); status != 0 {
			t.Errorf("%s: status %d: %s", binding, status, stderr)
		}
		eventually(t, "the connection is over", func() bool { return find() != id })
	}
	closing("south", "")
	c.asks("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200)
	other.asks("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200)
	if all, _ := b.connections(); all < 2 {
		t.Errorf("%d connections to the server in all", all)
	}
	closing("north", c.LocalAddr().String())
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes after the end", n)
	}
	other.asks("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200)
	_, records, _ := run(t, g.dir, "logs", "--records")
	if n := strings.Count(records, "gateway: closed by admin"); n != 2 {
		t.Errorf("%d records of what was closed, want 2:\n%s", n, records)
	}
	g.terminate()
}

// Whatever a client of the admin socket does, streams go on and others are answered.
func TestRubbishAtTheAdminSocket(t *testing.T) {
	port := freePort(t)
	g := start(t, echo(port))
	c := converse(t, port)
	for range 20 {
		for _, text := range []string{"", "\x16\x03\x01\x00", "GET / HTTP/9.9\r\n\r\n", "GET /v1/logs?follow=true HTTP/1.1\r\nHost: x\r\n\r\n",
			"PUT /v1/log-level HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n{", "DELETE /v1/connections/1 HTTP/1.1\r\n\r\n", strings.Repeat("x", 100_000)} {
			a, err := net.Dial("unix", adminSocket(g.dir))
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			a.SetDeadline(time.Now().Add(patience))
			io.WriteString(a, text) // the gateway may be tired of it
		}
		c.say("goes on")
	}
	// More are there than are let in; once they have stalled for long enough, there is room again.
	eventually(t, "somebody else is answered", func() bool {
		status, out, _ := run(t, g.dir, "log-level")
		return status == 0 && out == "info\n"
	})
	c.say("goes on")
	c.end()
	g.terminate()
	if !strings.Contains(g.stderr.String(), "64 clients are connected to .zilla/engine/admin.sock, as many as may be: others are turned away") {
		t.Error("it does not say why some were turned away")
	}
}

// Many who follow leave room for others, and one too many is told why.
func TestManyFollow(t *testing.T) {
	g := start(t, echo(freePort(t)))
	var all []*gateway
	for range 32 {
		l := launch(t, g.dir, "logs", "--follow")
		l.stdout.await(t, l, "Engine Started")
		all = append(all, l)
	}
	for range 40 {
		if status, _, stderr := run(t, g.dir, "logs", "--follow"); status != 1 || stderr != "gozilla: 32 clients follow this gateway, as many as may be: one of them has to end first\n" {
			t.Errorf("status %d: %s", status, stderr)
		}
	}
	if status, _, stderr := run(t, g.dir, "status"); status != 0 {
		t.Errorf("status %d: %s", status, stderr)
	}
	for _, l := range all {
		l.terminate()
	}
	g.terminate()
}

// A second process in the same directory opens nothing: neither a port of its file nor its page.
func TestSecondProcess(t *testing.T) {
	g := start(t, echo(freePort(t)))
	port, page := freePort(t), freePort(t)
	write(t, filepath.Join(g.dir, "other.yaml"), echo(port))
	other := launch(t, g.dir, "start", "-c", "other.yaml", "--page", address(page))
	want := fmt.Sprintf("gozilla: gozilla with pid %d is running in .zilla/engine; stop it, or give this one a directory of its own with -P zilla.engine.directory=DIR\n", g.cmd.Process.Pid)
	if status := other.end(patience); status != 1 || other.stderr.String() != want {
		t.Errorf("status %d\n%s", status, other.stderr)
	}
	g.terminate()
}

// Where the socket cannot be, the gateway serves all the same, and says why.
func TestNoAdminSocket(t *testing.T) {
	for name, make := range map[string]struct {
		dir  func(dir string) string
		want string
	}{
		"too long":     {func(dir string) string { return strings.Repeat("x", 150) }, "and the system has room for 107; name a shorter directory"},
		"no directory": {func(dir string) string { write(t, filepath.Join(dir, "file"), ""); return "file/below" }, "not a directory"},
		"something else": {func(dir string) string {
			if err := os.MkdirAll(filepath.Join(dir, "at", "admin.sock"), 0o755); err != nil {
				t.Fatal(err)
			}
			return "at"
		}, "is there and is no socket"},
	} {
		t.Run(name, func(t *testing.T) {
			port, dir := freePort(t), t.TempDir()
			write(t, filepath.Join(dir, "zilla.yaml"), echo(port))
			g := launch(t, dir, "start", "-P", "zilla.engine.directory="+make.dir(dir))
			g.awaitStart()
			converse(t, port).end()
			g.stderr.await(t, g, "will not find this process: .*"+make.want)
			g.terminate()
		})
	}
}

// Reading changes nothing: not even by a method that is written over.
func TestReadingTheAdminSocket(t *testing.T) {
	port := freePort(t)
	g := start(t, echo(port))
	c := converse(t, port)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", adminSocket(g.dir))
	}}}
	for path, want := range map[string]int{
		"/v1/status": 200, "/v1/bindings": 200, "/v1/connections": 200, "/v1/metrics": 200, "/v1/logs": 200, "/v1/records": 200, "/v1/log-level": 200,
		"/v1/connections/1": 405, "/v1/connections?id=1": 400, "/v1/log-level?level=debug": 400, "/": 404,
	} {
		answer, err := client.Get("http://gozilla" + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, answer.StatusCode, want)
		}
	}
	c.say("still there")
	c.end()
	g.terminate()
}
