//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// streamSpec says what h2load, which comes with nghttp2, asks for over HTTP/2.
type streamSpec struct {
	Conns   int
	Streams int // at a time, on each connection
	Path    string
	Send    int64 // bytes of the request's body; 0 is a GET
	Take    int64 // bytes of the answer's body, where there is one request only
}

// The lines of h2load at both ends of its window; there is one thread.
const (
	windowOpens  = "Main benchmark duration is started for thread #0."
	windowCloses = "Main benchmark duration is over for thread #0."
)

// h2load is one run of it: what it says, and the CPU time of processes at two moments.
type h2load struct {
	pids     []int
	from, to time.Time
	cpu      time.Duration // between the two
	said     bytes.Buffer
}

// run goes on to the end of h2load. What is measured begins with a line that has the word opens, and ends with one that has
// closes, or at the end of the program.
func (h *h2load) run(ctx context.Context, limit time.Duration, opens, closes string, args ...string) error {
	path, err := find("h2load", "nghttp2-client")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("cannot read from h2load: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start h2load: %w", err)
	}
	err = h.listen(out, opens, closes)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return fmt.Errorf("h2load: %w%s", err, indented(h.said.String()+errs.String()))
	}
	return nil
}

// indented is what a program said, as lines of their own.
func indented(said string) string {
	return "\n    " + strings.ReplaceAll(strings.TrimSpace(said), "\n", "\n    ")
}

// listen reads all that h2load says, and looks at the clocks when it says that the window opens or closes.
func (h *h2load) listen(r io.Reader, opens, closes string) error {
	var first, last time.Duration
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var err error
		switch line := lines.Text(); {
		case h.from.IsZero() && strings.Contains(line, opens):
			first, err = cpuTime(h.pids)
			h.from = time.Now()
		case h.to.IsZero() && strings.Contains(line, closes):
			last, err = cpuTime(h.pids)
			h.to = time.Now()
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(&h.said, lines.Text())
	}
	if h.from.IsZero() || h.to.IsZero() {
		return errors.New("it did not say when it began and ended")
	}
	h.cpu = last - first
	return lines.Err()
}

var (
	h2Total = regexp.MustCompile(`(?m)^requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout$`)
	h2Times = regexp.MustCompile(`(?m)^time for request: +(\S+) +(\S+) +(\S+) `)
)

// result is how many requests were answered, all of them well, and how long that took on average and at most.
func (h *h2load) result() (requests float64, mean, most time.Duration, err error) {
	said := h.said.String()
	total, times := h2Total.FindStringSubmatch(said), h2Times.FindStringSubmatch(said)
	if total == nil || times == nil {
		return 0, 0, 0, fmt.Errorf("h2load does not say how it went:%s", indented(said))
	}
	if total[2] != total[3] || total[3] == "0" || total[4] != "0" || total[5] != "0" || total[6] != "0" {
		return 0, 0, 0, fmt.Errorf("not all requests were answered well: %s", total[0])
	}
	requests, err1 := strconv.ParseFloat(total[3], 64)
	most, err2 := time.ParseDuration(times[2])
	mean, err3 := time.ParseDuration(times[3])
	return requests, mean, most, errors.Join(err1, err2, err3)
}

// measureStreams has many requests under way at a time for one window.
func measureStreams(ctx context.Context, o *options, c *testCase, r *rig) ([]float64, error) {
	if err := r.asksOnce(); err != nil { // h2load does not look at bodies
		return nil, err
	}
	pids, err := r.pids()
	if err != nil {
		return nil, err
	}
	h, s := &h2load{pids: pids}, c.streams
	err = h.run(ctx, o.warm+o.window+20*time.Second, windowOpens, windowCloses, "-t1", "-c", strconv.Itoa(s.Conns), "-m", strconv.Itoa(s.Streams),
		"-D", millis(o.window), "--warm-up-time", millis(o.warm), r.url(s.Path))
	if err := errors.Join(err, r.alive()); err != nil {
		return nil, err
	}
	n, mean, most, err := h.result()
	if err != nil {
		return nil, err
	}
	return []float64{h.cpu.Seconds() / n * 1e6, n / h.to.Sub(h.from).Seconds() / 1e3, mean.Seconds() * 1e3, most.Seconds() * 1e3}, nil
}

// millis is a time as h2load takes it.
func millis(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

// measureStream has one large body go over one stream.
func measureStream(ctx context.Context, _ *options, c *testCase, r *rig) ([]float64, error) {
	pids, err := r.pids()
	if err != nil {
		return nil, err
	}
	h, s := &h2load{pids: pids}, c.streams
	args := []string{"-t1", "-c1", "-m1", "-n1"}
	if s.Send > 0 {
		file := filepath.Join(r.dir, "body")
		if err := sparse(file, s.Send); err != nil {
			return nil, err
		}
		args = append(args, "-d", file)
	}
	err = h.run(ctx, time.Minute, "starting benchmark", "finished in", append(args, r.url(s.Path))...)
	if err := errors.Join(err, r.alive()); err != nil {
		return nil, err
	}
	if _, _, _, err := h.result(); err != nil {
		return nil, err
	}
	if err := h.took(s.Take); err != nil {
		return nil, err
	}
	gb, seconds := float64(s.Send+s.Take)/1e9, h.to.Sub(h.from).Seconds()
	return []float64{seconds / gb, gb / seconds, h.cpu.Seconds() / gb}, nil
}

var h2Data = regexp.MustCompile(`(?m)^traffic: .*\((\d+)\) data$`)

// took is nil if so many bytes came, or some more: h2load counts what goes before each piece of a body.
func (h *h2load) took(want int64) error {
	m := h2Data.FindStringSubmatch(h.said.String())
	if m == nil {
		return errors.New("h2load does not say how many bytes came")
	}
	if got, err := strconv.ParseInt(m[1], 10, 64); err != nil || got < want {
		return fmt.Errorf("%s bytes came, not %d", m[1], want)
	}
	return nil
}

// sparse makes a file of so many zeros, which takes no room.
func sparse(name string, size int64) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("cannot make a body: %w", err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return fmt.Errorf("cannot make a body: %w", err)
	}
	return nil
}
