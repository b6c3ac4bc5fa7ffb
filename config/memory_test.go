package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func env(name string) (string, bool) {
	return map[string]string{"PORT": "7000", "NAME": "north", "EMPTY": ""}[name], name != "UNSET"
}

// readWith reads a text as Parse does, and says what came of it.
func readWith(m *Memory, text string) (roots []*Node, errors []string) {
	r := &Report{}
	roots = Parse(r, Source{Name: "zilla.yaml", Text: []byte(text), Env: env, Memory: m})
	for _, f := range r.Faults() {
		if !f.Warning { // those of what is known already are not told again
			errors = append(errors, fmt.Sprint(f.String(), f.Notes, f.Hint, f.Width))
		}
	}
	return roots, errors
}

// sameTree tells where two trees differ.
func sameTree(a, b *Node) error {
	if a.Kind != b.Kind || a.Pos != b.Pos || a.Type != b.Type || a.Value != b.Value || a.Quoted != b.Quoted ||
		a.written != b.written || a.substituted != b.substituted || len(a.Items) != len(b.Items) || len(a.Entries) != len(b.Entries) {
		return fmt.Errorf("%+v is %+v", *b, *a)
	}
	for i := range a.Items {
		if err := sameTree(a.Items[i], b.Items[i]); err != nil {
			return err
		}
	}
	for i := range a.Entries {
		if err := sameTree(a.Entries[i].Key, b.Entries[i].Key); err != nil {
			return err
		}
		if err := sameTree(a.Entries[i].Value, b.Entries[i].Value); err != nil {
			return err
		}
	}
	return nil
}

// remembers wants a text to be read with a memory as without.
func remembers(t *testing.T, m *Memory, text string) {
	t.Helper()
	want, wantErrors := readWith(nil, text)
	got, gotErrors := readWith(m, text)
	if !reflect.DeepEqual(gotErrors, wantErrors) {
		t.Fatalf("%q has the faults\n%q\nand not\n%q", text, gotErrors, wantErrors)
	}
	if len(got) != len(want) {
		t.Fatalf("%q has %d documents, not %d", text, len(got), len(want))
	}
	for i := range want {
		if err := sameTree(got[i], want[i]); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	}
}

const remembered = `---
# A comment.
name: test
bindings:
  # about north
  ${{env.NAME}}:
    type: tcp
    options: { host: "a
      b", port: ${{env.PORT}} }
  south: { type: tcp }

  "east":
    text: |
      bindings:
        not: this
    exit: south
telemetry:
  metrics: [ a, b ]
---
name: other
bindings:
    deep: {type: echo, unset: ${{env.UNSET}}}
`

// TestMemory reads a text, and then variants of it, with the same memory.
func TestMemory(t *testing.T) {
	m := &Memory{}
	remembers(t, m, remembered)
	before := m.units
	if len(before) != 4 {
		t.Fatalf("%d parts are known", len(before))
	}
	for i := range len(remembered) {
		remembers(t, m, remembered[:i]+remembered[i+1:])
		remembers(t, m, remembered[:i]+"\n"+remembered[i:])
		remembers(t, m, remembered[:i]+"  x: 1\n"+remembered[i:])
		remembers(t, m, remembered[:i])
	}
}

// TestMemoryOfFiles reads all files that the tests have.
func TestMemoryOfFiles(t *testing.T) {
	m := &Memory{}
	known := 0
	for _, pattern := range []string{"../examples/*/*.yaml", "../engine/testdata/*.txtar", "../engine/testdata/*/*.txtar", "testdata/*.txtar", "../binding/*/testdata/*.txtar"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range strings.Split(string(b), "\n-- ") {
				if _, yaml, archived := strings.Cut(text, " --\n"); archived {
					text = yaml
				}
				remembers(t, m, text)
				known += len(m.units)
			}
		}
	}
	if known < 100 {
		t.Errorf("%d parts were known", known)
	}
}

func FuzzMemory(f *testing.F) {
	f.Add(remembered, remembered)
	f.Add("bindings:\n  a: 1\n  b: 2\n", "bindings:\n  a: 1\n  b: 3\n")
	f.Fuzz(func(t *testing.T, before, text string) {
		m := &Memory{}
		readWith(m, before)
		remembers(t, m, text)
		remembers(t, m, text)
	})
}
