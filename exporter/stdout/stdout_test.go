package stdout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/component"
	"gozilla/exporter"
	"gozilla/stream"
	"gozilla/telemetry"
)

// capture puts a writer in the place of standard output for the time of a test.
func capture(t *testing.T, w io.Writer) {
	before := output
	output = w
	t.Cleanup(func() { output = before })
}

// lines collects what is printed.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start makes an exporter as the engine does. stop ends its tasks and waits for them.
func start(t *testing.T, host *stream.Host, log io.Writer) (stop func() error) {
	t.Helper()
	kind, ok := exporter.Registry.Get("stdout")
	if !ok {
		t.Fatal("the type is not registered")
	}
	_ = kind.Variants()
	b := &component.Builder{
		Node: &stream.Node{Namespace: "default", Name: "out"}, Host: host,
		Log: slog.New(slog.NewTextHandler(log, nil)),
	}
	if err := newExporter(b, &Config{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	host.Log.Handle(b.Handlers()[0]) // never undone: whoever has left must not print
	done := make(chan error, 1)
	go func() { done <- b.Tasks()[0].Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

func newHost() *stream.Host {
	return stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 8, false))
}

func event(n int) *telemetry.Event {
	return &telemetry.Event{
		Time:      time.Date(2026, 8, 1, 14, 5, 6, 0, time.UTC),
		Namespace: "default", Name: "south", ID: "binding.tcp.dns.failed", Message: fmt.Sprint("no ", n), Scope: 42,
	}
}

const line = "default:south [01/Aug/2026:14:05:06 +0000] [000000000000002a] BINDING_TCP_DNS_FAILED no %d\n"

func TestPrintsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		capture(t, &out)
		host := newHost()
		stop := start(t, host, io.Discard)
		host.Log.Event(event(1))
		synctest.Wait()
		if want := fmt.Sprintf(line, 1); out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
		host.Log.Event(event(2)) // just before the end
		if err := stop(); err != nil {
			t.Error(err)
		}
		if want := fmt.Sprintf(line+line, 1, 2); out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	})
}

func TestPrintsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		capture(t, &out)
		host, other := newHost(), newHost()
		stopFirst, stopSecond, stopOther := start(t, host, io.Discard), start(t, host, io.Discard), start(t, other, io.Discard)
		host.Log.Event(event(1))
		synctest.Wait()
		if err := stopFirst(); err != nil {
			t.Error(err)
		}
		host.Log.Event(event(2)) // now the second one's turn
		synctest.Wait()
		other.Log.Event(event(3)) // another gateway in the same process
		synctest.Wait()
		if want := fmt.Sprintf(line+line+line, 1, 2, 3); out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
		if err := errors.Join(stopSecond(), stopOther()); err != nil {
			t.Error(err)
		}
	})
}

// A blocked writer is standard output that nobody reads.
type blocked struct {
	release chan struct{}
	lines
}

func (b *blocked) Write(text []byte) (int, error) {
	<-b.release
	return b.lines.Write(text)
}

func TestDoesNotWaitForItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &blocked{release: make(chan struct{})}
		capture(t, out)
		var log lines
		host := newHost()
		stop := start(t, host, &log)
		host.Log.Event(event(0)) // is being written
		synctest.Wait()
		for n := range waiting + 10 {
			host.Log.Event(event(n))
		}
		close(out.release)
		synctest.Wait()
		if got := strings.Count(out.String(), "\n"); got != waiting+1 {
			t.Errorf("%d lines, want %d", got, waiting+1)
		}
		if !strings.Contains(log.String(), "events=10") {
			t.Errorf("nothing is said of what was dropped: %q", log.String())
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestEndsThoughNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &blocked{release: make(chan struct{})}
		capture(t, out)
		host := newHost()
		stop := start(t, host, io.Discard)
		host.Log.Event(event(0))
		began := time.Now()
		if err := stop(); err != nil || time.Since(began) != flushTime {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		close(out.release)
	})
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestTellsThatItCannotPrint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		capture(t, broken{})
		host := newHost()
		stop := start(t, host, io.Discard)
		host.Log.Event(event(0))
		synctest.Wait()
		if err := stop(); err == nil || err.Error() != "cannot print an event: no space left" {
			t.Errorf("got %v", err)
		}
	})
}
