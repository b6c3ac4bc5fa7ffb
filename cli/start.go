package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"gozilla/admin"
	"gozilla/config"
	"gozilla/engine"
	"gozilla/internal/fetch"
	"gozilla/stream"
	"gozilla/telemetry"
)

var startCommand = &command{
	name: "start", short: "run a gateway in the foreground",
	long: "Runs the configuration until it is told to end by SIGTERM or SIGINT. Then its ports close at once, streams " +
		"may go on for as long as --drain says, and those that are left are reset; a second signal does not wait. The " +
		"status is 0 after that, 1 if the gateway cannot start. SIGUSR2 writes diagnostics, if it was told where to.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		s := &starter{}
		s.declare(fs)
		return s.run
	},
	examples: []string{
		"gozilla start -c zilla.yaml",
		"gozilla start -c https://config.example/zilla.yaml --records --log-format json",
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
	format      string
	level       slog.LevelVar

	env      *Env
	settings *settings
	started  time.Time
	host     *stream.Host
	metrics  telemetry.Metrics
	log      *slog.Logger
	engine   *engine.Engine
	signals  chan os.Signal
	state    state
}

func (s *starter) declare(fs *flag.FlagSet) {
	both := func(short, long string, declare func(name string)) { declare(short); declare(long) }
	both("c", "config", func(n string) {
		fs.StringVar(&s.config, n, "", "Run the configuration at this `URI`: a path, or a file:, http: or https: address. By default zilla.yaml.")
	})
	both("v", "verbose", func(n string) { fs.BoolVar(&s.verbose, n, false, "Show what was loaded.") })
	both("w", "workers", func(n string) {
		fs.IntVar(&s.workers, n, 0, "Use at most `N` processors. By default all.")
	})
	both("e", "exception-traces", func(n string) {
		fs.BoolVar(&s.traces, n, false, "Show where in the program an internal error happened.")
	})
	both("l", "logs", func(n string) { fs.BoolVar(&s.events, n, false, "Print events on standard output.") })
	s.properties.declare(fs)
	fs.StringVar(&s.diagnostics, "diagnostics-directory", "", "Write diagnostics into this `DIRECTORY` on SIGUSR2.")
	fs.DurationVar(&s.drain, "drain", -1, "Let streams go on for this `DURATION` after the first signal. By default 30s.")
	fs.BoolVar(&s.records, "records", false, "Write a record of every connection to the log.")
	fs.StringVar(&s.format, "log-format", "text", "Write the log as `FORMAT`: text, or json for one object a line.")
	fs.TextVar(&s.level, "log-level", &slog.LevelVar{}, "Write what is at least of this `LEVEL`: debug, info, warn or error. By default info.")
}

func (s *starter) run(ctx context.Context, env *Env, args []string) error {
	s.env, s.started = env, time.Now()
	if len(args) > 0 {
		return usagef("it takes no arguments, but -c %s", args[0])
	}
	if s.format != "text" && s.format != "json" {
		return usagef("the log format must be text or json, not %q", s.format)
	}
	s.log = slog.New(telemetry.NewHandler(env.Stderr, s.format, &s.level, s.format == "text" && env.IsTerminal(env.Stderr)))
	if err := s.settle(); err != nil {
		return err
	}
	// From here on a signal ends the process in order, also before the first port listens.
	s.signals = make(chan os.Signal, 2)
	signal.Notify(s.signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(s.signals)

	plan, err := load(ctx, env, s.settings, engine.Options{System: s.systemExporters()})
	if err != nil {
		return err
	}
	s.host = stream.NewHost(&s.settings.limits, telemetry.NewLog(s.log, int(s.settings.limits.Records), s.records))
	s.host.Traces = s.traces
	s.engine = engine.New(s.host, &s.metrics, s.log)
	return s.serve(ctx, plan)
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
	if s.workers < 0 {
		return usagef("the workers must be at least 1")
	}
	if s.workers > 0 {
		s.settings.workers = s.workers
	}
	if s.settings.workers > 0 {
		runtime.GOMAXPROCS(s.settings.workers)
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

// load reads and checks the configuration, and shows its faults. Nothing at all is a configuration that serves nothing.
func load(ctx context.Context, env *Env, s *settings, o engine.Options) (*engine.Plan, error) {
	text, err := fetch.Read(ctx, s.config, fetch.Options{Max: config.MaxText, Authorization: s.authorization})
	if err != nil {
		return nil, err
	}
	plan := engine.Load(config.Source{Name: s.config, Text: text, Env: env.LookupEnv}, o)
	plan.Report.Write(env.Stderr, env.IsTerminal(env.Stderr))
	if plan.Report.Err() != nil {
		return nil, errShown
	}
	return plan, nil
}

// serve runs the plan until a signal comes.
func (s *starter) serve(ctx context.Context, plan *engine.Plan) error {
	if plan.Empty() {
		s.log.Warn("nothing is served: the configuration is missing or empty", "config", s.settings.config)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	closeAdmin, err := s.openAdmin(ctx)
	if err != nil {
		return err
	}
	defer closeAdmin()
	if err := s.engine.Start(ctx, plan); err != nil {
		plan.Report.Write(s.env.Stderr, s.env.IsTerminal(s.env.Stderr))
		return errShown
	}
	if s.verbose {
		s.engine.Describe(s.env.Stdout)
	}
	defer s.markReady()()
	s.awaitSignal(ctx)
	s.stop(ctx)
	return nil
}

// openAdmin answers gozilla stop, logs and metrics in the directory of the process. Where that cannot be, the gateway
// runs all the same.
func (s *starter) openAdmin(ctx context.Context) (closing func(), err error) {
	l, err := admin.Listen(s.settings.directory)
	var alive *admin.Alive
	switch {
	case errors.As(err, &alive):
		return nil, err
	case err != nil:
		s.log.Warn("gozilla logs, metrics and stop will not find this process: " + err.Error())
		return func() {}, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go s.serveAdmin(ctx, l, done)
	return func() { cancel(); <-done }, nil
}

// serveAdmin is the goroutine of the admin socket. It ends with ctx.
func (s *starter) serveAdmin(ctx context.Context, l net.Listener, done chan struct{}) {
	defer close(done)
	if err := admin.Serve(ctx, l, admin.Handler(s)); err != nil {
		s.log.Error(err.Error())
	}
}

// markReady makes the file that tells that the gateway serves, and gives what removes it.
func (s *starter) markReady() (undo func()) {
	s.state.ready.Store(true)
	name := filepath.Join(s.settings.directory, "ready")
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		s.log.Warn("cannot make the file that tells readiness: " + err.Error())
		return func() {}
	}
	return func() { os.Remove(name) }
}

// awaitSignal returns when the process is to end.
func (s *starter) awaitSignal(ctx context.Context) {
	diagnose := make(chan os.Signal, 1)
	notifyDiagnose(diagnose)
	defer signal.Stop(diagnose)
	for {
		select {
		case <-s.signals:
			return
		case <-ctx.Done():
			return
		case <-diagnose:
			s.diagnose()
		}
	}
}

// stop drains the engine. A second signal ends the patience.
func (s *starter) stop(ctx context.Context) {
	s.state.ready.Store(false)
	s.state.draining.Store(true)
	os.Remove(filepath.Join(s.settings.directory, "ready"))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.settings.limits.Drain)
	defer cancel()
	go func() { // ends with ctx
		select {
		case <-s.signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	if open := s.host.Open(); open > 0 {
		s.log.Info("waiting for streams to end", "streams", open, "at most", s.settings.limits.Drain)
	}
	s.engine.Stop(ctx)
}
