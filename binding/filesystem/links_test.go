package filesystem

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gozilla/stream/file"
)

// TestAbsoluteLinks are followed by either way to open files, by the path of the location that is given and by that which
// it really has, but not out of it.
func TestAbsoluteLinks(t *testing.T) {
	above := t.TempDir()
	dir, given := filepath.Join(above, "real", "root"), filepath.Join(above, "given")
	write(t, dir, "in/a", "a")
	write(t, above, "real/b", "secret")
	must(t, os.Symlink(dir, given))
	link := func(name, target string) { t.Helper(); must(t, os.Symlink(target, filepath.Join(dir, name))) }
	link("by given", given+"/in/a")
	link("by real", dir+"//in/./a")
	link("folder", given+"/in")
	link("twice", dir+"/folder/a")
	link("self", dir)
	link("out", dir+"/../b")
	link("out by folder", given+"/folder/../../b")
	link("outside", above+"/real/b")
	link("aside", dir+"s/b")
	link("round", given+"/round")
	link("step0", given+"/in/a")
	for i := range linksMost {
		link(fmt.Sprint("step", i+1), fmt.Sprint(dir, "/step", i))
	}
	s := serverOf(t, given, Follow)
	walking := func(name string) string {
		r, err := s.location.take()
		must(t, err)
		defer s.location.give(r)
		f, err := s.openWalking(r, name)
		if name, ok := s.detour(r, name, err); ok {
			f, err = s.openWalking(r, name)
		}
		if err != nil {
			return cause(err).Error()
		}
		defer f.Close()
		var b [10]byte
		n, _ := f.ReadAt(b[:], 0)
		return string(b[:n])
	}
	none := file.ErrNotFound.Error()
	for name, want := range map[string]string{
		"by given": "a", "by real": "a", "folder/a": "a", "twice": "a", "self/folder/a": "a", "self/self/twice": "a",
		fmt.Sprint("step", linksMost-1): "a", fmt.Sprint("step", linksMost): none,
		"out": none, "out by folder": none, "outside": none, "aside": none, "round": none, "self/out": none, "self/none": none,
	} {
		if got := read(s, name); got != want {
			t.Errorf("%s: %s", name, got)
		}
		if got := walking(name); got != want {
			t.Errorf("%s, element by element: %s", name, got)
		}
	}
}

// TestAbsoluteLinksThatCome has folders that become links out of the root while somebody follows absolute links.
func TestAbsoluteLinksThatCome(t *testing.T) {
	s, dir := serving(t, Follow)
	outside := t.TempDir()
	write(t, outside, "a", "secret")
	write(t, dir, "in/a", "a")
	must(t, os.Symlink(dir+"/in/a", filepath.Join(dir, "a")), os.Symlink(dir+"/in", filepath.Join(dir, "folder")),
		os.Symlink(outside, filepath.Join(dir, "link")))
	done := swaps(dir)
	for {
		select {
		case <-done:
			if got := read(s, "a"); got != "a" {
				t.Errorf("in the end it is %q", got)
			}
			return
		default:
		}
		for _, name := range []string{"a", "folder/a"} {
			if got := read(s, name); got == "secret" {
				t.Fatalf("%s is read outside of the root", name)
			}
		}
		if w, err := s.Write(t.Context(), "folder/new", func(*file.Info) error { return nil }); err == nil {
			w.Commit(t.Context())
			w.Close()
		}
		if _, err := os.Lstat(filepath.Join(outside, "new")); err == nil {
			t.Fatal("a file was written outside of the root")
		}
	}
}
