package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gozilla/component"
	"gozilla/config"
	_ "gozilla/internal/all"
	"gozilla/stream"
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
		if err != nil || strings.Contains(name, "testdata/fuzz/") {
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
