package filesystem

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"io"
	"io/fs"
	"sync"
	"time"

	"gozilla/stream"
	"gozilla/stream/file"
)

const (
	// hashedMost is how large a file may be whose tag is the MD5 of its content. Those that are larger are told apart by
	// what the system knows of them, which costs nothing.
	hashedMost = 256 << 10
	// settles is how long after its last change a file is certainly another one to the system if it changes again: the
	// clock by which it dates changes is coarse.
	settles = 20 * time.Millisecond
	// patience is how often it is looked whether a file has settled.
	patience = 10
	// busy is how long after its last change a file is copied when it is sent, if it was there before. What the system sends
	// by itself it may look at late, when somebody has written into the file again.
	busy = 2 * time.Second
	// slowest is how many bytes are written in a second, at least, to a file that is new.
	slowest = 200 << 20
)

// signature is what is another one when a file is.
type signature struct {
	size, modified int64 // the time in nanoseconds, as those that follow
	changed        int64 // of the inode; it cannot be set back as that of the content can
	device, inode  uint64
	links          uint64
}

func sign(info fs.FileInfo) signature {
	s := signature{size: info.Size(), modified: info.ModTime().UnixNano()}
	s.system(info)
	return s
}

// stat is what the system tells of an open file.
type stat struct {
	signature
	regular, dir bool
}

// same reports whether the content of an open file is what it was. A name that the file loses, because another one has
// taken its place, changes its inode too.
func (s *signature) same(as *signature) bool {
	return s.size == as.size && s.modified == as.modified && (s.changed == as.changed || s.links != as.links)
}

// version is an open file: a file.File.
type version struct {
	*handle
	s    *server
	name string
	sign signature
	info file.Info
}

// Open is part of file.Port.
func (s *server) Open(ctx context.Context, name string) (file.File, error) {
	v, err := s.version(ctx, name)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (s *server) version(ctx context.Context, name string) (*version, error) {
	if file.IsDir(name) {
		return nil, file.ErrNotFound
	}
	r, err := s.location.take()
	if err != nil {
		return nil, err
	}
	f, st, err := s.open(r, name)
	s.location.give(r)
	if err != nil {
		return nil, err
	}
	v := &version{handle: f, s: s, name: name}
	if err = v.know(ctx, st); err != nil {
		f.Close()
		return nil, err
	}
	return v, nil
}

// know finds out what the version is, once it has settled.
func (v *version) know(ctx context.Context, st stat) (err error) {
	for range patience {
		v.sign = st.signature
		if age := time.Duration(time.Now().UnixNano() - v.sign.changed); age < 0 || age >= settles {
			v.info = file.Info{Type: typeOf(v.name), Size: st.size, Modified: time.Unix(0, st.modified)}
			if v.info.Tag, err = v.tag(); err != file.ErrChanged {
				return cause(err)
			}
		} else if err = sleep(ctx, settles-age); err != nil {
			return err
		}
		if st, err = v.stat(); err != nil {
			return cause(err)
		}
	}
	return stream.Refuse(stream.Unavailable, "the file changes all the time")
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// tag is that of the content.
func (v *version) tag() (string, error) {
	if v.sign.size > hashedMost {
		return v.sign.tag(), nil
	}
	if tag, ok := v.s.tags.find(&v.sign); ok {
		return tag, nil
	}
	h := md5.New()
	if _, err := io.Copy(h, io.NewSectionReader(v.handle, 0, v.sign.size)); err != nil {
		return "", err
	}
	if err := v.Check(); err != nil {
		return "", err
	}
	tag := hex.EncodeToString(h.Sum(nil))
	v.s.tags.put(&v.sign, tag)
	return tag, nil
}

// tag is that of a large file.
func (s *signature) tag() string {
	var b [32]byte
	for i, n := range [...]uint64{s.inode, uint64(s.size), uint64(s.modified), uint64(s.changed)} {
		binary.BigEndian.PutUint64(b[8*i:], n)
	}
	sum := md5.Sum(b[:]) // so that nobody learns anything from it
	return hex.EncodeToString(sum[:])
}

// Info is part of file.File, so are the methods that follow.
func (v *version) Info() *file.Info { return &v.info }

// copied is a file that is to be read: the system does not see that it is one.
type copied struct{ io.ReaderAt }

func (v *version) Section(at, n int64) *io.SectionReader {
	if v.busy() {
		return io.NewSectionReader(copied{v.handle}, at, n)
	}
	return io.NewSectionReader(v.handle, at, n)
}

// busy reports whether the file was written into of late, other than when it was made.
func (v *version) busy() bool {
	if age := time.Duration(time.Now().UnixNano() - v.sign.modified); age < 0 || age >= busy {
		return false
	}
	made, ok := v.born()
	return !ok || time.Duration(v.sign.modified-made) > settles/2+time.Duration(v.sign.size)*time.Second/slowest
}

func (v *version) Check() error {
	now, err := v.stat()
	if err != nil {
		return cause(err)
	}
	if !now.same(&v.sign) {
		return file.ErrChanged
	}
	return nil
}

func (v *version) Newer(ctx context.Context) (file.File, error) {
	last := v.sign
	for {
		if err := v.s.watch.await(ctx, v.name, last); err != nil {
			return nil, err
		}
		next, err := v.s.version(ctx, v.name)
		if err != nil {
			return nil, err
		}
		if next.info.Tag != v.info.Tag {
			return next, nil
		}
		last = next.sign // it was touched, no more
		next.Close()
	}
}

// tagsMost is how many tags are kept.
const tagsMost = 8192

// tags are those of files that were hashed. Half of them are forgotten when there are too many: those that nobody has
// asked for since that was done last.
type tags struct {
	mu       sync.Mutex // guards what follows
	new, old map[signature]string
}

func (t *tags) find(s *signature) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tag, ok := t.new[*s]
	if !ok {
		if tag, ok = t.old[*s]; ok {
			t.add(*s, tag)
		}
	}
	return tag, ok
}

func (t *tags) put(s *signature, tag string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(*s, tag)
}

func (t *tags) add(s signature, tag string) {
	if t.new == nil || len(t.new) >= tagsMost/2 {
		t.old, t.new = t.new, map[signature]string{}
	}
	t.new[s] = tag
}
