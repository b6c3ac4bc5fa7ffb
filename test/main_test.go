package test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"gozilla/cli"
	_ "gozilla/internal/all"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what gozilla shows into the scripts")

func TestMain(m *testing.M) {
	os.Setenv("GORACE", noSleep)
	testscript.Main(cleaned{m}, map[string]func(){"gozilla": func() {
		env := &cli.Env{
			Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv,
			IsTerminal: func(io.Writer) bool { return false },
		}
		os.Exit(cli.Run(context.Background(), env, os.Args[1:]))
	}, "flood": flood})
}

// noSleep keeps the race detector from sleeping for a second at the end of every process.
const noSleep = "atexit_sleep_ms=0"

// cleaned runs the tests and removes what they have built.
type cleaned struct{ *testing.M }

func (m cleaned) Run() int {
	defer func() {
		if built.dir != "" {
			os.RemoveAll(built.dir)
		}
	}()
	return m.M.Run()
}

var built struct {
	sync.Once
	dir, path string
	err       error
}

// binary is the path of gozilla as it is shipped, but for the race detector, which it has if the tests have it.
func binary(t testing.TB) string {
	t.Helper()
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "gozilla"); built.err != nil {
			return
		}
		if built.err = os.Chmod(built.dir, 0o755); built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "gozilla")
		args := []string{"build", "-o", built.path}
		if raced {
			args = append(args, "-race")
		}
		if out, err := exec.Command("go", append(args, "gozilla/cmd/gozilla")...).CombinedOutput(); err != nil {
			built.err = fmt.Errorf("cannot build gozilla: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// need is the path of a tool. Without it the test cannot be, which on a build machine is a fault.
func need(t testing.TB, tool, debian string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err == nil {
		return path
	}
	if path = filepath.Join("/usr/sbin", tool); executable(path) {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("there is no %s: install the Debian package %s", tool, debian)
	}
	t.Skipf("there is no %s: the Debian package %s has it", tool, debian)
	return ""
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
