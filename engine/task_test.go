package engine

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/component"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/telemetry"
)

// newInstance is an instance that has tasks, or a listener, by itself.
func newInstance(t *testing.T) (*Engine, *instance) {
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 100, false))
	e := New(host, &telemetry.Metrics{}, slog.New(slog.DiscardHandler))
	node := &stream.Node{Namespace: "test", Name: "north", Type: "test", Kind: "server"}
	in := e.instance(&config.Report{}, node, &config.Node{}, "")
	in.begin(stream.WithHost(t.Context(), host))
	return e, in
}

// messages are those of the events so far.
func messages(e *Engine) (all []string) {
	entries, _, _ := e.host.Log.Since(0)
	for _, entry := range entries {
		all = append(all, entry.Event.ID+": "+entry.Event.Message)
	}
	return all
}

// TestTasksAreRestartedLaterEachTime wants a task that fails at once to be started again after a time that doubles, give
// or take a half, up to half a minute; and soon again once it has run for longer than that.
func TestTasksAreRestartedLaterEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in := newInstance(t)
		runs := make(chan time.Time)
		var long atomic.Bool
		in.builder.Go("work", func(ctx context.Context) error {
			runs <- time.Now()
			if long.Swap(false) {
				time.Sleep(time.Minute)
			}
			return errors.New("broken")
		})
		in.run(e)
		last := <-runs
		for wait := restartAfter; wait < 2*restartAtLatest; wait *= 2 {
			most := min(wait, restartAtLatest)
			now := <-runs
			if d := now.Sub(last); d < most/2 || d > most {
				t.Errorf("started again after %v, not up to %v", d, most)
			}
			last = now
		}
		long.Store(true)
		last = <-runs
		if d := (<-runs).Sub(last); d < time.Minute+restartAfter/2 || d > time.Minute+restartAfter {
			t.Errorf("what had run for a minute was started again after %v", d)
		}
		in.close()
	})
}

// TestTasksEnd wants close to wait for a task, and a task that ends with its instance to be no event.
func TestTasksEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in := newInstance(t)
		var ended atomic.Bool
		in.builder.Go("work", func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended.Store(true)
			return ctx.Err()
		})
		in.run(e)
		synctest.Wait()
		in.close()
		in.close() // does nothing
		if !ended.Load() || len(messages(e)) != 0 {
			t.Errorf("ended: %v, events: %q", ended.Load(), messages(e))
		}
	})
}

// TestTasksEndWhileTheyWait wants close not to wait for the next start.
func TestTasksEndWhileTheyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in := newInstance(t)
		in.builder.Go("work", func(context.Context) error { return nil })
		in.builder.Go("panic", func(context.Context) error { panic("the test says so") })
		in.run(e)
		synctest.Wait()
		began := time.Now()
		in.close()
		if took := time.Since(began); took != 0 {
			t.Errorf("close took %v", took)
		}
		said := strings.Join(messages(e), "\n")
		for _, want := range []string{
			"engine.task.failed: The task work has ended and starts again in ",
			"engine.task.failed: The task panic has ended (internal error: the test says so) and starts again in ",
		} {
			if !strings.Contains(said, want) {
				t.Errorf("the events are\n%s", said)
			}
		}
	})
}

// TestAStreamThatDoesNotEnd is waited for a little after it was cut off, and then told of.
func TestAStreamThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in := newInstance(t)
		var said strings.Builder
		e.log = slog.New(slog.NewTextHandler(&said, nil))
		s := e.host.Arrive(in.ctx, in.node)
		asked := false
		s.OnLeave(func() { asked = true })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		e.Stop(ctx)
		if took := time.Since(began); took != time.Minute+cutWithin || !asked {
			t.Errorf("stopped after %v, asked to leave: %v", took, asked)
		}
		if !errors.Is(s.Err(), stream.ErrDrained) || !strings.Contains(said.String(), "streams=1") {
			t.Errorf("the stream has %v, and the log %s", s.Err(), said.String())
		}
		s.End(s.Err())
		in.close()
	})
}

// TestHandlersAreTakenBack wants an exporter that has left not to be told of events.
func TestHandlersAreTakenBack(t *testing.T) {
	e, in := newInstance(t)
	told := 0
	in.builder.OnEvent(func(*telemetry.Event) { told++ })
	in.run(e)
	e.event("test.said", "Something.")
	in.close()
	e.event("test.said", "Something.")
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// TestCapacityIsToldOnceASecond, with how many there were.
func TestCapacityIsToldOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in := newInstance(t)
		l := &listener{}
		l.owner.Store(&owner{in: in})
		for range 25 { // one every 100 ms
			l.tell(e.host, 3)
			time.Sleep(100 * time.Millisecond)
		}
		got := strings.Join(messages(e), "\n")
		want := strings.Join([]string{
			"engine.capacity.reached: Closed 1 connections at once: 3 are open, as many as may be.",
			"engine.capacity.reached: Closed 10 connections at once: 3 are open, as many as may be.",
			"engine.capacity.reached: Closed 10 connections at once: 3 are open, as many as may be.",
		}, "\n")
		if got != want {
			t.Errorf("the events are\n%s", got)
		}
		in.close()
	})
}

// TestAcceptPauses longer after each failure, up to a second, and not when the instance leaves.
func TestAcceptPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in := newInstance(t)
		l, err := e.open(t.Context(), component.Listener{Host: "127.0.0.1"}, false)
		if err != nil {
			t.Fatal(err)
		}
		l.closed = make(chan struct{})
		l.owner.Store(&owner{in: in})
		var wait time.Duration
		for _, want := range []time.Duration{5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000} {
			began := time.Now()
			wait = l.pause(syscall.EMFILE, wait)
			if took := time.Since(began); took != want*time.Millisecond || wait != took {
				t.Errorf("paused for %v, not %v", took, want*time.Millisecond)
			}
		}
		if got := messages(e)[9]; !strings.Contains(got, "engine.accept.failed: Cannot accept connections on ") ||
			!strings.Contains(got, ": too many open files. Next try in 1s.") {
			t.Errorf("the event is %s", got)
		}
		closeListeners([]*listener{l})
		began := time.Now()
		if l.pause(syscall.EMFILE, wait); time.Since(began) != 0 {
			t.Errorf("paused for %v", time.Since(began))
		}
	})
}

// TestReasons are an error of the system in plain words, its place, and what may help.
func TestReasons(t *testing.T) {
	_, in := newInstance(t)
	in.source = &config.Node{Kind: config.Mapping, Pos: config.Pos{File: "f", Line: 1, Column: 1}}
	f := func(err error, port uint16, why, hint string) {
		t.Helper()
		at, got := blame(in.source, component.Listener{Host: "127.0.0.1", Port: port}, err)
		if reason(err) != why || !strings.HasPrefix(got, hint) || (hint == "") != (got == "") || at != in.source.Pos {
			t.Errorf("%v: %q, %q at %v", err, reason(err), got, at)
		}
	}
	listen := func(err syscall.Errno) error {
		return &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", err)}
	}
	f(listen(syscall.EADDRINUSE), 80, "the port is in use", "")
	f(listen(syscall.EACCES), 80, "not permitted", "give the binary the capability")
	f(listen(syscall.EACCES), 8080, "not permitted", "")
	f(listen(syscall.EADDRNOTAVAIL), 80, "this machine has no such address", "0.0.0.0 is every IPv4 address")
	f(listen(syscall.EMFILE), 80, "too many open files", "")
	f(&net.DNSError{Name: "north", Err: "no such host"}, 80, "cannot resolve north: no such host", "")
	f(errors.New("something else"), 80, "something else", "")
	in.close()
}

// TestATaskThatDoesNotEnd is left behind, as one that waits for a file system that is gone.
func TestATaskThatDoesNotEnd(t *testing.T) {
	e, in := newInstance(t)
	held, begun := make(chan struct{}), make(chan struct{})
	in.builder.Go("stuck", func(context.Context) error {
		close(begun)
		<-held
		return nil
	})
	in.run(e)
	<-begun
	began := time.Now()
	in.close()
	if took := time.Since(began); took < cutWithin || took > 10*cutWithin {
		t.Errorf("the instance was closed after %v", took)
	}
	close(held)
	in.tasks.Wait()
}
