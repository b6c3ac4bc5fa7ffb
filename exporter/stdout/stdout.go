package stdout

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gozilla/component"
	"gozilla/exporter"
	"gozilla/stream"
	"gozilla/telemetry"
)

// Config is a stdout exporter in a file. It has no options.
type Config struct {
	exporter.Head
}

func init() { exporter.Register("stdout", newExporter) }

// output is where the lines of exporters go that are made from now on; tests put another one here.
var output io.Writer = os.Stdout

// printing has the exporter that prints, by host. Zilla prints each event once, however many of its exporters are of
// this type; here the first that is told of an event prints for all, until it leaves.
var printing struct {
	sync.Mutex
	by map[*stream.Host]*printer
}

const (
	waiting   = 1024        // events that may wait to be printed
	flushTime = time.Second // for those that still wait at the end
)

// A printer prints events in its own time, so that who emits one does not wait for who reads standard output.
type printer struct {
	host    *stream.Host
	out     io.Writer
	warn    func(dropped int64)
	queue   chan *telemetry.Event
	dropped atomic.Int64 // events that found no room
	left    bool         // it prints no longer; printing's lock guards it
}

func newExporter(b *component.Builder, _ *Config) error {
	p := &printer{host: b.Host, out: output, queue: make(chan *telemetry.Event, waiting)}
	p.warn = func(dropped int64) {
		b.Log.Warn("events were not printed because standard output is not read fast enough", "events", dropped)
	}
	b.OnEvent(p.take)
	b.Go("print events", p.run)
	return nil
}

// take queues an event, if it is this printer that prints.
func (p *printer) take(e *telemetry.Event) {
	if !p.prints() {
		return
	}
	select {
	case p.queue <- e:
	default:
		p.dropped.Add(1)
	}
}

// prints reports whether p is the one that prints; it is if nobody else does.
func (p *printer) prints() bool {
	printing.Lock()
	defer printing.Unlock()
	if p.left {
		return false
	}
	if printing.by == nil {
		printing.by = map[*stream.Host]*printer{}
	}
	if printing.by[p.host] == nil {
		printing.by[p.host] = p
	}
	return printing.by[p.host] == p
}

// leave lets another one print from now on.
func (p *printer) leave() {
	printing.Lock()
	defer printing.Unlock()
	p.left = true
	if printing.by[p.host] == p {
		delete(printing.by, p.host)
	}
}

// run prints until ctx ends, and then, for a while, what still waits.
func (p *printer) run(ctx context.Context) error {
	left, printed := make(chan struct{}), make(chan error, 1)
	go p.print(left, printed)
	select {
	case err := <-printed:
		return err
	case <-ctx.Done():
	}
	p.leave()
	close(left)
	late := time.NewTimer(flushTime)
	defer late.Stop()
	select {
	case err := <-printed:
		return err
	case <-late.C:
		return nil
	}
}

// print ends when left is closed, once nothing waits any longer. A write that nobody takes cannot be cancelled: then it
// stays behind, and ends with the process.
func (p *printer) print(left <-chan struct{}, printed chan<- error) {
	for {
		select {
		case e := <-p.queue:
			if err := p.line(e); err != nil {
				printed <- err
				return
			}
		case <-left:
			printed <- p.rest()
			return
		}
	}
}

// rest prints what waits already.
func (p *printer) rest() error {
	for {
		select {
		case e := <-p.queue:
			if err := p.line(e); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (p *printer) line(e *telemetry.Event) error {
	if dropped := p.dropped.Swap(0); dropped > 0 {
		p.warn(dropped)
	}
	if _, err := fmt.Fprintln(p.out, e.UpperText()); err != nil {
		return fmt.Errorf("cannot print an event: %w", err)
	}
	return nil
}
