package httpfilesystem_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
	"gozilla/telemetry"
)

func TestMain(m *testing.M) { leak.Main(m) }

// past is when the files of archives were written.
var past = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// plant writes the files of an archive that begin with root/ into a folder, as if long ago, and gives its name. A file
// "root/NAME -> TARGET" is a symbolic link, in whose target ROOT is the folder.
func plant(t *testing.T, a *gwtest.Archive) string {
	dir := t.TempDir()
	for _, f := range a.Files {
		name, ok := strings.CutPrefix(f.Name, "root/")
		if !ok {
			continue
		}
		name, target, link := strings.Cut(name, " -> ")
		name = filepath.Join(dir, "www", name)
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		switch {
		case err == nil && link:
			err = os.Symlink(strings.ReplaceAll(target, "ROOT", filepath.Join(dir, "www")), name)
		case err == nil:
			if err = os.WriteFile(name, []byte(f.Text), 0o644); err == nil {
				err = os.Chtimes(name, past, past)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "www")
}

// tree is what is in a folder, as an archive has it.
func tree(t *testing.T, dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		switch {
		case d.IsDir():
			fmt.Fprintf(&b, "%s/\n", rel)
		case d.Type().IsRegular():
			text, err := os.ReadFile(name)
			fmt.Fprintf(&b, "%s: %q\n", rel, text)
			return err
		default:
			fmt.Fprintf(&b, "%s, a link\n", rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestTalks has conversations: a zilla.yaml, the files below root/, which is ROOT, what clients of the binding north send,
// each on a connection of its own, and what they get. What is new is dated NEW.
func TestTalks(t *testing.T) {
	for _, watched := range []bool{false, true} {
		t.Run(fmt.Sprintf("watched %t", watched), func(t *testing.T) {
			gwtest.RunArchives(t, "testdata/talk/*.txtar", func(t *testing.T, a *gwtest.Archive) {
				root := plant(t, a)
				opts := []gwtest.Option{gwtest.Env("ROOT", root)}
				if watched {
					opts = append(opts, gwtest.Watched())
				}
				g := gwtest.Start(t, a.Text("zilla.yaml"), opts...)
				var records strings.Builder
				for _, f := range slices.Clone(a.Files) {
					if name, ok := strings.CutPrefix(f.Name, "request "); ok {
						a.Expect(t, "response "+name, talk(t, g, f.Text))
						for range len(requestLine.FindAllString(f.Text, -1)) {
							r := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Status != 0 })
							records.WriteString(recordOf(&r, root))
						}
					}
				}
				a.Expect(t, "records", records.String())
				a.Expect(t, "tree", tree(t, root))
			})
		})
	}
}

// recordOf is what a record says that is the same every time.
func recordOf(r *telemetry.Record, root string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", r.HTTP.Status, r.HTTP.Method)
	for _, step := range r.Path {
		b.WriteString(" > " + strings.TrimSpace(strings.TrimPrefix(step.Binding, "test:")+" "+step.Route))
	}
	fmt.Fprintf(&b, "  received %d sent %d  %s: %s", r.Received, r.Sent, r.By, r.Reason)
	if r.Err != "" {
		b.WriteString(" (" + strings.ReplaceAll(r.Err, root, "ROOT") + ")")
	}
	return b.String() + "\n"
}

var requestLine = regexp.MustCompile(`(?m)^\S+ \S+ HTTP/1.1$`)

var (
	date     = regexp.MustCompile(`(?m)^date: .*\n`)
	modified = regexp.MustCompile(`(?m)^last-modified: (.*)$`)
)

// talk sends a text, whose lines end as those of HTTP do, and gives what comes back. The connection ends with the last
// request.
func talk(t *testing.T, g *gwtest.Gateway, text string) string {
	t.Helper()
	c := g.Dial("north")
	gwtest.Send(t, c, strings.ReplaceAll(text, "\n", "\r\n"))
	c.SetReadDeadline(time.Now().Add(gwtest.Patience))
	all, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("after %q: %v", all, err)
	}
	s := date.ReplaceAllString(strings.ReplaceAll(string(all), "\r\n", "\n"), "")
	s = modified.ReplaceAllStringFunc(s, func(line string) string {
		if strings.HasSuffix(line, past.Format("Mon, 02 Jan 2006 15:04:05")+" GMT") {
			return "last-modified: PAST"
		}
		return "last-modified: NEW"
	})
	return s + "\n"
}
