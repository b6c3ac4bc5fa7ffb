// Package filetest helps to test what speaks the protocol of files: a [Fake] to ask, and [Run], which wants of a port
// what the protocol says.
package filetest

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gozilla/stream/file"
)

// A Fake is a port whose files are in memory. The zero value has none.
type Fake struct {
	mu      sync.Mutex // guards what follows
	files   map[string]*content
	dirs    map[string]bool
	changed chan struct{} // closed at the next change; nil: nobody waits
	room    int           // bytes that a file may have; 0: any number
}

type content struct {
	info file.Info
	b    []byte
}

var _ file.Port = (*Fake)(nil)

// Room lets no file have more bytes.
func (f *Fake) Room(n int) { f.room = n }

// Put puts a file in place, and the folders above it.
func (f *Fake) Put(name, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range name {
		if c == '/' {
			f.dir(name[:i+1])
		}
	}
	f.put(name, []byte(text))
}

// Text is the content of a file; "" if there is none.
func (f *Fake) Text(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.files[name]; c != nil {
		return string(c.b)
	}
	return ""
}

func (f *Fake) dir(name string) {
	if f.dirs == nil {
		f.dirs = map[string]bool{}
	}
	f.dirs[name] = true
}

func (f *Fake) put(name string, b []byte) *file.Info {
	if f.files == nil {
		f.files = map[string]*content{}
	}
	sum := md5.Sum(b)
	c := &content{file.Info{Type: "text/plain", Size: int64(len(b)), Modified: time.Now(), Tag: hex.EncodeToString(sum[:])}, b}
	f.files[name] = c
	f.tell()
	return &c.info
}

func (f *Fake) tell() {
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// above is the folder that a name is in.
func above(name string) string {
	name = strings.TrimSuffix(name, "/")
	return name[:strings.LastIndexByte(name, '/')+1]
}

func (f *Fake) isDir(name string) bool { return name == "" || f.dirs[name] }

// Open is part of file.Port, so are the methods that follow.
func (f *Fake) Open(_ context.Context, name string) (file.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open(name)
}

func (f *Fake) open(name string) (file.File, error) {
	if c := f.files[name]; c != nil {
		return &opened{f, name, c}, nil
	}
	return nil, file.ErrNotFound
}

func (f *Fake) List(_ context.Context, name string) ([]file.Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.isDir(name) {
		return nil, file.ErrNotFound
	}
	var all []file.Entry
	for _, have := range slices.Sorted(maps.Keys(f.files)) {
		if above(have) == name {
			all = append(all, file.Entry{Name: have[len(name):]})
		}
	}
	for have := range f.dirs {
		if above(have) == name {
			all = append(all, file.Entry{Name: strings.TrimSuffix(have[len(name):], "/"), Dir: true})
		}
	}
	slices.SortFunc(all, func(a, b file.Entry) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func (f *Fake) Write(_ context.Context, name string, on file.If) (file.Writer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if file.IsDir(name) || !file.Valid(name) || !f.isDir(above(name)) {
		return nil, file.ErrNotFound
	}
	if err := f.asked(name, on); err != nil {
		return nil, err
	}
	if f.dirs[name+"/"] {
		return nil, file.ErrExists
	}
	return &writer{f: f, name: name, on: on}, nil
}

func (f *Fake) asked(name string, on file.If) error {
	if on == nil {
		return nil
	}
	if c := f.files[name]; c != nil {
		return on(&c.info)
	}
	return on(nil)
}

func (f *Fake) MakeDir(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.isDir(name) || f.files[strings.TrimSuffix(name, "/")] != nil:
		return file.ErrExists
	case !file.IsDir(name) || !file.Valid(name) || !f.isDir(above(name)):
		return file.ErrNotFound
	}
	f.dir(name)
	return nil
}

func (f *Fake) Delete(_ context.Context, name string, on file.If) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if file.IsDir(name) {
		return f.deleteDir(name)
	}
	if err := f.asked(name, on); err != nil {
		return err
	}
	if f.files[name] == nil {
		return file.ErrNotFound
	}
	delete(f.files, name)
	f.tell()
	return nil
}

func (f *Fake) deleteDir(name string) error {
	if !f.dirs[name] {
		return file.ErrNotFound
	}
	for have := range f.files {
		if strings.HasPrefix(have, name) {
			return file.ErrNotEmpty
		}
	}
	for have := range f.dirs {
		if have != name && strings.HasPrefix(have, name) {
			return file.ErrNotEmpty
		}
	}
	delete(f.dirs, name)
	return nil
}

// opened is a file.File.
type opened struct {
	f    *Fake
	name string
	*content
}

func (o *opened) Info() *file.Info { return &o.info }
func (o *opened) Section(at, n int64) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(o.b), at, n)
}
func (o *opened) Check() error { return nil }
func (o *opened) Close() error { return nil }

func (o *opened) Newer(ctx context.Context) (file.File, error) {
	for {
		o.f.mu.Lock()
		next, err := o.f.open(o.name)
		if o.f.changed == nil {
			o.f.changed = make(chan struct{})
		}
		changed := o.f.changed
		o.f.mu.Unlock()
		if err != nil || next.Info().Tag != o.info.Tag {
			return next, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// writer is a file.Writer.
type writer struct {
	f    *Fake
	name string
	on   file.If
	b    []byte
	err  error
}

func (w *writer) Write(p []byte) (int, error) {
	if w.f.room > 0 && len(w.b)+len(p) > w.f.room {
		w.err = file.ErrFull
		return 0, w.err
	}
	w.b = append(w.b, p...)
	return len(p), nil
}

func (w *writer) Commit(context.Context) (*file.Info, error) {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	if w.err == nil {
		w.err = w.f.asked(w.name, w.on)
	}
	if w.err != nil {
		return nil, w.err
	}
	w.err = file.ErrChanged
	return w.f.put(w.name, w.b), nil
}

func (w *writer) Close() error {
	w.b = nil
	return nil
}
