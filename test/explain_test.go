package test

import (
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestExamplesAreTested runs the tests that stand beside examples.
func TestExamplesAreTested(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "examples", "*", "zilla.test.yaml"))
	if err != nil || len(files) < 3 {
		t.Fatalf("the tests are %v, %v", files, err)
	}
	for _, file := range files {
		status, out, errs := run(t, filepath.Dir(file), "test")
		if status != 0 || !regexp.MustCompile(`^\d+ tests: \d+ passed, 0 failed\n$`).MatchString(out) || errs != "" {
			t.Errorf("%s: status %d\n%s%s", file, status, out, errs)
		}
	}
}

// TestExplainOpensNothing asks for a port that somebody else has.
func TestExplainOpensNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "zilla.yaml"), `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: `+port+` }, exit: south }
  south: { type: tcp, kind: client, options: { host: no.such.host.invalid, port: 80 } }
`)
	status, out, errs := run(t, dir, "explain", "--port", port)
	if status != 0 || !strings.HasSuffix(out, "    dials no.such.host.invalid:80\n\nserved: north -> south\n") || errs != "" {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left)+len(hidden) != 1 {
		t.Errorf("it has left %v and %v", left, hidden)
	}
}

// TestGuideExplain checks what docs/explain.md says.
func TestGuideExplain(t *testing.T) {
	text := string(mustRead(t, filepath.Join("..", "docs", "explain.md")))
	asked := regexp.MustCompile("(?s)```sh\ngozilla (explain .*?)\n```\n\n```\n(.*?)```").FindStringSubmatch(text)
	if asked == nil {
		t.Fatal("there is no explanation")
	}
	if status, out, errs := run(t, "..", strings.Fields(asked[1])...); status != 3 || out != asked[2] || errs != "" {
		t.Errorf("gozilla %s: status %d\n%s%s", asked[1], status, out, errs)
	}
	tried := regexp.MustCompile("(?m)^gozilla (test .*?) +# (.*)$").FindStringSubmatch(text)
	if tried == nil {
		t.Fatal("there is no test")
	}
	if status, out, errs := run(t, "..", strings.Fields(tried[1])...); status != 0 || out != tried[2]+"\n" || errs != "" {
		t.Errorf("gozilla %s: status %d\n%s%s", tried[1], status, out, errs)
	}
	// The tests of the page are for a file of this kind.
	dir := t.TempDir()
	block := regexp.MustCompile("(?s)```yaml\n(tests:.*?)```").FindStringSubmatch(text)
	if block == nil {
		t.Fatal("there are no tests")
	}
	write(t, filepath.Join(dir, "zilla.test.yaml"), block[1])
	write(t, filepath.Join(dir, "zilla.yaml"), `name: test
bindings:
  north_tcp: { type: tcp, kind: server, options: { host: 0.0.0.0, port: 443 }, exit: north_tls }
  north_tls: { type: tls, kind: proxy, routes: [ { when: [ { authority: api.example, alpn: h2 } ], exit: south_api } ] }
  south_api: { type: echo, kind: server }
`)
	if status, out, errs := run(t, dir, "test"); status != 0 || out != "2 tests: 2 passed, 0 failed\n" {
		t.Errorf("the tests of the page: status %d\n%s%s", status, out, errs)
	}
}
