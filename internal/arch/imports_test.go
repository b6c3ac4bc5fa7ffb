package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A rule says what the packages may import that its pattern matches, besides std and themselves. In a pattern, * is
// one element of a path and ... any number of them. The first rule that matches a package is its own.
type rule struct {
	packages string
	imports  []string
	reason   string
}

// The contracts, and what all of them stand on.
var (
	contracts = []string{"binding", "guard", "vault", "catalog", "store", "model", "exporter"}
	base      = []string{"component", "stream", "config", "telemetry"}
)

var rules = []rule{
	{"wire/*", nil, "codecs are pure functions over bytes: they know no connection, no clock and nothing of ours"},
	{"config", nil, "the language of the file stands by itself"},
	{"telemetry", nil, "what is counted stands by itself"},
	{"stream", []string{"telemetry"}, "the vocabulary of bindings knows neither the file nor a protocol"},
	{"stream/*/...", []string{"stream/*", "stream/*/facts", "stream", "wire/*", "telemetry", "internal/loop", "internal/gwtest/leak"}, "what belongs to a protocol's package"},
	{"stream/ws", []string{"stream", "stream/conn", "wire/*", "telemetry"}, "a WebSocket is viewed as bytes, and knows no binding and no file"},
	{"stream/*", []string{"stream", "wire/*", "telemetry", "internal/loop"}, "a protocol knows no binding and no file"},
	{"component", []string{"stream", "config", "telemetry"}, "what components have in common knows none of them"},
	{"model", append(slices.Clone(base), "catalog"), "a contract knows those below it"},
	{"catalog", append(slices.Clone(base), "vault"), "a contract knows those below it"},
	{"binding", append(slices.Clone(base), contracts...), "a contract knows no protocol and no implementation"},
	{"vault", base, "a contract knows no implementation"},
	{"guard", append(slices.Clone(base), contracts...), "a contract knows no protocol and no implementation"},
	{"exporter", append(slices.Clone(base), contracts...), "a contract knows no protocol and no implementation"},
	{"engine", append(append(slices.Clone(base), contracts...), "internal/watch", "internal/fetch"), "the engine knows contracts, no implementation"},
	{"admin", append(append(slices.Clone(base), contracts...), "engine", "internal/fetch"), "no implementation is known by name"},
	{"admin/page", append(slices.Clone(base), "engine", "admin"), "shows what admin tells"},
	{"cli", append(append(slices.Clone(base), contracts...), "engine", "admin", "admin/page", "internal/fetch", "internal/certs", "internal/systemd", "wire/http1", "wire/pcapng"), "no implementation is known by name; codecs are for files that are written"},
	{"cmd/gozilla", []string{"cli", "internal/all"}, "main is a few lines"},
	{"internal/all", []string{"...", "config"}, "links everything that is to be had"},
	{"internal/gen", []string{"internal/all"}, "writes what is generated"},
	{"internal/gen/pages", []string{"cli", "internal/all"}, "writes what is generated"},
	{"internal/gwtest", []string{"..."}, "runs the whole gateway in tests"},
	{"internal/gwtest/leak", nil, "what serves everybody knows nobody"},
	{"internal/*", nil, "what serves everybody knows nobody"},
	{"bench", []string{"internal/certs"}, "measures from the outside"},
	// Last, an implementation: a folder below a contract.
	{"*/*", append(append(slices.Clone(base), contracts...), "stream/*", "stream/*/...", "wire/*", "internal/watch", "internal/fetch"),
		"an implementation knows no other one, and not the engine: they meet in the graph"},
}

// modules are those of others that the gateway is linked with, and why. A new one needs a line.
var modules = map[string]string{
	"github.com/go-jose/go-jose/v4": "signatures of tokens, and keys as JSON; only guard/jwt uses it",
	"go.yaml.in/yaml/v4":            "YAML with positions; only config uses it",
	"golang.org/x/net":              "decoding of HPACK, with its Huffman code; only wire/h2 uses it, and no other package of it",
	"golang.org/x/sys":              "system calls that package syscall does not have: splice, pipes, TCP_INFO, the monotonic clock",
}

func TestImports(t *testing.T) {
	for dir, imports := range packages(t) {
		r := ruleFor(dir)
		if r == nil {
			t.Errorf("%s has no rule in internal/arch: say what it may import, and why", dir)
			continue
		}
		for _, imp := range imports {
			ours, ok := strings.CutPrefix(imp, "gozilla/")
			switch {
			case ok && ours != dir && !matchAny(r.imports, ours):
				t.Errorf("%s imports %s: %s", dir, ours, r.reason)
			case !ok && strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") && moduleOf(imp) == "":
				t.Errorf("%s imports %s, of a module without a line in internal/arch that says why", dir, imp)
			}
		}
	}
}

func TestModules(t *testing.T) {
	for dir, imports := range packages(t) {
		for _, imp := range imports {
			if strings.HasPrefix(imp, "go.yaml.in/") && dir != "config" {
				t.Errorf("%s imports %s, which only config may", dir, imp)
			}
			if strings.HasPrefix(imp, "golang.org/x/net/") && (dir != "wire/h2" || imp != "golang.org/x/net/http2/hpack") {
				t.Errorf("%s imports %s: of that module, only hpack may be imported, and only by wire/h2", dir, imp)
			}
		}
	}
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for module := range modules {
		if !strings.Contains(string(gomod), "\t"+module+" ") && !strings.Contains(string(gomod), "require "+module+" ") {
			t.Errorf("internal/arch has a line for %s, which go.mod does not require", module)
		}
	}
}

const root = "../.."

// packages are the folders of the module that have Go files, with what those import that are not tests.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(name, d)
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(rel)
		if _, ok := found[dir]; !ok {
			found[dir] = nil
		}
		for _, imp := range f.Imports {
			p, _ := strconv.Unquote(imp.Path.Value)
			found[dir] = append(found[dir], p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// skip leaves out what is not part of the module.
func skip(name string, d fs.DirEntry) error {
	if name == root {
		return nil
	}
	if strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return fs.SkipDir // a module of its own
	}
	return nil
}

func ruleFor(dir string) *rule {
	for i := range rules {
		if match(rules[i].packages, dir) {
			return &rules[i]
		}
	}
	return nil
}

func matchAny(patterns []string, dir string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, dir) })
}

func match(pattern, dir string) bool {
	if pattern == "..." {
		return true
	}
	if head, ok := strings.CutSuffix(pattern, "/..."); ok {
		elements := strings.Count(head, "/") + 1
		parts := strings.SplitN(dir, "/", elements+1)
		if len(parts) <= elements {
			return false
		}
		ok, _ := path.Match(head, strings.Join(parts[:elements], "/"))
		return ok
	}
	ok, _ := path.Match(pattern, dir)
	return ok
}

func moduleOf(imp string) string {
	for m := range modules {
		if imp == m || strings.HasPrefix(imp, m+"/") {
			return m
		}
	}
	return ""
}

func TestMatch(t *testing.T) {
	f := func(pattern, dir string, want bool) {
		t.Helper()
		if got := match(pattern, dir); got != want {
			t.Errorf("match(%q, %q) = %v", pattern, dir, got)
		}
	}
	f("stream/*", "stream/conn", true)
	f("stream/*", "stream/conn/conntest", false)
	f("stream/*/...", "stream/conn/conntest", true)
	f("stream/*/...", "stream/conn", false)
	f("*/*", "binding/tcp", true)
	f("...", "anything/at/all", true)
}
