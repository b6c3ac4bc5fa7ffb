//go:build !linux || portable

package filesystem

import (
	"os"
	"syscall"
)

// readFlags are those of what is opened to be read. What is no regular file must not keep us waiting.
const readFlags = os.O_RDONLY | syscall.O_NONBLOCK

func (s *server) openBelow(r *root, name string, _ bool) (*handle, error) {
	return s.openWalking(r, name)
}
