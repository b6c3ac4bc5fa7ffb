package config_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gozilla/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// An archive is a txtar file: text, then files each after a line "-- name --".
type archive struct {
	head  string
	names []string
	files map[string]string
}

func readArchive(t *testing.T, name string) *archive {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	a := &archive{files: map[string]string{}}
	file := ""
	for line := range strings.Lines(string(b)) {
		if s := strings.TrimRight(line, "\r\n"); strings.HasPrefix(s, "-- ") && strings.HasSuffix(s, " --") {
			file = s[3 : len(s)-3]
			a.names = append(a.names, file)
			continue
		}
		if file == "" {
			a.head += line
			continue
		}
		a.files[file] += line
	}
	return a
}

func (a *archive) set(name, content string) {
	if _, ok := a.files[name]; !ok && content != "" {
		a.names = append(a.names, name)
	}
	a.files[name] = content
}

func (a *archive) write(t *testing.T, name string) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(a.head)
	for _, n := range a.names {
		b.WriteString("-- " + n + " --\n" + a.files[n])
	}
	if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// env reads lines NAME=value; a value may be in Go's quotes.
func (a *archive) env(t *testing.T) map[string]string {
	t.Helper()
	m := map[string]string{}
	for line := range strings.Lines(a.files["env"]) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), "=")
		if strings.HasPrefix(value, `"`) {
			var err error
			if value, err = strconv.Unquote(value); err != nil {
				t.Fatal(err)
			}
		}
		m[name] = value
	}
	return m
}

// TestFaults decodes the zilla.yaml of each file in testdata and compares what a user would read. The first word of the
// file says what is decoded, the word strict that extensions are refused, the word quoted that zilla.yaml is a string of
// Go, for characters that do not survive in a file.
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a := readArchive(t, name)
			env := a.env(t)
			got, invalid := faultsOf(t, a, env)
			for k, secret := range env {
				if len(secret) > 3 && (strings.Contains(got, secret) || strings.Contains(invalid, secret)) {
					t.Errorf("the value of %s is shown:\n%s\n%s", k, got, invalid)
				}
			}
			if *update {
				a.set("faults", got)
				a.write(t, name)
				return
			}
			if want := a.files["faults"]; got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func faultsOf(t *testing.T, a *archive, env map[string]string) (pretty, invalid string) {
	t.Helper()
	text := a.files["zilla.yaml"]
	if strings.Contains(a.head, "quoted") {
		var err error
		if text, err = strconv.Unquote(strings.TrimSpace(text)); err != nil {
			t.Fatal(err)
		}
	}
	r := &config.Report{Strict: strings.Contains(a.head, "strict")}
	lookUp := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	for _, n := range config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte(text), Env: lookUp}) {
		switch word, _, _ := strings.Cut(a.head, " "); strings.TrimRight(word, ":\n") {
		case "namespace":
			config.Decode[config.Namespace](r, n, "a namespace")
		case "tcp":
			config.Decode[server](r, n, "a tcp server")
		default:
			t.Fatalf("unknown shape in %q", a.head)
		}
	}
	var b strings.Builder
	if err := r.Write(&b, false); err != nil {
		t.Fatal(err)
	}
	if err := r.Err(); err != nil {
		invalid = err.Error()
	}
	return b.String(), invalid
}
