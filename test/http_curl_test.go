package test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCurlHTTP has curl ask a server of Go through the gateway.
func TestCurlHTTP(t *testing.T) {
	need(t, "curl", "curl")
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/chunks":
			for i := range 100 {
				fmt.Fprintf(w, "%d\n", i)
				w.(http.Flusher).Flush()
			}
		case "/late": // 100 comes when the body is read
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%d", len(b))
		case "/no":
			w.WriteHeader(417)
		case "/nothing":
			w.WriteHeader(204)
		default:
			tells(w, r)
		}
	})
	port := freePort(t)
	g := start(t, hosting(port, b.port, `routes: [ { when: [ { headers: { ":path": /echo } } ], exit: echo } ]
exit: out`), "--records")
	url := fmt.Sprintf("http://%s", address(port))
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, string(noise(3<<20)))
	sum := fmt.Sprintf("%d %s\n", 3<<20, sumOf(noise(3<<20)))
	var lines strings.Builder
	for i := range 100 {
		fmt.Fprintf(&lines, "%d\n", i)
	}
	for _, c := range []struct {
		name string
		args string // separated by spaces; a + is one
		want string
	}{
		{"GET", "/", `\AGET / HTTP/1\.1\n(.*\n)*0 e3b0c442`},
		{"GET, a query", "/a%20b/..//c?d=%2F&e", `\AGET /a%20b/\.\.//c\?d=%2F&e HTTP/1\.1\n`},
		{"POST", "/ -d Hello", `\APOST / HTTP/1\.1\n(.*\r?\n)*5 185f8db3`},
		{"DELETE", "/ -X DELETE", `\ADELETE / `},
		{"PATCH", "/ -X PATCH -d Hello", `\APATCH / `},
		{"OPTIONS", "/ -X OPTIONS", `\AOPTIONS / `},
		{"OPTIONS of the server", "/ -X OPTIONS --request-target * -w %{http_code}", `\A200\z`},
		{"an unknown method", "/ -X MAKE -w %{http_code}", `\A501\z`},
		{"PUT", "/ -T FILE -H Expect:", `\APUT /file (.*\n)*` + sum + `\z`},
		{"PUT, chunked", "/ -T FILE -H Expect: -H Transfer-Encoding:+chunked", `\APUT /file (.*\n)*` + sum + `\z`},
		{"PUT that asks first", "/late -T FILE -H Expect:+100-continue --expect100-timeout 10 -v", `< HTTP/1\.1 100 Continue\r\n(.|\r|\n)*3145728\z`},
		{"PUT that is refused", "/no -T FILE -H Expect:+100-continue --expect100-timeout 10 -w %{size_upload}+%{http_code}", `\A0 417\z`},
		{"PUT to the echo that asks first", "/echo -T FILE -H Expect:+100-continue --expect100-timeout 10 -o /dev/null -w %{size_upload}+%{size_download}", `\A3145728 3145728\z`},
		{"HEAD", "/ -I", `\AHTTP/1\.1 200 OK\r\n(.*\r\n)+\r\n\z`},
		{"chunks", "/chunks", `\A` + lines.String() + `\z`},
		{"chunks for 1.0", "/chunks --http1.0 -w %{http_version}", `\A` + lines.String() + `(1\.1|1)\z`},
		{"chunks as they stand for 1.0", "/chunks --http1.0 --raw -i", `\AHTTP/1\.1 200 OK\r\n(?i)(?:[a-z].*\r\n)*\r\n` + lines.String() + `\z`},
		{"1.0", "/ --http1.0", `\AGET / HTTP/1\.1\n`},
		{"204", "/nothing -i", `\AHTTP/1\.1 204 No Content\r\n(.*\r\n)+\r\n\z`},
		{"upgrade to HTTP/2", "/ --http2 -w %{http_version}", `\AGET / HTTP/1\.1\n(.*\n)*2\z`},
		{"upgrade to HTTP/2, with a body", "/ --http2 -d Hello -w %{http_version}", `\APOST / HTTP/1\.1\n(.*\r?\n)*1\.1\z`},
		{"a header of many lines", "/ -H X-Mine:+a -H X-Mine:+b -H X-Mine:+a", `X-Mine: a\r\nX-Mine: b\r\nX-Mine: a\r\n`},
		{"hop-by-hop", "/ -H Connection:+x-mine,+close -H X-Mine:+a -H Keep-Alive:+5 -H Proxy-Connection:+close -H TE:+trailers,+gzip", `\AGET / `},
		{"a proxy's request", "/ --request-target http://b.example/c", `\AGET /c HTTP/1\.1\n`},
		{"a long header", "/ -H X-Long:+" + strings.Repeat("x", 30000), `X-Long: x{100}`},
		{"two requests", "/chunks " + url + "/chunks -w %{num_connects}+", `\A` + lines.String() + "1 " + lines.String() + `0 \z`},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"--path-as-is"}
			for i, a := range strings.Fields(c.args) {
				a = strings.ReplaceAll(a, "+", " ")
				if i == 0 {
					a = url + a
				}
				args = append(args, strings.ReplaceAll(a, "FILE", file))
			}
			out, err := curl(t, args...)
			if err != nil || !regexp.MustCompile(c.want).MatchString(out) {
				t.Errorf("%v, %.3000q does not match %q", err, out, c.want)
			}
			if c.name == "hop-by-hop" && regexp.MustCompile(`X-Mine|Keep-Alive|Proxy-Connection|gzip`).MatchString(out) {
				t.Errorf("%s", out)
			}
		})
	}
	g.terminate()
}

// TestCurlHTTPLarge sends 50 MB up and down, to a server and to the echo, by length and in chunks.
func TestCurlHTTPLarge(t *testing.T) {
	need(t, "curl", "curl")
	const size = 50 << 20
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		if r.ContentLength >= 0 {
			w.Header().Set("Content-Length", fmt.Sprint(r.ContentLength))
		}
		io.Copy(w, r.Body)
	})
	port := freePort(t)
	g := start(t, hosting(port, b.port, `routes: [ { when: [ { headers: { ":path": /echo } } ], exit: echo } ]
exit: out`))
	dir := t.TempDir()
	up, down := filepath.Join(dir, "up"), filepath.Join(dir, "down")
	what := noise(size)
	write(t, up, string(what))
	for _, path := range []string{"/echo", "/server"} {
		for _, how := range []string{"Expect:", "Transfer-Encoding: chunked"} {
			url := fmt.Sprintf("http://%s%s", address(port), path)
			if out, err := curl(t, "-T", up, "-H", how, "-o", down, url); err != nil {
				t.Errorf("%s, %s: %v: %s", path, how, err, out)
			}
			got := mustRead(t, down)
			if !bytes.Equal(got, what) {
				t.Errorf("%s, %s: %d bytes come back, and not the same", path, how, len(got))
			}
			os.Remove(down)
		}
	}
	g.took(t, 0, 100)
	g.terminate()
}

// TestCurlHTTPNginx compares what nginx says to curl with what it says to curl through the gateway: nothing is added,
// left out or changed but what is of the connection.
func TestCurlHTTPNginx(t *testing.T) {
	need(t, "curl", "curl")
	end, port := freePort(t), freePort(t)
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "text.html"), strings.Repeat("All work and no play. ", 1000))
	write(t, filepath.Join(dir, "noise.bin"), string(noise(50000)))
	nginx(t, fmt.Sprintf(`http {
    access_log off;
    types { text/html html; }
    gzip on;
    server { listen 127.0.0.1:%d; root %s; error_page 404 =404 /text.html; etag on;
        location /moved { return 301 /text.html; }
        location /requests { return 200 $connection_requests; }
    }
}
`, end, dir), end)
	g := start(t, hosting(port, end, "exit: out"))
	date := regexp.MustCompile(`(?im)^(date: .*|connection: .*|keep-alive: .*)\r\n`)
	clean := func(s string) string { // names of fields have no case
		s = date.ReplaceAllString(s, "")
		head, body, _ := strings.Cut(s, "\r\n\r\n")
		lines := strings.Split(strings.ToLower(head), "\r\n")
		lines[0] = lines[0][:min(len("http/1.1 200"), len(lines[0]))] // the reason is the gateway's
		slices.Sort(lines[1:])
		return strings.Join(lines, "\n") + "\n\n" + body
	}
	for _, args := range []string{
		"/text.html", "/text.html -I", "/text.html --compressed", "/text.html -H Accept-Encoding:gzip", "/noise.bin", "/noise.bin -r 10-20",
		"/noise.bin -r -5", "/noise.bin -r 0-0,5-9", "/noise.bin -r 2000000-", "/none", "/moved", "/moved -L", "/text.html -d Hello",
		"/text.html -X PUT", "/noise.bin -H If-Modified-Since:Fri,01Jan2100 -z tomorrow",
	} {
		ask := func(port int) string {
			fields := strings.Fields(args)
			out, err := curl(t, append([]string{"-i", "-H", "Host: web.example", fmt.Sprintf("http://%s%s", address(port), fields[0])}, fields[1:]...)...)
			if err != nil {
				t.Errorf("%s: %v: %.200q", args, err, out)
			}
			return regexp.MustCompile(`(?i)(location: http://web.example):?\d*`).ReplaceAllString(out, "$1")
		}
		if strings.HasSuffix(args, "-L") {
			continue // by its name it would be asked for elsewhere
		}
		direct, through := ask(end), ask(port)
		if clean(direct) != clean(through) && !strings.Contains(args, "0-0,5-9") { // whose boundary differs
			t.Errorf("%s:\n%.600s\nthrough the gateway:\n%.600s", args, clean(direct), clean(through))
		}
	}
	// 50 clients, one after the other, make use of few connections.
	for range 50 {
		fetch(t, request(t, "GET", port, "/text.html", ""))
	}
	eventually(t, "a connection has had 10 requests", func() bool { // others have, where one that had answered was not back yet
		_, n := fetch(t, request(t, "GET", port, "/requests", ""))
		return atoi(t, n) >= 10
	})
	g.terminate()
}
