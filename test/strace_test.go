//go:build linux

package test

import (
	"bytes"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestSystemCalls looks at what a relay does with its sockets, with everything on that could stand in between: metrics,
// records and an idle timeout.
func TestSystemCalls(t *testing.T) {
	const bulk = 32 << 20
	port, to := freePort(t), freePort(t)
	echoing(t, to)
	zilla := strings.Replace(relay(port, to), "bindings:\n  north:\n", "telemetry:\n  metrics: [stream.data.sent]\nbindings:\n  north:\n    telemetry: {metrics: [stream.*]}\n", 1)
	zilla = strings.Replace(zilla, "    exit:", "      idle: 1m\n    exit:", 1)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "zilla.yaml"), zilla)
	calls, spliced, received := map[string]int{}, 0, 0
	for _, c := range traced(t, dir, func() { thereAndBack(t, dial(t, port), bulk) }) {
		calls[c.name+" "+c.on]++
		switch c.name + " " + c.on {
		case "splice TCP":
			spliced += c.result
		case "recvfrom TCP": // until it splices
			received += c.result
		}
	}
	t.Logf("%v, %d of %d bytes by splice", calls, spliced, 2*bulk)
	for _, name := range []string{"read TCP", "write TCP", "readv TCP", "writev TCP", "recvmsg TCP", "sendmsg TCP", "sendfile TCP"} {
		if calls[name] > 0 {
			t.Errorf("%d times %s", calls[name], name)
		}
	}
	if spliced+received != 2*bulk || received > bulk/16 {
		t.Errorf("%d bytes are spliced, and %d received, of %d", spliced, received, 2*bulk)
	}
}

// A systemCall is one with a TCP socket or a pipe.
type systemCall struct {
	name, on string // on: TCP or pipe
	result   int    // 0 for a failure
}

// traced runs the zilla.yaml of a directory under strace while use uses it, and gives the system calls that it has made.
func traced(t *testing.T, dir string, use func()) (all []systemCall) {
	t.Helper()
	strace := need(t, "strace", "strace")
	if out, err := exec.Command(strace, "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("processes cannot be traced here: %v\n%s", err, out)
	}
	trace := filepath.Join(dir, "trace")
	g := launchCmd(t, exec.Command(strace, "-f", "-yy", "-s", "0", "-o", trace,
		"-e", "trace=read,write,readv,writev,recvfrom,sendto,recvmsg,sendmsg,splice,sendfile,accept4,connect",
		binary(t), "start", "--records"), dir)
	t.Cleanup(func() { // strace passes no signals on
		for _, pid := range children(t, g.cmd.Process.Pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // if it is there still
		}
	})
	g.awaitStart()
	use()
	g.stderr.await(t, g, "connection ended")
	for _, pid := range children(t, g.cmd.Process.Pid) {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}
	if status := g.end(patience); status != 0 {
		t.Errorf("status %d", status)
	}
	return callsOf(t, string(mustRead(t, trace)))
}

// callsOf are the system calls of a trace.
func callsOf(t *testing.T, trace string) (all []systemCall) {
	t.Helper()
	call := regexp.MustCompile(`^\d+ +(\w+)\(\d+<(TCP|pipe|UNIX)`)
	result := regexp.MustCompile(`= (\d+)$`)
	for _, line := range joined(trace) {
		m := call.FindStringSubmatch(line)
		if m == nil || m[2] == "UNIX" {
			continue
		}
		c := systemCall{name: m[1], on: m[2]}
		if n := result.FindStringSubmatch(line); n != nil {
			c.result = atoi(t, n[1])
		}
		all = append(all, c)
	}
	return all
}

// joined are the lines of a trace with each call in one line. strace ends that of a call when another thread comes in
// between, and goes on in a later one, which tells the thread but not the descriptor.
func joined(trace string) (lines []string) {
	begun := map[string]string{} // by thread
	for line := range strings.SplitSeq(trace, "\n") {
		thread, rest, _ := strings.Cut(line, " ")
		if head, cut := strings.CutSuffix(line, "<unfinished ...>"); cut {
			begun[thread] = head
			continue
		}
		if _, tail, ok := strings.Cut(rest, " resumed>"); ok && begun[thread] != "" {
			line = begun[thread] + tail
			delete(begun, thread)
		}
		lines = append(lines, line)
	}
	return slices.AppendSeq(lines, maps.Values(begun)) // those that the end has cut off
}

func TestJoined(t *testing.T) {
	const trace = "7   sendfile(9<TCP:[1->2]>, 8</big.bin>, NULL, 4096 <unfinished ...>\n" +
		"8   splice(9<TCP:[1->2]>, NULL, 3<pipe:[4]>, NULL, 10, SPLICE_F_MOVE) = 10\n" +
		"9   read(7<TCP:[1->2]>,  <unfinished ...>\n" +
		"7   <... sendfile resumed>)             = 4000\n" +
		"9   <... read resumed>\"\"..., 99)        = 99\n" +
		"9   write(7<TCP:[1->2]>,  <unfinished ...>\n"
	want := []systemCall{{"splice", "TCP", 10}, {"sendfile", "TCP", 4000}, {"read", "TCP", 99}, {"write", "TCP", 0}}
	if got := callsOf(t, trace); !slices.Equal(got, want) {
		t.Errorf("the calls are %v", got)
	}
}

// thereAndBack sends n bytes to an echo and ends, and compares what comes back.
func thereAndBack(t *testing.T, c interface {
	io.ReadWriteCloser
	CloseWrite() error
}, n int) {
	t.Helper()
	var sending sync.WaitGroup
	sending.Go(func() {
		if _, err := io.Copy(c, bytes.NewReader(noise(n))); err != nil {
			t.Error(err)
		}
		c.CloseWrite()
	})
	got, err := io.ReadAll(c)
	sending.Wait()
	if err != nil || !bytes.Equal(got, noise(n)) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	c.Close()
}

// children are the processes that a process has started.
func children(t testing.TB, pid int) []int {
	t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(pid) + "/children")
	if err != nil {
		return nil // it is over
	}
	var all []int
	for _, field := range strings.Fields(string(b)) {
		all = append(all, atoi(t, field))
	}
	return all
}
