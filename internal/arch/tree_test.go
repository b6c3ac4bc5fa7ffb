package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gozilla/component"
	"gozilla/config"
	_ "gozilla/internal/all"
	"gozilla/stream"
	"gozilla/telemetry"
)

// TestPackageComments wants one comment for each package, which says what it is.
func TestPackageComments(t *testing.T) {
	for dir := range packages(t) {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var with []string
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if isPackageComment(f) {
				with = append(with, filepath.Base(name))
			}
		}
		if len(with) != 1 {
			t.Errorf("%s has package comments in %v, want exactly one", dir, with)
		}
	}
}

func isPackageComment(f *ast.File) bool {
	return f.Doc != nil && !strings.HasPrefix(f.Doc.Text(), "Code generated")
}

// TestGenerated runs the generators, which must have nothing to write.
func TestGenerated(t *testing.T) {
	for _, generator := range []string{"gozilla/internal/gen", "gozilla/internal/gen/pages"} {
		out, err := exec.Command("go", "run", generator, "-check").CombinedOutput()
		if err != nil {
			t.Errorf("generated files are stale, run go generate ./...\n%s", out)
		}
	}
}

// TestShapes wants a comment and a schema for every key that a file may have, and its default on its page.
func TestShapes(t *testing.T) {
	for _, c := range component.Categories() {
		for _, name := range c.Names() {
			typ, _ := c.Lookup(name)
			for _, v := range typ.Variants() {
				if err := v.Check(); err != nil {
					t.Errorf("%s %s %s: %v", c.Name(), name, v.Kind, err)
				}
			}
		}
	}
	for _, other := range []reflect.Type{reflect.TypeFor[config.Namespace](), reflect.TypeFor[stream.Limits]()} {
		if err := config.CheckShape(other); err != nil {
			t.Error(err)
		}
	}
}

// TestNothingOfOurs wants no path of a machine and no marker of unfinished work in what is committed.
func TestNothingOfOurs(t *testing.T) {
	out, err := exec.Command("git", "-C", root, "ls-files").Output()
	if err != nil {
		t.Skip("not a git checkout: ", err)
	}
	unfinished := strings.Split("TO"+"DO FIX"+"ME XX"+"X", " ")
	for _, name := range strings.Fields(string(out)) {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || strings.Contains(name, "testdata/fuzz/") || strings.HasSuffix(name, ".png") {
			continue
		}
		for i, line := range strings.Split(string(b), "\n") {
			for _, bad := range append(unfinished, "/ro"+"ot/", "/wo"+"rk/") {
				if strings.Contains(line, bad) {
					t.Errorf("%s:%d has %q", name, i+1, bad)
				}
			}
		}
	}
}

// TestCatalogue wants every event and every reason that the code knows in the reference, and nothing else.
func TestCatalogue(t *testing.T) {
	said := map[string]bool{}
	for dir := range packages(t) {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if !strings.HasSuffix(name, "_test.go") && filepath.Base(name) != "catalogue.go" {
				literals(t, name, said)
			}
		}
	}
	for _, term := range slices.Concat(telemetry.Events, telemetry.Reasons) {
		if !said[term.Name] {
			t.Errorf("telemetry lists %q, which nobody says", term.Name)
		}
	}
	known := map[string]bool{}
	for _, term := range telemetry.Events {
		known[term.Name] = true
	}
	event := regexp.MustCompile(`^(engine|binding|guard|vault|catalog|model)(\.[a-z0-9]+)+\.(started|stopped|failed|reached|reset|loaded|reloaded|closed|rejected|accepted|malformed|verified|resolved|matched|expired|timeout)$`)
	for text := range said {
		if event.MatchString(text) && !known[text] {
			t.Errorf("the event %q is not in telemetry.Events", text)
		}
	}
}

// literals adds the strings of a file.
func literals(t *testing.T, name string, to map[string]bool) {
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, _ := strconv.Unquote(lit.Value)
			to[text] = true
		}
		return true
	})
}

// TestImplementationsAreTested wants tests in the folder of every component type.
func TestImplementationsAreTested(t *testing.T) {
	for dir := range packages(t) {
		top, name, ok := strings.Cut(dir, "/")
		if !ok || strings.Contains(name, "/") || !slices.Contains(contracts, top) {
			continue
		}
		if files, _ := filepath.Glob(filepath.Join(root, dir, "*_test.go")); len(files) == 0 {
			t.Errorf("%s has no tests: begin with a copy of binding/echo/script_test.go", dir)
		}
	}
}
