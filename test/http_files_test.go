package test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// filing is a gateway whose folder www is served, and takes what is written.
func filing(port int) string {
	return fmt.Sprintf(`name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: inside }
  inside: { type: http, kind: server, exit: mapping }
  mapping:
    type: http-filesystem
    kind: proxy
    routes: [ { when: [ { path: "/{path}" } ], with: { path: "${params.path}" }, exit: files } ]
  files: { type: filesystem, kind: server, options: { location: www/ } }
`, port)
}

// shelf is a gateway that serves a folder.
type shelf struct {
	*gateway
	port int
	www  string
}

// shelve starts one, whose folder has these files, written long ago.
func shelve(t *testing.T, files map[string]string) *shelf {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	stock(t, dir, files)
	write(t, filepath.Join(dir, "zilla.yaml"), filing(port))
	g := launch(t, dir, "start", "--records")
	g.awaitStart()
	return &shelf{g, port, filepath.Join(dir, "www")}
}

// stock writes files into www.
func stock(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "www"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(dir, "www", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, text)
		if past := time.Now().Add(-time.Hour); os.Chtimes(path, past, past) != nil {
			t.Fatal(name)
		}
	}
}

func (s *shelf) url(path string) string { return "http://" + address(s.port) + path }

// curl has a request answered: the arguments, of which the last is a path.
func (s *shelf) curl(want string, args ...string) {
	s.t.Helper()
	args[len(args)-1] = s.url(args[len(args)-1])
	if out, err := curl(s.t, append([]string{"--path-as-is"}, args...)...); err != nil || out != want {
		s.t.Errorf("curl %q: %.200q, %v, not %.200q", args, out, err, want)
	}
}

// status makes curl tell the status and nothing else.
var status = []string{"-o", "/dev/null", "-w", "%{http_code}"}

func (s *shelf) status(want string, args ...string) {
	s.t.Helper()
	s.curl(want, append(append([]string(nil), status...), args...)...)
}

// TestUpstreamHTTPFilesystem shows what zilla's example http.filesystem shows, by a file of ours that has the same shape.
func TestUpstreamHTTPFilesystem(t *testing.T) {
	need(t, "curl", "curl")
	port, www := freePort(t), t.TempDir()
	page := "<!doctype html>\n<html><body>Welcome.</body></html>\n"
	write(t, filepath.Join(www, "index.html"), page)
	g := start(t, fmt.Sprintf(`name: example
bindings:
  north_tcp_server:
    type: tcp
    kind: server
    options:
      host: 0.0.0.0
      port: %d
    routes:
      - when:
          - port: %d
        exit: north_http_server
  north_http_server:
    type: http
    kind: server
    routes:
      - when:
          - headers:
              :scheme: http
        exit: east_http_filesystem_mapping
  east_http_filesystem_mapping:
    type: http-filesystem
    kind: proxy
    routes:
      - when:
          - path: /{path}
        exit: east_filesystem_server
        with:
          path: ${params.path}
  east_filesystem_server:
    type: filesystem
    kind: server
    options:
      location: %s/
telemetry:
  exporters:
    stdout_logs_exporter:
      type: stdout
`, port, port, www))
	if out, err := curl(t, fmt.Sprintf("http://localhost:%d/index.html", port)); err != nil || out != page {
		t.Errorf("curl gets %q, %v", out, err)
	}
	if status, out, errs := run(t, g.dir, "check", "--strict", "-c", "zilla.yaml"); status != 0 {
		t.Errorf("it does not run on zilla: %s%s", out, errs)
	}
	g.terminate()
}

func TestExampleHTTPFilesystem(t *testing.T) {
	need(t, "curl", "curl")
	m := manualOf(t, "http.filesystem")
	m.strict("examples/http.filesystem/zilla.yaml")
	g := m.start("zilla.yaml")
	page := string(mustRead(t, "../examples/http.filesystem/www/index.html"))
	m.get(page, "# the page")
	m.get("<!DOCTYPE html>", "-r 0-14")
	m.get(`[{"path":"monday.txt","type":"file"}]`, "/notes/ ")
	m.get("404\n", "# 404")
	m.get("204\n", "--data-binary")
	m.get("", "--etag-save")
	m.get("304\n", "# 304")
	m.get("428\n", "# 428")
	m.get("", "And salt.")
	m.get("204\n", "# 204, replaced")
	m.get("412\n", "# 412")
	if got := string(mustRead(t, filepath.Join(m.dir, "examples/http.filesystem/www/notes/tuesday.txt"))); got != "Buy bread.\nAnd salt.\n" {
		t.Errorf("it is %q", got)
	}
	waits := m.line("prefer: wait=60")
	said := newOutput()
	waits.Stdout = said
	if err := waits.Start(); err != nil {
		t.Fatal(err)
	}
	g.stdout.await(t, g, `"HEAD /index.html HTTP/1.1" 200`)
	write(t, filepath.Join(m.dir, "examples/http.filesystem/www/index.html"), "another page")
	if err := waits.Wait(); err != nil || said.String() != "another page" {
		t.Errorf("who waits gets %q, %v", said, err)
	}
	m.get("204\n", "-X DELETE")
	g.terminate()
}

// TestCurlFiles has curl do what it does with files.
func TestCurlFiles(t *testing.T) {
	need(t, "curl", "curl")
	big := string(noise(5 << 20))
	s := shelve(t, map[string]string{"big.bin": big, "a.txt": "0123456789", "in/b.html": "<p>"})
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	s.curl("", "-o", file("big"), "--etag-save", file("etag"), "/big.bin")
	if got := string(mustRead(t, file("big"))); got != big {
		t.Errorf("%d bytes have come", len(got))
	}
	s.status("304", "--etag-compare", file("etag"), "/big.bin")
	s.status("304", "-z", file("big"), "/big.bin")
	s.curl(big[1<<20:2<<20], "-r", "1048576-2097151", "/big.bin")
	s.curl(big[4<<20:], "-r", "4194304-", "/big.bin")
	s.curl("789", "-r", "-3", "/a.txt")
	s.status("416", "-r", "10-", "/a.txt")
	s.curl("text/html", "-o", "/dev/null", "-w", "%{content_type}", "/in/b.html")
	write(t, file("half"), big[:3<<20])
	s.curl("", "-C", "-", "-o", file("half"), "/big.bin") // goes on where it was
	if got := string(mustRead(t, file("half"))); got != big {
		t.Errorf("%d bytes are in the half", len(got))
	}
	s.curl(fmt.Sprintf("5242880 5242880 %s", "200"), "-o", "/dev/null", "-w", "%header{content-length} %{size_download} %{http_code}", "--http1.0", "/big.bin")
	s.status("428", "-T", file("half"), "/a.txt")
	s.status("404", "-T", file("half"), "/new.bin")
	s.status("201", "-T", file("half"), "-H", "if-none-match: *", "/new.bin")
	s.status("412", "-T", file("half"), "-H", "if-none-match: *", "/new.bin")
	if got := string(mustRead(t, filepath.Join(s.www, "new.bin"))); got != big {
		t.Errorf("%d bytes are in the new file", len(got))
	}
	s.curl("204", "-o", "/dev/null", "-w", "%{http_code}", "-T", file("half"), "-H", "if-match: "+strings.TrimSpace(string(mustRead(t, file("etag")))), "-H", "Transfer-Encoding: chunked", "/big.bin")
	s.curl("412 0", "-o", "/dev/null", "-w", "%{http_code} %{size_upload}", "-T", file("half"), "-H", "if-match: \"x\"", "-H", "Expect: 100-continue", "--expect100-timeout", "10", "/big.bin")
	for range 3 { // the answer comes before the end of the request
		s.status("428", "--http2-prior-knowledge", "-X", "PUT", "-d", "x", "-H", "Expect: 100-continue", "/a.txt")
		s.status("404", "--http2-prior-knowledge", "-d", "x", "/new/a/b")
	}
	s.status("204", "-X", "DELETE", "/new.bin")
	s.status("404", "/new.bin")
	for _, path := range []string{"/../zilla.yaml", "/%2e%2e/zilla.yaml", "/in/../../zilla.yaml", "//etc/passwd", "/./a.txt"} {
		s.status("404", path)
	}
	for _, path := range []string{"/..%2fzilla.yaml", "/a.txt%00", "/%", "/..%5czilla.yaml"} {
		s.status("400", path)
	}
	s.curl("0123456789", "/a.txt")
	s.terminate()
}

// TestCurlWaits has clients wait for a change, and be told of it at once.
func TestCurlWaits(t *testing.T) {
	need(t, "curl", "curl")
	s := shelve(t, map[string]string{"a.txt": "one"})
	etag, err := curl(t, append(append([]string(nil), "-o", "/dev/null", "-w", "%header{etag}"), s.url("/a.txt"))...)
	if err != nil {
		t.Fatal(err)
	}
	const many = 10
	got := make(chan string, many)
	began := time.Now()
	for range many {
		go func() { // ends with curl
			out, err := curl(t, "-w", " %{http_code} %header{preference-applied}", "-H", "if-none-match: "+etag, "-H", "prefer: wait=14", s.url("/a.txt"))
			got <- fmt.Sprint(out, " ", err)
		}()
	}
	eventually(t, "all have come", func() bool {
		_, out, _ := run(t, s.dir, "metrics", "files")
		return regexp.MustCompile(`stream\.active\.received +10\n`).MatchString(out)
	})
	write(t, filepath.Join(s.www, "a.txt"), "two")
	for range many {
		if out := <-got; out != "two 200 wait=14 <nil>" {
			t.Errorf("who waits gets %q", out)
		}
	}
	if took := time.Since(began); took > 13*time.Second {
		t.Errorf("they were told after %v", took)
	}
	s.terminate()
}

// TestFilesOfOthers compares what is served with what nginx serves.
func TestFilesOfOthers(t *testing.T) {
	need(t, "curl", "curl")
	nginx := need(t, "nginx", "nginx")
	s := shelve(t, map[string]string{"a.txt": "0123456789", "big.bin": string(noise(1 << 20)), "empty.txt": ""})
	port := freePort(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf(`daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http { access_log off; types { text/plain txt; } default_type application/octet-stream; max_ranges 1; if_modified_since before;
 client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
 server { listen 127.0.0.1:%d; root %s; } }`, port, s.www))
	cmd := exec.Command(nginx, "-p", dir, "-c", "nginx.conf", "-e", "stderr")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	awaitListener(t, port)
	for _, path := range []string{"/a.txt", "/big.bin", "/empty.txt", "/nothing"} {
		for _, fields := range [][]string{
			{}, {"Range: bytes=0-3"}, {"Range: bytes=-3"}, {"Range: bytes=5-"}, {"Range: bytes=3-1"}, {"Range: bytes=99999999-"}, {"Range: lines=1-2"},
			{"If-Modified-Since: " + time.Now().UTC().Format(http.TimeFormat)}, {"If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT"},
			{"If-Unmodified-Since: Thu, 01 Jan 2026 00:00:00 GMT"}, {`If-None-Match: "x"`}, {"If-None-Match: *"}, {`If-Match: "x"`}, {"If-Match: *"},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				var told [2]string
				for i, port := range []int{port, s.port} {
					resp, body := fetch(t, request(t, method, port, path, "", fields...))
					told[i] = fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("content-range"))
					if resp.StatusCode/100 == 2 {
						told[i] += fmt.Sprint(resp.ContentLength, resp.Header.Get("content-type"), resp.Header.Get("last-modified"), sumOf([]byte(body)))
					}
				}
				if method == "HEAD" && strings.Contains(fmt.Sprint(fields), "Range") {
					continue // which counts for GET only
				}
				if path == "/empty.txt" && strings.Contains(fmt.Sprint(fields), "bytes=") || strings.Contains(fmt.Sprint(fields), "bytes=3-1") {
					continue // nginx refuses, or takes, what is no range
				}
				if told[0] != told[1] {
					t.Errorf("%s %s %q: nginx says %s, and we say %s", method, path, fields, told[0], told[1])
				}
			}
		}
	}
	s.terminate()
}

// TestFilesSystemCalls looks at how a large file goes out: by the system itself, whatever stands in between.
func TestFilesSystemCalls(t *testing.T) {
	const size = 8 << 20
	for name, change := range map[string]func(string) string{
		"plain": func(yaml string) string { return yaml },
		"responder": func(yaml string) string {
			return strings.Replace(yaml, "kind: server, exit: mapping", "kind: server, options: { via: gateway, access-control: { policy: cross-origin } }, exit: mapping", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, port := t.TempDir(), freePort(t)
			stock(t, dir, map[string]string{"big.bin": string(noise(size))})
			write(t, filepath.Join(dir, "zilla.yaml"), change(filing(port)))
			var response []byte
			sent, others := 0, 0
			for _, c := range traced(t, dir, func() {
				conn := dial(t, port)
				defer conn.Close()
				io.WriteString(conn, "GET /big.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") // the response tells
				response, _ = io.ReadAll(conn)
				if !bytes.HasPrefix(response, []byte("HTTP/1.1 200 ")) || !bytes.HasSuffix(response, append([]byte("\r\n\r\n"), noise(size)...)) {
					t.Errorf("%d bytes: %.200q", len(response), response)
				}
			}) {
				switch {
				case c.on == "TCP" && c.name == "sendfile":
					sent += c.result
				case c.on == "TCP" && strings.Contains("write writev sendto sendmsg", c.name):
					others += c.result
				}
			}
			if sent+others != len(response) || others > 64<<10 {
				t.Errorf("%d bytes by sendfile and %d otherwise, of %d", sent, others, len(response))
			}
		})
	}
}

// TestRootVanishes takes the folder away, and brings it back.
func TestRootVanishes(t *testing.T) {
	need(t, "curl", "curl")
	s := shelve(t, map[string]string{"a.txt": "one"})
	s.curl("one", "/a.txt")
	if err := os.Rename(s.www, s.www+".away"); err != nil {
		t.Fatal(err)
	}
	is := func(want string) {
		t.Helper()
		eventually(t, "it is "+want, func() bool {
			out, err := curl(t, append(append([]string(nil), status...), s.url("/a.txt"))...)
			return err == nil && out == want
		})
	}
	is("503")
	s.status("503", "-d", "new", "/new.txt")
	s.status("503", "-X", "DELETE", "/a.txt")
	stock(t, s.dir, map[string]string{"a.txt": "two"})
	is("200")
	s.curl("two", "/a.txt")
	s.terminate()
}

// TestFullDisk uploads more than there is room for, and then what there is room for.
func TestFullDisk(t *testing.T) {
	need(t, "curl", "curl")
	for name, how := range map[string]string{
		"files may not be large": `ulimit -f 1024; exec "$0" start --records`,
		"a disk of 1 MiB":        `mount -t tmpfs -o size=1m none www && exec "$0" start --records`,
	} {
		t.Run(name, func(t *testing.T) {
			dir, port := t.TempDir(), freePort(t)
			stock(t, dir, nil)
			write(t, filepath.Join(dir, "zilla.yaml"), filing(port))
			args := []string{"sh", "-c", how, binary(t)}
			if strings.Contains(how, "mount") {
				args = append([]string{need(t, "unshare", "util-linux"), "--map-root-user", "--mount"}, args...)
				if out, err := exec.Command(args[0], "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /mnt").CombinedOutput(); err != nil {
					t.Skipf("nothing can be mounted here: %v\n%s", err, out)
				}
			}
			g := launchCmd(t, exec.Command(args[0], args[1:]...), dir)
			g.awaitStart()
			s := &shelf{g, port, filepath.Join(dir, "www")}
			up := filepath.Join(t.TempDir(), "up")
			write(t, up, string(noise(5<<20)))
			for range 3 {
				s.status("507", "--data-binary", "@"+up, "-H", "Expect:", "/new.bin")
			}
			s.status("404", "/new.bin")
			s.status("204", "--data-binary", "small", "/new.txt")
			s.curl("small", "/new.txt")
			s.status("507", "-T", up, "-H", "if-match: *", "-H", "Expect:", "/new.txt")
			s.curl("small", "/new.txt")
			g.terminate()
		})
	}
}

// TestManyUploads has bodies come slowly, all at once, and stay out of the memory.
func TestManyUploads(t *testing.T) {
	const each, many = 2 << 20, 100
	s := shelve(t, nil)
	var all []net.Conn
	before := s.peak()
	for i := range many {
		c := dial(t, s.port)
		defer c.Close()
		fmt.Fprintf(c, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", i, each+1)
		all = append(all, c)
	}
	body := noise(each)
	for _, c := range all {
		if _, err := io.Copy(c, bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
	}
	s.took(t, before, 32)
	for _, c := range all {
		c.Close()
	}
	eventually(t, "nothing is left", func() bool {
		left, err := os.ReadDir(s.www)
		return err == nil && len(left) == 0
	})
	s.terminate()
}

// TestGuideFiles checks what docs/files.md says.
func TestGuideFiles(t *testing.T) {
	need(t, "curl", "curl")
	text := string(mustRead(t, filepath.Join("..", "docs", "files.md")))
	block := regexp.MustCompile("(?s)```yaml\n(name: .*?)```").FindStringSubmatch(text)
	if block == nil {
		t.Fatal("there is no configuration")
	}
	dir, port := t.TempDir(), freePort(t)
	yaml := strings.ReplaceAll(strings.ReplaceAll(block[1], "7114", fmt.Sprint(port)), "/var/", dir+"/")
	write(t, filepath.Join(dir, "zilla.yaml"), yaml)
	if status, out, errs := run(t, dir, "check"); status != 0 || strings.Contains(out+errs, "warning") {
		t.Errorf("the configuration is refused: status %d\n%s%s", status, out, errs)
	}
	stock(t, dir, map[string]string{"a.txt": "a"})
	if err := os.Mkdir(filepath.Join(dir, "drafts"), 0o755); err != nil {
		t.Fatal(err)
	}
	g := launch(t, dir, "start")
	g.awaitStart()
	s := &shelf{g, port, filepath.Join(dir, "www")}
	s.curl("a", "/site/a.txt")
	s.status("404", "-X", "DELETE", "/site/a.txt")
	s.status("201", "-X", "PUT", "--data-binary", "one", "-H", "if-none-match: *", "/drafts/plan.md")
	s.curl(`[{"path":"plan.md","type":"file"}]`, "/drafts/")
	s.status("404", "-d", "x", "/drafts/plan.txt")
	s.terminate()
	// The table of paths.
	s = shelve(t, map[string]string{"a.txt": "a", "café.txt": "c", "notes/b": "b"})
	for path, status := range map[string]string{"/a.txt?version=2": "200", "/caf%C3%A9.txt": "200", "/notes/": "200", "/notes": "404", "/": "404"} {
		s.status(status, path)
	}
	table, _, _ := strings.Cut(text[strings.Index(text, "## Which file"):], "\n## ")
	rows := regexp.MustCompile("(?m)^\\| (`.*`) \\| (4\\d\\d)(?:,.*)? \\|$").FindAllStringSubmatch(table, -1)
	for _, row := range rows {
		for _, path := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(row[1], -1) {
			s.status(row[2], path[1])
		}
	}
	if len(rows) != 3 {
		t.Errorf("the table has %d rows of refusals", len(rows))
	}
	s.terminate()
}
