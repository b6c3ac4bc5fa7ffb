package test

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A conversation is an open connection to an echo.
type conversation struct {
	*net.TCPConn
	t testing.TB
	r *bufio.Reader
}

func converse(t testing.TB, port int) *conversation {
	t.Helper()
	c := &conversation{TCPConn: dial(t, port), t: t}
	c.r = bufio.NewReader(c)
	c.say("hello")
	return c
}

// say sends a line, which must come back.
func (c *conversation) say(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
	got, err := c.r.ReadString('\n')
	if err != nil || got != line+"\n" {
		c.t.Fatalf("%q came back as %q, %v", line, got, err)
	}
}

// end ends the client's direction; the other one must end too, with nothing left.
func (c *conversation) end() {
	c.t.Helper()
	if err := c.CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		c.t.Fatalf("at the end there is %q, %v", rest, err)
	}
}

// refused reports whether nobody listens on a port.
func refused(port int) bool {
	c, err := net.Dial("tcp", address(port))
	if err == nil {
		c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

func TestReadyFile(t *testing.T) {
	dir := t.TempDir()
	ready := filepath.Join(dir, ".zilla", "engine", "ready")
	if err := os.MkdirAll(filepath.Dir(ready), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, ready, "") // as a process leaves it that was killed
	asked, answer := make(chan bool, 1), make(chan bool)
	port := freePort(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- true
		<-answer
		io.WriteString(w, echo(port))
	}))
	defer server.Close()
	g := launch(t, dir, "start", "-c", server.URL)
	<-asked
	close(answer)
	g.awaitStart()
	eventually(t, "the gateway is ready", func() bool { return there(ready) })
	c := converse(t, port)
	g.signal(syscall.SIGTERM)
	g.stderr.await(t, g, "waiting for streams to end")
	if there(ready) {
		t.Error("while it drains the gateway says that it is ready")
	}
	c.end()
	if status := g.end(patience); status != 0 {
		t.Errorf("status %d", status)
	}
}

// there reports whether a file is there.
func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A gateway that cannot start does not leave the word of its predecessor that it is ready.
func TestStaleReadyFile(t *testing.T) {
	dir := t.TempDir()
	ready := filepath.Join(dir, ".zilla", "engine", "ready")
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.MkdirAll(filepath.Dir(ready), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, ready, "")
	write(t, filepath.Join(dir, "zilla.yaml"), echo(l.Addr().(*net.TCPAddr).Port))
	if status, _, stderr := run(t, dir, "start"); status != 1 || there(ready) {
		t.Errorf("status %d, ready %v\n%s", status, there(ready), stderr)
	}
}

// A killed process leaves its socket. The next one takes its place.
func TestStartAfterKill(t *testing.T) {
	port := freePort(t)
	g := start(t, echo(port))
	g.signal(syscall.SIGKILL)
	<-g.done
	again := launch(t, g.dir, "start")
	again.awaitStart()
	converse(t, port).end()
	status, _, stderr := run(t, g.dir, "start")
	if want := fmt.Sprintf("gozilla with pid %d is running", again.cmd.Process.Pid); status != 1 || !strings.Contains(stderr, want) {
		t.Errorf("status %d, want 1 and %q:\n%s", status, want, stderr)
	}
	again.terminate()
}

func TestDrain(t *testing.T) {
	t.Run("until the client ends", func(t *testing.T) {
		port := freePort(t)
		g := start(t, echo(port), "--drain", "1h", "--records")
		c := converse(t, port)
		g.signal(syscall.SIGTERM)
		g.stderr.await(t, g, `waiting for streams to end +streams=1 drain=1h`)
		eventually(t, "the port is closed", func() bool { return refused(port) })
		c.say("still there")
		if status, out, stderr := run(t, g.dir, "metrics", "north"); status != 0 || !strings.Contains(out, "north") {
			t.Errorf("metrics while draining: status %d\n%s%s", status, out, stderr)
		}
		c.end()
		if status := g.end(time.Second * 5); status != 0 {
			t.Errorf("status %d", status)
		}
		if want := "by=client reason=fin"; !strings.Contains(g.stderr.String(), want) {
			t.Errorf("no record with %q:\n%s", want, g.stderr)
		}
	})
	t.Run("until it is over", func(t *testing.T) {
		port := freePort(t)
		g := start(t, echo(port), "--drain", "300ms", "--records")
		c := converse(t, port)
		began := time.Now()
		g.signal(syscall.SIGTERM)
		if status := g.end(5 * time.Second); status != 0 {
			t.Errorf("status %d", status)
		}
		if passed := time.Since(began); passed < 300*time.Millisecond {
			t.Errorf("the end came after %v", passed)
		}
		if _, err := c.r.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the client gets %v, want a reset", err)
		}
		if want := "by=gateway reason=drain"; !strings.Contains(g.stderr.String(), want) {
			t.Errorf("no record with %q:\n%s", want, g.stderr)
		}
	})
	t.Run("not at all", func(t *testing.T) {
		port := freePort(t)
		g := start(t, echo(port), "--drain", "0s")
		converse(t, port)
		g.signal(syscall.SIGTERM)
		if status := g.end(2 * time.Second); status != 0 {
			t.Errorf("status %d", status)
		}
	})
}

func TestSecondSignal(t *testing.T) {
	for _, second := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(second.String(), func(t *testing.T) {
			port := freePort(t)
			g := start(t, echo(port), "--drain=1h")
			c := converse(t, port)
			g.signal(syscall.SIGTERM)
			g.stderr.await(t, g, "waiting for streams to end")
			c.say("still there")
			g.signal(second)
			if status := g.end(time.Second); status != 0 {
				t.Errorf("status %d", status)
			}
		})
	}
}

// Both signals may come before anybody has looked at the first one.
func TestTwoSignalsAtOnce(t *testing.T) {
	port := freePort(t)
	g := start(t, echo(port), "--drain=1h")
	converse(t, port)
	g.signal(syscall.SIGTERM)
	g.signal(syscall.SIGINT)
	if status := g.end(2 * time.Second); status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestSignalBeforeThePortListens(t *testing.T) {
	asked := make(chan bool, 1)
	gone := make(chan bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- true
		<-r.Context().Done()
		close(gone)
	}))
	defer server.Close()
	g := launch(t, t.TempDir(), "start", "-c", server.URL)
	<-asked
	g.signal(syscall.SIGTERM)
	if status := g.end(2 * time.Second); status != 0 || g.stderr.String() != "" {
		t.Errorf("status %d\n%s", status, g.stderr)
	}
	<-gone
}

// However early the signal comes: as soon as the process is gozilla, it ends in order.
func TestSignalRightAfterExec(t *testing.T) {
	dir := t.TempDir()
	port := freePort(t)
	write(t, filepath.Join(dir, "zilla.yaml"), echo(port))
	for range 20 {
		g := launch(t, dir, "start")
		// The runtime has set the mask of what it catches once SIGUSR2 and SIGTERM are among it.
		eventually(t, "signals are caught", func() bool {
			m := regexp.MustCompile(`(?m)^SigCgt:\s*([0-9a-f]+)$`).FindStringSubmatch(g.proc("status"))
			return m != nil && m[1] != "0000000000000000"
		})
		g.signal(syscall.SIGTERM)
		status := g.end(2 * time.Second)
		// Between the start of the runtime and that of the program there is a moment that is the runtime's.
		if status != 0 && !(status == -1 && g.stderr.String() == "") {
			t.Fatalf("status %d: %v\n%s", status, g.err, g.stderr)
		}
	}
}

func TestDiagnostics(t *testing.T) {
	port := freePort(t)
	where := t.TempDir()
	g := start(t, echo(port), "--drain=1h", "--diagnostics-directory", filepath.Join(where, "new"))
	c := converse(t, port)
	eventually(t, "the gateway is ready", func() bool { return there(filepath.Join(g.dir, ".zilla", "engine", "ready")) })
	g.signal(syscall.SIGUSR2)
	name := g.stderr.await(t, g, `diagnostics were written +file=(\S+)`)[1]
	if !regexp.MustCompile(`^zilla-diagnostics-\d{8}-\d{6}\.zip$`).MatchString(filepath.Base(name)) {
		t.Errorf("the name is %s", name)
	}
	parts := unzip(t, name)
	for part, want := range map[string]string{
		"status.json": `"ready":true`, "metrics.json": `"name":"stream.opens.received"`, "bindings.txt": "example:south  echo server",
		"logs.txt": "engine.started", "memory.json": `"HeapAlloc"`, "goroutines.txt": "goroutine profile:", "heap.pprof": "\x1f\x8b",
	} {
		if !strings.Contains(parts[part], want) {
			t.Errorf("%s has no %q:\n%.500s", part, want, parts[part])
		}
	}
	if len(parts) != 7 {
		t.Errorf("%d parts", len(parts))
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	// When streams do not end, it is most of all that one wants to know why.
	g.signal(syscall.SIGTERM)
	g.stderr.await(t, g, "waiting for streams")
	g.signal(syscall.SIGUSR2)
	g.stderr.await(t, g, `(?s)diagnostics were written.*waiting for streams.*diagnostics were written`)
	c.end()
	if status := g.end(patience); status != 0 {
		t.Errorf("status %d", status)
	}
}

func unzip(t testing.TB, name string) map[string]string {
	t.Helper()
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	parts := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		parts[f.Name] = string(b)
	}
	return parts
}

func TestDiagnosticsWithoutADirectory(t *testing.T) {
	asked, answer := make(chan bool, 1), make(chan bool)
	port := freePort(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- true
		<-answer
		io.WriteString(w, echo(port))
	}))
	defer server.Close()
	g := launch(t, t.TempDir(), "start", "-c", server.URL)
	<-asked
	g.signal(syscall.SIGUSR2) // before the gateway is there
	close(answer)
	g.awaitStart()
	g.stderr.await(t, g, "no diagnostics are written: start with --diagnostics-directory")
	g.terminate()
}

func TestRecords(t *testing.T) {
	t.Run("text", func(t *testing.T) {
		port := freePort(t)
		g := start(t, echo(port), "--records")
		for range 5 {
			converse(t, port).end()
		}
		g.stderr.await(t, g, "connection=5 ")
		eventually(t, "nothing is open", func() bool { // else the stop may wait for it, and say so
			_, out, _ := run(t, g.dir, "connections", "--json")
			return strings.Contains(out, `"total": 0`)
		})
		g.terminate()
		form := regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3} INFO  connection ended +connection=\d+ source=127\.0\.0\.1:\d+ ` +
			`dest=127\.0\.0\.1:` + fmt.Sprint(port) + ` path="example:north exit > example:south" received=6 sent=6 first_byte=\S+ duration=\S+ by=client reason=fin`)
		if n := count(g.stderr.lines(), form.MatchString); n != 5 || len(g.stderr.lines()) != 7 {
			t.Errorf("%d records, want 5, and 7 lines:\n%s", n, g.stderr)
		}
	})
	t.Run("json", func(t *testing.T) {
		port := freePort(t)
		g := start(t, echo(port), "--records", "--log-format", "json")
		for range 5 {
			converse(t, port).end()
		}
		g.terminate()
		n := 0
		for _, line := range jsonLines(t, g.stderr) {
			if line["msg"] != "connection ended" {
				continue
			}
			n++
			if line["received"] != 6.0 || line["sent"] != 6.0 || line["reason"] != "fin" || line["by"] != "client" ||
				line["path"] != "example:north exit > example:south" || line["duration_ms"] == nil {
				t.Errorf("%v", line)
			}
		}
		if n != 5 {
			t.Errorf("%d records, want 5", n)
		}
	})
	t.Run("none", func(t *testing.T) {
		port := freePort(t)
		g := start(t, echo(port))
		converse(t, port).end()
		eventually(t, "the record is kept", func() bool {
			_, out, _ := run(t, g.dir, "logs", "--records", "--json")
			return strings.Contains(out, `"reason":"fin"`)
		})
		g.terminate()
		if strings.Contains(g.stderr.String(), "connection ended") {
			t.Errorf("a record that nobody asked for:\n%s", g.stderr)
		}
	})
}

func count(lines []string, is func(string) bool) int {
	n := 0
	for _, line := range lines {
		if is(line) {
			n++
		}
	}
	return n
}

// jsonLines reads what must be a JSON object a line.
func jsonLines(t testing.TB, o *output) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, line := range strings.SplitAfter(o.String(), "\n") {
		if line == "" {
			continue
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil || !strings.HasSuffix(line, "\n") {
			t.Errorf("no line of JSON: %v: %q", err, line)
			continue
		}
		all = append(all, v)
	}
	return all
}

func TestFollow(t *testing.T) {
	port := freePort(t)
	g := start(t, echo(port))
	follow := launch(t, g.dir, "logs", "-f")
	follow.stdout.await(t, follow, "engine.started")
	converse(t, port).end()
	follow.stdout.await(t, follow, `received 6 sent 6 .*client: fin\n`)
	g.terminate()
	if status := follow.end(patience); status > 1 || !strings.Contains(follow.stdout.String(), "engine.stopped") {
		t.Errorf("status %d\n%s%s", status, follow.stdout, follow.stderr)
	}
	again := launch(t, g.dir, "start")
	again.awaitStart()
	for _, args := range [][]string{{"logs", "--follow"}, {"metrics", "--watch", "north"}} {
		f := launch(t, g.dir, args...)
		f.stdout.await(t, f, "north|engine.started")
		f.signal(syscall.SIGINT)
		if status := f.end(patience); status != 0 {
			t.Errorf("%v: status %d\n%s", args, status, f.stderr)
		}
	}
}

// Events are printed in the form of zilla's exporter.
func TestEvents(t *testing.T) {
	port := freePort(t)
	zilla := strings.Replace(relay(port, 1), "host: 127.0.0.1\n      port: 1\n", "host: unknown.invalid\n      port: 1\n", 1)
	g := start(t, zilla, "-l")
	if c, err := net.DialTimeout("tcp", address(port), patience); err == nil {
		c.Close() // else it was reset at once
	}
	g.stdout.await(t, g, "BINDING_TCP_DNS_FAILED")
	g.terminate()
	const prefix = ` \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [-+]\d{4}\] \[[0-9a-f]{16}\] `
	forms := []string{`engine:events` + prefix + `ENGINE_STARTED Engine Started\.`,
		`example:south` + prefix + `BINDING_TCP_DNS_FAILED .*unknown\.invalid.*`,
		`engine:events` + prefix + `ENGINE_STOPPED Engine Stopped\.`}
	lines := g.stdout.lines()
	if len(lines) != len(forms) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(forms), g.stdout)
	}
	for i, form := range forms {
		if !regexp.MustCompile(`^` + form + `$`).MatchString(lines[i]) {
			t.Errorf("line %q does not match %s", lines[i], form)
		}
	}
}

// Whatever a file or a client says, each line of the log is one object.
func TestJSONLogIsJSON(t *testing.T) {
	port := freePort(t)
	hostile := []string{
		`host: "un\"known\n{}.invalid"`, `host: "\u001b[2J\u2028\u202e.invalid"`, `host: 'a\b.invalid'`, `host: "` + strings.Repeat("ä", 300) + `.invalid"`,
	}
	for _, host := range hostile {
		zilla := strings.Replace(relay(port, 1), "host: 127.0.0.1\n      port: 1\n", host+"\n      port: 1\n", 1)
		g := start(t, zilla, "--log-format=json", "--records", "-P", "zilla.engine.\"x\n")
		// A connection that is reset at once may never come to be for the client.
		if c, err := net.DialTimeout("tcp", address(port), patience); err == nil {
			io.WriteString(c, "\"}\n{\"")
			c.Close()
		}
		g.stderr.await(t, g, "connection ended")
		g.terminate()
		if lines := jsonLines(t, g.stderr); len(lines) < 4 {
			t.Errorf("%d lines", len(lines))
		}
	}
	// Faults, and a file that cannot be read.
	dir := t.TempDir()
	write(t, filepath.Join(dir, "zilla.yaml"), "name: \"a\\\"\\n\"\nbindings:\n  \"n\\\"o\\u001b\\nrth\": {type: \"\\\"\\n\", kind: server}\n")
	for _, args := range [][]string{{}, {"-c", "ftp://\"x/"}, {"-c", "."}, {"-c", "http://\x7f\"/"}, {"-c", "http://127.0.0.1:1/\"\n"}} {
		g := launch(t, dir, append([]string{"start", "--log-format=json"}, args...)...)
		if status := g.end(patience); status != 1 || len(jsonLines(t, g.stderr)) == 0 {
			t.Errorf("%q: status %d\n%s", args, status, g.stderr)
		}
	}
}

func TestPrivilegedPort(t *testing.T) {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil || strings.TrimSpace(string(b)) != "1024" {
		t.Skipf("ports below 1024 are not privileged here: %s", b)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "zilla.yaml"), echo(81))
	cmd := exec.Command(binary(t), "start", "-P", "zilla.engine.directory=engine")
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		for at := dir; at != "/" && at != os.TempDir(); at = filepath.Dir(at) {
			if err := os.Chmod(at, 0o777); err != nil {
				t.Fatal(err)
			}
		}
	}
	g := launchCmd(t, cmd, dir)
	want := []string{
		"zilla.yaml:8:13: cannot listen on 127.0.0.1:81: not permitted",
		"          port: 81",
		"                ^^",
		"  hint: give the binary the capability cap_net_bind_service, or choose a port above 1023",
	}
	if status := g.end(patience); status != 1 || !slices.Equal(g.stderr.lines(), want) {
		t.Errorf("status %d, want 1 and\n%s\nnot\n%s", status, strings.Join(want, "\n"), g.stderr)
	}
}

// Where the engine directory cannot be, the gateway serves all the same.
func TestNoEngineDirectory(t *testing.T) {
	port := freePort(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".zilla"), "a file")
	write(t, filepath.Join(dir, "zilla.yaml"), echo(port))
	g := launch(t, dir, "start")
	g.awaitStart()
	converse(t, port).end()
	g.terminate()
	if !strings.Contains(g.stderr.String(), "will not find this process") {
		t.Errorf("%s", g.stderr)
	}
}

// Standard output that nobody reads any longer does not end a gateway.
func TestClosedOutput(t *testing.T) {
	port := freePort(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "zilla.yaml"), echo(port))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary(t), "start", "-vl")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, w, w
	r.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	defer func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	eventually(t, "it is served", func() bool { return !refused(port) })
	converse(t, port).end()
}
