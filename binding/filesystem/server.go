package filesystem

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"gozilla/binding"
	"gozilla/stream/file"
)

// server is a file.Port.
type server struct {
	location location
	follow   bool // symbolic links
	tags     tags
	watch    watch
	commits  locks
}

func newServer(b *binding.Builder, c *Server) (*server, error) {
	s := &server{follow: c.Options.Symlinks == Follow}
	s.location.folder = c.Options.folder
	s.watch.look = s.look
	b.Go("root", s.close)
	return s, nil
}

func (s *server) files() file.Port { return s }

// close lets go of the root when the binding is out of service.
func (s *server) close(ctx context.Context) error {
	<-ctx.Done()
	s.location.close()
	return nil
}

const (
	// listMost is how many entries of a folder are listed, namesMost how many bytes their names may have.
	listMost  = 64 << 10
	namesMost = 4 << 20
	// listStep is how many are read at once.
	listStep = 512
)

// List is part of file.Port.
func (s *server) List(ctx context.Context, name string) ([]file.Entry, error) {
	if !file.IsDir(name) {
		return nil, file.ErrNotFound
	}
	r, err := s.location.take()
	if err != nil {
		return nil, err
	}
	defer s.location.give(r)
	dir, _, err := s.open(r, name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var all []file.Entry
	for size := 0; ; {
		found, err := dir.f.ReadDir(listStep)
		for _, d := range found {
			if e, ok := s.entry(r, name, d); ok {
				all = append(all, e)
				size += len(e.Name)
			}
		}
		switch {
		case len(all) > listMost || size > namesMost:
			return nil, file.ErrLong
		case err == io.EOF:
			slices.SortFunc(all, func(a, b file.Entry) int { return strings.Compare(a.Name, b.Name) })
			return all, nil
		case err != nil:
			return nil, cause(err)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
	}
}

// entry is what is told of an entry of a folder: nothing of what could not be opened.
func (s *server) entry(r *root, in string, d fs.DirEntry) (e file.Entry, ok bool) {
	e.Name = d.Name()
	if !file.Valid(e.Name) || isUnfinished(e.Name) {
		return e, false
	}
	mode := d.Type()
	if mode&fs.ModeSymlink != 0 && s.follow {
		info, err := s.stat(r, in+e.Name)
		if err != nil {
			return e, false
		}
		mode = info.Mode().Type()
	}
	e.Dir = mode.IsDir()
	return e, e.Dir || mode.IsRegular()
}

// in opens the folder that a name is in, as the location is now, and does f there. What f does to that name counts for no other one.
func (s *server) in(name string, f func(r *root, in *os.Root, last string) error) error {
	if !isName(name) || name == "" {
		return file.ErrNotFound
	}
	s.location.doubt()
	r, err := s.location.take()
	if err != nil {
		return err
	}
	defer s.location.give(r)
	in, last, err := s.parent(r, name)
	if err != nil {
		return cause(err)
	}
	defer in.close()
	return cause(f(r, in.Root, last))
}

// MakeDir is part of file.Port.
func (s *server) MakeDir(_ context.Context, name string) error {
	if name == "" {
		return file.ErrExists
	}
	if !file.IsDir(name) {
		return file.ErrNotFound
	}
	return s.in(name, func(_ *root, in *os.Root, last string) error { return in.Mkdir(last, 0o777) })
}

// Delete is part of file.Port.
func (s *server) Delete(ctx context.Context, name string, on file.If) error {
	if file.IsDir(name) {
		return s.removeDir(name)
	}
	defer s.commits.lock(name)()
	if err := s.asked(ctx, name, on); err != nil {
		return err
	}
	return s.in(name, func(r *root, in *os.Root, last string) error {
		info, err := in.Lstat(last)
		if err == nil && s.follow && info.Mode()&fs.ModeSymlink != 0 { // then the link goes, not what it leads to
			info, err = s.stat(r, name)
		}
		switch {
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return file.ErrNotFound
		}
		return in.Remove(last)
	})
}

func (s *server) removeDir(name string) error {
	return s.in(name, func(_ *root, in *os.Root, last string) error {
		info, err := in.Lstat(last)
		switch {
		case err != nil:
			return err
		case !info.IsDir():
			return file.ErrNotFound
		}
		err = in.Remove(last)
		if errors.Is(err, syscall.ENOTEMPTY) && sweep(in, last) {
			return in.Remove(last)
		}
		return err
	})
}

// asked asks a condition about the version that is there now.
func (s *server) asked(ctx context.Context, name string, on file.If) error {
	if on == nil {
		return nil
	}
	s.location.doubt()
	v, err := s.version(ctx, name)
	switch {
	case err == file.ErrNotFound:
		return on(nil)
	case err != nil:
		return err
	}
	defer v.Close()
	return on(&v.info)
}
