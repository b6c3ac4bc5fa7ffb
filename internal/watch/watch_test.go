package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/internal/gwtest/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// A folder is where a test has its files.
type folder struct {
	t    *testing.T
	path string
}

func newFolder(t *testing.T) folder { return folder{t, t.TempDir()} }

func (f folder) name(name string) string { return filepath.Join(f.path, name) }

func (f folder) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) write(name, text string) string {
	f.t.Helper()
	f.must(os.WriteFile(f.name(name), []byte(text), 0o600))
	return f.name(name)
}

// expect waits for a change, and checks how long that takes and what it is.
func expect(t *testing.T, s *Snapshot, after time.Duration, want ...string) *Snapshot {
	t.Helper()
	began := time.Now()
	changed, now, err := s.Next(t.Context(), Interval)
	if err != nil || !slices.Equal(changed, want) || time.Since(began) != after {
		t.Errorf("%q have changed after %v (%v), not %q after %v", changed, time.Since(began), err, want, after)
	}
	return now
}

// quiet checks that nothing is told for a while.
func quiet(t *testing.T, s *Snapshot) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("enough"))
	defer cancel()
	changed, now, err := s.Next(ctx, Interval)
	if changed != nil || now != s || err == nil || err.Error() != "enough" {
		t.Errorf("%q have changed: %v", changed, err)
	}
}

func TestChanges(t *testing.T) {
	change := func(name string, change func(f folder), want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFolder(t)
				a, b, c := f.write("a", "1"), f.write("b", "1"), f.name("c")
				s := Take(a, b, c)
				quiet(t, s)
				change(f)
				for i := range want {
					want[i] = f.name(want[i])
				}
				if len(want) == 0 {
					quiet(t, s)
					return
				}
				quiet(t, expect(t, s, 2*Interval, want...))
			})
		})
	}
	change("nothing", func(folder) {})
	change("written", func(f folder) { f.write("a", "22") }, "a")
	change("all written", func(f folder) { f.write("a", "22"); f.write("b", "33") }, "a", "b")
	change("replaced by one that looks the same", func(f folder) {
		info, err := os.Stat(f.name("a"))
		f.must(err)
		f.write("new", "2")
		f.must(os.Chtimes(f.name("new"), info.ModTime(), info.ModTime()))
		f.must(os.Rename(f.name("new"), f.name("a")))
	}, "a")
	change("removed", func(f folder) { f.must(os.Remove(f.name("b"))) }, "b")
	change("made", func(f folder) { f.write("c", "") }, "c")
	change("another one", func(f folder) { f.write("d", "") })
	change("made and removed", func(f folder) { f.write("c", ""); f.must(os.Remove(f.name("c"))) })
	change("a folder in its place", func(f folder) { f.must(os.Mkdir(f.name("c"), 0o700)) }, "c")
}

func TestRemovedAndMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t)
		a := f.write("a", "1")
		s := Take(a)
		f.must(os.Remove(a))
		s = expect(t, s, 2*Interval, a)
		f.write("a", "1")
		quiet(t, expect(t, s, 2*Interval, a))
	})
}

// TestSettles writes a file in steps.
func TestSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t)
		a, b := f.write("a", ""), f.write("b", "")
		s := Take(a, b)
		go func() {
			time.Sleep(Interval / 2)
			f.write("a", "1")
			time.Sleep(Interval) // between the second look and the third
			f.write("a", "12")
			time.Sleep(Interval)
			f.write("b", "1")
		}()
		quiet(t, expect(t, s, 4*Interval, a, b))
	})
}

// TestLinks replaces the files of a volume as Kubernetes does: they lead through a link to a folder, which is exchanged.
func TestLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t)
		version := func(folder, text string) {
			f.must(os.Mkdir(f.name(folder), 0o700))
			f.write(folder+"/tls.crt", text)
			f.write(folder+"/tls.key", text)
			f.must(os.Symlink(folder, f.name("..tmp")))
			f.must(os.Rename(f.name("..tmp"), f.name("..data")))
		}
		version("..1", "same")
		f.must(os.Symlink("..data/tls.crt", f.name("tls.crt")))
		f.must(os.Symlink("..data/tls.key", f.name("tls.key")))
		s := Take(f.name("tls.crt"), f.name("tls.key"))
		version("..2", "same")
		s = expect(t, s, 2*Interval, s.Names()...)
		f.must(os.RemoveAll(f.name("..1")))
		quiet(t, s)
		f.must(os.Remove(f.name("..data")))
		expect(t, s, 2*Interval, s.Names()...)
	})
}

func TestUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t)
		a := f.write("a", "1")
		s := Take(filepath.Join(a, "below")) // no folder is there
		if s.seen[0].err == nil {
			t.Fatal("it is there")
		}
		quiet(t, s)
	})
}
