package test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// example starts one of the examples as it is, but for its ports: each is replaced by a free one, the same by the same.
func example(t *testing.T, name string, args ...string) (g *gateway, port map[int]int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", name, "zilla.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	port = map[int]int{}
	number := regexp.MustCompile(`\d+`)
	rewritten := regexp.MustCompile(`port: .*`).ReplaceAllStringFunc(string(text), func(line string) string {
		return number.ReplaceAllStringFunc(line, func(s string) string {
			have := atoi(t, s)
			if port[have] == 0 {
				port[have] = freePort(t)
			}
			return strconv.Itoa(port[have])
		})
	})
	return start(t, rewritten, args...), port
}

// netcat sends a text to a port, ends its direction, and gives what comes back.
func netcat(t testing.TB, port int, text string) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(need(t, "nc", "netcat-openbsd"), "-w", "1", "localhost", strconv.Itoa(port))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), &out, &errs
	if err := cmd.Run(); err != nil {
		t.Errorf("nc: %v\n%s", err, &errs)
	}
	return out.String()
}

func TestExampleEcho(t *testing.T) {
	need(t, "nc", "netcat-openbsd")
	g, port := example(t, "tcp.echo")
	if got := netcat(t, port[12345], "Hello, Zilla!\n"); got != "Hello, Zilla!\n" {
		t.Errorf("nc gets %q", got)
	}
	g.terminate()
	for _, want := range []string{"ENGINE_STARTED Engine Started.", "ENGINE_STOPPED Engine Stopped."} {
		if !strings.Contains(g.stdout.String(), want) {
			t.Errorf("the exporter has not printed %q:\n%s", want, g.stdout)
		}
	}
}

func TestExampleReflect(t *testing.T) {
	nc := need(t, "nc", "netcat-openbsd")
	g, port := example(t, "tcp.reflect")
	if got := netcat(t, port[12345], "warm up\n"); got != "warm up\n" {
		t.Errorf("nc gets %q", got)
	}
	// Each client keeps its direction open until it has seen both lines.
	type client struct {
		*exec.Cmd
		in   io.WriteCloser
		out  *output
		done chan error
	}
	var clients []client
	for range 2 {
		c := client{Cmd: exec.Command(nc, "-N", "-w", "5", "localhost", strconv.Itoa(port[12345])), out: newOutput(), done: make(chan error, 1)}
		c.Stdout = c.out
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		c.in = in
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { c.done <- c.Wait() }()
		clients = append(clients, c)
	}
	eventually(t, "both clients are members", func() bool {
		_, out, _ := run(t, g.dir, "metrics", "north_fan_server")
		return regexp.MustCompile(`stream.active.received +2\n`).MatchString(out)
	})
	for i, c := range clients {
		fmt.Fprintf(c.in, "Hello from client %d\n", i+1)
	}
	var merged []string
	for _, c := range clients {
		eventually(t, "a client has seen both lines", func() bool { return len(c.out.lines()) == 2 })
	}
	for _, c := range clients {
		c.in.Close()
	}
	for _, c := range clients {
		if err := <-c.done; err != nil {
			t.Errorf("nc: %v", err)
		}
		merged = append(merged, c.out.lines()...)
	}
	slices.Sort(merged)
	want := []string{"Hello from client 1", "Hello from client 1", "Hello from client 2", "Hello from client 2"}
	if !slices.Equal(merged, want) {
		t.Errorf("the clients get %q", merged)
	}
	g.terminate()
}

// Which server is behind the gateway depends on the port and on where the client comes from.
func TestExampleProxy(t *testing.T) {
	g, port := example(t, "tcp.proxy", "--records")
	for _, server := range []int{8001, 8002, 8003} {
		summing(t, port[server])
	}
	for _, test := range []struct {
		from, to  string
		port      int
		size      int
		connected int
	}{
		{"127.0.0.1", "south_green", 7001, 0, 1}, {"127.0.0.1", "south_green", 7001, 20_000_000, 2},
		{"127.0.0.2", "south_blue", 7001, 100_000, 1}, {"127.0.0.3", "south_green", 7001, 1, 3}, {"127.0.0.3", "south_admin", 7002, 5, 1},
	} {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(test.from)}, Timeout: patience}
		c, err := d.Dial("tcp", address(port[test.port]))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := ask(t, c.(*net.TCPConn), test.size); got != want {
			t.Errorf("%v: the sum is %s, want %s", test, got, want)
		}
		eventually(t, fmt.Sprintf("it is counted, %v", test), func() bool {
			return scrape(t, port[7190])[sample{"stream_opens_received_total", "example", test.to, "COUNTER"}] == float64(test.connected)
		})
	}
	g.terminate()
	if n := count(g.stderr.lines(), func(s string) bool { return strings.Contains(s, "target=") && strings.Contains(s, "reason=fin") }); n != 5 {
		t.Errorf("%d records of orderly ends, want 5:\n%s", n, g.stderr)
	}
}

func atoi(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// summing is a server that reads to the end and then answers the sum of what came.
func summing(t testing.TB, port int) net.Listener {
	t.Helper()
	return serving(t, port, func(c *net.TCPConn) {
		defer c.Close()
		h := sha256.New()
		if _, err := io.Copy(h, c); err == nil {
			fmt.Fprintf(c, "%x", h.Sum(nil))
		}
	})
}

// halfClose sends bytes, ends its direction, and gives what comes back and what should.
func halfClose(t testing.TB, port, size int) (got, want string) {
	t.Helper()
	return ask(t, dial(t, port), size)
}

// ask is halfClose on a connection that is there, and is closed.
func ask(t testing.TB, c *net.TCPConn, size int) (got, want string) {
	t.Helper()
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	b := noise(size)
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	c.CloseWrite()
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer), fmt.Sprintf("%x", sha256.Sum256(b))
}

// noise is the same for the same size.
func noise(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size)}).Read(b)
	return b
}

// socat ends its direction and waits for the other one.
func TestSocatHalfClose(t *testing.T) {
	socat := need(t, "socat", "socat")
	port, to := freePort(t), freePort(t)
	summing(t, to)
	g := start(t, relay(port, to))
	b := noise(5_000_000)
	cmd := exec.Command(socat, "-t", "20", "-", fmt.Sprintf("TCP4:127.0.0.1:%d", port))
	cmd.Stdin = bytes.NewReader(b)
	got, err := cmd.Output()
	if want := fmt.Sprintf("%x", sha256.Sum256(b)); err != nil || string(got) != want {
		t.Errorf("socat gets %q, %v, want %s", got, err, want)
	}
	g.terminate()
}

// socat as a server behind the gateway, which ends its direction first.
func TestSocatServer(t *testing.T) {
	socat := need(t, "socat", "socat")
	port, to := freePort(t), freePort(t)
	name := filepath.Join(t.TempDir(), "file")
	b := noise(3_000_000)
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, socat, "-u", "OPEN:"+name, fmt.Sprintf("TCP4-LISTEN:%d,bind=127.0.0.1,reuseaddr", to))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); cmd.Wait() })
	awaitListener(t, to)
	g := start(t, relay(port, to))
	c := dial(t, port)
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, b) {
		t.Errorf("%d bytes came, %v, want %d", len(got), err, len(b))
	}
	c.CloseWrite()
	g.terminate()
}

// awaitListener waits until somebody listens, without connecting.
func awaitListener(t testing.TB, port int) {
	t.Helper()
	entry := fmt.Sprintf(":%04X 00000000:0000 0A", port)
	eventually(t, fmt.Sprintf("somebody listens on %d", port), func() bool {
		b, err := os.ReadFile("/proc/net/tcp")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(b), entry)
	})
}

func TestCurl(t *testing.T) {
	curl := need(t, "curl", "curl")
	port, prom := freePort(t), freePort(t)
	g := start(t, exported(port, prom))
	converse(t, port).end()
	url := fmt.Sprintf("http://127.0.0.1:%d/metrics", prom)
	out, err := exec.Command(curl, "-sS", "--fail", "-m", "10", "-i", url).CombinedOutput()
	for _, want := range []string{"HTTP/1.1 200 OK\r\n", "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
		"\nstream_opens_received_total{namespace=\"example\",binding=\"north\"} 1\n"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("curl: %v, want %q in\n%s", err, want, out)
		}
	}
	for _, args := range [][]string{{"-I", url}, {"--http1.0", url}, {url, url, url}, {"--compressed", url}} {
		if out, err := exec.Command(curl, append([]string{"-sS", "--fail", "-m", "10"}, args...)...).CombinedOutput(); err != nil || len(out) == 0 {
			t.Errorf("curl %q: %v\n%s", args, err, out)
		}
	}
	for path, status := range map[string]string{"/": "404", "/metrics/": "404", "//metrics": "404", "/../metrics": "404"} {
		out, err := exec.Command(curl, "-sS", "-m", "10", "--path-as-is", "-o", os.DevNull, "-w", "%{http_code}",
			fmt.Sprintf("http://127.0.0.1:%d%s", prom, path)).CombinedOutput()
		if err != nil || string(out) != status {
			t.Errorf("curl %s: %s, %v, want %s", path, out, err, status)
		}
	}
	g.terminate()
}

// HAProxy looks every 50 ms whether the gateway is there, and sends it clients; behind the gateway is another one.
func TestHAProxy(t *testing.T) {
	haproxy := need(t, "haproxy", "haproxy")
	front, middle, back, end, admin := freePort(t), freePort(t), freePort(t), freePort(t), filepath.Join(t.TempDir(), "a")
	summing(t, end)
	g := start(t, relay(middle, back), "--records")
	conf := filepath.Join(t.TempDir(), "haproxy.cfg")
	write(t, conf, fmt.Sprintf(`global
    stats socket %s
defaults
    mode tcp
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen front
    option tcp-check
    tcp-check connect
    tcp-check send x
    bind 127.0.0.1:%d
    server gateway 127.0.0.1:%d check inter 50ms fall 2 rise 1
listen back
    bind 127.0.0.1:%d
    server end 127.0.0.1:%d
`, admin, front, middle, back, end))
	var out bytes.Buffer
	cmd := exec.Command(haproxy, "-db", "-f", conf)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	awaitListener(t, front)
	awaitListener(t, back)
	up := func() bool { return strings.Contains(haproxyState(t, admin), "\ngateway 2") }
	eventually(t, "the gateway is up for HAProxy", up)
	for _, size := range []int{2, 100_000, 10_000_000} {
		if got, want := halfClose(t, front, size); got != want {
			t.Errorf("of %d bytes the sum is %s, want %s", size, got, want)
		}
	}
	// A probe is a connection that comes and goes; it leaves nothing behind, and ends no other one.
	long := dial(t, front)
	io.WriteString(long, "first ")
	eventually(t, "HAProxy has probed often", func() bool {
		return count(g.stderr.lines(), func(s string) bool { return strings.Contains(s, "received=1 ") }) >= 10
	})
	io.WriteString(long, "second")
	long.CloseWrite()
	sum := sha256.Sum256([]byte("first second"))
	if got, err := io.ReadAll(long); err != nil || string(got) != fmt.Sprintf("%x", sum) {
		t.Errorf("%s, %v, want %x", got, err, sum)
	}
	g.signal(syscall.SIGTERM)
	if status := g.end(patience); status != 0 {
		t.Errorf("status %d", status)
	}
	eventually(t, "the gateway is down for HAProxy", func() bool { return !up() })
	if n := count(g.stderr.lines(), func(s string) bool { return strings.Contains(s, "ERROR") }); n > 0 {
		t.Errorf("%d errors:\n%s", n, g.stderr)
	}
}

// haproxyState is what HAProxy thinks of its servers: lines of name and state, 2 for up.
func haproxyState(t testing.TB, socket string) string {
	t.Helper()
	c, err := net.DialTimeout("unix", socket, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "show servers state front\n")
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	var states strings.Builder
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) > 5 && f[1] == "front" {
			fmt.Fprintf(&states, "\n%s %s", f[3], f[5])
		}
	}
	return states.String()
}
