//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package filesystem

import (
	"errors"
	"os"
)

// lock fails: this system has no locks that end with the process.
func lock(*os.File) error { return errors.ErrUnsupported }
