//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary play load and backend, as the program does.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && (os.Args[1] == "load" || os.Args[1] == "backend") {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestPattern(t *testing.T) {
	b := patternAt(3*patternPeriod-1, bulkSize)
	if !isPattern(b, 3*patternPeriod-1) || !isPattern(b[:1], patternPeriod-1) {
		t.Error("the pattern is not taken for itself")
	}
	if isPattern(b, 0) || isPattern(append(b[:bulkSize-1:bulkSize-1], 0), 3*patternPeriod-1) {
		t.Error("other bytes are taken for the pattern")
	}
}

// Each load runs against a backend without a proxy between them.
func TestLoad(t *testing.T) {
	f := func(backend string, spec loadSpec, check func(loadResult) bool) {
		t.Helper()
		b, port, err := startBackend(backend, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer b.stop()
		spec.Port, spec.PIDs = port, []int{b.cmd.Process.Pid}
		spec.Warm, spec.Window = 20*time.Millisecond, 300*time.Millisecond
		r, err := load(context.Background(), spec)
		if err != nil || !check(r) || r.Ops == 0 || r.CPU <= 0 || r.Seconds < 0.3 {
			t.Errorf("%s: %+v, %v", spec.Mode, r, err)
		}
		if err := b.alive(); err != nil {
			t.Error(err)
		}
	}
	latency := func(r loadResult) bool { return r.P50 > 0 && r.P99 >= r.P50 && r.Bytes == 64*r.Ops }
	volume := func(r loadResult) bool { return r.Bytes > 1e5 }
	f("echo", loadSpec{Mode: "pingpong", Conns: 1, Size: 64}, latency)
	f("echo", loadSpec{Mode: "pingpong", Conns: 50, Size: 64}, latency)
	began := time.Now()
	f("echo", loadSpec{Mode: "pingpong", Conns: 8, Size: 64, Rate: 2000}, func(r loadResult) bool {
		// What was held up before the window comes within it, but nothing comes before it is due.
		return float64(r.Ops) > 200*r.Seconds && float64(r.Ops) <= 2000*time.Since(began).Seconds()
	})
	f("echo", loadSpec{Mode: "pingpong", Conns: 8, Size: 64, Hello: serverName}, latency)
	f("echo", loadSpec{Mode: "churn", Conns: 4, Size: 64}, latency)
	answered := func(path string) func(loadResult) bool {
		return func(r loadResult) bool {
			return r.P50 > 0 && r.P99 >= r.P50 && r.Bytes == int64(answers[path].body)*r.Ops
		}
	}
	f("http", loadSpec{Mode: "pingpong", Conns: 1, Request: &requestSpec{Path: "/small"}}, answered("/small"))
	f("http", loadSpec{Mode: "pingpong", Conns: 50, Request: &requestSpec{Path: "/rich", Rich: true}}, answered("/rich"))
	f("http", loadSpec{Mode: "pingpong", Conns: 8, Request: &requestSpec{Path: "/16k"}}, answered("/16k"))
	f("http", loadSpec{Mode: "pingpong", Conns: 8, Request: &requestSpec{Path: "/small", Body: 100_000}}, answered("/small"))
	f("source", loadSpec{Mode: "receive", Conns: 2}, volume)
	f("sink", loadSpec{Mode: "send", Conns: 2}, volume)
}

func TestHold(t *testing.T) {
	b, port, err := startBackend("echo", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer b.stop()
	called := false
	err = whileHeld(context.Background(), loadSpec{Mode: "hold", Port: port, Conns: 20, Size: 4096}, func() error {
		called = true
		return nil
	})
	if err != nil || !called {
		t.Errorf("called %v, %v", called, err)
	}
}

// A proxy that errs fails the load: no figure comes of it.
func TestLoadFails(t *testing.T) {
	f := func(mode, want string, serve func(net.Conn)) {
		t.Helper()
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go serveAll(l, serve)
		_, err = load(context.Background(), loadSpec{
			Mode: mode, Port: l.Addr().(*net.TCPAddr).Port, Conns: 1, Size: 64, Window: 10 * time.Second,
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	f("pingpong", "closed a connection", func(c net.Conn) { io.CopyN(c, c, 64); c.(*net.TCPConn).CloseWrite() })
	f("pingpong", "other bytes", func(c net.Conn) { io.CopyN(io.Discard, c, 64); c.Write(make([]byte, 64)) })
	f("pingpong", "more bytes", func(c net.Conn) { c.Write(make([]byte, 65)) })
	f("churn", "closed a connection", func(c net.Conn) { io.CopyN(io.Discard, c, 64); c.(*net.TCPConn).CloseWrite() })
	f("receive", "wrong bytes", func(c net.Conn) { c.Write(make([]byte, 100)) })
	f("nonsense", "unknown load", func(net.Conn) {})
}

// serveAll ends with its listener.
func serveAll(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		serve(c)
	}
}

func TestStart(t *testing.T) {
	p, err := start("shell", t.TempDir(), nil, "/bin/sh", "-c", "echo no such option >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	<-p.done
	if err := fmt.Sprint(p.alive()); !strings.Contains(err, "exit status 3") || !strings.Contains(err, "no such option") {
		t.Errorf("got %s", err)
	}
	p.stop() // is harmless
}
