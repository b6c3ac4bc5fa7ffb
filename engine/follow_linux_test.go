package engine_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gozilla/internal/gwtest"
)

// TestFollowAPipe has a pipe in place of the file, which nobody writes to: what runs goes on, and the next file is taken.
func TestFollowAPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "zilla.yaml")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(name, []byte(serving("one")), 0o600))
	f := follow(t, name)
	must(os.Remove(name))
	must(syscall.Mkfifo(name, 0o600))
	f.becomes(1, "missing or empty")
	must(os.Remove(name))
	must(os.WriteFile(name, []byte(serving("two")), 0o600))
	f.becomes(2, "")
	f.serves("two", "end")
}

// TestANewerFileIsNotKeptWaiting by a name that nobody resolves.
func TestANewerFileIsNotKeptWaiting(t *testing.T) {
	asked := make(chan struct{}, 100)
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	t.Cleanup(func() { net.DefaultResolver = before })
	name := filepath.Join(t.TempDir(), "zilla.yaml")
	write := writer(t, name)
	write(serving("one"))
	f := follow(t, name)
	write("name: test\nbindings:\n  two: { type: tcp, kind: server, options: { host: slow.example, port: 0 }, exit: end }\n  end: { type: echo, kind: server }\n")
	select {
	case <-asked:
	case <-time.After(gwtest.Patience):
		t.Fatal("nobody asks for the name")
	}
	began := time.Now()
	write(serving("three"))
	if o := <-f.tried; o.Err == nil || f.follower.State().Refusing || errors.Is(o.Err, context.Canceled) {
		t.Errorf("the slow one has come to %v", o.Err)
	}
	f.becomes(2, "")
	f.serves("three", "end")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if n := f.e.Refusals(); n != 0 {
		t.Errorf("%d are counted as refused", n)
	}
}
