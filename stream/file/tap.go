package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"gozilla/stream"
)

// tapped is the port of a tapped edge: it records the streams that somebody wants to know of, and leaves the others
// alone. What is asked for, and what is known of it, are heads.
type tapped struct {
	port Port
	by   *stream.Recorder
}

// begin begins the recording of a stream; nil if nobody wants it.
func (t tapped) begin(ctx context.Context, verb, name string) *stream.Recording {
	rec := t.by.Record(ctx, nil, nil)
	if rec != nil {
		rec.Head(false, []string{verb + " /" + name})
	}
	return rec
}

// infoLines are what a recording tells of a version.
func infoLines(i *Info) []string {
	return []string{"type: " + i.Type, fmt.Sprintf("size: %d", i.Size), "tag: " + i.Tag}
}

// Open is part of Port, so are the methods that follow.
func (t tapped) Open(ctx context.Context, name string) (File, error) {
	rec := t.begin(ctx, "open", name)
	f, err := t.port.Open(ctx, name)
	switch {
	case rec == nil:
		return f, err
	case err != nil:
		rec.Over(err)
		return nil, err
	}
	rec.Head(true, infoLines(f.Info()))
	return &recordedFile{f, rec}, nil
}

func (t tapped) List(ctx context.Context, name string) ([]Entry, error) {
	rec := t.begin(ctx, "list", name)
	entries, err := t.port.List(ctx, name)
	if rec != nil && err == nil {
		var names strings.Builder
		for _, e := range entries {
			names.WriteString(e.Name + "\n")
		}
		rec.Data(true, []byte(names.String()))
	}
	over(rec, err)
	return entries, err
}

func (t tapped) Write(ctx context.Context, name string, on If) (Writer, error) {
	rec := t.begin(ctx, "write", name)
	w, err := t.port.Write(ctx, name, on)
	switch {
	case rec == nil:
		return w, err
	case err != nil:
		rec.Over(err)
		return nil, err
	}
	return &recordedWriter{w, rec}, nil
}

func (t tapped) MakeDir(ctx context.Context, name string) error {
	rec := t.begin(ctx, "make", name)
	err := t.port.MakeDir(ctx, name)
	over(rec, err)
	return err
}

func (t tapped) Delete(ctx context.Context, name string, on If) error {
	rec := t.begin(ctx, "delete", name)
	err := t.port.Delete(ctx, name, on)
	over(rec, err)
	return err
}

// over ends a recording, which may be nil.
func over(rec *stream.Recording, err error) {
	if rec == nil {
		return
	}
	if err == nil {
		rec.Finish(false)
		rec.Finish(true)
	}
	rec.Over(err)
}

// recordedFile records what is read. It is no file to the system, so that nothing goes past it.
type recordedFile struct {
	File
	rec *stream.Recording // nil once a newer version has it
}

// Section is part of File, so are the methods that follow.
func (f *recordedFile) Section(at, n int64) *io.SectionReader {
	if f.rec == nil {
		return f.File.Section(at, n)
	}
	return io.NewSectionReader(&recordedSection{f.File.Section(at, n), f.rec, at}, at, n)
}

func (f *recordedFile) Newer(ctx context.Context) (File, error) {
	next, err := f.File.Newer(ctx)
	if err != nil {
		return nil, err
	}
	rec := f.rec
	if f.rec = nil; rec == nil {
		return next, nil
	}
	rec.Head(true, infoLines(next.Info()))
	return &recordedFile{next, rec}, nil
}

func (f *recordedFile) Close() error {
	over(f.rec, nil)
	return f.File.Close()
}

// recordedSection is a part of a file, which begins at at.
type recordedSection struct {
	*io.SectionReader
	rec *stream.Recording
	at  int64
}

// ReadAt is part of io.ReaderAt.
func (s *recordedSection) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.SectionReader.ReadAt(p, off-s.at)
	s.rec.Data(true, p[:n])
	return n, err
}

// recordedWriter records what is written.
type recordedWriter struct {
	Writer
	rec *stream.Recording
}

// Write is part of io.Writer.
func (w *recordedWriter) Write(p []byte) (int, error) {
	w.rec.Data(false, p)
	return w.Writer.Write(p)
}

// Commit is part of Writer, so is Close.
func (w *recordedWriter) Commit(ctx context.Context) (*Info, error) {
	info, err := w.Writer.Commit(ctx)
	if err == nil {
		w.rec.Finish(false)
		w.rec.Head(true, infoLines(info))
	}
	over(w.rec, err)
	return info, err
}

func (w *recordedWriter) Close() error {
	w.rec.Over(errGivenUp)
	return w.Writer.Close()
}

// errGivenUp is how a version is over that was not committed.
var errGivenUp = errors.New("given up")
