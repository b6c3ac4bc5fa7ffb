package gwtest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata")

// An Archive is a txtar file: text, then files, each after a line "-- name --".
type Archive struct {
	Head  string
	Files []File

	path string
}

// File is one file of an archive.
type File struct{ Name, Text string }

// RunArchives runs f for each archive that the pattern names, as a test of its own.
func RunArchives(t *testing.T, pattern string, f func(t *testing.T, a *Archive)) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("there is no %s: %v", pattern, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { f(t, read(t, path)) })
	}
}

func read(t *testing.T, path string) *Archive {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := &Archive{path: path}
	for line := range strings.Lines(string(b)) {
		name, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "-- ")
		if name, closed := strings.CutSuffix(name, " --"); ok && closed {
			a.Files = append(a.Files, File{Name: name})
			continue
		}
		if n := len(a.Files); n > 0 {
			a.Files[n-1].Text += line
			continue
		}
		a.Head += line
	}
	return a
}

// Text is the text of a file; "" if there is none.
func (a *Archive) Text(name string) string {
	if f := a.file(name); f != nil {
		return f.Text
	}
	return ""
}

func (a *Archive) file(name string) *File {
	i := slices.IndexFunc(a.Files, func(f File) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return &a.Files[i]
}

// Expect compares what the archive expects with what came about, or, with -update, makes it what came about. A file
// that is not there expects nothing.
func (a *Archive) Expect(t *testing.T, name, got string) {
	t.Helper()
	want := a.Text(name)
	if want == got {
		return
	}
	if !*update {
		t.Errorf("%s of %s: got\n%s\nwant\n%s", name, a.path, got, want)
		return
	}
	if f := a.file(name); f != nil {
		f.Text = got
	} else {
		a.Files = append(a.Files, File{name, got})
	}
	var b bytes.Buffer
	b.WriteString(a.Head)
	for _, f := range a.Files {
		b.WriteString("-- " + f.Name + " --\n" + f.Text)
	}
	if err := os.WriteFile(a.path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
