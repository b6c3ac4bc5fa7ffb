package filesystem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/file"
	"gozilla/stream/file/filetest"
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	return path
}

// read is the content of a file, or why there is none.
func read(s *server, name string) string {
	v, err := s.Open(context.Background(), name)
	if err != nil {
		return err.Error()
	}
	defer v.Close()
	b, err := io.ReadAll(v.Section(0, v.Info().Size))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// await waits until f says want.
func await(t *testing.T, want string, f func() string) {
	t.Helper()
	for until := time.Now().Add(filetest.Patience); ; {
		got := f()
		if got == want {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("it is still %q, not %q", got, want)
		}
		time.Sleep(lookEvery / 5)
	}
}

// TestRoot has a root that vanishes, comes back, and is exchanged.
func TestRoot(t *testing.T) {
	above := t.TempDir()
	dir := filepath.Join(above, "root")
	s := serverOf(t, dir, Ignore)
	unavailable := func() string {
		_, err := s.Open(t.Context(), "a")
		var r *stream.Refused
		if errors.As(err, &r) {
			return string(r.Reason)
		}
		return fmt.Sprint(err)
	}
	await(t, "unavailable", unavailable)
	write(t, dir, "a", "one")
	await(t, "one", func() string { return read(s, "a") })
	must(t, os.RemoveAll(dir))
	await(t, "unavailable", unavailable)
	write(t, dir, "a", "two")
	await(t, "two", func() string { return read(s, "a") })
	write(t, above, "other/a", "three")
	must(t, os.Rename(dir, filepath.Join(above, "old")), os.Symlink("other", dir))
	await(t, "three", func() string { return read(s, "a") })
	must(t, os.Remove(dir), os.Symlink("old", dir))
	await(t, "two", func() string { return read(s, "a") })
	must(t, os.Remove(dir))
	write(t, above, "root", "a file")
	await(t, "unavailable", unavailable)
	for _, err := range []error{s.Delete(t.Context(), "a", nil), s.MakeDir(t.Context(), "b/")} {
		var r *stream.Refused
		if !errors.As(err, &r) || r.Reason != stream.Unavailable {
			t.Errorf("the error is %v", err)
		}
	}
}

// TestExchanged has another folder take the place of the root right after somebody has read there. Nothing is written to the
// old one.
func TestExchanged(t *testing.T) {
	s, dir := serving(t, Ignore)
	above := filepath.Dir(dir)
	old, next := filepath.Join(above, "old"), filepath.Join(above, "next")
	write(t, dir, "a", "old")
	write(t, next, "a", "next")
	write(t, dir, "b", "b")
	write(t, next, "b", "b")
	exchange := func() {
		t.Helper()
		read(s, "b")
		must(t, os.Rename(dir, old), os.Rename(next, dir), os.Rename(old, next))
	}
	always := func(*file.Info) error { return nil }
	was := func(text string) file.If {
		return func(now *file.Info) error {
			if now.Size != int64(len(text)) {
				return file.ErrChanged
			}
			return nil
		}
	}
	there := func(dir, name string, want bool) {
		t.Helper()
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}

	exchange()
	must(t, s.MakeDir(t.Context(), "folder/"))
	there(dir, "folder", true)
	there(next, "folder", false)
	exchange()
	exchange()
	must(t, s.Delete(t.Context(), "folder/", nil))

	w, err := s.Write(t.Context(), "new", always)
	must(t, err)
	defer w.Close()
	exchange()
	_, err = w.Commit(t.Context())
	var refused *stream.Refused
	if !errors.As(err, &refused) || refused.Reason != stream.Unavailable {
		t.Errorf("the error is %v", err)
	}
	must(t, w.Close())
	there(dir, "new", false)
	there(next, "new", false)

	exchange()
	w, err = s.Write(t.Context(), "new", always)
	must(t, err)
	defer w.Close()
	exchange()
	exchange() // and back
	_, err = w.Commit(t.Context())
	must(t, err)
	there(dir, "new", true)

	exchange() // to that of "old"
	if err := s.Delete(t.Context(), "a", was("next")); err != file.ErrChanged {
		t.Errorf("the error is %v", err)
	}
	must(t, s.Delete(t.Context(), "a", was("old")))
	there(dir, "a", false)
	there(next, "a", true)
	for _, at := range []string{dir, next} {
		all, err := filepath.Glob(filepath.Join(at, unfinished+"*"))
		if must(t, err); len(all) > 0 {
			t.Errorf("%s is left", all)
		}
	}
}

// TestNoFiles asks for what is there, but is no file.
func TestNoFiles(t *testing.T) {
	for _, links := range []Symlinks{Ignore, Follow} {
		s, dir := serving(t, links)
		write(t, dir, "a", "a")
		write(t, dir, unfinished+"x", "half")
		write(t, dir, unfinished+"dir/x", "half")
		must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600), os.Mkdir(filepath.Join(dir, "dir"), 0o700))
		for _, name := range []string{"fifo", "dir", "a/b", unfinished + "x", unfinished + "dir/x", strings.Repeat("x", 5000), strings.Repeat("x/", 3000) + "x"} {
			if got := read(s, name); got != file.ErrNotFound.Error() {
				t.Errorf("%.40s: %s", name, got)
			}
			_, err := s.Write(t.Context(), name, func(*file.Info) error { return nil })
			if err != file.ErrNotFound && err != file.ErrExists {
				t.Errorf("%.40s: %v", name, err)
			}
			if err := s.Delete(t.Context(), name, nil); err != file.ErrNotFound {
				t.Errorf("%.40s: %v", name, err)
			}
		}
		want := []file.Entry{{Name: "a"}, {Name: "dir", Dir: true}}
		if all, err := s.List(t.Context(), ""); err != nil || !slices.Equal(all, want) {
			t.Errorf("there is %v, %v", all, err)
		}
	}
}

// TestCheck writes into a file that is open.
func TestCheck(t *testing.T) {
	for _, n := range []int{10, hashedMost + 1} {
		s, dir := serving(t, Ignore)
		path := write(t, dir, "a", strings.Repeat("a", n))
		for name, change := range map[string]func(f *os.File) error{
			"in place": func(f *os.File) error { _, err := f.WriteAt([]byte("b"), int64(n)-1); return err },
			"appended": func(f *os.File) error { _, err := f.WriteAt([]byte("b"), int64(n)); return err },
			"cut":      func(f *os.File) error { return f.Truncate(1) },
		} {
			v, err := s.version(t.Context(), "a")
			must(t, err, v.Check())
			tag := v.info.Tag
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			must(t, err, change(f), f.Close())
			if err := v.Check(); err != file.ErrChanged {
				t.Errorf("%d bytes, %s: %v", n, name, err)
			}
			must(t, v.Close())
			v, err = s.version(t.Context(), "a")
			must(t, err)
			if v.info.Tag == tag {
				t.Errorf("%d bytes, %s: the tag is the same", n, name)
			}
			v.Close()
			write(t, dir, "a", strings.Repeat("a", n))
		}
		v, err := s.version(t.Context(), "a")
		must(t, err, os.Rename(write(t, dir, "b", "b"), path), v.Check())
		v.Close()
	}
}

// TestTimesTell has what counts as writing into a file that is open, since its times change, and what does not.
func TestTimesTell(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the time of the inode is not looked at")
	}
	for name, c := range map[string]struct {
		do   func(path string) error
		want error
	}{
		"touched":  {func(path string) error { return os.Chtimes(path, time.Time{}, time.Now()) }, file.ErrChanged},
		"chmod":    {func(path string) error { return os.Chmod(path, 0o600) }, file.ErrChanged},
		"chown":    {func(path string) error { return os.Chown(path, os.Getuid(), os.Getgid()) }, file.ErrChanged},
		"moved":    {func(path string) error { return os.Rename(path, path+"2") }, file.ErrChanged},
		"linked":   {func(path string) error { return os.Link(path, path+"2") }, nil},
		"deleted":  {os.Remove, nil},
		"replaced": {func(path string) error { return os.Rename(write(t, filepath.Dir(path), "b", "b"), path) }, nil},
	} {
		s, dir := serving(t, Ignore)
		path := write(t, dir, "a", "a")
		v, err := s.version(t.Context(), "a")
		must(t, err, c.do(path))
		if err := v.Check(); err != c.want {
			t.Errorf("%s: %v", name, err)
		}
		v.Close()
	}
}

// TestTheSystemMaySend lets it, unless the file was written into of late.
func TestTheSystemMaySend(t *testing.T) {
	s, dir := serving(t, Ignore)
	path := write(t, dir, "a", "a")
	f := func(want bool) {
		t.Helper()
		v, err := s.version(t.Context(), "a")
		must(t, err)
		defer v.Close()
		from, _, _ := v.Section(0, 1).Outer()
		if _, ok := from.(syscall.Conn); ok != want {
			t.Errorf("the file is a %T", from)
		}
	}
	v, err := s.version(t.Context(), "a")
	must(t, err)
	if _, ok := v.born(); ok {
		f(true)
	}
	v.Close()
	must(t, os.WriteFile(path, []byte("b"), 0o644)) // into the same file, which was made 20 ms ago and more
	f(false)
	past := time.Now().Add(-time.Minute)
	must(t, os.Chtimes(path, past, past))
	f(true)
}

// TestPermissions are those of the version before.
func TestPermissions(t *testing.T) {
	s, dir := serving(t, Ignore)
	path := write(t, dir, "a", "a")
	must(t, os.Chmod(path, 0o666))
	w, err := s.Write(t.Context(), "a", func(*file.Info) error { return nil })
	must(t, err)
	_, err = io.WriteString(w, "b")
	must(t, err)
	_, err = w.Commit(t.Context())
	must(t, err, w.Close())
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o666 || read(s, "a") != "b" {
		t.Errorf("it is %v, %v", info.Mode(), err)
	}
	if os.Getuid() == 0 {
		return // who may do everything
	}
	must(t, os.Chmod(path, 0))
	if _, err = s.Open(t.Context(), "a"); err != file.ErrForbidden {
		t.Errorf("the error is %v", err)
	}
}

// TestOwner is that of the version before.
func TestOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	const nobody = 65534
	for _, links := range []Symlinks{Ignore, Follow} {
		s, dir := serving(t, links)
		path := write(t, dir, "a", "a")
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Skipf("this root gives no files away: %v", err)
		}
		must(t, os.Chmod(path, 0o640))
		if links == Follow {
			must(t, os.Rename(path, path+"0"), os.Symlink("a0", path))
		}
		for _, name := range []string{"a", "new"} {
			w, err := s.Write(t.Context(), name, func(*file.Info) error { return nil })
			must(t, err)
			_, err = io.WriteString(w, "b")
			must(t, err)
			_, err = w.Commit(t.Context())
			must(t, err, w.Close())
		}
		is := func(name string, want uint32) {
			t.Helper()
			info, err := os.Lstat(filepath.Join(dir, name))
			must(t, err)
			if st := info.Sys().(*syscall.Stat_t); st.Uid != want || (st.Gid == nobody) != (want == nobody) {
				t.Errorf("%s is of %d:%d", name, st.Uid, st.Gid)
			}
		}
		is("a", nobody)
		if info, err := os.Lstat(path); err != nil || info.Mode() != 0o640 || read(s, "a") != "b" {
			t.Errorf("it is %v, %v", info.Mode(), err)
		}
		is("new", 0)
	}
}

// TestLeftovers of a gateway that was killed go with their folder, unless there is something else in it.
func TestLeftovers(t *testing.T) {
	for _, links := range []Symlinks{Ignore, Follow} {
		s, dir := serving(t, links)
		is := func(want error) {
			t.Helper()
			if err := s.Delete(t.Context(), "in/", nil); err != want {
				t.Errorf("the error is %v, not %v", err, want)
			}
		}
		left := write(t, dir, "in/"+unfinished+"x", "half")
		a := write(t, dir, "in/a", "a")
		is(file.ErrNotEmpty)
		if _, err := os.Stat(left); err != nil {
			t.Error("what is beside a file is gone")
		}
		must(t, os.Remove(a), os.Mkdir(a, 0o755))
		is(file.ErrNotEmpty)
		must(t, os.Remove(a), os.Symlink("nowhere", a))
		is(file.ErrNotEmpty)
		must(t, os.Remove(a))
		for i := range 2 * listStep {
			write(t, dir, fmt.Sprint("in/", unfinished, i), "half")
		}
		is(nil)
		is(file.ErrNotFound)
		must(t, os.MkdirAll(filepath.Join(dir, "in", unfinished+"folder"), 0o755))
		is(file.ErrNotEmpty)
		must(t, os.Remove(filepath.Join(dir, "in", unfinished+"folder")))

		w, err := s.Write(t.Context(), "in/a", func(*file.Info) error { return nil })
		must(t, err)
		_, err = io.WriteString(w, "whole")
		must(t, err)
		is(file.ErrNotEmpty)
		if err := serverOf(t, dir, links).Delete(t.Context(), "in/", nil); err != file.ErrNotEmpty {
			t.Errorf("to another gateway the error is %v", err)
		}
		_, err = w.Commit(t.Context())
		must(t, err)
		must(t, w.Close())
		if got := read(s, "in/a"); got != "whole" {
			t.Errorf("it is %q", got)
		}
		must(t, s.Delete(t.Context(), "in/a", nil))
		is(nil)
	}
}

// TestLongFolder is one that is not listed.
func TestLongFolder(t *testing.T) {
	s, dir := serving(t, Ignore)
	one := write(t, dir, "a", "a")
	long := strings.Repeat("x", 240)
	for i := range namesMost/240 + listStep {
		must(t, os.Link(one, filepath.Join(dir, fmt.Sprint(i, long))))
	}
	if _, err := s.List(t.Context(), ""); err != file.ErrLong {
		t.Errorf("the error is %v", err)
	}
}

// TestTouched is no change for who waits, and leaving is.
func TestTouched(t *testing.T) {
	s, dir := serving(t, Ignore)
	path := write(t, dir, "a", "one")
	v, err := s.version(t.Context(), "a")
	must(t, err)
	defer v.Close()
	got := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), filetest.Patience)
	defer cancel()
	go func() { // ends with what it waits for
		next, err := v.Newer(ctx)
		if err == nil {
			defer next.Close()
			if next.Info().Size != 5 {
				err = fmt.Errorf("it has %d bytes", next.Info().Size)
			}
		}
		got <- err
	}()
	past := time.Now().Add(-time.Minute)
	must(t, os.Chtimes(path, past, past))
	await(t, "1", func() string { s.watch.mu.Lock(); defer s.watch.mu.Unlock(); return fmt.Sprint(len(s.watch.names)) })
	write(t, dir, "a", "three")
	must(t, <-got)
	await(t, "false 0", func() string {
		s.watch.mu.Lock()
		defer s.watch.mu.Unlock()
		return fmt.Sprint(s.watch.running, " ", len(s.watch.names))
	})
}

// TestTooManyWaits are refused.
func TestTooManyWaits(t *testing.T) {
	w := &watch{look: func(string) signature { return signature{} }}
	ctx, cancel := context.WithCancelCause(t.Context())
	over := make(chan error)
	for i := range watchedMost {
		go func() { over <- w.await(ctx, fmt.Sprint(i), signature{}) }() // ends with ctx
	}
	await(t, fmt.Sprint(watchedMost), func() string { w.mu.Lock(); defer w.mu.Unlock(); return fmt.Sprint(len(w.names)) })
	if err := w.await(ctx, "another", signature{}); err != file.ErrBusy {
		t.Errorf("the error is %v", err)
	}
	end := errors.New("the end")
	cancel(end)
	for range watchedMost {
		if err := <-over; err != end {
			t.Fatal(err)
		}
	}
}

// TestTags are forgotten when there are too many.
func TestTags(t *testing.T) {
	var kept tags
	for i := range 10 * tagsMost {
		kept.put(&signature{inode: uint64(i)}, fmt.Sprint(i))
		if tag, ok := kept.find(&signature{inode: 7}); i >= 7 && (!ok || tag != "7") {
			t.Fatalf("after %d the one that is asked for is %q, %v", i, tag, ok)
		}
	}
	if n := len(kept.new) + len(kept.old); n > tagsMost {
		t.Errorf("%d are kept", n)
	}
}

// TestLinksThatCome puts a link where a folder was, again and again, while somebody reads.
func TestLinksThatCome(t *testing.T) {
	s, dir := serving(t, Ignore)
	outside := t.TempDir()
	write(t, outside, "a", "secret")
	write(t, dir, "real/a", "a")
	write(t, dir, "in/a", "a")
	must(t, os.Symlink(outside, filepath.Join(dir, "link")))
	done := swaps(dir)
	for {
		select {
		case <-done:
			return
		default:
		}
		r, err := s.location.take()
		must(t, err)
		for _, open := range []func() (*handle, error){
			func() (*handle, error) { return s.openBelow(r, "in/a", false) },
			func() (*handle, error) { return s.openWalking(r, "in/a") },
		} {
			if f, err := open(); err == nil {
				if b, _ := io.ReadAll(io.NewSectionReader(f, 0, 10)); string(b) != "a" {
					t.Errorf("it is %q", b)
				}
				f.Close()
			}
		}
		s.location.give(r)
		if w, err := s.Write(t.Context(), "in/new", func(*file.Info) error { return nil }); err == nil {
			w.Commit(t.Context())
			w.Close()
		}
		if _, err := os.Lstat(filepath.Join(outside, "new")); err == nil {
			t.Fatal("a file was written outside of the root")
		}
	}
}

func TestTypes(t *testing.T) {
	for name, want := range map[string]string{
		"index.html": "text/html", "a/b.PNG": "image/png", "script.js.map": anyType, "none": anyType, "": anyType, ".": anyType,
		"a.js": "text/javascript", "a.json": "application/json",
	} {
		if got := typeOf(name); got != want {
			t.Errorf("%s is %s, not %s", name, got, want)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	s, dir := serving(b, Ignore)
	past := time.Now().Add(-time.Minute)
	path := write(b, dir, "a/b/c.txt", "hello")
	must(b, os.Chtimes(path, past, past))
	time.Sleep(2 * settles)
	b.ReportAllocs()
	for b.Loop() {
		v, err := s.Open(b.Context(), "a/b/c.txt")
		if err != nil {
			b.Fatal(err)
		}
		v.Section(0, 5)
		v.Check()
		v.Close()
	}
}

// swaps has the folder in and the link beside it take each other's place, again and again. done is closed at the end.
func swaps(dir string) (done chan struct{}) {
	at := func(name string) string { return filepath.Join(dir, name) }
	done = make(chan struct{})
	go func() { // ends with its work
		defer close(done)
		for range 300 {
			os.Rename(at("in"), at("away"))
			os.Rename(at("link"), at("in"))
			os.Rename(at("in"), at("link"))
			os.Rename(at("away"), at("in"))
		}
	}()
	return done
}
