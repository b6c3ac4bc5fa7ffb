package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gozilla/config"
	"gozilla/stream"
)

// settings are what the process is told besides its configuration.
type settings struct {
	config        string // a path or an address
	directory     string // for what the process keeps while it runs
	workers       int    // 0: one a processor
	capacity      int    // connections a worker; 0: not said
	unbounded     bool   // as many connections as there are descriptors
	verbose       bool
	events        bool // print events on stdout
	diagnostics   string
	authorization string // for a configuration by http
	watch         bool   // follow the configuration
	poll          int    // seconds between two looks at a server that does not wait
	limits        stream.Limits
	habits        stream.Habits
	limitTexts    map[string]string // what was said of them
}

// A property is a setting by name, as -P and a properties file give it.
type property struct {
	name string
	doc  string
	set  func(s *settings, value string) error
}

// properties are those that do something. Further ones of zilla are taken and do nothing: see inert.
var properties = []property{
	{"zilla.engine.config.url", "The configuration: a path, or a file:, http: or https: address.", text(func(s *settings) *string { return &s.config })},
	{"zilla.engine.config.uri", "Another name of zilla.engine.config.url.", text(func(s *settings) *string { return &s.config })},
	{"zilla.engine.config.watch", "Whether to follow the configuration when it changes. SIGHUP and gozilla reload do, whatever this says.", yes(func(s *settings) *bool { return &s.watch })},
	{"zilla.engine.config.poll.interval.seconds", "The seconds after which an HTTP server is asked again for the configuration that does not wait until it has changed.", number(func(s *settings) *int { return &s.poll })},
	{"zilla.engine.directory", "The directory for what the process keeps while it runs: its admin socket and the file `ready`.", text(func(s *settings) *string { return &s.directory })},
	{"zilla.engine.workers", "The processors that are used at most.", number(func(s *settings) *int { return &s.workers })},
	{"zilla.engine.worker.capacity", "The connections that may be open for each worker.", number(func(s *settings) *int { return &s.capacity })},
	{"zilla.engine.worker.capacity.limit", "Another name of zilla.engine.worker.capacity.", number(func(s *settings) *int { return &s.capacity })},
	{"zilla.engine.worker.capacity.unbounded", "Whether as many connections may be open as there are descriptors.", yes(func(s *settings) *bool { return &s.unbounded })},
	{"zilla.engine.verbose", "Whether to show what was loaded.", yes(func(s *settings) *bool { return &s.verbose })},
	{"zilla.engine.verbose.events", "Whether to print events.", yes(func(s *settings) *bool { return &s.events })},
	{"zilla.engine.diagnostics.directory", "The directory for what SIGUSR2 asks for.", text(func(s *settings) *string { return &s.diagnostics })},
	{"zilla.binding.tls.handshake.timeout", "The seconds that a TLS handshake may take, on either side; see gozilla.limits.handshake.",
		func(s *settings, value string) error { return s.setLimit("handshake", value+"s") }},
	{"zilla.binding.http.maximum.connections", "The connections that an HTTP client may have to one server; see gozilla.limits.pool.",
		func(s *settings, value string) error { return s.setLimit("pool", value) }},
	{"zilla.binding.http.concurrent.streams", "The streams that may go on at a time on one connection of HTTP/2; see gozilla.limits.streams.",
		func(s *settings, value string) error { return s.setLimit("streams", value) }},
	{"zilla.binding.sse.initial.comment.enabled", "Whether a stream of events that an sse server sends begins with a comment.", yes(func(s *settings) *bool { return &s.habits.Comment })},
	{"zilla.binding.sse.maximum.idle.time", "The seconds after which an sse server sends a comment if there are no events, or a time such as 500ms; 0 is never.", (*settings).setQuiet},
	{"zilla.binding.sse.challenge.event.type", "The type of the event by which an sse server asks a client for new credentials; challenge if it is not set.", text(func(s *settings) *string { return &s.habits.Challenge })},
	{"zilla.filesystem.http.authorization", "The Authorization header with which a configuration is fetched by http or https.", text(func(s *settings) *string { return &s.authorization })},
}

// limitPrefix begins the properties that set one of the limits.
const limitPrefix = "gozilla.limits."

// inert begins the properties that zilla has, and that mean nothing here unless they are listed above: there are no
// buffers, slots or idle strategies to be sized.
const inert = "zilla."

func text(field func(*settings) *string) func(*settings, string) error {
	return func(s *settings, value string) error {
		*field(s) = value
		return nil
	}
}

func number(field func(*settings) *int) func(*settings, string) error {
	return func(s *settings, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return fmt.Errorf("must be a number of at least 1, not %q", value)
		}
		*field(s) = n
		return nil
	}
}

func yes(field func(*settings) *bool) func(*settings, string) error {
	return func(s *settings, value string) error {
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("must be true or false, not %q", value)
		}
		*field(s) = b
		return nil
	}
}

func defaultSettings() *settings {
	s := &settings{config: "zilla.yaml", directory: filepath.Join(".zilla", "engine"), limitTexts: map[string]string{}, watch: true, poll: 60}
	s.limits.Defaults()
	return s
}

// set sets one property. inert tells that it is one of zilla's that does nothing here.
func (s *settings) set(name, value string) (inertly bool, err error) {
	if name == "" {
		return false, errors.New("a property needs a name")
	}
	if key, ok := strings.CutPrefix(name, limitPrefix); ok && isLimit(key) {
		return false, s.setLimit(key, value)
	}
	for _, p := range properties {
		if p.name == name {
			if err := p.set(s, value); err != nil {
				return false, fmt.Errorf("the property %s %w", name, err)
			}
			return false, nil
		}
	}
	if _, like := config.Like(name, propertyNames()); strings.HasPrefix(name, inert) && !like {
		return true, nil
	}
	return false, fmt.Errorf("there is no property %s%s", name, didYouMean(name, propertyNames()))
}

// setQuiet sets the time in which a stream of events has at least a comment.
func (s *settings) setQuiet(value string) error {
	if _, err := strconv.Atoi(value); err == nil {
		value += "s"
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return fmt.Errorf("must be a number of seconds or a time such as 500ms, not %q", value)
	}
	s.habits.Quiet = d
	return nil
}

func isLimit(key string) bool {
	return slices.ContainsFunc(config.ShapeOf[stream.Limits]().Fields, func(f *config.Shape) bool { return f.Key == key })
}

// setLimit sets one of the limits, as the same key would be set in a file.
func (s *settings) setLimit(key, value string) error {
	s.limitTexts[key] = value
	var text strings.Builder
	for _, k := range slices.Sorted(maps.Keys(s.limitTexts)) {
		fmt.Fprintf(&text, "%s: %s\n", k, s.limitTexts[k])
	}
	r := &config.Report{}
	if docs := config.Parse(r, config.Source{Name: "properties", Text: []byte(text.String())}); len(docs) == 1 {
		s.limits = *config.Decode[stream.Limits](r, docs[0], "the limits")
	}
	for _, f := range r.Faults() {
		if !f.Warning {
			return fmt.Errorf("the property %s%s: %s", limitPrefix, key, f.Text)
		}
	}
	return nil
}

func propertyNames() []string {
	var all []string
	for _, p := range properties {
		all = append(all, p.name)
	}
	for _, f := range config.ShapeOf[stream.Limits]().Fields {
		all = append(all, limitPrefix+f.Key)
	}
	return all
}

// propertyFlags are -P and -p, which several commands have.
type propertyFlags struct {
	given []string
	file  string
}

func (p *propertyFlags) declare(fs *flag.FlagSet) {
	const one = "Set a `NAME[=VALUE]` of the properties, see gozilla docs properties; may be repeated. Without a value it is true."
	add := func(value string) error {
		p.given = append(p.given, value)
		return nil
	}
	fs.Func("P", one, add)
	fs.Func("property", one, add)
	const file = "Read properties from a `FILE`, a NAME=VALUE a line. By default zilla.properties in .zilla, if it is there. What -P says holds over it."
	fs.StringVar(&p.file, "p", "", file)
	fs.StringVar(&p.file, "properties", "", file)
}

// apply sets what the file and the flags say, in this order, and tells warn what does nothing.
func (p *propertyFlags) apply(s *settings, warn func(format string, a ...any)) error {
	lines, err := p.fileLines()
	if err != nil {
		return err
	}
	for _, line := range append(lines, p.given...) {
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			value = "true"
		}
		inertly, err := s.set(strings.TrimSpace(name), strings.TrimSpace(value))
		if err != nil {
			return usage{err}
		}
		if inertly {
			warn("the property %s has no effect here", name)
		}
	}
	return nil
}

// fileLines are the lines of the properties file that say something.
func (p *propertyFlags) fileLines() ([]string, error) {
	name := cmp.Or(p.file, filepath.Join(".zilla", "zilla.properties"))
	b, err := os.ReadFile(name)
	if p.file == "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR)) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the properties: %w", err)
	}
	var lines []string
	scan := bufio.NewScanner(bytes.NewReader(b))
	for scan.Scan() {
		if line := strings.TrimSpace(scan.Text()); line != "" && !strings.ContainsRune("#!", rune(line[0])) {
			lines = append(lines, line)
		}
	}
	return lines, scan.Err()
}

const (
	// spareDescriptors are kept for what is not a connection: logs, sockets, pipes of relays that splice.
	spareDescriptors = 128
	// defaultConnections is for systems that do not tell their limit.
	defaultConnections = 10_000
)

// settle completes the settings with what follows from others.
func (s *settings) settle() {
	workers := min(cmp.Or(s.workers, runtime.GOMAXPROCS(0)), 1<<16)
	room := defaultConnections
	if files := openFiles(); files > 0 {
		room = max(files-spareDescriptors, files/2)
	}
	switch {
	case s.limits.Connections > 0:
	case s.capacity > 0 && !s.unbounded:
		_, most := s.limits.Connections.Bounds()
		s.limits.Connections = stream.Count(min(s.capacity, int(most)/workers) * workers)
	default:
		s.limits.Connections = stream.Count(room)
	}
}

// directoryOf is the directory that the properties name, for commands that ask a gateway that is running.
func directoryOf(p *propertyFlags) (string, error) {
	s := defaultSettings()
	err := p.apply(s, func(string, ...any) {})
	return s.directory, err
}

func sortedProperties() []property {
	return slices.SortedFunc(slices.Values(properties), func(a, b property) int { return cmp.Compare(a.name, b.name) })
}
