package fetch

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestResolve(t *testing.T) {
	f := func(base, name, want, path string) {
		t.Helper()
		got := Resolve(base, name)
		if got != want {
			t.Errorf("%s of %s is %s, not %s", name, base, got, want)
		}
		if p := Path(got); p != path {
			t.Errorf("the path of %s is %q, not %q", got, p, path)
		}
	}
	f("zilla.yaml", "tls/a.p12", "tls/a.p12", "tls/a.p12")
	f("etc/zilla.yaml", "../tls/a.p12", "tls/a.p12", "tls/a.p12")
	f("/etc/zilla.yaml", "tls/a.p12", "/etc/tls/a.p12", "/etc/tls/a.p12")
	f("/etc/zilla.yaml", "/tls/a.p12", "/tls/a.p12", "/tls/a.p12")
	f("file:///etc/zilla.yaml", "a.p12", "/etc/a.p12", "/etc/a.p12")
	f("file:etc/zilla.yaml", "a.p12", "etc/a.p12", "etc/a.p12")
	f("https://example.com/ns/zilla.yaml", "tls/a.p12", "https://example.com/ns/tls/a.p12", "")
	f("https://example.com/ns/zilla.yaml", "/tls/a.p12", "https://example.com/tls/a.p12", "")
	f("https://example.com/ns/zilla.yaml", "file:///tls/a.p12", "file:///tls/a.p12", "/tls/a.p12")
	f("zilla.yaml", "https://example.com/a.p12", "https://example.com/a.p12", "")
}

// TestARequiredFile has to be there, and to be a regular one: who opens a pipe could wait for ever.
func TestARequiredFile(t *testing.T) {
	dir := t.TempDir()
	f := func(name, want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := Read(ctx, filepath.Join(dir, name), Options{Max: 100, Required: true})
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, not %s", name, err, want)
		}
	}
	f("nothing", "no such file or directory")
	f(".", "it is a directory")
	if runtime.GOOS != "windows" {
		if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
			t.Fatal(err)
		}
		f("pipe", "it is no regular file")
	}
	os.WriteFile(filepath.Join(dir, "long"), make([]byte, 101), 0o600)
	f("long", "it has more than 100 bytes")
}
