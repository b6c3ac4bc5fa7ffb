// Package leak tells whether a test has left something behind: goroutines, sockets, pipes. It is for tests only and
// imports nothing but the standard library, so that every package may use it.
package leak

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is how long what a test has ended may take to be gone.
const patience = 10 * time.Second

// pooledPipes is how many descriptors of pipes may stay: a relay keeps some for the next one that splices.
const pooledPipes = 32

// state is what a process holds.
type state struct{ goroutines, sockets, pipes int }

func now() state {
	s := state{goroutines: runtime.NumGoroutine()}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return s // not a Linux: the goroutines have to do
	}
	for _, fd := range fds {
		switch to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); {
		case strings.HasPrefix(to, "socket:"):
			s.sockets++
		case strings.HasPrefix(to, "pipe:"):
			s.pipes++
		}
	}
	return s
}

// since waits until the process holds no more than it did, and gives what is too much.
func since(before state) (fault string) {
	for deadline := time.Now().Add(patience); ; {
		s := now()
		if s.goroutines <= before.goroutines && s.sockets <= before.sockets && s.pipes <= before.pipes+pooledPipes {
			return ""
		}
		if time.Now().After(deadline) {
			return fmt.Sprintf("left behind: %d goroutines, %d sockets and %d ends of pipes, where there were %d, %d and %d\n%s",
				s.goroutines, s.sockets, s.pipes, before.goroutines, before.sockets, before.pipes, stacks())
		}
		time.Sleep(time.Millisecond) // nothing tells when a goroutine is gone
	}
}

func stacks() []byte {
	b := make([]byte, 1<<20)
	return b[:runtime.Stack(b, true)]
}

// Check fails t if it has left something behind once it is over, its clean-ups that are registered later included.
func Check(t testing.TB) {
	t.Helper()
	before := now()
	t.Cleanup(func() {
		if fault := since(before); fault != "" && !t.Failed() {
			t.Error(fault)
		}
	})
}

// fuzzing reports whether the process looks for inputs, which goes on in goroutines that the testing package keeps.
func fuzzing() bool {
	f := flag.Lookup("test.fuzz")
	return f != nil && f.Value.String() != ""
}

// Main is the TestMain of a package: its tests together must leave nothing behind.
func Main(m *testing.M) {
	before := now()
	code := m.Run()
	if code == 0 && !fuzzing() {
		if fault := since(before); fault != "" {
			fmt.Fprintln(os.Stderr, fault)
			code = 1
		}
	}
	os.Exit(code)
}
