package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// combined is a line of an access log, as strictly as those read it who count them.
var combined = regexp.MustCompile(`^(\S+) - (\S+) \[(\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "((?:[^"\\]|\\.)*)" (\d{3}|-) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$`)

func TestHTTPAccessLog(t *testing.T) {
	b := newBackend(t, tells)
	port := freePort(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "zilla.yaml"), hosting(port, b.port, `routes: [ { when: [ { headers: { ":path": /none } } ], exit: nobody } ]
exit: out`)+fmt.Sprintf("  nobody: { type: http, kind: client, exit: gone }\n  gone: { type: tcp, kind: client, options: { host: 127.0.0.1, port: %d } }\n", freePort(t)))
	g := launch(t, dir, "start", "--access-log", "combined", "--access-log-file", "access.log")
	g.awaitStart()
	log := filepath.Join(dir, "access.log")
	c := call(t, port)
	began := time.Now()
	lines := func() []string {
		text, _ := os.ReadFile(log) // it may not be there yet
		all := strings.Split(string(text), "\n")
		return all[:len(all)-1]
	}
	await := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprintf("there are %d lines", n), func() bool { return len(lines()) == n })
	}
	c.asks("GET /a?b=\"c HTTP/1.1\r\nHost: a\r\nReferer: http://a/\\\"\t<>\r\nUser-Agent: me \"\\\" \xff\r\n\r\n", 200)
	c.asks("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200)
	c.asks("GET /none HTTP/1.1\r\nHost: a\r\n\r\n", 503)
	await(3) // those of other connections may come before
	call(t, port).asks("GET / HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n", 400)
	call(t, port).asks("\x16\x03\x01 nonsense\r\n\r\n", 400)
	await(5)
	want := []string{`"GET /a?b=\"c HTTP/1.1" 200 `, `"POST /p HTTP/1.1" 200 `, `"GET /none HTTP/1.1" 503 - "-" "-"`, ` 400 - "-" "-"`, ` 400 - "-" "-"`}
	for i, line := range lines() {
		m := combined.FindStringSubmatch(line)
		if m == nil || m[1] != "127.0.0.1" || m[2] != "-" || !strings.Contains(line, want[i]) {
			t.Errorf("line %d is %q, want %s", i, line, want[i])
			continue
		}
		at, err := time.Parse("02/Jan/2006:15:04:05 -0700", m[3])
		if err != nil || at.Before(began.Truncate(time.Second)) || at.After(time.Now()) {
			t.Errorf("its time is %s, %v", m[3], err)
		}
	}
	if line := lines()[0]; !strings.HasSuffix(line, `"http://a/\\\"\t<>" "me \"\\\" \xff"`) {
		t.Errorf("it is escaped as %s", line)
	}
	// It is made anew once it was moved away.
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log is made anew", func() bool {
		fetch(t, request(t, "GET", port, "/again", ""))
		return len(lines()) > 0
	})
	// gozilla logs shows the same, and which connection an exchange came over.
	_, out, _ := run(t, g.dir, "logs", "--records", "--format", "combined")
	if !strings.Contains(out, "\"POST /p HTTP/1.1\" 200 ") {
		t.Errorf("gozilla logs --format combined:\n%s", out)
	}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		if !combined.MatchString(line) {
			t.Errorf("gozilla logs has %q", line)
		}
	}
	_, out, _ = run(t, g.dir, "logs", "--records", "--json")
	type record struct {
		ID, Connection int
		HTTP           *struct {
			Method, Path, Version, Trace string
			Status                       int
		}
		Source, Target, Reason, By string
	}
	connections := map[string]int{} // of exchanges, by path
	ids := map[int]bool{}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if ids[r.ID] {
			t.Errorf("two records have the number %d", r.ID)
		}
		ids[r.ID] = true
		if r.HTTP != nil {
			connections[r.HTTP.Path] = r.Connection
		}
	}
	if connections["/p"] == 0 || connections["/p"] != connections["/none"] || connections["/p"] != connections["/a?b=\"c"] || connections["/again"] == connections["/p"] {
		t.Errorf("the connections are %v", connections)
	}
	g.terminate()
}

// TestHTTPTrace looks at what a server is told of the trace that a request belongs to.
func TestHTTPTrace(t *testing.T) {
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s", strings.Join(r.Header["Traceparent"], ","), r.Header.Get("Tracestate"))
	})
	port := freePort(t)
	g := start(t, hosting(port, b.port, "exit: out"), "--records")
	made := regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-01\|$`)
	_, first := fetch(t, request(t, "GET", port, "/", ""))
	_, second := fetch(t, request(t, "GET", port, "/", ""))
	a, c := made.FindStringSubmatch(first), made.FindStringSubmatch(second)
	if a == nil || c == nil || a[1] == c[1] || a[2] == c[2] {
		t.Errorf("the server is told %q, then %q", first, second)
	} else {
		g.exchange(t, `http.trace=00-`+a[1])
	}
	const trace = "0af7651916cd43dd8448eb211c80319c"
	_, got := fetch(t, request(t, "GET", port, "/", "", "Traceparent: 00-"+trace+"-b7ad6b7169203331-00", "Tracestate: a=b"))
	if m := regexp.MustCompile(`^00-` + trace + `-([0-9a-f]{16})-00\|a=b$`).FindStringSubmatch(got); m == nil {
		t.Errorf("the server is told %q", got)
	}
	g.exchange(t, `http.trace=00-`+trace)
	for _, bad := range []string{"none", "00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01", "00-" + strings.ToUpper(trace) + "-b7ad6b7169203331-01"} {
		if _, got := fetch(t, request(t, "GET", port, "/", "", "Traceparent: "+bad)); !made.MatchString(got) {
			t.Errorf("a bad traceparent %q is passed on as %q", bad, got)
		}
	}
	g.terminate()
}

// TestHTTPMetrics compares what is counted with what was done.
func TestHTTPMetrics(t *testing.T) {
	held, go_ := make(chan bool), make(chan bool)
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			held <- true
			<-go_
		}
		io.Copy(w, r.Body)
	})
	port := freePort(t)
	g := start(t, hosting(port, b.port, "telemetry: { attributes: { method: \"${http.request.method}\", status: \"${http.response.status}\", kind: fixed } }\nexit: out"))
	c := call(t, port)
	for range 10 {
		c.asks("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200)
	}
	c.says("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
	<-held
	for text, want := range map[string]string{
		`http\.active\.requests +1 `: "one is under way",
		`http\.request\.size\{kind="fixed",method="POST",status="200"\} +10 +5B +50B\n`: "ten were sent",
		`http\.response\.size\{[^}]*method="POST"[^}]*\} +10 +5B +50B\n`:                "ten came back",
		`http\.duration\{[^}]*method="POST"[^}]*\} +10 `:                                "ten took some time",
	} {
		eventually(t, want, func() bool {
			_, out, _ := run(t, g.dir, "metrics", "in")
			return regexp.MustCompile(text).MatchString(out)
		})
	}
	close(go_)
	c.hears("GET")
	eventually(t, "nothing is under way", func() bool {
		_, out, _ := run(t, g.dir, "metrics", "out")
		return regexp.MustCompile(`http\.active\.requests +0 `).MatchString(out)
	})
	g.terminate()
}
