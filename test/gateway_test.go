package test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take before a test gives up: machines stand still for seconds.
const patience = time.Minute

// lenient is how long what should take d may take: more where races are looked for, since that is slow itself, and has not the
// machine for itself.
func lenient(d time.Duration) time.Duration {
	if raced {
		d *= 4
	}
	return d
}

// A gateway is a gozilla that runs as a process of its own.
type gateway struct {
	t              testing.TB
	dir            string // its working directory
	cmd            *exec.Cmd
	stdout, stderr *output
	done           chan struct{} // closed when the process is over
	err            error         // how it ended; set before done is closed
}

// launch starts the built gozilla in dir, and does not wait for anything.
func launch(t testing.TB, dir string, args ...string) *gateway {
	t.Helper()
	return launchCmd(t, exec.Command(binary(t), args...), dir)
}

func launchCmd(t testing.TB, cmd *exec.Cmd, dir string) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: dir, cmd: cmd, stdout: newOutput(), stderr: newOutput(), done: make(chan struct{})}
	cmd.Dir = dir
	if cmd.Stderr = g.stderr; cmd.Stdout == nil {
		cmd.Stdout = g.stdout
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		g.err = cmd.Wait()
		close(g.done)
	}()
	t.Cleanup(g.clean)
	return g
}

// start runs the configuration, written into a new directory, and returns once its ports listen.
func start(t testing.TB, zilla string, args ...string) *gateway {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "zilla.yaml"), zilla)
	g := launch(t, dir, append([]string{"start"}, args...)...)
	g.awaitStart()
	return g
}

func (g *gateway) awaitStart() {
	g.t.Helper()
	g.stderr.await(g.t, g, `engine\.started`)
}

// clean ends a gateway that runs still, and looks whether the race detector or the runtime had something to say.
func (g *gateway) clean() {
	select {
	case <-g.done:
	default:
		g.signal(syscall.SIGTERM)
		g.signal(syscall.SIGINT)
		select {
		case <-g.done:
		case <-time.After(patience):
			g.t.Error("gozilla does not end")
			_ = g.cmd.Process.Kill() // it is over soon
			<-g.done
		}
	}
	if text := g.stderr.String(); strings.Contains(text, "DATA RACE") || strings.Contains(text, "goroutine ") {
		g.t.Errorf("gozilla has a fault:\n%s", text)
	} else if g.t.Failed() {
		g.t.Logf("gozilla wrote:\n%s%s", g.stdout, text)
	}
}

func (g *gateway) signal(s syscall.Signal) {
	g.t.Helper()
	if err := g.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		g.t.Error(err)
	}
}

// end waits for the end of the process, at most for d, and gives its status, -1 if a signal killed it.
func (g *gateway) end(d time.Duration) int {
	g.t.Helper()
	select {
	case <-g.done:
	case <-time.After(d):
		g.t.Fatalf("gozilla still runs after %v", d)
	}
	return g.cmd.ProcessState.ExitCode()
}

// terminate ends the gateway by SIGTERM, which must succeed.
func (g *gateway) terminate() {
	g.t.Helper()
	g.signal(syscall.SIGTERM)
	if status := g.end(patience); status != 0 {
		g.t.Errorf("SIGTERM ends gozilla with status %d: %v", status, g.err)
	}
}

// proc is the content of a file of the process in /proc.
func (g *gateway) proc(name string) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", g.cmd.Process.Pid, name))
	if err != nil {
		g.t.Fatal(err)
	}
	return string(b)
}

// files are the files and sockets that the process has open.
func (g *gateway) files() []string {
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	var all []string
	for _, name := range names {
		if to, err := os.Readlink(name); err == nil { // else it is closed by now
			all = append(all, to)
		}
	}
	return all
}

// descriptors is how many files and sockets the process has open, but for pipes, of which it keeps some for later.
func (g *gateway) descriptors() (others, pipes int) {
	for _, to := range g.files() {
		if strings.HasPrefix(to, "pipe:") {
			pipes++
		} else {
			others++
		}
	}
	return others, pipes
}

// run runs gozilla to its end, in dir.
func run(t testing.TB, dir string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	g := launch(t, dir, args...)
	status = g.end(patience)
	return status, g.stdout.String(), g.stderr.String()
}

// An output keeps what a process writes, and tells who waits for it.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

// Write is part of io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(b)
}

func (o *output) String() string {
	text, _ := o.now()
	return text
}

func (o *output) now() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

// lines are those that are complete.
func (o *output) lines() []string {
	text := o.String()
	lines := strings.Split(text, "\n")
	return lines[:len(lines)-1]
}

// await waits until what was written matches, and gives the match and its groups.
func (o *output) await(t testing.TB, g *gateway, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.After(patience)
	for {
		text, changed := o.now()
		if m := re.FindStringSubmatch(text); m != nil {
			return m
		}
		select {
		case <-changed:
		case <-g.done:
			// All was written before the process was over.
			if m := re.FindStringSubmatch(o.String()); m != nil {
				return m
			}
			t.Fatalf("gozilla is over (%v) and has not written %q:\n%s", g.err, pattern, o)
		case <-late:
			t.Fatalf("gozilla does not write %q:\n%s", pattern, o)
		}
	}
}

// A fataler is a test or a script.
type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(format string, a ...any)
}

// eventually looks again and again for what no signal tells.
func eventually(t fataler, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); !holds(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("it never comes to pass that %s", what)
		}
	}
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

var ports struct {
	sync.Mutex
	given map[int]bool
}

// freePort is a port that nobody uses, and that no other test is given.
func freePort(t fataler) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.given == nil {
		ports.given = map[int]bool{}
	}
	for {
		l, err := net.Listen("tcp4", "0.0.0.0:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if !ports.given[port] {
			ports.given[port] = true
			return port
		}
	}
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// dial connects to a port, and closes at the test's end.
func dial(t testing.TB, port int) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", address(port), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// echo is a configuration that sends back what comes to a port.
func echo(port int) string {
	return fmt.Sprintf(`name: example
bindings:
  north:
    type: tcp
    kind: server
    options:
      host: 127.0.0.1
      port: %d
    exit: south
  south:
    type: echo
    kind: server
`, port)
}

// relay is a configuration that passes a port on to another one.
func relay(port, to int) string {
	return fmt.Sprintf(`name: example
bindings:
  north:
    type: tcp
    kind: server
    options:
      host: 127.0.0.1
      port: %d
    exit: south
  south:
    type: tcp
    kind: client
    options:
      host: 127.0.0.1
      port: %d
`, port, to)
}

func mustRead(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// echoing is a server that sends back what comes.
func echoing(t testing.TB, port int) {
	t.Helper()
	serving(t, port, func(c *net.TCPConn) {
		io.Copy(c, c)
		c.Close()
	})
}

// serving is a server that does f with every connection, each on a goroutine that ends with f.
func serving(t testing.TB, port int, f func(*net.TCPConn)) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f(c.(*net.TCPConn))
		}
	}()
	return l
}

// reset ends a connection without any courtesy.
func reset(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}

// flood opens connections, says so, and waits for its end.
func flood() {
	var open []net.Conn
	for range 100 {
		c, err := net.Dial("tcp", "127.0.0.1:"+os.Args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		io.WriteString(c, "x")
		open = append(open, c)
	}
	fmt.Println("open")
	io.Copy(io.Discard, os.Stdin) // until it is killed
	runtime.KeepAlive(open)
}
