package test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestConfigurationByHTTP(t *testing.T) {
	port := freePort(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/zilla.yaml", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, echo(port)) })
	mux.HandleFunc("/private.yaml", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Basic c2VjcmV0" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, echo(port))
	})
	mux.HandleFunc("/moved.yaml", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/zilla.yaml", http.StatusFound) })
	mux.HandleFunc("/round.yaml", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round.yaml", http.StatusFound) })
	mux.HandleFunc("/nothing.yaml", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/broken.yaml", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	mux.HandleFunc("/short.yaml", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, echo(port))
	})
	mux.HandleFunc("/endless.yaml", func(w http.ResponseWriter, r *http.Request) {
		for line := bytes.Repeat([]byte("# more\n"), 1000); ; {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/fault.yaml", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "name: example\nbinding: {}\n") })
	server := httptest.NewServer(mux)
	defer server.Close()

	const property = "zilla.filesystem.http.authorization=Basic c2VjcmV0"
	for _, test := range []struct {
		path   string
		args   []string
		status int
		out    string // of check, on stdout or stderr, behind the address
	}{
		{"/zilla.yaml", nil, 0, ": ok, 2 bindings in 1 namespace\n"},
		{"/moved.yaml", nil, 0, ": ok, 2 bindings in 1 namespace\n"},
		{"/private.yaml", []string{"-P", property}, 0, ": ok, 2 bindings in 1 namespace\n"},
		{"/private.yaml", nil, 1, ": the server answers 401 Unauthorized\n"},
		{"/none.yaml", nil, 1, ": the configuration is missing or empty\n"},
		{"/nothing.yaml", nil, 1, ": the configuration is missing or empty\n"},
		{"/broken.yaml", nil, 1, ": the server answers 500 Internal Server Error\n"},
		{"/round.yaml", nil, 1, ": it leads from one address to the next without end\n"},
		{"/short.yaml", nil, 1, ": unexpected EOF\n"},
		{"/endless.yaml", nil, 1, ": it has more than 4194304 bytes\n"},
		{"/fault.yaml", nil, 1, ":2:1: unknown key \"binding\" in a namespace\n    binding: {}\n    ^^^^^^^\n  hint: did you mean \"bindings\"?\n"},
	} {
		status, stdout, stderr := run(t, t.TempDir(), append([]string{"check", server.URL + test.path}, test.args...)...)
		out := stdout + stderr
		if want := server.URL + test.path + test.out; status != test.status || out != want && out != "gozilla: cannot read "+want {
			t.Errorf("check %s %q: status %d, want %d\n%s, want\n%s", test.path, test.args, status, test.status, out, want)
		}
	}
	for path, served := range map[string]bool{"/moved.yaml": true, "/private.yaml": true, "/none.yaml": false, "/nothing.yaml": false} {
		g := launch(t, t.TempDir(), "start", "-c", server.URL+path, "-P", property)
		g.awaitStart()
		if served {
			converse(t, port).end()
		} else {
			g.stderr.await(t, g, "nothing is served")
		}
		g.terminate()
	}
	for _, path := range []string{"/broken.yaml", "/short.yaml", "/endless.yaml", "/fault.yaml"} {
		if status, _, stderr := run(t, t.TempDir(), "start", "-c", server.URL+path); status != 1 {
			t.Errorf("start %s: status %d\n%s", path, status, stderr)
		}
	}
}

// From https a redirect to http is not followed, and certificates are looked at.
func TestConfigurationByHTTPS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	status, _, stderr := run(t, t.TempDir(), "check", server.URL)
	if status != 1 || !strings.Contains(stderr, "certificate") {
		t.Errorf("status %d\n%s", status, stderr)
	}
}

func TestFileAddresses(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "my zilla.yaml")
	write(t, name, echo(1))
	for _, address := range []string{"my zilla.yaml", "./my zilla.yaml", name, "file:my%20zilla.yaml", "file://" + strings.ReplaceAll(name, " ", "%20")} {
		if status, stdout, stderr := run(t, dir, "check", address); status != 0 {
			t.Errorf("check %q: %d\n%s%s", address, status, stdout, stderr)
		}
	}
}

// What no person has written is refused soon, in few words, and does not fill the memory.
func TestHugeConfigurations(t *testing.T) {
	if raced {
		t.Skip("what it takes is looked at by make check")
	}
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), i)
	}
	merge := "m0: &m0 {a: 1}\n"
	for i := range 1000 {
		merge += fmt.Sprintf("m%d: &m%d {<<: [*m%d, *m%d], k%d: 1}\n", i+1, i+1, i, i, i)
	}
	var bindings, faults, docs strings.Builder
	bindings.WriteString("name: example\nbindings:\n")
	faults.WriteString("name: example\nbindings:\n")
	for i := range 20000 {
		fmt.Fprintf(&bindings, "  b%d: {type: echo, kind: server}\n", i)
		fmt.Fprintf(&faults, "  b%d: {type: ecko, kind: sever, x%d: y}\n", i, i)
		fmt.Fprintf(&docs, "---\nname: n%d\n", i)
	}
	env := "${{env.HUGE}}"
	for _, test := range []struct {
		name, text, want string
	}{
		{"10 MB", "name: example\n" + strings.Repeat("# nothing\n", 1<<20), "it has more than 4194304 bytes"},
		{"10 MB in one line", "name: " + strings.Repeat("x", 10<<20), "it has more than 4194304 bytes"},
		{"a bomb", bomb, ""},
		{"a bomb of merges", merge, ""},
		{"deep lists", "name: " + strings.Repeat("[", 100_000), "too deep"},
		{"deep mappings", strings.Repeat("{a: ", 100_000), "too deep"},
		{"deep blocks", deepBlocks(2000), "too deep"},
		{"a long name", "name: " + strings.Repeat("x", 4_000_000) + "!\n", ""},
		{"one long line of faults", "name: [" + strings.Repeat("x,", 600_000) + "]\n", ""},
		{"many expressions", "name: " + strings.Repeat("${{env.NOTHING}}", 2000) + "\n", ""},
		{"many expressions in lines", strings.Repeat("${{env.NOTHING}}\n", 200_000), "more than 10000 expressions"},
		{"huge expressions", "name: '" + strings.Repeat(env, 1000) + "'\n", ""},
		{"many faults", faults.String(), ""},
		{"many documents", docs.String(), "OK"},
		{"many bindings", bindings.String(), "OK"},
		{"zeros", strings.Repeat("\x00", 1<<20), ""},
		{"a binary", "\x7fELF" + strings.Repeat("\xff\xfe\x80", 1<<18), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "zilla.yaml"), test.text)
			t.Setenv("HUGE", strings.Repeat("y", 100_000))
			g := launch(t, dir, "check")
			status := g.end(patience)
			took := g.cmd.ProcessState.UserTime() + g.cmd.ProcessState.SystemTime() // others may be at work here
			usage := g.cmd.ProcessState.SysUsage().(*syscall.Rusage)
			t.Logf("status %d, %v, %d MiB, %d bytes of faults", status, took.Round(time.Millisecond), usage.Maxrss>>10, len(g.stderr.String()))
			want := 1
			if test.want == "OK" {
				want, test.want = 0, ""
			}
			if status != want || !strings.Contains(g.stderr.String(), test.want) {
				t.Errorf("status %d, want %d and %q:\n%.1000s", status, want, test.want, g.stderr)
			}
			if took > 5*time.Second || usage.Maxrss>>10 > 400 {
				t.Errorf("it took %v and %d MiB", took, usage.Maxrss>>10)
			}
			for _, line := range g.stderr.lines() {
				if len(line) > 1000 {
					t.Errorf("a line of %d bytes: %.200s", len(line), line)
				}
			}
		})
	}
	if _, err := os.Stat("/dev/zero"); err == nil {
		if status, _, stderr := run(t, t.TempDir(), "check", "/dev/zero"); status != 1 || !strings.Contains(stderr, "more than 4194304 bytes") {
			t.Errorf("/dev/zero: status %d\n%s", status, stderr)
		}
	}
}

func deepBlocks(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}
