package cli

import (
	"context"
	"crypto/x509"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"gozilla/config"
	"gozilla/engine"
	"gozilla/internal/fetch"
	"gozilla/stream"
)

var testCommand = &command{
	name: "test", args: "[TESTFILE]", short: "try where streams would go",
	long: "Asks a configuration where streams would go, as explain does, and compares that with what a file beside it says, by default zilla.test.yaml for zilla.yaml. " +
		"The status is 0 if all of it is so, and 1 if something is not, or if one of the files has a fault.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		t := &tester{}
		t.declare(fs)
		fs.BoolVar(&t.json, "json", false, "Show what came of the tests, or the faults of the files, as JSON.")
		return t.run
	},
	examples: []string{"gozilla test", "gozilla test -c zilla.yaml", "gozilla test -c etc/zilla.yaml etc/more.test.yaml --json"},
}

// tests are what a file says of a configuration.
type tests struct {
	// Streams, and where they go.
	Tests []testCase `config:"tests,required"`
}

// testCase is a stream, and where it goes.
type testCase struct {
	// What the test is called.
	Name string
	// The port that the client connects to.
	Port uint16 `config:"port,required"`
	// Where the client is: an address, which may have a port.
	Source peer
	// The address that the client connects to.
	Dest address
	// The address of a proxy that connects for the client, and says so by the PROXY protocol.
	Proxy address
	// The name that the client asks for by TLS.
	SNI string `config:"sni"`
	// The protocols that the client offers by TLS.
	ALPN config.List[string] `config:"alpn"`
	// A file with the certificate that the client shows.
	Cert string
	// The header of the request, by names.
	Header map[headerName]config.List[string]
	// The bindings that the stream comes to, in order. Others may be between them.
	Path config.List[string]
	// Whether the stream is refused, wherever it came to, or meets nobody who listens.
	Refused bool

	shows []*x509.Certificate
}

// peer is an address that may have a port.
type peer struct{ netip.AddrPort }

// Words says what it is.
func (peer) Words() string { return "an IP address, or one with a port" }

// UnmarshalText reads it.
func (p *peer) UnmarshalText(text []byte) (err error) {
	p.AddrPort, err = peerOf(string(text))
	return err
}

// address is an IP address.
type address struct{ netip.Addr }

// Words says what it is.
func (address) Words() string { return "an IP address" }

// UnmarshalText reads it.
func (a *address) UnmarshalText(text []byte) (err error) {
	a.Addr, err = addressOf(string(text))
	return err
}

// headerName is the name of a header; :method, :path, :scheme and :authority are among them.
type headerName string

// Check tells what is wrong with the test as a whole.
func (t *testCase) Check(r *config.Report) {
	if len(t.Path) == 0 && !t.Refused {
		r.Errorf(r.At(t), "the test does not say where the stream goes").Hintf("add a path, or refused: true")
	}
	if err := checkALPN(t.ALPN); err != nil {
		r.Errorf(r.At(&t.ALPN), "%v", err)
	}
	for name := range t.Header {
		if err := checkHeader(strings.ToLower(string(name))); err != nil {
			r.Errorf(r.AtKey(&t.Header, string(name)), "%v", err)
		}
	}
}

// query is what is asked.
func (t *testCase) query() *engine.Query {
	q := &engine.Query{
		Port: t.Port, Source: t.Source.AddrPort, Dest: t.Dest.Addr, Proxy: t.Proxy.Addr,
		SNI: t.SNI, ALPN: t.ALPN, Shows: t.shows,
	}
	for _, name := range slices.Sorted(maps.Keys(t.Header)) {
		for _, value := range t.Header[name] {
			q.Header = append(q.Header, stream.Field{Name: strings.ToLower(string(name)), Value: value})
		}
	}
	return q
}

// facts are the flags of gozilla explain that ask the same.
func (t *testCase) facts() (all []engine.Fact) {
	add := func(name, value string) {
		if value != "" {
			all = append(all, engine.Fact{Name: name, Value: value})
		}
	}
	add("port", strconv.Itoa(int(t.Port)))
	if t.Source.IsValid() && t.Source.Port() == 0 {
		add("source", t.Source.Addr().String())
	} else if t.Source.IsValid() {
		add("source", t.Source.String())
	}
	if t.Dest.IsValid() {
		add("dest", t.Dest.String())
	}
	if t.Proxy.IsValid() {
		add("proxy", t.Proxy.String())
	}
	add("sni", t.SNI)
	add("alpn", strings.Join(t.ALPN, ","))
	add("cert", t.Cert)
	for _, f := range t.query().Header {
		add("header", f.Name+": "+f.Value)
	}
	return all
}

// title is what the test is called: its name, or else what it asks.
func (t *testCase) title() string {
	if t.Name != "" {
		return t.Name
	}
	var words []string
	for _, f := range t.facts() {
		words = append(words, f.Name, f.Value)
	}
	return strings.Join(words, " ")
}

// explain is the command that shows more.
func (t *testCase) explain(file string) string {
	line := "gozilla explain -c " + quoted(file)
	for _, f := range t.facts() {
		line += " --" + f.Name + " " + quoted(f.Value)
	}
	return line
}

// quoted is a word of a command line.
func quoted(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:/@%+=") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// tester is gozilla test.
type tester struct{ planner }

func (t *tester) run(ctx context.Context, env *Env, args []string) error {
	if len(args) > 1 {
		return usagef("one file at a time")
	}
	explainer, err := t.load(ctx, env)
	if err != nil {
		return err
	}
	name := beside(t.config)
	if len(args) == 1 {
		name = args[0]
	}
	r := &config.Report{}
	cases, err := readTests(ctx, env, r, name, explainer)
	if err != nil {
		return t.unread(env, name, err)
	}
	if r.Err() != nil {
		return t.faulty(env, r)
	}
	o := outcome{Tests: []result{}}
	for i := range cases {
		o.add(r.At(cases[i]), cases[i], explainer.Explain(ctx, cases[i].query()))
	}
	if t.json {
		err = writeJSON(env, o)
	} else {
		o.tell(r, cases, t.config)
		r.Write(env.Stdout, env.IsTerminal(env.Stdout))
		_, err = fmt.Fprintln(env.Stdout, o.summary())
	}
	if err == nil && o.Failed > 0 {
		err = errShown
	}
	return err
}

// beside is the file with the tests of a configuration: zilla.test.yaml for zilla.yaml.
func beside(name string) string {
	for _, ending := range []string{".yaml", ".yml", ".json"} {
		if start, ok := strings.CutSuffix(name, ending); ok {
			return start + ".test" + ending
		}
	}
	return name + ".test.yaml"
}

// readTests reads a file of tests. Its faults are in r.
func readTests(ctx context.Context, env *Env, r *config.Report, name string, x *engine.Explainer) ([]*testCase, error) {
	text, err := fetch.Read(ctx, name, fetch.Options{Max: config.MaxText, Required: true})
	if err != nil {
		return nil, err
	}
	var cases []*testCase
	for _, doc := range config.Parse(r, config.Source{Name: name, Text: text, Env: env.LookupEnv}) {
		all := config.Decode[tests](r, doc, "a file of tests").Tests
		for i := range all {
			cases = append(cases, &all[i])
		}
	}
	if len(cases) == 0 && r.Err() == nil {
		r.Errorf(config.Pos{File: name}, "there is no test in it")
	}
	for i := range cases {
		cases[i].resolve(r, name, x)
	}
	return cases, nil
}

// resolve reads the certificates that a test names, and tells of bindings that are not there.
func (t *testCase) resolve(r *config.Report, file string, x *engine.Explainer) {
	for i := range t.Path {
		if x.Knows(t.Path[i]) {
			continue
		}
		f := r.Errorf(r.At(&t.Path[i]), "there is no binding %s", t.Path[i])
		if like, ok := config.Like(t.Path[i], x.Names()); ok {
			f.Hintf("did you mean %s?", like)
		}
	}
	if t.Cert == "" {
		return
	}
	var err error
	if t.shows, err = readChain(fetch.Path(fetch.Resolve(file, t.Cert))); err != nil {
		r.Errorf(r.At(&t.Cert), "%v", err)
	}
}

// An outcome is what came of tests.
type outcome struct {
	Tests  []result `json:"tests"`
	Passed int      `json:"passed"`
	Failed int      `json:"failed"`
}

// A result is what came of a test.
type result struct {
	Name    string   `json:"name"`
	File    string   `json:"file"`
	Line    int      `json:"line"`
	Column  int      `json:"column"`
	Passed  bool     `json:"passed"`
	Wanted  wanted   `json:"wanted"`
	Path    []string `json:"path"`
	Served  bool     `json:"served"`
	Reason  string   `json:"reason,omitempty"` // why it is not
	Details string   `json:"details,omitempty"`

	steps []engine.Step
}

// wanted is what a test says.
type wanted struct {
	Path    []string `json:"path,omitempty"`
	Refused bool     `json:"refused"`
}

func (o *outcome) add(at config.Pos, t *testCase, e *engine.Explanation) {
	passed := e.Served != t.Refused && e.Passes(t.Path)
	if passed {
		o.Passed++
	} else {
		o.Failed++
	}
	o.Tests = append(o.Tests, result{
		Name: t.title(), File: at.File, Line: at.Line, Column: at.Column, Passed: passed, Wanted: wanted{t.Path, t.Refused},
		Path: e.Path, Served: e.Served, Reason: e.Reason, Details: e.Details, steps: e.Steps,
	})
}

func (o *outcome) summary() string {
	tests := "tests"
	if len(o.Tests) == 1 {
		tests = "test"
	}
	return fmt.Sprintf("%d %s: %d passed, %d failed", len(o.Tests), tests, o.Passed, o.Failed)
}

// tell makes a fault of every test that has failed.
func (o *outcome) tell(r *config.Report, cases []*testCase, file string) {
	for i := range o.Tests {
		t := &o.Tests[i]
		if t.Passed {
			continue
		}
		f := r.Errorf(r.At(cases[i]), "%s: %s; wanted: %s", t.Name, t.became(), t.Wanted.words())
		for j := range t.steps {
			if text := looked(&t.steps[j]); text != "" {
				f.Note(config.Pos{}, "%s", text)
			}
		}
		f.Hintf("%s tells more", cases[i].explain(file))
	}
}

// words are what a test wants.
func (w wanted) words() string {
	path := strings.Join(w.Path, " -> ")
	switch {
	case !w.Refused:
		return "served by " + path
	case path == "":
		return "refused"
	}
	return "refused after " + path
}

// became is what came of a stream, in words.
func (t *result) became() string {
	path := strings.Join(t.Path, " -> ")
	switch {
	case t.Served:
		return "served by " + path
	case path == "":
		return "refused, " + t.Details
	}
	return "refused after " + path + ", " + because(&engine.Explanation{Reason: t.Reason, Details: t.Details})
}

// looked tells in a line what a binding made of its routes; "" if it had no choice.
func looked(s *engine.Step) string {
	const most = 4 // routes
	var parts []string
	for i := range s.Routes {
		if v := &s.Routes[i]; v.Why != "" {
			parts = append(parts, v.Route+" "+verdict(v))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	if n := len(parts); n > most {
		parts = append(parts[:most], fmt.Sprintf("%d more", n-most))
	}
	if s.Took != "" {
		parts = append(parts, s.Took+" yes")
	}
	return s.Binding + ": " + strings.Join(parts, "; ")
}
