package filesystem

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gozilla/component"
	"gozilla/config"
	"gozilla/internal/certs"
	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/telemetry"
	"gozilla/vault"
)

func TestMain(m *testing.M) { leak.Main(m) }

const password = "changeit"

// must fails a test that cannot make what it needs.
func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// A folder is where a test has its files.
type folder struct {
	t    *testing.T
	path string
}

func newFolder(t *testing.T) folder { return folder{t, t.TempDir()} }

func (f folder) name(name string) string { return filepath.Join(f.path, filepath.FromSlash(name)) }

func (f folder) write(name string, content []byte) {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Dir(f.name(name)), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(f.name(name), content, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// pem writes PEM blocks one after the other.
func (f folder) pem(name string, blocks ...[]byte) { f.write(name, slices.Concat(blocks...)) }

// p12 writes a store of entries.
func (f folder) p12(name string, entries ...certs.Entry) {
	f.t.Helper()
	f.write(name, must(certs.PKCS12(password, entries...)))
}

// strict is what a file is written with that zilla is to understand.
type strict bool

// load reads the options of a vault as the engine does. The faults are without the name of the file.
func (f folder) load(options string, how ...strict) (c *Config, l *loaded, faults string) {
	f.t.Helper()
	r := &config.Report{Strict: len(how) > 0}
	text := "type: filesystem\noptions:\n  " + strings.ReplaceAll(strings.TrimSpace(options), "\n", "\n  ") + "\n"
	docs := config.Parse(r, config.Source{Name: "f", Text: []byte(text), Env: func(name string) (string, bool) { return password, name == "PASS" }})
	c = config.Decode[Config](r, docs[0], "a filesystem vault")
	if r.Err() == nil {
		l = load(&component.Loader{
			Report: r,
			Read: func(name string) ([]byte, error) {
				b, err := os.ReadFile(f.name(name))
				if err != nil {
					err = fmt.Errorf("cannot read %s: it is not there", name)
				}
				return b, err
			},
			Path: f.name,
		}, c)
	}
	var lines []string
	for _, fault := range r.Faults() {
		line := strings.TrimPrefix(fault.String(), "f:")
		if fault.Hint != "" {
			line += " [" + fault.Hint + "]"
		}
		lines = append(lines, line)
	}
	return c, l, strings.Join(lines, "\n")
}

// holds loads what must be without faults but warnings, and gives what it holds.
func (f folder) holds(options string) *vault.Contents {
	f.t.Helper()
	v, _ := f.start(options)
	return v.Contents()
}

// faults checks what is said of some options.
func (f folder) faults(options string, want ...string) {
	f.t.Helper()
	if _, _, got := f.load(options); got != strings.Join(want, "\n") {
		f.t.Errorf("%s\ngives\n%s\nnot\n%s", options, got, strings.Join(want, "\n"))
	}
}

// events collects those of a host.
type events struct {
	mu  sync.Mutex
	all []string
}

func (e *events) take(x *telemetry.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text := x.ID + " " + x.Message
	if x.Warning {
		text = "! " + text
	}
	e.all = append(e.all, text)
}

// rest gives the events since it was called last.
func (e *events) rest() (all []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all, e.all = e.all, nil
	return all
}

// A service is a vault in service.
type service struct {
	*files
	events *events
	tasks  []component.Task
}

// start makes the vault of some options, and runs none of its tasks.
func (f folder) start(options string) (*files, *service) {
	f.t.Helper()
	c, l, faults := f.load(options)
	for line := range strings.Lines(faults) { // the clock of synctest is not that of the certificates
		if !strings.Contains(line, ": warning: ") {
			f.t.Fatalf("%s\nhas faults:\n%s", options, faults)
		}
	}
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 8, false))
	e := &events{}
	host.Log.Handle(e.take)
	b := &component.Builder{
		Node: &stream.Node{Namespace: "default", Name: "vault"}, Host: host,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	v := must(construct(b, c, l)).(*files)
	return v, &service{v, e, b.Tasks()}
}

// run runs the tasks until stop is called, which waits for them.
func (s *service) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, task := range s.tasks {
		running.Go(func() {
			if err := task.Run(ctx); err != nil {
				t.Errorf("%s: %v", task.Name, err)
			}
		})
	}
	return func() { cancel(); running.Wait() }
}

// entries are some keys, each as "alias: names of its chain".
func entries(keys []vault.Key) (all []string) {
	for _, k := range keys {
		var names []string
		for _, der := range k.Certificate.Certificate {
			names = append(names, parse(der).Subject.CommonName)
		}
		all = append(all, k.Alias+": "+strings.Join(names, ", "))
	}
	return all
}

// trusts are some certificates, each as "alias: name".
func trusts(certs []vault.Certificate) (all []string) {
	for _, c := range certs {
		all = append(all, c.Alias+": "+c.Certificate.Subject.CommonName)
	}
	return all
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, not %q", what, got, want)
	}
}

// parties are the authorities and pairs of a test.
type parties struct {
	root, sub, other   *certs.Authority
	north, south, east *certs.Pair // of root, of sub, of other
}

// known is made once: it costs time.
var known = sync.OnceValue(func() *parties {
	p := &parties{root: must(certs.NewAuthority("root")), other: must(certs.NewAuthority("other"))}
	p.sub = must(p.root.Intermediate("sub"))
	p.north = must(p.root.Issue(certs.Request{CommonName: "north", DNS: []string{"north"}}))
	p.south = must(p.sub.Issue(certs.Request{CommonName: "south", RSA: true}))
	p.east = must(p.other.Issue(certs.Request{CommonName: "east"}))
	return p
})
