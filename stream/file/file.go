package file

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"gozilla/stream"
)

// Info is what is known of a version of a file.
type Info struct {
	Type     string // of the content, as text/html; never ""
	Size     int64
	Modified time.Time
	Tag      string // of the content: hexadecimal digits in lower case
}

// Entry is one entry of a folder.
type Entry struct {
	Name string
	Dir  bool // a folder
}

// A File is one version of a file, open to be read.
type File interface {
	// Info is lent until Close.
	Info() *Info
	// Section is n bytes from at on. Where its Outer is a syscall.Conn, as an *os.File is, the system may send them without
	// their being read.
	Section(at, n int64) *io.SectionReader
	// Check is nil as long as all that was read is of this version, and else [ErrChanged]: somebody has written into the
	// file. One that was replaced, or deleted, stays what it was to who has it open.
	Check() error
	// Newer waits until the name stands for another version, and opens that. The error is that of Open, the cause of
	// ctx's end, or [ErrBusy].
	Newer(ctx context.Context) (File, error)
	// Close is always called; once is enough.
	Close() error
}

// A Writer makes a version of a file, of which nobody sees anything before it is whole.
type Writer interface {
	io.Writer
	// Commit puts the version in place, if the condition still holds, and tells what it is like.
	Commit(ctx context.Context) (*Info, error)
	// Close gives up what was not committed. It is always called; once is enough.
	Close() error
}

// If is the condition on which a file is changed. It is given the version that is there, nil if there is none, and its
// error is given back. It may be called several times, and must not block.
type If func(now *Info) error

// Port is a binding's face for files. Names are as [Valid] has them; those of folders end in a slash, or are "", which
// is the root. What cannot be had at all is refused, by a *stream.Refused.
type Port interface {
	// Open opens the version of a file that is there now. ctx bounds the call, not the File.
	Open(ctx context.Context, name string) (File, error)
	// List gives what is in a folder, by the names.
	List(ctx context.Context, name string) ([]Entry, error)
	// Write begins a version of a file, in a folder that is there.
	Write(ctx context.Context, name string, on If) (Writer, error)
	// MakeDir makes a folder, in one that is there.
	MakeDir(ctx context.Context, name string) error
	// Delete deletes a file, or a folder that is empty. Without a condition, on is nil; of a folder it is not asked.
	Delete(ctx context.Context, name string, on If) error
}

// The errors of ports, besides those that refuse.
var (
	ErrNotFound  = errors.New("there is no such file")
	ErrForbidden = errors.New("the system does not allow it")
	ErrExists    = errors.New("there is one of that name")
	ErrChanged   = errors.New("the file has changed")
	ErrNotEmpty  = errors.New("the folder is not empty")
	ErrFull      = errors.New("there is no room left")
	ErrLong      = errors.New("there is too much in the folder to be listed")
	ErrBusy      = errors.New("too many files are waited for")
)

// Valid reports whether a name is one of the protocol: elements with a slash between them, none of which is empty, "."
// or "..", or has a NUL or a backslash in it; and a slash at the end if it is a folder's.
func Valid(name string) bool {
	if name == "" {
		return true
	}
	if strings.ContainsAny(name, "\x00\\") {
		return false
	}
	for element := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		if element == "" || element == "." || element == ".." {
			return false
		}
	}
	return true
}

// IsDir reports whether a name is that of a folder.
func IsDir(name string) bool { return name == "" || name[len(name)-1] == '/' }

// Protocol is files.
var Protocol = stream.Protocol[Port]{
	Name:    "file",
	Through: func(e *stream.Edge[Port]) Port { return through{e} },
	Tap:     func(to Port, by *stream.Recorder) Port { return tapped{to, by} },
}

type through struct{ edge *stream.Edge[Port] }

// to is the port at the other end, which the stream of ctx enters.
func (t through) to(ctx context.Context) Port {
	to := t.edge.To()
	stream.From(ctx).Enter(to.Node)
	return to.Port
}

func (t through) Open(ctx context.Context, name string) (File, error) {
	return t.to(ctx).Open(ctx, name)
}

func (t through) List(ctx context.Context, name string) ([]Entry, error) {
	return t.to(ctx).List(ctx, name)
}

func (t through) Write(ctx context.Context, name string, on If) (Writer, error) {
	return t.to(ctx).Write(ctx, name, on)
}

func (t through) MakeDir(ctx context.Context, name string) error {
	return t.to(ctx).MakeDir(ctx, name)
}

func (t through) Delete(ctx context.Context, name string, on If) error {
	return t.to(ctx).Delete(ctx, name, on)
}
