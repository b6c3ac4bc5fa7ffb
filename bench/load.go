//go:build linux

package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loadSpec tells a load process what to do; it travels as JSON in its arguments.
type loadSpec struct {
	Mode    string // "pingpong", "churn", "receive", "send", "hold", "fan" or "events"
	Port    int
	Conns   int
	Size    int          // bytes per message
	Rate    int          // messages a second over all connections; 0 is as fast as replies come
	Hello   string       // pingpong: the name that a TLS client's first message asks for, which is sent before all others
	Request *requestSpec // the messages are requests of HTTP like this one
	Socket  bool         // the messages go over WebSockets
	Ahead   int          // fan and events: messages that may be under way
	Source  int          // events: port of their source
	Secure  *secureSpec  // how the connections are secured; nil is not at all
	PIDs    []int        // whose CPU time is read at both ends of the window
	Warm    time.Duration
	Window  time.Duration
}

// loadResult is what a load process saw between the two ends of its window.
type loadResult struct {
	Ops      int64 // round trips or connections
	Bytes    int64
	Seconds  float64
	CPU      float64 // seconds, of the processes in PIDs
	P50, P99 float64 // seconds
}

const (
	tick      = 100 * time.Millisecond // longest wait when no other is due
	stall     = 5 * time.Second        // silence that fails a measurement
	heldLine  = "held\n"               // printed when all connections of a hold are up
	holdLimit = time.Minute
)

var (
	errClosed = errors.New("the proxy closed a connection") // it is always the load that closes first
	errMore   = errors.New("more bytes came back than were sent")
	errOther  = errors.New("other bytes came back than were sent")
)

// garbage is how much of it is let lie, in bytes: handshakes leave some.
const garbage = 512 << 20

var modes = map[string]func(*loader) error{
	"pingpong": (*loader).pingpong,
	"churn":    (*loader).churn,
	"receive":  (*loader).receive,
	"send":     (*loader).send,
	"hold":     (*loader).hold,
	"fan":      (*loader).fan,
	"events":   (*loader).hear,
}

// loader is one load process: one thread, one loop.
type loader struct {
	spec   loadSpec
	poll   *poller
	epoch  time.Time
	conns  []conn
	buf    []byte
	hist   histogram
	ops    int64
	bytes  int64
	window window
	result loadResult
	want   int // bytes of the body of each answer

	// Of lanes, which secured connections run on.
	config *tls.Config
	lanes  []*lane
	up     int  // lanes that are ready to begin
	going  bool // all are
	over   bool // they end what they have begun
	active int  // lanes that have not ended
}

// runLoad carries out a spec and prints its result as JSON.
func runLoad(arg string) error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1) // the loops allocate next to nothing; a collection would only disturb them
	debug.SetMemoryLimit(garbage)
	// The paced load sleeps for some 60 us at a time; the default slack would add 50.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot set timer slack: %w", err)
	}
	l := &loader{epoch: time.Now(), buf: make([]byte, bulkSize)}
	if err := json.Unmarshal([]byte(arg), &l.spec); err != nil {
		return fmt.Errorf("cannot read load %q: %w", arg, err)
	}
	from := modes
	var err error
	if l.spec.Secure != nil {
		from = secureModes
		if l.config, err = l.spec.Secure.config(); err != nil {
			return err
		}
	}
	run := from[l.spec.Mode]
	if run == nil {
		return fmt.Errorf("unknown load %q", l.spec.Mode)
	}
	if l.poll, err = newPoller(); err != nil {
		return err
	}
	if err := run(l); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(l.result)
}

func (l *loader) now() int64 { return int64(time.Since(l.epoch)) }

// window is the measured span: the CPU clocks are read by the thread that counts, at the moment
// it begins and ends counting.
type window struct {
	open     bool
	from, to int64
	cpu      time.Duration
}

// turn opens or closes the window when its time has come and reports whether it is closed.
func (l *loader) turn(now int64) (done bool, err error) {
	w := &l.window
	if w.to == 0 {
		w.from = now + int64(l.spec.Warm)
		w.to = w.from + int64(l.spec.Window)
	}
	switch {
	case !w.open && now >= w.from:
		w.open, w.from = true, now
		w.to = now + int64(l.spec.Window)
		l.ops, l.bytes = 0, 0
		l.hist.reset()
		w.cpu, err = cpuTime(l.spec.PIDs)
	case w.open && now >= w.to:
		return true, l.close(now)
	}
	return false, err
}

func (l *loader) close(now int64) error {
	cpu, err := cpuTime(l.spec.PIDs)
	if err != nil {
		return err
	}
	if l.ops == 0 {
		return errors.New("nothing came through within the window")
	}
	l.result = loadResult{
		Ops: l.ops, Bytes: l.bytes,
		Seconds: time.Duration(now - l.window.from).Seconds(),
		CPU:     (cpu - l.window.cpu).Seconds(),
		P50:     time.Duration(l.hist.quantile(0.50)).Seconds(),
		P99:     time.Duration(l.hist.quantile(0.99)).Seconds(),
	}
	return nil
}

// loop hands events to handle until over says that it is enough. between runs once a turn and
// returns how long the next wait may be.
func (l *loader) loop(
	handle func(i int, now int64) error,
	between func(now int64) (time.Duration, error),
	over func(now int64) (bool, error),
) error {
	last := l.now()
	for {
		limit, err := between(l.now())
		if err != nil {
			return err
		}
		events, err := l.poll.wait(limit)
		if err != nil {
			return err
		}
		now := l.now()
		for i := range events {
			if err := handle(int(events[i].Fd), now); err != nil {
				return err
			}
			// Also when its last bytes were read just now: no further report may come. A lane reads the end itself.
			if l.lanes == nil && events[i].Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
				return errClosed
			}
		}
		if len(events) > 0 {
			last = now
		} else if now-last > int64(stall) {
			return fmt.Errorf("nothing came for %v", stall)
		}
		if done, err := over(now); done || err != nil {
			return err
		}
	}
}

func noPause(int64) (time.Duration, error) { return tick, nil }

// dial opens all connections of the spec and watches them.
func (l *loader) dial(events uint32) error {
	l.conns = make([]conn, l.spec.Conns)
	for i := range l.conns {
		fd, err := connect(l.spec.Port)
		if err != nil {
			return fmt.Errorf("connection %d of %d: %w", i+1, l.spec.Conns, err)
		}
		l.conns[i] = newConn(i, fd, l.spec.Size)
		if err := l.begin(&l.conns[i]); err != nil {
			return fmt.Errorf("connection %d of %d: %w", i+1, l.spec.Conns, err)
		}
		if err := l.poll.add(fd, i, events); err != nil {
			return err
		}
	}
	return nil
}

// receive counts what a source sends.
func (l *loader) receive() error {
	if err := l.dial(unix.EPOLLIN | unix.EPOLLRDHUP); err != nil {
		return err
	}
	return l.loop(func(i int, _ int64) error {
		c := &l.conns[i]
		n, e := recv(c.fd, l.buf)
		switch {
		case e == syscall.EAGAIN:
			return nil
		case e != 0:
			return fmt.Errorf("cannot receive: %w", e)
		case n == 0:
			return errClosed
		case !isPattern(l.buf[:n], c.offset):
			return fmt.Errorf("wrong bytes near offset %d", c.offset)
		}
		c.offset += n
		l.ops++
		l.bytes += int64(n)
		return nil
	}, noPause, l.turn)
}

// send counts what the proxy takes. The proxy's buffers hold some megabytes more at the end than
// has arrived at the sink, the same as they did at the beginning.
func (l *loader) send() error {
	if err := l.dial(unix.EPOLLOUT | unix.EPOLLRDHUP); err != nil {
		return err
	}
	return l.loop(func(i int, _ int64) error {
		c := &l.conns[i]
		n, e := send(c.fd, patternAt(c.offset, bulkSize))
		if e == syscall.EAGAIN {
			return nil
		}
		if e != 0 {
			return fmt.Errorf("cannot send: %w", e)
		}
		c.offset += n
		l.ops++
		l.bytes += int64(n)
		return nil
	}, noPause, l.turn)
}

// hold echoes one message on each connection, then keeps all open until stdin ends.
func (l *loader) hold() error {
	if err := l.dial(unix.EPOLLIN | unix.EPOLLRDHUP | edge); err != nil {
		return err
	}
	if err := l.eachOnce(); err != nil {
		return err
	}
	var fds []int
	for i := range l.conns {
		fds = append(fds, l.conns[i].fd)
	}
	return l.keep(fds)
}

// keep tells that all connections are up, waits until stdin ends, and finds them as they were.
func (l *loader) keep(fds []int) error {
	if _, err := io.WriteString(os.Stdout, heldLine); err != nil {
		return fmt.Errorf("cannot report: %w", err)
	}
	time.AfterFunc(holdLimit, func() { os.Exit(1) })
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return fmt.Errorf("cannot wait for the end: %w", err)
	}
	for i, fd := range fds {
		if _, e := recv(fd, l.buf); e != syscall.EAGAIN {
			return fmt.Errorf("idle connection %d did not stay open and silent (%v)", i+1, e)
		}
	}
	l.result.Ops = int64(len(fds))
	return nil
}

// eachOnce sends one message at a time, so that the proxy's buffers are those of an idle
// connection and not those of a burst.
func (l *loader) eachOnce() error {
	for i := range l.conns {
		if err := l.conns[i].send(l.now()); err != nil {
			return err
		}
		handle := func(i int, now int64) error { _, err := l.reply(i, now); return err }
		over := func(int64) (bool, error) { return !l.conns[i].waiting, nil }
		if err := l.loop(handle, noPause, over); err != nil {
			return err
		}
	}
	return nil
}
