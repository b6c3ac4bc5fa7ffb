package httpfilesystem_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"gozilla/binding"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/file"
	"gozilla/stream/file/filetest"
)

// odd is a binding whose names say what is wrong with them.
type odd struct{ filetest.Fake }

type oddConfig struct{ binding.Head }

func init() {
	binding.Register(binding.Type{Name: "odd", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(func(*binding.Builder, *oddConfig) (*odd, error) { return &odd{}, nil },
			binding.Face(file.Protocol, func(o *odd) file.Port { return o })),
	}})
}

var wrongs = map[string]struct {
	err    error
	status int
}{
	"missing": {file.ErrNotFound, 404}, "there": {file.ErrExists, 409}, "changed": {file.ErrChanged, 412}, "filled": {file.ErrNotEmpty, 409},
	"full": {file.ErrFull, 507}, "long": {file.ErrLong, 500}, "barred": {file.ErrForbidden, 403},
	"away": {stream.Refuse(stream.Unavailable, "away"), 503}, "broken": {errors.New("broken"), 502},
}

func wrong(name string) error {
	if len(name) > 0 && name[len(name)-1] == '/' {
		name = name[:len(name)-1]
	}
	return wrongs[name].err
}

func (o *odd) Open(ctx context.Context, name string) (file.File, error) {
	if name == "short" || name == "shrunk" { // less is there than is said
		o.Put(name, string(make([]byte, 100<<10)))
		f, err := o.Fake.Open(ctx, name)
		return &short{f, name == "shrunk"}, err
	}
	return nil, wrong(name)
}
func (o *odd) List(_ context.Context, name string) ([]file.Entry, error) { return nil, wrong(name) }
func (o *odd) Write(_ context.Context, name string, _ file.If) (file.Writer, error) {
	if err := wrong(name); err != nil {
		return nil, err
	}
	return refusing{}, nil
}
func (o *odd) MakeDir(_ context.Context, name string) error           { return wrong(name) }
func (o *odd) Delete(_ context.Context, name string, _ file.If) error { return wrong(name) }

// short is a file that ends early, or changes.
type short struct {
	file.File
	changes bool
}

func (s *short) Section(at, n int64) *io.SectionReader {
	if s.changes {
		return s.File.Section(at, n)
	}
	return s.File.Section(at, n-10)
}

func (s *short) Check() error {
	if s.changes {
		return file.ErrChanged
	}
	return nil
}

// refusing is a version for which there is no room.
type refusing struct{}

func (refusing) Write([]byte) (int, error)                  { return 0, file.ErrFull }
func (refusing) Commit(context.Context) (*file.Info, error) { return nil, file.ErrChanged }
func (refusing) Close() error                               { return nil }

// TestWrongs has everything go wrong that can.
func TestWrongs(t *testing.T) {
	const yaml = `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: inside }
  inside: { type: http, kind: server, exit: mapping }
  mapping: { type: http-filesystem, kind: proxy, routes: [ { when: [ { path: "/{path}" } ], with: { path: "${params.path}" }, exit: files } ] }
  files: { type: odd, kind: server }
`
	r := &rig{t, gwtest.Start(t, yaml), ""}
	for name, w := range wrongs {
		for _, c := range [][2]string{{"GET", "/" + name}, {"HEAD", "/" + name}, {"GET", "/" + name + "/"}, {"POST", "/" + name}, {"POST", "/" + name + "/"}, {"PUT", "/" + name}, {"DELETE", "/" + name}} {
			if a := r.do(c[0], c[1], ""); a.status != w.status || a.err != nil {
				t.Errorf("%s %s is %s, not %d", c[0], c[1], a, w.status)
			}
		}
	}
	r.is(r.do("POST", "/new", "hello"), `507 "" <nil>`)
	r.is(r.do("POST", "/new", ""), `412 "" <nil>`)
	for _, name := range []string{"/short", "/shrunk"} {
		if a := r.do("GET", name, ""); a.status != 200 || a.err == nil || len(a.body) >= 100<<10 {
			t.Errorf("%s is %s", name, a)
		}
	}
	for _, fields := range [][]string{{"range", "bytes=0-9"}, {"range", "bytes=-9"}} { // nothing has gone out yet
		if a := r.do("GET", "/shrunk", "", fields...); a.status != 503 || a.err != nil {
			t.Errorf("a small part of what changes is %s", a)
		}
	}
}
