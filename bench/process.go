//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
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
	"time"
)

// process is a program that this run has started. Only these are ever ended, and by their id.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string        // file with what it prints
	done chan struct{} // closed when it has ended
}

// start runs argv with its output in a file in dir. The program ends with this one even if that
// is killed: the kernel sends SIGTERM when the main thread, which starts all of them, is gone.
func start(name, dir string, files []*os.File, argv ...string) (*process, error) {
	log, err := os.CreateTemp(dir, name+"-*.log")
	if err != nil {
		return nil, fmt.Errorf("cannot create log: %w", err)
	}
	defer log.Close()
	p := &process{name: name, log: log.Name(), done: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.ExtraFiles = files
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go p.reap()
	return p, nil
}

// reap ends with the process.
func (p *process) reap() {
	_ = p.cmd.Wait() // how it ended is in p.cmd.ProcessState
	close(p.done)
}

// alive is nil, or tells how the process ended and what it said last.
func (p *process) alive() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s has ended (%v)%s", p.name, p.cmd.ProcessState, tail(p.log))
	default:
		return nil
	}
}

// tail is the end of a log as lines of their own, or nothing.
func tail(path string) string {
	b, err := os.ReadFile(path)
	b = bytes.TrimSpace(b)
	if err != nil || len(b) == 0 {
		return ""
	}
	lines := strings.Split(string(b), "\n")
	return "\n    " + strings.Join(lines[max(0, len(lines)-10):], "\n    ")
}

// stop asks the process to end and makes it, with its children, after three seconds.
func (p *process) stop() {
	if p.alive() != nil {
		return
	}
	all, err := family(p.cmd.Process.Pid)
	if err != nil {
		all = []int{p.cmd.Process.Pid}
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has just ended
	select {
	case <-p.done:
	case <-time.After(3 * time.Second):
		for _, pid := range all {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		<-p.done
	}
}

// startBackend runs this program again as a backend and returns the port that it serves.
func startBackend(kind, dir string) (*process, int, error) {
	if kind == "nghttpd" {
		return startNghttpd(dir)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, 0, fmt.Errorf("cannot listen: %w", err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return nil, 0, fmt.Errorf("cannot pass on listener: %w", err)
	}
	defer f.Close()
	p, err := start(kind, dir, []*os.File{f}, self(), "backend", kind)
	return p, l.Addr().(*net.TCPAddr).Port, err
}

// startNghttpd runs the server of nghttp2, which serves the small answer and a large one by HTTP/2 in the clear, and returns
// its port.
func startNghttpd(dir string) (*process, int, error) {
	path, err := find("nghttpd", "nghttp2-server")
	if err != nil {
		return nil, 0, err
	}
	port, err := freePort()
	if err != nil {
		return nil, 0, err
	}
	if err := os.WriteFile(filepath.Join(dir, "small"), patternAt(0, answers["/small"].body), 0o644); err != nil {
		return nil, 0, fmt.Errorf("cannot write answer: %w", err)
	}
	if err := sparse(filepath.Join(dir, strconv.Itoa(gib)), gib); err != nil {
		return nil, 0, err
	}
	// Windows of 16 MiB: with those that it has by default it would be the slowest of all in h2-h2-up.
	p, err := start("nghttpd", dir, nil, path, "-a", "127.0.0.1", "--no-tls", "-w", "24", "-W", "24", "-d", dir, strconv.Itoa(port))
	return p, port, err
}

// self is this program's file, also if it was replaced or removed since.
func self() string { return "/proc/self/exe" }

// load runs this program again as a load generator and waits for its result.
func load(ctx context.Context, spec loadSpec) (loadResult, error) {
	ctx, cancel := context.WithTimeout(ctx, spec.Warm+spec.Window+20*time.Second)
	defer cancel()
	cmd := loadCommand(ctx, spec)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return loadOutcome(&out, &errs, err)
}

func loadCommand(ctx context.Context, spec loadSpec) *exec.Cmd {
	arg, err := json.Marshal(spec)
	if err != nil {
		panic(err) // plain numbers and strings
	}
	cmd := exec.CommandContext(ctx, self(), "load", string(arg))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func loadOutcome(out io.Reader, errs *bytes.Buffer, err error) (loadResult, error) {
	if err != nil {
		if said := strings.TrimSpace(errs.String()); said != "" {
			return loadResult{}, errors.New(said)
		}
		return loadResult{}, fmt.Errorf("load ended: %w", err)
	}
	var r loadResult
	if err := json.NewDecoder(out).Decode(&r); err != nil {
		return loadResult{}, fmt.Errorf("cannot read result of load: %w", err)
	}
	return r, nil
}

// whileHeld opens the connections of spec, each used once, and calls fn while they are idle.
func whileHeld(ctx context.Context, spec loadSpec, fn func() error) error {
	ctx, cancel := context.WithTimeout(ctx, holdLimit)
	defer cancel()
	cmd := loadCommand(ctx, spec)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start load: %w", err)
	}
	var fault error
	if line := make([]byte, len(heldLine)); readLine(out, line) {
		fault = fn()
	}
	in.Close()
	rest, _ := io.ReadAll(out) // an error shows as a missing result
	_, err = loadOutcome(bytes.NewReader(rest), &errs, cmd.Wait())
	return errors.Join(fault, err)
}

func readLine(r io.Reader, line []byte) bool {
	_, err := io.ReadFull(r, line)
	return err == nil && string(line) == heldLine
}

// freePort asks the system for a port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("cannot find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// find locates a tool that is not always in an ordinary user's PATH.
func find(tool, pkg string) (string, error) {
	if path, err := exec.LookPath(tool); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		path := filepath.Join(dir, tool)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: install the package %s, or run bench/setup.sh", tool, pkg)
}
