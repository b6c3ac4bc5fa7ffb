package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// socketName is the socket's name in the directory of a process.
const socketName = "admin.sock"

// longestPath is what the system has room for in the address of a unix socket, its final zero left out: 107 on Linux.
const longestPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// Listen opens the admin socket in the directory of a process, which it makes if it is not there. A socket that a
// process left behind is replaced; if the process is still alive, the error is an *Alive and names it.
func Listen(dir string) (net.Listener, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the engine directory: %w", err)
	}
	path, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	// Two that start at once must not take each other's socket for a dead one.
	unlock, err := lock(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the engine directory %s: %w", dir, err)
	}
	defer unlock()
	if err := removeStale(dir, path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the admin socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close() // it is of no use to anybody yet
		return nil, fmt.Errorf("cannot protect the admin socket: %w", err)
	}
	return l, nil
}

// removeStale removes a socket behind which nobody is any longer.
func removeStale(dir, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot look for the admin socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("cannot open the admin socket: %s is there and is no socket", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = c.Close() // it was only to see whether somebody is there
		return alive(dir)
	case !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot tell whether a gozilla is running in %s: %w", dir, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove the admin socket of a process that is gone: %w", err)
	}
	return nil
}

// alive is the error for a directory that a living process uses.
func alive(dir string) error {
	// Listen has no context: whatever is there, it is over in two seconds.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := Dial(dir).Status(ctx)
	if err != nil {
		return &Alive{Dir: dir}
	}
	return &Alive{Dir: dir, PID: s.PID}
}

// Alive is the error for a directory in which a gateway runs already.
type Alive struct {
	Dir string
	PID int // of the gateway; 0 if what listens there does not say
}

func (e *Alive) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("gozilla with pid %d", e.PID)
	}
	return fmt.Sprintf("%s is running in %s; stop it, or give this one a directory of its own with "+
		"-P zilla.engine.directory=DIR", who, e.Dir)
}

// socketPath is the address of the socket in dir: of its two spellings, absolute and from the working directory, the
// one that is short enough.
func socketPath(dir string) (string, error) {
	path := filepath.Join(dir, socketName)
	if len(path) <= longestPath {
		return path, nil
	}
	if here, err := os.Getwd(); err == nil {
		if from, err := filepath.Rel(here, path); err == nil && len(from) <= longestPath {
			return from, nil
		}
	}
	return "", fmt.Errorf("the path of the admin socket %s has %d bytes, and the system has room for %d; "+
		"name a shorter directory with -P zilla.engine.directory=DIR", path, len(path), longestPath)
}
