package test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// clock is the time that systemd compares, in microseconds.
func clock(t testing.TB) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano() / 1000
}

// TestSystemdHearsOfReloads when they begin, with a time after that of its signal, and when they are over, also if the
// file is refused.
func TestSystemdHearsOfReloads(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	a, b := freePort(t), freePort(t)
	g := &changing{gateway: service(t, echo(a), []string{"NOTIFY_SOCKET=" + m.name}, "-P", "zilla.engine.config.watch=false")}
	m.hears("READY=1")
	began := regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=(\d+)$`)
	reloads := func(then string) {
		t.Helper()
		before := clock(t)
		g.signal(syscall.SIGHUP)
		got := began.FindStringSubmatch(<-m.heard)
		if got == nil {
			t.Fatal("it does not say that it reloads")
		}
		if at, err := strconv.ParseInt(got[1], 10, 64); err != nil || at < before || at > clock(t) {
			t.Errorf("it has begun at %s, %v, not between %d and %d", got[1], err, before, clock(t))
		}
		if got := <-m.heard; got != "READY=1\nSTATUS="+then {
			t.Errorf("then it says %q, not %q", got, then)
		}
	}
	g.writes(echo(b))
	reloads("runs configuration 2 of zilla.yaml")
	converse(t, b).end()
	faulty, _ := unknown(a)
	g.writes(faulty)
	reloads("runs configuration 2 of zilla.yaml, the one after it was refused")
	if err := os.Remove(filepath.Join(g.dir, "zilla.yaml")); err != nil {
		t.Fatal(err)
	}
	reloads("runs configuration 2 of zilla.yaml, the one after it was refused")
	g.writes(echo(a))
	reloads("runs configuration 3 of zilla.yaml")
	reloads("runs configuration 3 of zilla.yaml")
	g.writes(echo(b))
	if status, _, errs := run(t, g.dir, "reload"); status != 0 { // as the unit does it
		t.Errorf("status %d: %s", status, errs)
	}
	if got := <-m.heard; !began.MatchString(got) {
		t.Errorf("it says %q", got)
	}
	m.hears("READY=1\nSTATUS=runs configuration 4 of zilla.yaml")
	g.terminate()
	m.hears("STOPPING=1")
}

// inherited starts a gateway with a socket that somebody else has opened and keeps open, as systemd does it.
func inherited(t testing.TB, dir string, socket *os.File) *gateway {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" start`, binary(t))
	cmd.ExtraFiles = []*os.File{socket}
	return launchCmd(t, cmd, dir)
}

// TestInheritedSocket is used by whichever binding asks for its address: who comes when there is no gateway, or no such
// binding, waits until there is one.
func TestInheritedSocket(t *testing.T) {
	t.Parallel()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	socket, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	port, other := l.Addr().(*net.TCPAddr).Port, freePort(t)
	l.Close() // socket is the same one
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", socket.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	// waits has a connection that has said something already.
	waits := func() func() {
		t.Helper()
		c := dial(t, port)
		if _, err := io.WriteString(c, "hello\n"); err != nil {
			t.Fatal(err)
		}
		return func() {
			t.Helper()
			c.CloseWrite()
			if got, err := io.ReadAll(c); err != nil || string(got) != "hello\n" {
				t.Errorf("who has waited gets %q, %v", got, err)
			}
			c.Close()
		}
	}
	dir := t.TempDir()
	file := func(port int, options string) string {
		return nameAndBindings + tcpServer("north", "127.0.0.1", port, options, "south") + anEcho
	}
	write(t, filepath.Join(dir, "zilla.yaml"), file(port, ""))
	early := waits()
	g := &changing{gateway: inherited(t, dir, socket)}
	g.awaitStart()
	early()
	uses := func() {
		t.Helper()
		if now := g.listening(port); now != name {
			t.Errorf("it listens with %s, not %s", now, name)
		}
	}
	uses()
	for range 2 {
		g.writes(file(port, ", nodelay: false, keepalive: 20s")).takes()
		uses()
		converse(t, port).end()
		g.writes(file(other, "")).takes() // nobody asks for the address
		converse(t, other).end()
		meanwhile := waits()
		faulty, fault := unknown(port)
		g.writes(faulty).refuses(fault)
		taken, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		inUse := taken.Addr().(*net.TCPAddr).Port
		g.writes(file(port, "") + tcpServer("east", "127.0.0.1", inUse, "", "south"))
		g.refuses(fmt.Sprintf("zilla.yaml:5:70: cannot listen on %s: the port is in use", address(inUse)))
		taken.Close()
		if status, out, errs := run(t, g.dir, "plan"); status != 0 || !strings.Contains(out, "open    "+address(port)) {
			t.Errorf("plan: status %d\n%s%s", status, out, errs)
		}
		g.writes(strings.ReplaceAll(file(port, ""), "north", "another")).takes()
		meanwhile()
		uses()
		converse(t, port).end()
		g.writes(file(port, "")).takes()
		uses()
	}
	g.terminate()
	// Between one process and the next.
	later := waits()
	again := inherited(t, dir, socket)
	again.awaitStart()
	later()
	converse(t, port).end()
	again.terminate()
	if strings.Contains(g.stderr.String()+again.stderr.String(), "goes on with the options") {
		t.Errorf("the socket does not take options:\n%s", g.stderr)
	}
}

// TestEndDuringAReload comes in order: while the file is read, while somebody writes to it, and while streams drain.
func TestEndDuringAReload(t *testing.T) {
	t.Parallel()
	t.Run("a server that does not answer", func(t *testing.T) {
		t.Parallel()
		port := freePort(t)
		asked := make(chan int, 10)
		first := true
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if first {
				first = false
				io.WriteString(w, echo(port))
				return
			}
			asked <- 1
			<-r.Context().Done()
		}))
		defer server.Close()
		g := launch(t, t.TempDir(), "start", "-c", server.URL, "-P", "zilla.engine.config.watch=false")
		g.awaitStart()
		c := converse(t, port)
		g.signal(syscall.SIGHUP)
		<-asked
		g.signal(syscall.SIGTERM)
		g.stderr.await(t, g, "waiting for streams to end")
		c.end()
		if status := g.end(patience); status != 0 {
			t.Errorf("status %d", status)
		}
		if strings.Contains(g.stderr.String(), refusedEvent) {
			t.Errorf("that it was to end is no fault:\n%s", g.stderr)
		}
	})
	t.Run("one that comes too late", func(t *testing.T) {
		t.Parallel()
		m := newManager(t)
		port := freePort(t)
		g := service(t, echo(port), []string{"NOTIFY_SOCKET=" + m.name}, "--drain=1h")
		g.awaitStart()
		c := converse(t, port)
		g.signal(syscall.SIGTERM)
		m.hears("STOPPING=1")
		g.stderr.await(t, g, "waiting for streams to end")
		eventually(t, "the port is closed", func() bool { return refused(port) })
		for _, command := range []string{"reload", "plan"} {
			if status, _, errs := run(t, g.dir, command); status != 1 || !strings.HasPrefix(errs, "gozilla: the gateway is about to end\n") {
				t.Errorf("%s: status %d: %s", command, status, errs)
			}
		}
		c.end()
		if status := g.end(patience); status != 0 || strings.Contains(g.stderr.String(), refusedEvent) {
			t.Errorf("status %d\n%s", status, g.stderr)
		}
		select {
		case text := <-m.heard:
			t.Errorf("at the end it says %q", text)
		default:
		}
	})
	t.Run("who writes to the file", func(t *testing.T) {
		t.Parallel()
		port := freePort(t)
		g := start(t, echo(port))
		w, err := os.OpenFile(filepath.Join(g.dir, "zilla.yaml"), os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		g.signal(syscall.SIGHUP)
		within(t, "the end", 5*time.Second, g.terminate)
	})
	t.Run("streams that drain", func(t *testing.T) {
		t.Parallel()
		port := freePort(t)
		file := func(options string) string {
			return strings.Replace(nameAndBindings+tcpServer("north", "127.0.0.1", port, options, "south")+anEcho, "kind: server,", "kind: server, streams: drain,", 1)
		}
		g := change(t, file(""), "--drain", "1h")
		c := converse(t, port)
		g.writes(file(", nodelay: false")).takes()
		newer := converse(t, port)
		g.signal(syscall.SIGTERM)
		g.stderr.await(t, g.gateway, "waiting for streams to end +streams=2")
		c.say("still there")
		newer.end()
		c.end()
		if status := g.end(patience); status != 0 {
			t.Errorf("status %d", status)
		}
	})
	t.Run("one after the other", func(t *testing.T) {
		t.Parallel()
		a, b := freePort(t), freePort(t)
		for i := range 5 {
			g := change(t, echo(a))
			g.writes(echo(b))
			for range i {
				g.signal(syscall.SIGHUP)
			}
			within(t, "the end", 5*time.Second, g.terminate)
			if text := g.stderr.String(); strings.Contains(text, "WARN") || !strings.Contains(text, "Engine Stopped") {
				t.Errorf("it does not end in order:\n%s", text)
			}
		}
	})
}
