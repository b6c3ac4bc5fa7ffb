package test

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestReloads changes the file again and again, in all the ways in which files are changed, while connections come at a
// rate, requests go over connections that stay, and others stay open all the time. Nothing of that may fail, and the
// process may not grow. test/reloads.sh runs it at full length.
func TestReloads(t *testing.T) {
	s := &soak{
		T: t, changes: number("GOZILLA_RELOADS", 60), rate: number("GOZILLA_RELOAD_RATE", 500), long: number("GOZILLA_RELOAD_LONG", 100),
		steady: freePort(t), web: freePort(t), moving: [3]int{freePort(t), freePort(t), freePort(t)},
	}
	s.backend = newBackend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })
	s.g = start(t, s.file(0), "--diagnostics-directory", ".", "-P", "gozilla.limits.connections=20000")
	stop := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() { s.churn(stop) })
	for range 4 {
		load.Go(func() { s.ask(stop, "/echo", http.MethodPost) })
		load.Go(func() { s.ask(stop, "/backend", http.MethodGet) })
	}
	var old []*conversation
	for range s.long {
		old = append(old, converse(t, s.steady))
	}
	warm := s.changes / 2 // what changes leave behind is kept for some seconds
	var before process
	for i := 1; i <= s.changes; i++ {
		s.change(i)
		if i == warm {
			before = s.process()
		}
		if i%50 == 0 {
			t.Logf("%d changes, %d connections, %d requests, %d failed", i, s.connections.Load(), s.requests.Load(), s.failed.Load())
		}
	}
	after := s.process()
	close(stop)
	load.Wait()
	for _, c := range old {
		c.SetDeadline(time.Now().Add(patience))
		c.say("still here")
		c.end()
	}
	t.Logf("%d changes, %d connections, %d requests; before %+v, after %+v", s.changes, s.connections.Load(), s.requests.Load(), before, after)
	if n := s.failed.Load(); n > 0 {
		t.Errorf("%d connections or requests have failed, the first: %v", n, s.first.Load())
	}
	if after.Goroutines > before.Goroutines+50 || after.Descriptors > before.Descriptors+50 || after.HeapKiB > before.HeapKiB+before.HeapKiB/2+4096 {
		t.Errorf("the process has grown")
	}
}

// number is a number from the environment.
func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

type soak struct {
	*testing.T
	g                   *gateway
	backend             *backend
	changes, rate, long int
	steady, web         int
	moving              [3]int

	connections, requests, failed atomic.Int64
	first                         atomic.Value
}

// file is the i-th configuration. It differs from the one before in routes, ports, options, exits and telemetry, and
// never in what the load depends on.
func (s *soak) file(i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: soak\ntelemetry: { metrics: [ stream.opens.received ] }\nbindings:\n")
	fmt.Fprintf(&b, "  steady:\n    type: tcp\n    kind: server\n    options: { host: 127.0.0.1, port: %d }\n    routes:\n", s.steady)
	for r := range i % 4 { // routes come and go
		fmt.Fprintf(&b, "      - { when: [ { source: 10.%d.0.0/16 } ], exit: moved }\n", r)
	}
	fmt.Fprintf(&b, "      - { exit: echo }\n")
	if i%3 == 0 {
		fmt.Fprintf(&b, "    telemetry: { metrics: [ \"stream.*\" ] }\n")
	}
	fmt.Fprintf(&b, "  moving: { type: tcp, kind: server, streams: %s, options: { host: 127.0.0.1, port: %d }, exit: echo }\n", []string{"keep", "drain", "close"}[i%3], s.moving[i%3])
	fmt.Fprintf(&b, "  moved: { type: tcp, kind: client, options: { host: 127.0.0.1, port: %d } }\n", s.moving[(i+1)%3])
	fmt.Fprintf(&b, "  web: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: http }\n", s.web)
	fmt.Fprintf(&b, "  http:\n    type: http\n    kind: server\n    routes:\n")
	for r := range i % 5 {
		fmt.Fprintf(&b, "      - { when: [ { headers: { \":path\": /other/%d/* } } ], exit: echo }\n", r)
	}
	fmt.Fprintf(&b, "      - { when: [ { headers: { \":path\": /echo } } ], exit: echo }\n    exit: client\n")
	fmt.Fprintf(&b, "  client: { type: http, kind: client, exit: south_%d }\n", i/7%2) // another exit now and then
	fmt.Fprintf(&b, "  south_%d: { type: tcp, kind: client, options: { host: 127.0.0.1, port: %d, keepalive: %ds } }\n", i/7%2, s.backend.port, 30+i%2)
	fmt.Fprintf(&b, "  echo: { type: echo, kind: server }\n")
	return b.String()
}

// change makes the i-th configuration the one in service, and waits until it is.
func (s *soak) change(i int) {
	name := filepath.Join(s.g.dir, "zilla.yaml")
	text := []byte(s.file(i))
	var err error
	switch i % 4 {
	case 0: // in place
		err = os.WriteFile(name, text, 0o600)
	case 1, 2: // as editors do it
		if err = os.WriteFile(name+".new", text, 0o600); err == nil {
			err = os.Rename(name+".new", name)
		}
	case 3: // as Kubernetes does it
		data := filepath.Join(s.g.dir, fmt.Sprintf("data-%d", i))
		if err = os.Mkdir(data, 0o700); err == nil {
			err = os.WriteFile(filepath.Join(data, "zilla.yaml"), text, 0o600)
		}
		if err == nil {
			err = os.Symlink(filepath.Join(filepath.Base(data), "zilla.yaml"), name+".new")
		}
		if err == nil {
			err = os.Rename(name+".new", name)
		}
	}
	if err != nil {
		s.Fatal(err)
	}
	if i%6 == 5 {
		s.g.signal(syscall.SIGHUP)
	}
	s.g.stderr.await(s.T, s.g, fmt.Sprintf(`Configuration %d is in service`, i+1))
}

func (s *soak) fail(err error) {
	if s.failed.Add(1) == 1 {
		s.first.Store(err.Error())
	}
}

// churn connects at a rate, has a few bytes sent back, and closes.
func (s *soak) churn(stop chan struct{}) {
	const beat = 10 * time.Millisecond
	tick := time.NewTicker(beat)
	defer tick.Stop()
	busy := make(chan struct{}, 200)
	var all sync.WaitGroup
	defer all.Wait()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		for range max(1, s.rate/int(time.Second/beat)) {
			busy <- struct{}{}
			all.Go(func() {
				defer func() { <-busy }()
				s.connections.Add(1)
				if err := s.once(); err != nil {
					s.fail(err)
				}
			})
		}
	}
}

func (s *soak) once() error {
	c, err := net.DialTimeout("tcp", address(s.steady), patience)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "hello, is anybody there?"); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 24))
	return err
}

// ask sends requests over one connection, which never ends.
func (s *soak) ask(stop chan struct{}, path, method string) {
	c, err := net.Dial("tcp", address(s.web))
	if err != nil {
		s.fail(err)
		return
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		select {
		case <-stop:
			return
		case <-time.After(2 * time.Millisecond):
		}
		body := ""
		if method == http.MethodPost {
			body = path
		}
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(c, "%s %s HTTP/1.1\r\nhost: soak\r\ncontent-length: %d\r\n\r\n%s", method, path, len(body), body)
		answer, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			s.fail(fmt.Errorf("%s: %w", path, err))
			return
		}
		text, err := io.ReadAll(answer.Body)
		s.requests.Add(1)
		if err != nil || answer.StatusCode != http.StatusOK || string(text) != path || answer.Close {
			s.fail(fmt.Errorf("%s: %s, %q, close %v, %v", path, answer.Status, text, answer.Close, err))
			return
		}
	}
}

// process is what a process needs.
type process struct{ Goroutines, Descriptors, HeapKiB int }

var total = regexp.MustCompile(`total (\d+)`)

// process asks the gateway for diagnostics.
func (s *soak) process() process {
	old, _ := filepath.Glob(filepath.Join(s.g.dir, "*.zip"))
	for _, name := range old {
		os.Remove(name)
	}
	others, _ := s.g.descriptors()
	p := process{Descriptors: others}
	written := strings.Count(s.g.stderr.String(), "diagnostics were written")
	s.g.signal(syscall.SIGUSR2)
	eventually(s.T, "diagnostics are written", func() bool {
		return strings.Count(s.g.stderr.String(), "diagnostics were written") > written
	})
	names, _ := filepath.Glob(filepath.Join(s.g.dir, "*.zip"))
	z, err := zip.OpenReader(names[0])
	if err != nil {
		s.Fatal(err)
	}
	defer z.Close()
	part := func(name string) []byte {
		f, err := z.Open(name)
		if err != nil {
			s.Fatal(err)
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		if err != nil {
			s.Fatal(err)
		}
		return b
	}
	if m := total.FindSubmatch(part("goroutines.txt")); m != nil {
		p.Goroutines, _ = strconv.Atoi(string(m[1]))
	}
	var memory struct{ HeapAlloc, StackInuse int }
	if err := json.Unmarshal(part("memory.json"), &memory); err != nil {
		s.Fatal(err)
	}
	p.HeapKiB = (memory.HeapAlloc + memory.StackInuse) / 1024
	return p
}
