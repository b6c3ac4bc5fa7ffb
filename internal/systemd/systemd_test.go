package systemd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/internal/gwtest/leak"
)

// TestMain is a test run, or, if it is told so, a service that systemd might have started.
func TestMain(m *testing.M) {
	if os.Getenv("SYSTEMD_TEST_SERVICE") != "" {
		service()
		os.Exit(0)
	}
	leak.Main(m)
}

// service tells what it was given, and lets the first who connects to each socket know.
func service() {
	all, errs := Listeners()
	_, pid := os.LookupEnv("LISTEN_PID")
	_, fds := os.LookupEnv("LISTEN_FDS")
	again, _ := Listeners()
	fmt.Printf("%d listeners, %v, environment left %v, then %d\n", len(all), errors.Join(errs...), pid || fds, len(again))
	for i, l := range all {
		raw, err := l.SyscallConn()
		if err == nil {
			raw.Control(func(fd uintptr) {
				flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFD, 0)
				fmt.Printf("%s close-on-exec %v\n", l.Addr(), flags&syscall.FD_CLOEXEC != 0)
			})
		}
		c, err := l.Accept()
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Fprint(c, i)
		c.Close()
	}
}

// run starts the service as systemd does, but for the number of its process, which pid may change.
func run(t *testing.T, pid, fds string, files ...*os.File) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", `export LISTEN_PID=`+pid+`; exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), "SYSTEMD_TEST_SERVICE=1", "LISTEN_FDS="+fds, "LISTEN_FDNAMES=a:b", "GORACE=atexit_sleep_ms=0")
	cmd.ExtraFiles = files
	cmd.Stderr = os.Stderr
	return cmd
}

func listen(t *testing.T) (*net.TCPListener, *os.File) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); f.Close() })
	return l, f
}

func TestListeners(t *testing.T) {
	a, fileA := listen(t)
	b, fileB := listen(t)
	cmd := run(t, "$$", "2", fileA, fileB)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for i, l := range []*net.TCPListener{a, b} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); err != nil || string(got) != strconv.Itoa(i) {
			t.Errorf("socket %d: %q, %v", i, got, err)
		}
		c.Close()
	}
	text, err := io.ReadAll(out)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("2 listeners, <nil>, environment left false, then 0\n%s close-on-exec true\n%s close-on-exec true\n", a.Addr(), b.Addr())
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

// The real one passes sockets on in the same way.
func TestSocketActivate(t *testing.T) {
	activate, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		const missing = "there is no systemd-socket-activate: the Debian package systemd has it"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	l, f := listen(t)
	addr := l.Addr().String()
	l.Close()
	f.Close()
	cmd := exec.Command(activate, "-l", addr, "-E", "SYSTEMD_TEST_SERVICE=1", "-E", "GORACE=atexit_sleep_ms=0", os.Args[0])
	var out strings.Builder
	cmd.Stdout = &out
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Listening on ") {
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	go io.Copy(io.Discard, said) // ends with the process
	got, err := io.ReadAll(c)
	c.Close()
	if err := errors.Join(err, cmd.Wait()); err != nil || string(got) != "0" {
		t.Errorf("%v: %q", err, got)
	}
	if want := "1 listeners, <nil>, environment left false, then 0\n" + addr + " close-on-exec true\n"; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestListenersThatAreNone(t *testing.T) {
	_, tcp := listen(t)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	unix, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	udpFile, err1 := udp.(*net.UDPConn).File()
	unixFile, err2 := unix.(*net.UnixListener).File()
	null, err3 := os.Open(os.DevNull)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	defer udpFile.Close()
	defer unixFile.Close()
	defer null.Close()
	const cannot = "cannot take the socket that systemd has passed on as descriptor "
	for name, test := range map[string]struct {
		pid, fds string
		files    []*os.File
		want     string
	}{
		"another process":   {"1", "1", []*os.File{tcp}, "0 listeners, <nil>"},
		"no process":        {"", "1", []*os.File{tcp}, "0 listeners, <nil>"},
		"no number":         {"$$", "x", []*os.File{tcp}, `0 listeners, cannot take the sockets of systemd: LISTEN_FDS is "x"`},
		"a negative one":    {"$$", "-1", []*os.File{tcp}, `0 listeners, cannot take the sockets of systemd: LISTEN_FDS is "-1"`},
		"far too many":      {"$$", "1000000000", []*os.File{tcp}, `0 listeners, cannot take the sockets of systemd: LISTEN_FDS is "1000000000"`},
		"none":              {"$$", "0", nil, "0 listeners, <nil>"},
		"a unix socket":     {"$$", "1", []*os.File{unixFile}, "0 listeners, " + cannot + "3: it is of unix, not of tcp"},
		"a file":            {"$$", "1", []*os.File{null}, "0 listeners, " + cannot + "3: "},
		"a datagram socket": {"$$", "1", []*os.File{udpFile}, "0 listeners, " + cannot + "3: it does not listen"},
	} {
		out, err := run(t, test.pid, test.fds, test.files...).Output()
		if err != nil || !strings.HasPrefix(string(out), test.want) || !strings.HasSuffix(string(out), "environment left false, then 0\n") {
			t.Errorf("%s: %v\n%s\nwant %s", name, err, out, test.want)
		}
	}
}

// manager is the socket that systemd listens on.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func receive(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, pair := range pairs {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
}

func TestNotify(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), fmt.Sprintf("@gozilla-test-%d", os.Getpid())} {
		m := manager(t, name)
		n := NewNotifier(environment("NOTIFY_SOCKET=" + name))
		for _, test := range []struct {
			say  func() error
			want string
		}{
			{func() error { return n.Ready("3 bindings") }, "READY=1\nSTATUS=3 bindings"},
			{func() error { return n.Status("a\nREADY=1\x00b") }, "STATUS=a READY=1 b"},
			{func() error { return n.Stopping("2 streams are open") }, "STOPPING=1\nSTATUS=2 streams are open"},
		} {
			if err := test.say(); err != nil {
				t.Fatal(err)
			}
			if got := receive(t, m); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		}
		before := monotonic()
		if err := n.Reloading(); err != nil {
			t.Fatal(err)
		}
		usec, ok := strings.CutPrefix(receive(t, m), "RELOADING=1\nMONOTONIC_USEC=")
		if at, err := strconv.ParseInt(usec, 10, 64); !ok || err != nil || at < before.Microseconds() || at > monotonic().Microseconds() {
			t.Errorf("the reload began at %q", usec)
		}
	}
}

func TestNobodyToNotify(t *testing.T) {
	n := NewNotifier(environment("WATCHDOG_USEC=1000"))
	if err := errors.Join(n.Ready(""), n.Reloading(), n.Status(""), n.Stopping("")); err != nil {
		t.Error(err)
	}
	n.Watchdog(t.Context(), func() bool { t.Error("somebody looks"); return true }, func(error) {})
}

// A socket behind which nobody is, or nobody reads, is an error soon, and not the end.
func TestDeadSockets(t *testing.T) {
	dir := t.TempDir()
	full := manager(t, filepath.Join(dir, "full"))
	if err := full.SetReadBuffer(1); err != nil {
		t.Fatal(err)
	}
	n := NewNotifier(environment("NOTIFY_SOCKET=" + filepath.Join(dir, "full")))
	var err error
	for i := 0; err == nil; i++ {
		if err = n.Ready(strings.Repeat("x", 1000)); i > 10_000 {
			t.Fatal("it is never full")
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("of a full socket: %v", err)
	}
	left := manager(t, filepath.Join(dir, "left"))
	left.Close()
	for name, want := range map[string]string{
		"left":                   "connection refused",
		"none":                   "no such file",
		strings.Repeat("x", 200): "invalid argument",
	} {
		n := NewNotifier(environment("NOTIFY_SOCKET=" + filepath.Join(dir, name)))
		began := time.Now()
		if err := n.Ready(""); err == nil || !strings.HasPrefix(err.Error(), "cannot notify systemd: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("of %.10s: %v", name, err)
		}
		if passed := time.Since(began); passed > 5*time.Second {
			t.Errorf("it took %v", passed)
		}
	}
}

// The sign of life comes twice in the time that systemd waits, while there is life.
func TestWatchdog(t *testing.T) {
	for _, pid := range []string{"", strconv.Itoa(os.Getpid())} {
		env := []string{"NOTIFY_SOCKET=" + filepath.Join(t.TempDir(), "none"), "WATCHDOG_USEC=20000000"}
		if pid != "" {
			env = append(env, "WATCHDOG_PID="+pid)
		}
		n := NewNotifier(environment(env...))
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			looks, told := 0, 0
			lives := true
			over := make(chan struct{})
			go func() {
				defer close(over)
				n.Watchdog(ctx, func() bool { looks++; return lives }, func(error) { told++ })
			}()
			time.Sleep(time.Minute + time.Second)
			synctest.Wait()
			if looks != 7 || told != 1 { // the first at once
				t.Errorf("%d looks in a minute, and failures told %d times", looks, told)
			}
			cancel()
			<-over
		})
	}
}

func TestSignsOfLife(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	m := manager(t, name)
	n := NewNotifier(environment("NOTIFY_SOCKET="+name, "WATCHDOG_USEC=10000"))
	ctx, cancel := context.WithCancel(t.Context())
	alive := make(chan bool)
	over := make(chan struct{})
	go func() {
		defer close(over)
		n.Watchdog(ctx, func() bool { return <-alive }, func(err error) { t.Error(err) })
	}()
	for range 3 {
		alive <- true
		if got := receive(t, m); got != "WATCHDOG=1" {
			t.Errorf("got %q", got)
		}
	}
	alive <- false // nothing is sent, as the next one shows
	alive <- true
	receive(t, m)
	m.SetReadDeadline(time.Now())
	if n, err := m.Read(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes without life", n)
	}
	cancel()
	close(alive)
	<-over
}

func TestNoWatchdog(t *testing.T) {
	for _, env := range [][]string{
		{}, {"WATCHDOG_USEC=x"}, {"WATCHDOG_USEC=0"}, {"WATCHDOG_USEC=-1"}, {"WATCHDOG_USEC=99999999999999999999"},
		{"WATCHDOG_USEC=9223372036854775807"}, {"WATCHDOG_USEC=1000", "WATCHDOG_PID=1"},
	} {
		n := NewNotifier(environment(append(env, "NOTIFY_SOCKET=/nowhere")...))
		n.Watchdog(t.Context(), func() bool { t.Errorf("%v: somebody looks", env); return true }, func(error) {})
	}
}
