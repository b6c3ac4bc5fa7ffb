//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: only Linux has the epoll loops, process clocks and /proc files this program measures with")
	os.Exit(1)
}
