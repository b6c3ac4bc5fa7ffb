package filesystem

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"hash"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"

	"gozilla/stream"
	"gozilla/stream/file"
)

// unfinished begins the names of versions that are not whole yet. Nobody is told of them, and nobody can ask for them;
// one that nobody has locked was left by a gateway that was killed.
const unfinished = ".gozilla-unfinished-"

func isUnfinished(element string) bool { return strings.HasPrefix(element, unfinished) }

// locks keep two changes of one name apart. Names that share a lock wait for each other too.
type locks [64]sync.Mutex

func (l *locks) lock(name string) (unlock func()) {
	h := uint32(2166136261) // FNV-1a
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	m := &l[h%uint32(len(l))]
	m.Lock()
	return m.Unlock
}

// writer is a version that is being written, beside the file that it is to be.
type writer struct {
	f        *os.File
	s        *server
	name     string
	on       file.If
	root     fs.FileInfo // of the location, where the folder is
	in       *os.Root    // the folder, which stays the one that it was
	temp     string      // the name in it
	last     string      // and the one that the version is to have
	sum      hash.Hash
	size     int64
	err      error
	finished bool
}

// Write is part of file.Port.
func (s *server) Write(ctx context.Context, name string, on file.If) (file.Writer, error) {
	if file.IsDir(name) {
		return nil, file.ErrNotFound
	}
	if err := s.asked(ctx, name, on); err != nil {
		return nil, err
	}
	w := &writer{s: s, name: name, on: on, sum: md5.New()}
	if err := s.in(name, w.begin); err != nil {
		return nil, err
	}
	return w, nil
}

// begin opens the file that is written to.
func (w *writer) begin(r *root, in *os.Root, last string) (err error) {
	mode := fs.FileMode(0o666)
	info, err := in.Lstat(last)
	switch {
	case err == nil && info.Mode()&fs.ModeSymlink != 0 && w.s.follow:
		if info, err = w.s.stat(r, w.name); err == nil {
			mode = info.Mode().Perm()
		}
	case err == nil && !info.Mode().IsRegular():
		return file.ErrExists
	case err == nil:
		mode = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if w.in, err = in.OpenRoot("."); err != nil {
		return err
	}
	made := mode
	if info != nil {
		made &= 0o600 // nobody else opens it before it is known whose it is
	}
	w.root, w.last, w.temp = r.info, last, unfinished+strconv.FormatUint(rand.Uint64(), 36)
	if w.f, err = w.in.OpenFile(w.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, made); err != nil {
		w.in.Close()
		return err
	}
	_ = lock(w.f) // so that nobody takes it for one that is left; where there are no locks, nobody can
	if info != nil {
		own(w.f, info)
		_ = w.f.Chmod(mode) // whatever the umask is; if that fails, so be it
	}
	return nil
}

// Write is part of io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.f.Write(p)
	if w.size += int64(n); w.size <= hashedMost {
		w.sum.Write(p[:n])
	}
	w.err = cause(err)
	return n, w.err
}

// Commit is part of file.Writer.
func (w *writer) Commit(ctx context.Context) (*file.Info, error) {
	if w.err != nil {
		return nil, w.err
	}
	w.err = errors.New("the version was committed already")
	defer w.s.commits.lock(w.name)()
	there := false
	err := w.s.asked(ctx, w.name, func(i *file.Info) error { there = i != nil; return w.on(i) })
	if err == nil {
		err = w.located()
	}
	if err == nil {
		err = w.put(there)
	}
	if err != nil {
		return nil, cause(err)
	}
	info, err := w.f.Stat()
	if err != nil {
		return nil, cause(err)
	}
	sign := sign(info)
	about := &file.Info{Type: typeOf(w.name), Size: sign.size, Modified: info.ModTime(), Tag: sign.tag()}
	if sign.size <= hashedMost {
		about.Tag = hex.EncodeToString(w.sum.Sum(nil))
	}
	w.s.watch.changed(w.name)
	return about, nil
}

// located is that the location is still where the version was begun: what goes into a folder that another one has replaced
// nobody would find.
func (w *writer) located() error {
	w.s.location.doubt()
	r, err := w.s.location.take()
	if err != nil {
		return err
	}
	defer w.s.location.give(r)
	if !os.SameFile(r.info, w.root) {
		return stream.Refuse(stream.Unavailable, "another folder has taken the place of the location meanwhile")
	}
	return nil
}

// put gives the version its name. Where there was none, it takes that of nobody who has come meanwhile.
func (w *writer) put(there bool) error {
	if !there {
		err := w.in.Link(w.temp, w.last)
		if err == nil {
			w.finished = w.in.Remove(w.temp) == nil // now, for it makes another inode of it to the system
			return nil
		}
		if errors.Is(err, fs.ErrExist) {
			return err
		}
		if _, err := w.in.Lstat(w.last); err == nil { // a file system without links
			return file.ErrExists
		}
	}
	if err := w.in.Rename(w.temp, w.last); err != nil {
		return err
	}
	w.finished = true
	return nil
}

// Close is part of file.Writer.
func (w *writer) Close() error {
	if w.in == nil {
		return nil
	}
	err := w.f.Close()
	if !w.finished {
		w.in.Remove(w.temp)
	}
	w.in.Close()
	w.in = nil
	return err
}
