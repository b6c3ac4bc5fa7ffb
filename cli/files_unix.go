//go:build unix

package cli

import "syscall"

// openFiles is how many descriptors the process may have. Go has raised the soft limit to the hard one already.
func openFiles() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<24))
}
