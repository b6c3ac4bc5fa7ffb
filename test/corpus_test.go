package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"gozilla/config"
	"gozilla/engine"
	"gozilla/test/corpus"
)

func load(f corpus.File, strict bool) *engine.Plan {
	return engine.Load(context.Background(), config.Source{Name: f.Name, Text: []byte(f.Text), Env: corpus.Env}, engine.Options{Strict: strict})
}

// someFiles are the files of the corpus. Where races are looked for, each takes ten times as long, and some are enough:
// make check reads all of them.
func someFiles() (some []corpus.File) {
	files := corpus.Files()
	if !raced {
		return files
	}
	for i := 0; i < len(files); i += 5 {
		some = append(some, files[i])
	}
	return some
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	files := someFiles()
	if len(files) < 500 && !raced {
		t.Errorf("only %d files", len(files))
	}
	made := map[corpus.Verdict]int{}
	for _, f := range files {
		made[f.Verdict]++
		bad := len(faulty(f, load(f, false)))
		for _, wrong := range faulty(f, load(f, false)) {
			t.Errorf("%s: %s", f.Name, wrong)
		}
		if bad > 0 {
			var b bytes.Buffer
			load(f, false).Report.Write(&b, false)
			t.Logf("%s\n%s", f.Text, &b)
		}
		// What zilla takes too is right for both; what is beyond it is wrong for those who ask.
		strict := load(f, true).Report.Err() != nil
		if want := f.Verdict == corpus.Wrong || f.Verdict == corpus.Beyond; strict != want {
			t.Errorf("%s: strictly wrong is %v, want %v\n%s", f.Name, strict, want, f.Text)
		}
	}
	t.Logf("%d files: %d valid, %d beyond zilla, %d suspicious, %d wrong", len(files), made[corpus.Valid], made[corpus.Beyond],
		made[corpus.Suspicious], made[corpus.Wrong])
}

// faulty tells what is wrong with what was said of a file.
func faulty(f corpus.File, p *engine.Plan) []string {
	var all []string
	errors, warnings, placed := 0, 0, f.Line == 0
	for _, fault := range p.Report.Faults() {
		if fault.Warning {
			warnings++
		} else {
			errors++
			placed = placed || fault.Pos.Line == f.Line
		}
		all = append(all, misplaced(f, fault.Pos, fault.Text)...)
		for _, n := range fault.Notes {
			all = append(all, misplaced(f, n.Pos, n.Text)...)
		}
	}
	switch {
	case f.Verdict == corpus.Wrong && errors == 0:
		all = append(all, "no error is found")
	case f.Verdict == corpus.Suspicious && (warnings == 0 || errors > 0):
		all = append(all, fmt.Sprintf("%d warnings and %d errors are found, want warnings", warnings, errors))
	case f.Verdict < corpus.Suspicious && warnings+errors > 0:
		all = append(all, fmt.Sprintf("%d warnings and %d errors are found, want none", warnings, errors))
	case !placed:
		all = append(all, fmt.Sprintf("no error is in line %d", f.Line))
	}
	return all
}

// misplaced tells whether a place is not one of the file.
func misplaced(f corpus.File, at config.Pos, text string) []string {
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(f.Text), "\n")
	switch {
	case at.File != f.Name:
		return []string{fmt.Sprintf("%q is said of the file %q", text, at.File)}
	case at.Line == 0 && at.Column == 0: // of the whole file
		return nil
	case at.Line < 1 || at.Line > len(lines) || at.Column < 1 || at.Column > utf8.RuneCountInString(lines[at.Line-1])+1:
		return []string{fmt.Sprintf("%q is said of %d:%d, which is not in the file", text, at.Line, at.Column)}
	case text == "":
		return []string{"a fault has no text"}
	}
	return nil
}

// Whatever is made of a file by accident, it is read without a panic, and faults have places.
func TestCorpusByAccident(t *testing.T) {
	t.Parallel()
	files := corpus.Files()
	r := rand.New(rand.NewPCG(1, 2))
	n := 4000
	if testing.Short() || raced {
		n = 400
	}
	for range n {
		f := files[r.IntN(len(files))]
		b := []byte(f.Text)
		for range 1 + r.IntN(4) {
			b = spoil(r, b, files)
		}
		f.Text = string(b)
		p := load(f, r.IntN(2) == 0)
		for _, fault := range p.Report.Faults() {
			if utf8.ValidString(f.Text) && !strings.ContainsAny(f.Text, "\u0085\u2028\u2029\ufeff") {
				for _, wrong := range misplaced(f, fault.Pos, fault.Text) {
					t.Errorf("%s\n%q", wrong, f.Text)
				}
			}
		}
		p.Report.Write(io.Discard, true)
		_ = p.Summary()
	}
}

// spoil makes one accident.
func spoil(r *rand.Rand, b []byte, files []corpus.File) []byte {
	if len(b) < 2 {
		return b
	}
	i, j := r.IntN(len(b)), r.IntN(len(b))
	i, j = min(i, j), max(i, j)
	const signs = "\t\n\r :-[]{}\"'*&!|>%@`#,?$\x00\x7f\x80\xff0123456789aez~."
	switch r.IntN(7) {
	case 0:
		return append(append([]byte{}, b[:i]...), b[j:]...)
	case 1:
		return append(append(append([]byte{}, b[:i]...), b[i:j]...), b[i:]...)
	case 2:
		return b[:i]
	case 3:
		other := files[r.IntN(len(files))].Text
		k := r.IntN(len(other))
		return append(append([]byte{}, b[:i]...), other[k:]...)
	case 4:
		return append(append(append([]byte{}, b[:i]...), "\u2028é\u0085${{env.HOST}}"[r.IntN(5):]...), b[i:]...)
	}
	b = append([]byte{}, b...)
	b[i] = signs[r.IntN(len(signs))]
	return b
}

// The binary says the same of all files at once.
func TestCorpusByCheck(t *testing.T) {
	dir := t.TempDir()
	for name, value := range map[string]string{"HOST": "127.0.0.1", "PORT": "12345", "KIND": "server"} {
		t.Setenv(name, value)
	}
	files := map[string]corpus.File{}
	args := []string{"check", "--json"}
	for i, f := range someFiles() {
		name := fmt.Sprintf("%04d.yaml", i)
		write(t, filepath.Join(dir, name), f.Text)
		files[name] = f
		args = append(args, name)
	}
	status, stdout, stderr := run(t, dir, args...)
	if status != 1 || stderr != "" {
		t.Errorf("status %d\n%.1000s", status, stderr)
	}
	var faults []struct{ File, Level, Message string }
	if err := json.Unmarshal([]byte(stdout), &faults); err != nil {
		t.Fatal(err)
	}
	errors, warnings := map[string]int{}, map[string]int{}
	for _, f := range faults {
		if f.Level == "error" {
			errors[f.File]++
		} else {
			warnings[f.File]++
		}
	}
	for name, f := range files {
		if errors[name] > 0 != (f.Verdict == corpus.Wrong) || f.Verdict < corpus.Suspicious && warnings[name] > 0 || f.Verdict == corpus.Suspicious && warnings[name] == 0 {
			t.Errorf("%s: %d errors and %d warnings\n%s", f.Name, errors[name], warnings[name], f.Text)
		}
	}
	// And of some of them alone.
	for i := 0; i < len(files); i += 100 {
		name := fmt.Sprintf("%04d.yaml", i)
		want := 0
		if files[name].Verdict == corpus.Wrong {
			want = 1
		}
		if status, stdout, stderr := run(t, dir, "check", name); status != want {
			t.Errorf("%s: status %d, want %d\n%s%s", files[name].Name, status, want, stdout, stderr)
		}
	}
}
