package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"gozilla/admin/page"
	"gozilla/config"
	"gozilla/engine"
	"gozilla/internal/systemd"
	"gozilla/stream"
	"gozilla/telemetry"
)

var startCommand = &command{
	name: "start", short: "run a gateway in the foreground",
	long: "Runs the configuration until it is told to end by SIGTERM or SIGINT. Then its ports close at once, streams " +
		"may go on for as long as --drain says, and those that are left are reset; a second signal does not wait. The " +
		"status is 0 after that, 1 if the gateway cannot start. When the configuration changes, or at SIGHUP, what differs is " +
		"exchanged while the rest goes on; a configuration with a fault changes nothing. One that is missing or empty is " +
		"waited for. SIGUSR2 writes diagnostics, if it was told where to.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		s := &starter{}
		s.declare(fs)
		return s.run
	},
	examples: []string{
		"gozilla start -c zilla.yaml",
		"gozilla start -c https://config.example/zilla.yaml --records --log-format json",
		"gozilla start --page 127.0.0.1:7180",
		"gozilla start --access-log combined --access-log-file access.log",
		"gozilla start -ve -P gozilla.limits.connections=5000 --drain 5s",
	},
}

// starter is one run of the command.
type starter struct {
	properties  propertyFlags
	config      string
	workers     int
	verbose     bool
	traces      bool
	events      bool
	diagnostics string
	drain       time.Duration
	records     bool
	access      accessOptions
	format      string
	page        string // the address of the page, "" for none
	level       slog.LevelVar

	env      *Env
	settings *settings
	started  time.Time
	host     *stream.Host
	metrics  telemetry.Metrics
	log      *slog.Logger
	engine   *engine.Engine
	follower *engine.Follower
	state    state

	notifier *systemd.Notifier

	// Those that end the process, that asks for diagnostics, and that asks to read the configuration again.
	signals, diagnoses, reloads chan os.Signal
}

// allWorkers is the number of workers that no flag has set.
const allWorkers = math.MinInt

// unsaid is the drain that no flag has set.
const unsaid time.Duration = -1

func (s *starter) declare(fs *flag.FlagSet) {
	both := func(short, long string, declare func(name string)) { declare(short); declare(long) }
	both("c", "config", func(n string) {
		fs.StringVar(&s.config, n, "", "Run the configuration at this `URI`: a path, or a file:, http: or https: address. By default zilla.yaml.")
	})
	both("v", "verbose", func(n string) { fs.BoolVar(&s.verbose, n, false, "Show what was loaded.") })
	both("w", "workers", func(n string) {
		fs.IntVar(&s.workers, n, allWorkers, "Use at most `N` processors. By default all.")
	})
	both("e", "exception-traces", func(n string) {
		fs.BoolVar(&s.traces, n, false, "Show where in the program an internal error happened.")
	})
	both("l", "logs", func(n string) { fs.BoolVar(&s.events, n, false, "Print events on standard output.") })
	s.properties.declare(fs)
	fs.StringVar(&s.diagnostics, "diagnostics-directory", "", "Write diagnostics into this `DIRECTORY` on SIGUSR2.")
	fs.DurationVar(&s.drain, "drain", unsaid, "Let streams go on for this `DURATION` after the first signal. By default 30s.")
	fs.BoolVar(&s.records, "records", false, "Write a record of every connection and every exchange to the log.")
	fs.StringVar(&s.access.format, "access-log", "", "Write a line for every HTTP exchange as `FORMAT`: common or combined, as web servers do, text or json.")
	fs.StringVar(&s.access.file, "access-log-file", "", "Write the access log to the end of this `FILE`. By default to standard output.")
	fs.StringVar(&s.page, "page", "", "Show how the gateway does on a page for browsers on this machine, at this `ADDRESS`: 127.0.0.1:PORT.")
	fs.StringVar(&s.format, "log-format", "text", "Write the log as `FORMAT`: text, or json for one object a line.")
	fs.TextVar(&s.level, "log-level", &slog.LevelVar{}, "Write what is at least of this `LEVEL`: debug, info, warn or error. By default info.")
}

func (s *starter) run(ctx context.Context, env *Env, args []string) error {
	s.env, s.started, s.notifier = env, time.Now(), systemd.NewNotifier(env.LookupEnv)
	if len(args) > 0 {
		return usagef("it takes no arguments, but -c %s", args[0])
	}
	if err := s.check(); err != nil {
		return err
	}
	s.log = slog.New(telemetry.NewHandler(env.Stderr, s.format, &s.level, s.format == "text" && env.IsTerminal(env.Stderr)))
	// From here on signals do what they are there for, also before the first port listens.
	s.signals, s.diagnoses, s.reloads = make(chan os.Signal, 2), make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(s.signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(s.signals)
	notifyDiagnose(s.diagnoses)
	defer signal.Stop(s.diagnoses)
	signal.Notify(s.reloads, syscall.SIGHUP)
	defer signal.Stop(s.reloads)
	signal.Ignore(syscall.SIGPIPE) // who reads our output may leave without us
	defer signal.Reset(syscall.SIGPIPE)
	ctx, end := context.WithCancel(ctx)
	defer end()
	go s.awaitSignal(ctx, end)

	err := s.start(ctx)
	var wrong usage
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return nil // it was to end before it had begun
	case err == nil, err == errShown, errors.As(err, &wrong), s.format == "text":
		return err
	}
	s.log.Error(err.Error())
	return errShown
}

// check tells what is wrong with the flags.
func (s *starter) check() error {
	if s.format != "text" && s.format != "json" {
		return usagef("the log format must be text or json, not %q", s.format)
	}
	if s.drain < 0 && s.drain != unsaid {
		return usagef("the drain cannot be negative")
	}
	if s.page != "" {
		if err := page.CheckAddress(s.page); err != nil {
			return usage{err}
		}
	}
	return s.access.check()
}

// awaitSignal is the goroutine that waits for the first signal. It ends with ctx, which it ends.
func (s *starter) awaitSignal(ctx context.Context, end func()) {
	select {
	case <-s.signals:
		end()
	case <-ctx.Done():
	}
}

// start reads what it is told, and runs it until ctx ends.
func (s *starter) start(ctx context.Context) error {
	if err := s.settle(); err != nil {
		return err
	}
	s.host = stream.NewHost(&s.settings.limits, telemetry.NewLog(s.log, int(s.settings.limits.Records), s.records))
	s.host.Habits = s.settings.habits
	s.host.Traces = s.traces
	closeAccess, err := s.openAccess(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer closeAccess()
	s.engine = engine.New(s.host, &s.metrics, s.log)
	s.inherit()
	over := make(chan struct{})
	defer close(over)
	go s.diagnoseOnSignal(over)
	s.follower = s.engine.Follow(engine.Origin{
		Name: s.settings.config, Env: s.env.LookupEnv, Poll: time.Duration(s.settings.poll) * time.Second,
		Options: engine.Options{System: s.systemExporters(), Authorization: s.settings.authorization},
	}, s)
	return s.serve(ctx)
}

// settle makes one of what the properties and the flags say; flags hold over properties.
func (s *starter) settle() error {
	s.settings = defaultSettings()
	if err := s.properties.apply(s.settings, func(format string, a ...any) { s.log.Warn(fmt.Sprintf(format, a...)) }); err != nil {
		return err
	}
	if s.config != "" {
		s.settings.config = s.config
	}
	if s.workers < 1 && s.workers != allWorkers {
		return usagef("the workers must be at least 1")
	}
	if s.workers > 0 {
		s.settings.workers = s.workers
	}
	if s.settings.workers > 0 {
		runtime.GOMAXPROCS(min(s.settings.workers, runtime.NumCPU())) // no more than there are
	}
	if s.drain >= 0 {
		s.settings.limits.Drain = s.drain
	}
	if s.diagnostics != "" {
		s.settings.diagnostics = s.diagnostics
	}
	s.verbose = s.verbose || s.settings.verbose
	s.events = s.events || s.settings.events
	s.settings.settle()
	return nil
}

func (s *starter) systemExporters() string {
	if s.events {
		return "events: { type: stdout }"
	}
	return ""
}

// show shows the faults of a configuration: as check does, or as lines of a log that is JSON.
func (s *starter) show(r *config.Report) {
	if s.format == "text" {
		r.Write(s.env.Stderr, s.env.IsTerminal(s.env.Stderr))
		return
	}
	for _, f := range findings(r) {
		write := s.log.Error
		if f.Level == "warning" {
			write = s.log.Warn
		}
		attrs := []any{"file", f.File, "line", f.Line, "column", f.Column}
		if f.Hint != "" {
			attrs = append(attrs, "hint", f.Hint)
		}
		if len(f.Notes) > 0 {
			attrs = append(attrs, "notes", f.Notes)
		}
		write(f.Message, attrs...)
	}
}

// serve runs the configuration until ctx ends.
func (s *starter) serve(ctx context.Context) error {
	closeAdmin, err := s.openAdmin(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer closeAdmin()
	closePage, err := s.openPage(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer closePage()
	os.Remove(s.readyFile()) // a process that was killed may have left it
	first := s.follower.Begin(ctx)
	switch {
	case first.Plan == nil:
		return first.Err
	case first.Plan.Empty() && first.Err == nil:
		s.state.empty.Store(true)
		s.log.Warn("nothing is served: the configuration is missing or empty", "config", s.settings.config)
	}
	s.show(first.Plan.Report)
	var invalid *config.Invalid
	if errors.As(first.Err, &invalid) {
		return errShown
	} else if first.Err != nil {
		return first.Err
	}
	if s.verbose {
		s.engine.Describe(s.env.Stdout)
	}
	defer s.markReady()()
	defer s.keepAlive(ctx)()
	s.notifyReady()
	go watchHeap(ctx)
	following := s.follow(ctx)
	<-ctx.Done()
	select {
	case <-following:
	case <-time.After(time.Second): // the file system may hold who reads
	}
	s.stop(ctx)
	return nil
}

// follow keeps up with the configuration until ctx ends; the channel is closed then.
func (s *starter) follow(ctx context.Context) <-chan struct{} {
	var wg sync.WaitGroup
	if s.settings.watch {
		wg.Go(func() { s.follower.Run(ctx) })
	}
	wg.Go(func() {
		for {
			select {
			case <-s.reloads:
				s.follower.Reload(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	return done
}

// Trying is part of engine.Teller.
func (s *starter) Trying() { s.notify(s.notifier.Reloading()) }

// Tried is part of engine.Teller. An event has told already what has come of it.
func (s *starter) Tried(o *engine.Outcome) {
	s.notifyReady()
	if o.Plan != nil {
		s.show(o.Plan.Report)
	}
	if o.Err != nil {
		return
	}
	s.state.empty.Store(o.Plan.Empty())
	if o.Change.Nothing() {
		s.log.Info("the configuration was read again, nothing has changed")
	}
	if s.verbose {
		s.engine.Describe(s.env.Stdout)
	}
}

// markReady makes the file that tells that the gateway serves, and gives what removes it.
func (s *starter) markReady() (undo func()) {
	s.state.ready.Store(true)
	name := s.readyFile()
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		s.log.Warn("cannot make the file that tells readiness: " + err.Error())
		return func() {}
	}
	return func() { os.Remove(name) }
}

// readyFile is the file that is there while the gateway serves.
func (s *starter) readyFile() string { return filepath.Join(s.settings.directory, "ready") }

// stop drains the engine. A second signal ends the patience.
func (s *starter) stop(ctx context.Context) {
	s.state.ready.Store(false)
	s.state.draining.Store(true)
	os.Remove(s.readyFile())
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.settings.limits.Drain)
	defer cancel()
	go func() { // ends with ctx
		select {
		case <-s.signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	open := s.host.Open()
	s.notifyStopping(open)
	if open > 0 {
		s.log.Info("waiting for streams to end", "streams", open, "drain", s.settings.limits.Drain)
	}
	s.engine.Stop(ctx)
}
