package cli

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"gozilla/admin"
	"gozilla/internal/gwtest"
)

// stuck is what nobody reads.
type stuck struct {
	tried chan struct{} // has an element when somebody has begun to write
	over  chan struct{}
}

// newStuck is stuck until the test ends.
func newStuck(t *testing.T) *stuck {
	s := &stuck{make(chan struct{}, 1), make(chan struct{})}
	t.Cleanup(func() { close(s.over) })
	return s
}

// Write is part of io.Writer.
func (s *stuck) Write([]byte) (int, error) {
	select {
	case s.tried <- struct{}{}:
	default:
	}
	<-s.over
	return 0, io.ErrClosedPipe
}

// TestOverdue ends commands whose output nobody reads.
func TestOverdue(t *testing.T) {
	_, dir := runGateway(t)
	g, echoing := runEcho(t)
	for name, run := range map[string]func(context.Context, *Env) error{
		"logs":          func(ctx context.Context, env *Env) error { return runLogs(ctx, env, dir, logsOptions{}) },
		"logs --follow": func(ctx context.Context, env *Env) error { return runLogs(ctx, env, dir, logsOptions{follow: true}) },
		"metrics --watch": func(ctx context.Context, env *Env) error {
			return runMetrics(ctx, env, dir, metricsOptions{watch: true})
		},
		"dump":            func(ctx context.Context, env *Env) error { return runDump(ctx, env, echoing, dumpOptions{}) },
		"dump --pcapng -": func(ctx context.Context, env *Env) error { return runDump(ctx, env, echoing, dumpOptions{file: "-"}) },
		"dump --for 100ms": func(ctx context.Context, env *Env) error {
			return runDump(ctx, env, echoing, dumpOptions{Dump: admin.Dump{For: 100 * time.Millisecond}})
		},
	} {
		for _, deaf := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				env, out := newShown(false), newStuck(t)
				env.Stdout = out
				begun := make(chan struct{})
				if env.Stderr = (&awaited{Writer: env.Stderr, seen: begun}); deaf {
					env.Stderr = newStuck(t)
					begun = env.Stderr.(*stuck).tried
				}
				over := make(chan error, 1)
				go func() { over <- run(ctx, &env.Env) }()
				begins := strings.HasPrefix(name, "dump") && !strings.Contains(name, "--pcapng") // a file has a head
				if begins {
					<-begun
					c := g.Dial("north")
					gwtest.Send(t, c, "hello")
					gwtest.Receive(t, c, "hello")
				}
				if !deaf || !begins { // else it is stuck before
					<-out.tried
				}
				began := time.Now()
				if !strings.Contains(name, "--for") {
					cancel()
				}
				if err := <-over; err != errShown || time.Since(began) > 12*time.Second { // a second, if the machine has nothing else to do
					t.Errorf("after %v it ends with %v", time.Since(began), err)
				}
				if got := env.err.String(); !deaf && !strings.HasSuffix(got, "gozilla: not everything is shown, because nobody reads it\n") {
					t.Errorf("it says %q", got)
				}
			})
		}
	}
}

// TestInTime waits for what is only slow, and tells who does not look at the time.
func TestInTime(t *testing.T) {
	env := newShown(false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stopped := make(chan struct{})
	for _, show := range []func() error{
		func() error { time.Sleep(lastWrites / 10); return nil },
		func() error { <-stopped; return nil },
	} {
		if err := inTime(ctx, &env.Env, 0, func() { close(stopped) }, show); err != nil {
			t.Error(err)
		}
	}
	if env.err.Len() > 0 {
		t.Errorf("it says %s", env.err.String())
	}
}
