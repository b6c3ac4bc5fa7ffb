package filetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/file"
	"gozilla/telemetry"
)

// Patience bounds everything that must happen, however slow the machine.
const Patience = 30 * time.Second

// Run wants of a port what the protocol says. begin makes one without any file.
func Run(t *testing.T, begin func(t *testing.T) file.Port) {
	for _, c := range []struct {
		name string
		run  func(*rig)
	}{
		{"open", (*rig).open},
		{"sections", (*rig).sections},
		{"write", (*rig).write},
		{"a condition", (*rig).condition},
		{"two writers", (*rig).writers},
		{"given up", (*rig).givenUp},
		{"a version stays", (*rig).stays},
		{"tags", (*rig).tags},
		{"delete", (*rig).delete},
		{"folders", (*rig).folders},
		{"names", (*rig).names},
		{"newer", (*rig).newer},
		{"newer for many", (*rig).many},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), Patience)
			defer cancel()
			host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 10, false))
			scope := stream.Begin(stream.WithHost(ctx, host), &stream.Node{Name: "client"})
			defer scope.End(nil)
			c.run(&rig{T: t, ctx: scope, port: begin(t)})
		})
	}
}

type rig struct {
	*testing.T
	ctx  context.Context
	port file.Port
}

func always(*file.Info) error { return nil }

// put makes a version of a file, and gives its tag.
func (r *rig) put(name, text string) string {
	r.Helper()
	info, err := r.tryPut(name, text, always)
	if err != nil {
		r.Fatalf("cannot write %s: %v", name, err)
	}
	return info.Tag
}

func (r *rig) tryPut(name, text string, on file.If) (*file.Info, error) {
	r.Helper()
	w, err := r.port.Write(r.ctx, name, on)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err = io.WriteString(w, text); err != nil {
		return nil, err
	}
	return w.Commit(r.ctx)
}

func (r *rig) opens(name string) file.File {
	r.Helper()
	f, err := r.port.Open(r.ctx, name)
	if err != nil {
		r.Fatalf("cannot open %s: %v", name, err)
	}
	r.Cleanup(func() { f.Close() })
	return f
}

func (r *rig) text(f file.File) string {
	r.Helper()
	b, err := io.ReadAll(f.Section(0, f.Info().Size))
	if err != nil {
		r.Fatal(err)
	}
	return string(b)
}

// is fails the test unless err is want.
func (r *rig) is(err, want error) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Errorf("the error is %v, not %v", err, want)
	}
}

func (r *rig) open() {
	_, err := r.port.Open(r.ctx, "a.txt")
	r.is(err, file.ErrNotFound)
	tag := r.put("a.txt", "hello")
	f := r.opens("a.txt")
	if i := f.Info(); i.Size != 5 || i.Tag != tag || i.Type == "" || time.Since(i.Modified) > time.Hour {
		r.Errorf("the version is %+v, its tag was %s", i, tag)
	}
	if got := r.text(f); got != "hello" {
		r.Errorf("it is %q", got)
	}
	if err := f.Check(); err != nil {
		r.Error(err)
	}
	r.put("empty", "")
	if e := r.opens("empty"); e.Info().Size != 0 || r.text(e) != "" || e.Info().Tag == tag {
		r.Errorf("an empty file is %+v", e.Info())
	}
}

func (r *rig) sections() {
	r.put("a", "0123456789")
	f := r.opens("a")
	for _, c := range []struct {
		at, n int64
		want  string
	}{{0, 10, "0123456789"}, {3, 4, "3456"}, {9, 1, "9"}, {10, 0, ""}} {
		if b, err := io.ReadAll(f.Section(c.at, c.n)); err != nil || string(b) != c.want {
			r.Errorf("%d bytes from %d on are %q, %v", c.n, c.at, b, err)
		}
	}
}

func (r *rig) write() {
	w, err := r.port.Write(r.ctx, "a", always)
	if err != nil {
		r.Fatal(err)
	}
	defer w.Close()
	for range 1000 {
		if _, err := io.WriteString(w, "0123456789"); err != nil {
			r.Fatal(err)
		}
	}
	_, err = r.port.Open(r.ctx, "a")
	r.is(err, file.ErrNotFound)
	if all, err := r.port.List(r.ctx, ""); err != nil || len(all) != 0 {
		r.Errorf("what is not whole is listed: %v, %v", all, err)
	}
	info, err := w.Commit(r.ctx)
	if err != nil || info.Size != 10000 {
		r.Fatal(info, err)
	}
	if f := r.opens("a"); f.Info().Tag != info.Tag || r.text(f) != strings.Repeat("0123456789", 1000) {
		r.Errorf("it is %+v, and was %+v", f.Info(), info)
	}
	if _, err = w.Commit(r.ctx); err == nil {
		r.Error("a version is committed twice")
	}
	_, err = r.port.Write(r.ctx, "nowhere/a", always)
	r.is(err, file.ErrNotFound)
}

var errNo = errors.New("no")

func (r *rig) condition() {
	_, err := r.tryPut("a", "one", func(now *file.Info) error {
		if now != nil {
			r.Errorf("there is %+v", now)
		}
		return errNo
	})
	r.is(err, errNo)
	tag := r.put("a", "one")
	_, err = r.tryPut("a", "two", func(now *file.Info) error {
		if now == nil || now.Tag != tag {
			r.Errorf("there is %+v, not %s", now, tag)
		}
		return errNo
	})
	r.is(err, errNo)
	if got := r.text(r.opens("a")); got != "one" {
		r.Errorf("it is %q", got)
	}
}

// unchanged is the condition that a version is still there, "" for none.
func unchanged(tag string) file.If {
	return func(now *file.Info) error {
		if now == nil && tag != "" || now != nil && now.Tag != tag {
			return errNo
		}
		return nil
	}
}

// writers wants one of many to win who have all seen the same version, or none.
func (r *rig) writers() {
	for _, tag := range []string{"", r.put("old", "old")} {
		name := "new"
		if tag != "" {
			name = "old"
		}
		var won sync.Map
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				if info, err := r.tryPut(name, fmt.Sprint("by ", i), unchanged(tag)); err == nil {
					won.Store(i, info.Tag)
				} else if !errors.Is(err, errNo) && !errors.Is(err, file.ErrExists) {
					r.Errorf("writer %d: %v", i, err)
				}
			})
		}
		all.Wait()
		n := 0
		won.Range(func(i, tag any) bool {
			n++
			if f := r.opens(name); f.Info().Tag != tag || r.text(f) != fmt.Sprint("by ", i) {
				r.Errorf("%q is there, and writer %v has won", r.text(f), i)
			}
			return true
		})
		if n != 1 {
			r.Errorf("%d writers have won", n)
		}
	}
}

func (r *rig) givenUp() {
	r.put("a", "one")
	w, err := r.port.Write(r.ctx, "a", always)
	if err != nil {
		r.Fatal(err)
	}
	io.WriteString(w, "two")
	w.Close()
	w.Close()
	if got := r.text(r.opens("a")); got != "one" {
		r.Errorf("it is %q", got)
	}
	if all, err := r.port.List(r.ctx, ""); err != nil || len(all) != 1 {
		r.Errorf("there is %v, %v", all, err)
	}
}

// stays reads a version that was replaced, and then deleted.
func (r *rig) stays() {
	r.put("a", "one")
	f := r.opens("a")
	r.put("a", "two")
	if err := r.port.Delete(r.ctx, "a", nil); err != nil {
		r.Fatal(err)
	}
	if got := r.text(f); got != "one" || f.Check() != nil {
		r.Errorf("it is %q, %v", got, f.Check())
	}
}

// tags changes the last byte of files of many sizes.
func (r *rig) tags() {
	seen := map[string]int{}
	for _, n := range []int{1, 1000, 32 << 10, 256 << 10, 256<<10 + 1, 2 << 20} {
		for _, last := range []string{"a", "b"} {
			tag := r.put("a", strings.Repeat("x", n-1)+last)
			if before, ok := seen[tag]; ok || strings.Trim(tag, "0123456789abcdef") != "" || tag == "" {
				r.Errorf("a file of %d bytes has the tag %s, as one of %d", n, tag, before)
			}
			seen[tag] = n
			if got := r.opens("a").Info().Tag; got != tag {
				r.Errorf("the tag of %d bytes is %s, and was %s", n, got, tag)
			}
			made := r.put(fmt.Sprint(n, last), strings.Repeat("x", n-1)+last)
			if got := r.opens(fmt.Sprint(n, last)).Info().Tag; got != made {
				r.Errorf("the tag of %d bytes that were not there is %s, and was %s", n, got, made)
			}
		}
	}
}

func (r *rig) delete() {
	r.is(r.port.Delete(r.ctx, "a", nil), file.ErrNotFound)
	tag := r.put("a", "one")
	r.is(r.port.Delete(r.ctx, "a", unchanged("other")), errNo)
	if err := r.port.Delete(r.ctx, "a", unchanged(tag)); err != nil {
		r.Error(err)
	}
	_, err := r.port.Open(r.ctx, "a")
	r.is(err, file.ErrNotFound)
}

func (r *rig) folders() {
	if all, err := r.port.List(r.ctx, ""); err != nil || len(all) != 0 {
		r.Errorf("the root has %v, %v", all, err)
	}
	_, err := r.port.List(r.ctx, "in/")
	r.is(err, file.ErrNotFound)
	r.is(r.port.Delete(r.ctx, "in/", nil), file.ErrNotFound)
	r.is(r.port.MakeDir(r.ctx, "in/deep/"), file.ErrNotFound)
	if err := errors.Join(r.port.MakeDir(r.ctx, "in/"), r.port.MakeDir(r.ctx, "in/deep/")); err != nil {
		r.Fatal(err)
	}
	r.is(r.port.MakeDir(r.ctx, "in/"), file.ErrExists)
	r.is(r.port.MakeDir(r.ctx, ""), file.ErrExists)
	r.put("in/b", "b")
	r.put("in/a", "a")
	r.put("in/deep/c", "c")
	want := []file.Entry{{Name: "a"}, {Name: "b"}, {Name: "deep", Dir: true}}
	if all, err := r.port.List(r.ctx, "in/"); err != nil || !slices.Equal(all, want) {
		r.Errorf("there is %v, %v", all, err)
	}
	r.is(r.port.MakeDir(r.ctx, "in/a/"), file.ErrExists)
	r.is(r.port.Delete(r.ctx, "in/deep/", nil), file.ErrNotEmpty)
	r.is(r.port.Delete(r.ctx, "in/deep", nil), file.ErrNotFound)
	r.is(r.port.Delete(r.ctx, "in/a/", nil), file.ErrNotFound)
	for _, name := range []string{"in/deep", "in/a/", "in/a/b", "in/", ""} {
		_, err := r.port.Open(r.ctx, name)
		r.is(err, file.ErrNotFound)
	}
	_, err = r.port.List(r.ctx, "in/a/")
	r.is(err, file.ErrNotFound)
	_, err = r.tryPut("in/deep", "x", always)
	r.is(err, file.ErrExists)
	if err := errors.Join(r.port.Delete(r.ctx, "in/deep/c", nil), r.port.Delete(r.ctx, "in/deep/", nil)); err != nil {
		r.Error(err)
	}
}

// names asks for what is none.
func (r *rig) names() {
	r.put("a", "a")
	for _, name := range []string{"..", "../a", "./a", "a/..", "a/../a", "//a", "/a", "b\x00", "..\\a", "a//", "/", "./", "../", "/../"} {
		_, err := r.port.Open(r.ctx, name)
		r.is(err, file.ErrNotFound)
		_, err = r.tryPut(name, "x", always)
		r.is(err, file.ErrNotFound)
		r.is(r.port.Delete(r.ctx, name, nil), file.ErrNotFound)
		if file.IsDir(name) {
			_, err = r.port.List(r.ctx, name)
			r.is(err, file.ErrNotFound)
			r.is(r.port.MakeDir(r.ctx, name), file.ErrNotFound)
		}
	}
}

func (r *rig) newer() {
	r.put("a", "one")
	f := r.opens("a")
	got := make(chan string, 1)
	await := func() {
		next, err := f.Newer(r.ctx)
		if err != nil {
			got <- err.Error()
			return
		}
		b, _ := io.ReadAll(next.Section(0, next.Info().Size))
		next.Close()
		got <- string(b)
	}
	go await() // ends with what it waits for
	r.put("b", "another")
	r.put("a", "two")
	if s := <-got; s != "two" {
		r.Errorf("the newer version is %q", s)
	}
	await() // there is one already
	if s := <-got; s != "two" {
		r.Errorf("the newer version is %q", s)
	}
	f = r.opens("a")
	go await() // likewise
	if err := r.port.Delete(r.ctx, "a", nil); err != nil {
		r.Error(err)
	}
	if s := <-got; s != file.ErrNotFound.Error() {
		r.Errorf("there is a newer version: %s", s)
	}
	r.put("a", "two")
	f = r.opens("a")
	ctx, cancel := context.WithCancelCause(r.ctx)
	cancel(errNo)
	_, err := f.Newer(ctx)
	r.is(err, errNo)
}

func (r *rig) many() {
	r.put("a", "one")
	var all sync.WaitGroup
	for range 50 {
		f := r.opens("a")
		all.Go(func() {
			next, err := f.Newer(r.ctx)
			if err != nil {
				r.Error(err)
				return
			}
			next.Close()
		})
	}
	r.put("a", "two")
	all.Wait()
}
