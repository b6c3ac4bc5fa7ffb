package cli

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
)

func exchange(path string) *telemetry.Record {
	return &telemetry.Record{
		ID: 9, Connection: 7, Start: time.Date(2026, 8, 1, 14, 5, 6, 0, time.UTC), Sent: 34,
		HTTP: telemetry.HTTP{Method: "GET", Path: path, Version: "HTTP/1.1", Status: 200, Agent: "curl/8.0"},
	}
}

func TestAccessFlags(t *testing.T) {
	for _, test := range []struct {
		options accessOptions
		want    string
	}{
		{accessOptions{}, ""},
		{accessOptions{format: "common"}, ""},
		{accessOptions{format: "json", file: "x"}, ""},
		{accessOptions{format: "apache"}, `the access log must be common, combined, text or json, not "apache"`},
		{accessOptions{file: "x"}, "--access-log-file needs --access-log, which says in which form"},
	} {
		if got := textOf(test.options.check()); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.options, got, test.want)
		}
	}
}

// newStarter is a starter whose gateway has begun, and what it logs.
func newStarter(access accessOptions) (*starter, *shown, *bytes.Buffer) {
	env, logged := newShown(false), &bytes.Buffer{}
	return &starter{
		access: access, env: &env.Env, log: slog.New(telemetry.NewHandler(logged, "text", nil, false)),
		host: stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 8, false)),
	}, env, logged
}

func TestAccessLogOnStdout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, env, _ := newStarter(accessOptions{format: "combined"})
		closing, err := s.openAccess(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.host.Log.Record(&telemetry.Record{ID: 7})
		s.host.Log.Record(exchange("/one"))
		line := `- - - [01/Aug/2026:14:05:06 +0000] "GET /one HTTP/1.1" 200 34 "-" "curl/8.0"` + "\n"
		time.Sleep(time.Second)
		synctest.Wait()
		if got := env.take(); got != line {
			t.Errorf("got %s", got)
		}
		s.host.Log.Record(exchange("/one"))
		closing()
		s.host.Log.Record(exchange("/late"))
		if got := env.take(); got != line {
			t.Errorf("at the end: got %s", got)
		}
	})
}

func TestNoAccessLog(t *testing.T) {
	s, env, _ := newStarter(accessOptions{})
	closing, err := s.openAccess(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.host.Log.Record(exchange("/one"))
	closing()
	if got := env.take(); got != "" {
		t.Errorf("got %s", got)
	}
}

func TestAccessLogHeldByTheSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, env, logged := newStarter(accessOptions{format: "common"})
		hold := make(chan struct{})
		env.Stdout = testWriter(func(b []byte) (int, error) {
			<-hold
			return 0, errors.New("broken pipe")
		})
		closing, err := s.openAccess(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.host.Log.Record(exchange("/one"))
		closing()
		if !strings.Contains(logged.String(), "the end of the access log could not be written in time") {
			t.Errorf("logged: %s", logged)
		}
		close(hold)
		synctest.Wait()
	})
}

func TestAccessFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(name, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _, logged := newStarter(accessOptions{format: "common", file: name})
	line := func(path string) string {
		return string(telemetry.AppendAccess(nil, "common", exchange(path))) + "\n"
	}
	for _, path := range []string{"/one", "/two"} { // two runs of the process
		closing, err := s.openAccess(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.host.Log.Record(exchange(path))
		closing()
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "before\n"+line("/one")+line("/two") {
		t.Errorf("%v: %s", err, b)
	}
	s.access.file = filepath.Join(name, "below")
	if _, err := s.openAccess(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "cannot open the access log: ") {
		t.Errorf("got %v", err)
	}
	if logged.Len() > 0 {
		t.Errorf("logged: %s", logged)
	}
}

func TestAccessFileIsRotated(t *testing.T) {
	dir := t.TempDir()
	name, old := filepath.Join(dir, "access.log"), filepath.Join(dir, "access.log.1")
	f, err := openAccessFile(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { f.file.Close() }()
	write := func(text string) {
		t.Helper()
		if _, err := f.Write([]byte(text)); err != nil {
			t.Error(err)
		}
	}
	read := func(name, want string) {
		t.Helper()
		if b, err := os.ReadFile(name); err != nil || string(b) != want {
			t.Errorf("%v: %q, want %q", err, b, want)
		}
	}
	write("one\n")
	if err := os.Rename(name, old); err != nil {
		t.Fatal(err)
	}
	write("two\n")
	read(old, "one\n")
	read(name, "two\n")
	if err := os.Truncate(name, 0); err != nil { // the other way to rotate
		t.Fatal(err)
	}
	write("three\n")
	read(name, "three\n")
	if err := os.Rename(dir, dir+".gone"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("lost\n")); err == nil {
		t.Error("written to nowhere")
	}
	if err := os.Rename(dir+".gone", dir); err != nil {
		t.Fatal(err)
	}
	write("four\n")
	read(name, "three\nfour\n")
}
