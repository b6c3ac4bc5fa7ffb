package test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A manager is the side of systemd: the socket on which services notify it.
type manager struct {
	t     testing.TB
	name  string
	heard chan string
}

func newManager(t testing.TB) *manager {
	t.Helper()
	m := &manager{t, filepath.Join(t.TempDir(), "notify"), make(chan string, 1000)}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go m.read(c)
	return m
}

// read is the goroutine that reads what services say. It ends with c.
func (m *manager) read(c *net.UnixConn) {
	defer close(m.heard)
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		m.heard <- string(b[:n])
	}
}

// service starts gozilla as systemd does.
func service(t testing.TB, zilla string, env []string, args ...string) *gateway {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "zilla.yaml"), zilla)
	cmd := exec.Command(binary(t), append([]string{"start"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	return launchCmd(t, cmd, dir)
}

// hears waits for a message that begins so.
func (m *manager) hears(prefix string) string {
	m.t.Helper()
	for late := time.After(patience); ; {
		select {
		case text := <-m.heard:
			if strings.HasPrefix(text, prefix) {
				return text
			}
		case <-late:
			m.t.Fatalf("systemd does not hear %s", prefix)
		}
	}
}

func TestNotifySystemd(t *testing.T) {
	m := newManager(t)
	port := freePort(t)
	g := service(t, echo(port), []string{"NOTIFY_SOCKET=" + m.name, "WATCHDOG_USEC=100000"}, "--drain=1h")
	if got := m.hears("READY=1"); got != "READY=1\nSTATUS=runs configuration 1 of zilla.yaml" {
		t.Errorf("got %q", got)
	}
	c := converse(t, port) // it listens when it says that it is ready
	for range 3 {
		m.hears("WATCHDOG=1")
	}
	g.signal(syscall.SIGTERM)
	if got := m.hears("STOPPING=1"); got != "STOPPING=1\nSTATUS=draining, open streams: 1" {
		t.Errorf("got %q", got)
	}
	m.hears("WATCHDOG=1") // while it drains it lives
	c.end()
	if status := g.end(patience); status != 0 || strings.Contains(g.stderr.String(), "WARN") {
		t.Errorf("status %d\n%s", status, g.stderr)
	}
}

// A gateway that cannot start is not ready.
func TestNotReady(t *testing.T) {
	m := newManager(t)
	g := service(t, "name: example\nbindings: 7\n", []string{"NOTIFY_SOCKET=" + m.name})
	if status := g.end(patience); status != 1 {
		t.Errorf("status %d", status)
	}
	c, err := net.Dial("unixgram", m.name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "the test")
	if got := <-m.heard; got != "the test" {
		t.Errorf("it says %q", got)
	}
}

// Nobody behind the socket of systemd, or nobody who reads, holds nothing up; the gateway says so, once.
func TestDeadSystemd(t *testing.T) {
	for name, socket := range map[string]func() string{
		"gone": func() string { return filepath.Join(t.TempDir(), "notify") },
		"full": func() string {
			name := filepath.Join(t.TempDir(), "notify")
			unread, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unread.Close() })
			c, err := net.Dial("unixgram", name)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for err == nil {
				c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
				_, err = c.Write([]byte("x"))
			}
			return name
		},
	} {
		t.Run(name, func(t *testing.T) {
			port := freePort(t)
			g := service(t, echo(port), []string{"NOTIFY_SOCKET=" + socket(), "WATCHDOG_USEC=10000"})
			g.awaitStart()
			g.stderr.await(t, g, "WARN  cannot notify systemd")
			c := converse(t, port)
			c.say("goes on")
			c.end()
			g.terminate()
			// Of being ready, of the first sign of life, and of the end.
			if n := strings.Count(g.stderr.String(), "cannot notify systemd"); n > 3 {
				t.Errorf("it was told %d times:\n%s", n, g.stderr)
			}
		})
	}
}

// Sockets that are none are told of, and do not keep the gateway from what it can do.
func TestUselessSockets(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	port, dir := freePort(t), t.TempDir()
	write(t, filepath.Join(dir, "zilla.yaml"), echo(port))
	cmd := exec.Command("/bin/sh", "-c", `export LISTEN_PID=$$ LISTEN_FDS=2; exec "$0" start`, binary(t))
	cmd.ExtraFiles = []*os.File{null, null}
	g := launchCmd(t, cmd, dir)
	g.awaitStart()
	converse(t, port).end()
	g.terminate()
	for _, fd := range []string{"3", "4"} {
		g.stderr.await(t, g, `(?m)^\S+ WARN  cannot take the socket that systemd has passed on as descriptor `+fd+`: [^\n\\]*$`)
	}
}

// The units in deploy are ones that systemd takes.
func TestUnits(t *testing.T) {
	analyze := need(t, "systemd-analyze", "systemd")
	dir := t.TempDir()
	for _, name := range []string{"gozilla.service", "gozilla.socket"} {
		text, err := os.ReadFile(filepath.Join("..", "deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), strings.ReplaceAll(string(text), "/usr/local/bin/gozilla", binary(t)))
	}
	out, err := exec.Command(analyze, "verify", "--man=no", filepath.Join(dir, "gozilla.service"), filepath.Join(dir, "gozilla.socket")).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
