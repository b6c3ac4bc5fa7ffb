//go:build !linux

// Command bench compares gozilla with HAProxy and nginx; it runs on Linux only.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: only Linux has the epoll loops, process clocks and /proc files this program measures with")
	os.Exit(1)
}
