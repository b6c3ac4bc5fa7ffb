package filesystem

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"gozilla/stream"
	"gozilla/stream/file"
)

// lookEvery is how long the folder that is open is taken for that of the location, without a look, by who reads.
const lookEvery = 50 * time.Millisecond

// A root is the folder of a location, open. It is closed when nobody uses it and another one has taken its place.
type root struct {
	*os.Root
	dir    *os.File    // the same folder
	info   fs.FileInfo // of it
	places [][]string  // where it is
	users  int         // guarded by the location's lock; one of them is the location
}

// A location is where the root is. The folder may vanish, come back and be exchanged.
type location struct {
	folder string

	mu     sync.Mutex // guards what follows
	root   *root      // nil: not open
	looked time.Time  // when root was that of the folder
}

// doubt has whoever takes the root next look whether it is still that of the folder.
func (l *location) doubt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looked = time.Time{}
}

// take is the root of the moment, which is given back by give.
func (l *location) take() (*root, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.root == nil || now.Sub(l.looked) > lookEvery {
		info, err := os.Stat(l.folder)
		if l.root != nil && (err != nil || !os.SameFile(info, l.root.info)) {
			l.drop()
		}
		if l.root == nil {
			if err = l.open(); err != nil {
				return nil, &stream.Refused{Reason: stream.Unavailable, Err: err}
			}
		}
		l.looked = now
	}
	l.root.users++
	return l.root, nil
}

// open opens the folder. The lock is held, here and in what follows.
func (l *location) open() error {
	r, err := os.OpenRoot(l.folder)
	if err != nil {
		return err
	}
	dir, err := r.Open(".")
	if err != nil {
		r.Close()
		return err
	}
	info, err := dir.Stat()
	if err != nil {
		r.Close()
		dir.Close()
		return err
	}
	l.root = &root{r, dir, info, placesOf(l.folder), 1}
	return nil
}

func (l *location) drop() {
	r := l.root
	l.root = nil
	l.release(r)
}

func (l *location) release(r *root) {
	if r.users--; r.users == 0 {
		r.dir.Close()
		r.Close()
	}
}

// give gives back what take gave.
func (l *location) give(r *root) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release(r)
}

// close gives up the root. It is opened again if somebody needs it.
func (l *location) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.root != nil {
		l.drop()
	}
}

// A folder is one that names are made in, and unmade.
type folder struct {
	*os.Root
	owned bool // else it is the root of the location
}

func (f folder) close() {
	if f.owned {
		f.Close()
	}
}

// errLink is that there is a symbolic link where there must not be one.
var errLink = errors.New("a symbolic link is not followed")

// walk opens a folder below r, by its name without a slash at the end. Where links are ignored, none is followed, also if
// one comes to be there meanwhile.
func (s *server) walk(r *root, name string) (folder, error) {
	if name == "" {
		return folder{Root: r.Root}, nil
	}
	if s.follow {
		next, err := r.OpenRoot(name)
		if name, ok := s.detour(r, name, err); ok {
			next, err = r.OpenRoot(dot(name))
		}
		return folder{next, true}, err
	}
	at := folder{Root: r.Root}
	for element := range strings.SplitSeq(name, "/") {
		next, err := enter(at.Root, element)
		at.close()
		if err != nil {
			return folder{}, err
		}
		at = folder{next, true}
	}
	return at, nil
}

// enter opens a folder in another one, unless it is a link.
func enter(in *os.Root, name string) (*os.Root, error) {
	seen, err := in.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case !seen.IsDir():
		return nil, errLink
	}
	next, err := in.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if info, err := next.Stat("."); err != nil || !os.SameFile(info, seen) {
		next.Close()
		return nil, errLink
	}
	return next, nil
}

// parent opens the folder that a name is in, and gives what it is called there.
func (s *server) parent(r *root, name string) (in folder, last string, err error) {
	name = strings.TrimSuffix(name, "/")
	i := strings.LastIndexByte(name, '/')
	if in, err = s.walk(r, name[:max(i, 0)]); err != nil {
		return folder{}, "", err
	}
	return in, name[i+1:], nil
}

// openWalking opens what is to be read, element by element.
func (s *server) openWalking(r *root, name string) (*handle, error) {
	f, err := s.openFile(r, name)
	if err != nil {
		return nil, err
	}
	return handleOf(f), nil
}

func (s *server) openFile(r *root, name string) (*os.File, error) {
	if s.follow {
		return r.OpenFile(dot(name), readFlags, 0)
	}
	in, last, err := s.parent(r, name)
	if err != nil {
		return nil, err
	}
	defer in.close()
	last = dot(last)
	seen, err := in.Lstat(last)
	switch {
	case err != nil:
		return nil, err
	case seen.Mode()&fs.ModeSymlink != 0:
		return nil, errLink
	}
	f, err := in.OpenFile(last, readFlags, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !os.SameFile(info, seen) {
		f.Close()
		return nil, errLink
	}
	return f, nil
}

// open opens what is to be read: a regular file, or a folder if the name is that of one.
func (s *server) open(r *root, name string) (*handle, stat, error) {
	if !isName(name) {
		return nil, stat{}, file.ErrNotFound
	}
	dir := file.IsDir(name)
	f, err := s.openBelow(r, strings.TrimSuffix(name, "/"), dir)
	if name, ok := s.detour(r, name, err); ok {
		f, err = s.openBelow(r, name, dir)
	}
	if err != nil {
		return nil, stat{}, cause(err)
	}
	st, err := f.stat()
	if err == nil && (st.dir != dir || !st.dir && !st.regular) {
		err = file.ErrNotFound
	}
	if err != nil {
		f.Close()
		return nil, stat{}, cause(err)
	}
	return f, st, nil
}

// isName reports whether a name may be asked for: those of versions that are not whole may not.
func isName(name string) bool {
	if !file.Valid(name) {
		return false
	}
	for element := range strings.SplitSeq(name, "/") {
		if isUnfinished(element) {
			return false
		}
	}
	return true
}
