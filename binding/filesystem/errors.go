package filesystem

import (
	"errors"
	"io/fs"
	"syscall"

	"gozilla/stream"
	"gozilla/stream/file"
)

// cause says in the words of the port why something has failed.
func cause(err error) error {
	var no syscall.Errno
	var path *fs.PathError
	switch {
	case err == nil:
		return nil
	case err == errLink:
		return file.ErrNotFound
	case errors.As(err, &no):
		return causeOf(no, err)
	case errors.Is(err, fs.ErrNotExist):
		return file.ErrNotFound
	case errors.Is(err, fs.ErrExist):
		return file.ErrExists
	case errors.As(err, &path): // what leads out of the root
		return file.ErrNotFound
	}
	return err
}

// causeOf is cause for an error of the system. A name that cannot be, such as one that is too long, is not there.
func causeOf(no syscall.Errno, err error) error {
	switch no {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EXDEV, syscall.ENXIO, syscall.EINVAL,
		syscall.EISDIR, syscall.EILSEQ:
		return file.ErrNotFound
	case syscall.EEXIST:
		return file.ErrExists
	case syscall.ENOTEMPTY:
		return file.ErrNotEmpty
	case syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG:
		return file.ErrFull
	case syscall.EACCES, syscall.EPERM, syscall.EROFS:
		return file.ErrForbidden
	}
	return &stream.Refused{Reason: stream.Unavailable, Err: err}
}
