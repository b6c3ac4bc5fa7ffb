package test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// script runs a program that says ok and a name for everything that is as it should be.
func script(t testing.TB, cmd *exec.Cmd, names ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var out bytes.Buffer
	run := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
	run.Env, run.Stdout, run.Stderr = cmd.Env, &out, &out
	err := run.Run()
	for _, name := range names {
		if !strings.Contains(out.String(), "ok "+name+"\n") {
			t.Errorf("not right: %s", name)
		}
	}
	if err != nil || t.Failed() {
		t.Errorf("%v\n%s", err, &out)
	}
}

// TestPythonHTTP has the client of Python ask a server of Go.
func TestPythonHTTP(t *testing.T) {
	python := need(t, "python3", "python3")
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/endless" {
			for some := make([]byte, 1<<16); ; {
				if _, err := w.Write(some); err != nil {
					return
				}
			}
		}
		tells(w, r)
	})
	port := freePort(t)
	g := start(t, hosting(port, b.port, "exit: out"), "--records")
	script(t, exec.Command(python, filepath.Join("testdata", "http_client.py"), fmt.Sprint(port)),
		"keep-alive", "chunked", "close", "HTTP/1.0", "pipelined", "a byte at a time", "gone")
	// A thousand requests of one connection had one record each, of that connection.
	m := regexp.MustCompile(`exchange ended +exchange=\d+ connection=(\d+) .* http.path=/n/0 `).FindStringSubmatch(g.stderr.String())
	if m == nil {
		t.Fatal("there is no record of the first request")
	}
	eventually(t, "there are records of all requests", func() bool {
		return count(g.stderr.lines(), regexp.MustCompile(`exchange ended +exchange=\d+ connection=`+m[1]+` .* http.path=/n/\d+ .*http.status=200 `).MatchString) == 1000
	})
	g.terminate()
	eventually(t, "the server has no connection left", func() bool { _, open := b.connections(); return open == 0 })
}

// TestNodeHTTP has clients of Node ask a server of Node.
func TestNodeHTTP(t *testing.T) {
	node := need(t, "node", "nodejs")
	port, end := freePort(t), freePort(t)
	g := start(t, hosting(port, end, "exit: out"), "--records")
	cmd := exec.Command(node, filepath.Join("testdata", "http_node.js"))
	cmd.Env = append(cmd.Environ(), fmt.Sprint("GATEWAY=", port), fmt.Sprint("BACKEND=", end))
	script(t, cmd, "keep-alive", "trailers", "early hints", "a response is cut", "a client goes", "upgrade", "upgrade refused", "fetch", "a raw socket")
	g.terminate()
}
