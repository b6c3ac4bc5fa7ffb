//go:build linux

package test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// deaf is a port that neither takes nor refuses: its queue is full.
func deaf(t testing.TB) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := at.(*syscall.SockaddrInet4).Port
	for range 8 {
		c, err := net.DialTimeout("tcp", address(port), 200*time.Millisecond)
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			return port
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("this system does not stop taking connections when the queue is full")
	return 0
}

// besieged is a gateway whose ways out lead to servers of every sort.
type besieged struct {
	*gateway
	port map[string]int
}

func besiege(t *testing.T) *besieged {
	t.Helper()
	b := &besieged{port: map[string]int{}}
	var text strings.Builder
	text.WriteString("name: example\nbindings:\n  reflect: {type: fan, kind: server, exit: echo}\n  echo: {type: echo, kind: server}\n")
	listen := func(name, more, exit string) {
		b.port[name] = freePort(t)
		fmt.Fprintf(&text, "  %s:\n    type: tcp\n    kind: server\n    options: {host: 127.0.0.1, port: %d%s}\n    exit: %s\n", name, b.port[name], more, exit)
	}
	to := func(name, host string, port int) {
		fmt.Fprintf(&text, "  to_%s: {type: tcp, kind: client, options: {host: %s, port: %d}}\n", name, host, port)
		listen(name, "", "to_"+name)
	}
	listen("own", "", "echo")
	listen("idle", ", idle: 200ms", "echo")
	listen("fan", "", "reflect")
	server := freePort(t)
	echoing(t, server)
	to("relay", "127.0.0.1", server)
	to("down", "127.0.0.1", freePort(t))
	to("unknown", "unknown.invalid", 80)
	to("deaf", "127.0.0.1", deaf(t))
	rude := freePort(t)
	serving(t, rude, func(c *net.TCPConn) { reset(c) })
	to("rude", "127.0.0.1", rude)
	breaking := freePort(t)
	serving(t, breaking, func(c *net.TCPConn) {
		io.CopyN(c, c, 1000)
		reset(c)
	})
	to("breaking", "127.0.0.1", breaking)
	b.gateway = start(t, text.String(), "--diagnostics-directory=diagnostics", "-P", "gozilla.limits.dial=2s")
	return b
}

// goroutines asks the process how many goroutines it has, by way of its diagnostics.
func (g *gateway) goroutines() int {
	g.t.Helper()
	const written = "diagnostics were written"
	n := strings.Count(g.stderr.String(), written)
	g.signal(syscall.SIGUSR2)
	m := g.stderr.await(g.t, g, fmt.Sprintf(`(?s)(?:%s.*?){%d}%s +file=(\S+)\n`, written, n, written))
	total := regexp.MustCompile(`^goroutine profile: total (\d+)`).FindStringSubmatch(unzip(g.t, filepath.Join(g.dir, m[1]))["goroutines.txt"])
	if total == nil {
		g.t.Fatal("the diagnostics do not tell how many goroutines there are")
	}
	return atoi(g.t, total[1])
}

// keptPipes is how many descriptors of pipes a gateway keeps, those of its output and for relays to come.
const keptPipes = 2 + 2*16

// settled waits until the process holds no more than it did.
func (g *gateway) settled(descriptors, goroutines int) {
	g.t.Helper()
	running := 0
	defer func() {
		if g.t.Failed() {
			g.t.Logf("there were %d descriptors and %d goroutines, now %d and\n%s", descriptors, goroutines, running, strings.Join(g.files(), "\n"))
		}
	}()
	eventually(g.t, "the descriptors are closed", func() bool {
		others, pipes := g.descriptors()
		return others <= descriptors && pipes <= keptPipes
	})
	eventually(g.t, "the goroutines are over", func() bool {
		running = g.goroutines()
		return running <= goroutines
	})
}

func TestBadPeers(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	// What the process keeps for later is there before anybody misbehaves.
	for _, name := range []string{"own", "relay", "fan", "own", "relay", "fan"} {
		converse(t, b.port[name]).end()
	}
	var base, running int
	eventually(t, "all is quiet", func() bool {
		n := b.goroutines()
		d, _ := b.descriptors()
		same := d == base && n == running
		base, running = d, n
		return same
	})
	many := func(n int, port string, f func(c *net.TCPConn)) {
		t.Helper()
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				c, err := net.DialTimeout("tcp", address(b.port[port]), patience)
				if errors.Is(err, syscall.ECONNRESET) {
					return // it was over before it had begun
				}
				if err != nil {
					t.Errorf("%s: %v", port, err)
					return
				}
				c.SetDeadline(time.Now().Add(patience))
				f(c.(*net.TCPConn))
				c.Close()
			})
		}
		all.Wait()
	}
	await := func(c *net.TCPConn) { // the other side ends it
		if n, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %d bytes nothing comes, and no end", n)
		}
	}
	block := make([]byte, 100_000)
	for _, test := range []struct {
		name  string
		peers func()
	}{
		{"say nothing and leave", func() {
			for _, port := range []string{"own", "relay", "fan"} {
				many(50, port, func(*net.TCPConn) {})
			}
		}},
		{"say nothing and stay", func() { many(50, "idle", await) }},
		{"reset before they are accepted", func() {
			for _, port := range []string{"own", "relay", "fan", "deaf"} {
				many(100, port, reset)
			}
		}},
		{"reset mid-stream", func() {
			for _, port := range []string{"own", "relay", "fan"} {
				many(30, port, func(c *net.TCPConn) {
					c.Write(block)
					io.ReadFull(c, make([]byte, 10))
					reset(c)
				})
			}
		}},
		{"never read", func() {
			for _, port := range []string{"own", "relay"} {
				many(10, port, func(c *net.TCPConn) {
					c.SetDeadline(time.Now().Add(200 * time.Millisecond))
					for {
						if _, err := c.Write(block); err != nil {
							break
						}
					}
					reset(c)
				})
			}
		}},
		{"reset after half-close", func() {
			for _, port := range []string{"own", "relay", "fan"} {
				many(30, port, func(c *net.TCPConn) {
					c.Write(block)
					c.CloseWrite()
					reset(c)
				})
			}
		}},
		{"half-close and stay", func() {
			for _, port := range []string{"own", "relay", "fan"} {
				many(30, port, func(c *net.TCPConn) {
					c.CloseWrite()
					await(c)
				})
			}
		}},
		{"reset while their server is dialled", func() {
			var waiting []*net.TCPConn
			for range 30 {
				c := dial(t, b.port["deaf"])
				io.WriteString(c, "x")
				waiting = append(waiting, c)
			}
			eventually(t, "all are dialled for", func() bool {
				_, out, _ := run(t, b.dir, "metrics", "to_deaf")
				return regexp.MustCompile(`stream.active.received +30\n`).MatchString(out)
			})
			for _, c := range waiting {
				reset(c)
			}
		}},
		{"wait for a server that is deaf", func() { many(20, "deaf", await) }},
		{"find nobody", func() { many(50, "down", await) }},
		{"want a name that is none", func() { many(50, "unknown", await) }},
		{"have a rude server", func() { many(50, "rude", func(c *net.TCPConn) { c.Write(block); await(c) }) }},
		{"have a server that breaks off", func() { many(50, "breaking", func(c *net.TCPConn) { c.Write(block); await(c) }) }},
		{"come in hundreds and drop", func() {
			var open []*net.TCPConn
			for i := range 500 {
				c := dial(t, b.port[[]string{"own", "relay", "fan"}[i%3]])
				if i%2 == 0 {
					io.WriteString(c, "x")
				}
				open = append(open, c)
			}
			for _, c := range open {
				reset(c)
			}
		}},
		{"are killed", func() {
			var flooding []*exec.Cmd
			for _, port := range []string{"own", "relay", "fan", "deaf"} {
				cmd := exec.Command("flood", fmt.Sprint(b.port[port]))
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := cmd.StdinPipe(); err != nil { // it waits for its end
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				flooding = append(flooding, cmd)
				io.ReadFull(out, make([]byte, 5))
			}
			for _, cmd := range flooding {
				cmd.Process.Kill()
				cmd.Wait()
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer func(outer testing.TB) { b.t = outer }(b.t)
			b.t = t
			// Whoever misbehaves, those who do not are served, on new connections and on old ones.
			var over atomic.Bool
			var honest sync.WaitGroup
			served := 0
			old := converse(t, b.port["relay"])
			honest.Go(func() {
				for !over.Load() || served == 0 {
					old.say("old")
					c := converse(t, b.port["relay"])
					c.end()
					c.Close()
					served++
				}
			})
			test.peers()
			over.Store(true)
			honest.Wait()
			old.end()
			old.Close()
			b.settled(base, running)
		})
	}
	if text := b.stderr.String(); strings.Contains(text, "ERROR") || strings.Contains(text, "internal") {
		t.Errorf("gozilla complains: %s", regexp.MustCompile(`.*(ERROR|internal).*`).FindString(text))
	}
	b.terminate()
}

// At the limit connections are taken and closed at once; when one ends there is room again.
func TestCapacity(t *testing.T) {
	const limit = 10
	port := freePort(t)
	g := start(t, echo(port), "-P", fmt.Sprintf("gozilla.limits.connections=%d", limit))
	var open []*conversation
	for range limit {
		open = append(open, converse(t, port))
	}
	for range 2 * limit {
		c := dial(t, port)
		if n, err := io.Copy(io.Discard, c); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("beyond the limit a connection gets %d bytes, %v", n, err)
		}
	}
	for _, c := range open {
		c.say("still there")
	}
	open[0].end()
	eventually(t, "there is room again", func() bool {
		_, out, _ := run(t, g.dir, "metrics")
		return regexp.MustCompile(fmt.Sprintf(`engine.workers.usage +%d\n`, limit-1)).MatchString(out)
	})
	converse(t, port).end()
	if !strings.Contains(g.stderr.String(), "engine.capacity.reached") {
		t.Errorf("nothing is said of the limit:\n%s", g.stderr)
	}
	for _, c := range open[1:] {
		c.end()
	}
	g.terminate()
}
