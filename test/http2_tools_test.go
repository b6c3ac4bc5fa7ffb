package test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tool runs a program of nghttp2 to its end.
func tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), need(t, name, "nghttp2-client"), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Errorf("%s %q: %v: %s", name, args, err, &errs)
	}
	return out.String()
}

// TestNghttp has nghttp ask, for one thing and for many, in the clear and over TLS, by prior knowledge and by upgrade.
func TestNghttp(t *testing.T) {
	need(t, "nghttp", "nghttp2-client")
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/trailers":
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, "body")
			w.Header().Set("X-Sum", "sum")
		case "/large":
			w.Write(make([]byte, 5<<20))
		default:
			tells(w, r)
		}
	}, bilingual)
	for _, c := range []struct {
		name, versions string
		tls            bool
	}{{"in the clear", "http/1.1", false}, {"TLS", "h2", true}} {
		t.Run(c.name, func(t *testing.T) {
			port, scheme := freePort(t), "http"
			g := h2Gateway(t, port, setting{tls: c.tls, server: "exit: out", client: speaks(c.versions), end: b.port})
			if c.tls {
				scheme = "https"
			}
			url := func(path string) string { return fmt.Sprintf("%s://localhost:%d%s", scheme, port, path) }
			has := func(out, want string) {
				t.Helper()
				if !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("it says\n%s\nwhich does not match %q", out, want)
				}
			}
			has(tool(t, "nghttp", url("/")), `\AGET / HTTP/(1\.1|2\.0)\r?\n`)
			has(tool(t, "nghttp", "-v", url("/trailers")), `:status: 200(.|\n)*x-sum: sum`)
			has(tool(t, "nghttp", "-v", "-H", "te: trailers", url("/")), `:status: 200`)
			has(tool(t, "nghttp", "--no-push", "-n", "-v", url("/")), `:status: 200`)
			out := tool(t, "nghttp", append([]string{"-nv", "-m", "50"}, url("/many"))...)
			if n := strings.Count(out, ":status: 200"); n != 50 {
				t.Errorf("%d of 50 are answered", n)
			}
			has(tool(t, "nghttp", "-ns", "-w", "16", "-W", "16", url("/large")), ` 200 +5M +/large`)
			has(tool(t, "nghttp", "-ns", "-w", "16", "-W", "20", "-m", "5", url("/large")), `( 200 +5M +/large\n(.*\n)?.*){5}`)
			has(tool(t, "nghttp", "-nv", "-p", "10", "--no-dep", url("/")), `:status: 200`)
			has(tool(t, "nghttp", "-nv", "--header-table-size=0", "--encoder-header-table-size=0", url("/")), `:status: 200`)
			has(tool(t, "nghttp", "-nv", "--header-table-size=65536", url("/")), `:status: 200`)
			has(tool(t, "nghttp", "-nv", "--padding=100", "-d", "http2_tools_test.go", url("/")), `:status: 200`)
			has(tool(t, "nghttp", "-nv", "--continuation", url("/")), `:status: 200`)
			has(tool(t, "nghttp", "-v", "--expect-continue", "-d", "http2_tools_test.go", url("/")), `:status: 100(.|\n)*:status: 200`)
			if !c.tls {
				has(tool(t, "nghttp", "-v", "-u", url("/")), `(?s)HTTP/1\.1 101 Switching Protocols.*:status: 200.*GET / HTTP/`)
				has(tool(t, "nghttp", "-v", "-u", "-d", "http2_tools_test.go", url("/")), `:status: 200`)
			}
			if text := mustRead(t, "http2_tools_test.go"); len(text) > 0 {
				has(tool(t, "nghttp", "-d", "http2_tools_test.go", url("/")), `\APOST / (.*\n)*`+fmt.Sprintf("%d %s", len(text), sumOf(text)))
			}
			g.terminate()
		})
	}
}

// TestH2Load has h2load ask thousands of times; each answer is a good one.
func TestH2Load(t *testing.T) {
	need(t, "h2load", "nghttp2-client")
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "hello, world\n")
	}, bilingual)
	file := filepath.Join(t.TempDir(), "body")
	write(t, file, string(noise(5000)))
	for _, c := range []struct {
		name, versions string
		tls, south     bool
		args           string
	}{
		{"to HTTP/1.1", "http/1.1", false, false, "-n 5000 -c 8 -m 32"},
		{"to HTTP/2", "h2", false, false, "-n 5000 -c 8 -m 32"},
		{"one connection", "h2", false, false, "-n 3000 -c 1 -m 100"},
		{"small windows", "http/1.1", false, false, "-n 2000 -c 4 -m 20 -w 4 -W 16"},
		{"POST", "h2", false, false, "-n 2000 -c 4 -m 20 -d " + file},
		{"POST to HTTP/1.1", "http/1.1", false, false, "-n 2000 -c 4 -m 20 -d " + file},
		{"TLS", "h2", true, false, "-n 3000 -c 8 -m 32"},
		{"HTTP/1.1 to HTTP/2", "h2", false, false, "-n 2000 -c 16 -p http/1.1"},
		{"HTTP/1.1, over TLS", "h2", true, false, "-n 1000 -c 8 --h1"},
		{"connections that come and go", "h2", false, false, "-n 400 -c 400 -m 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			port, scheme := freePort(t), "http"
			if c.tls {
				scheme = "https"
			}
			g := h2Gateway(t, port, setting{tls: c.tls, server: "exit: out", client: speaks(c.versions), end: b.port})
			out := tool(t, "h2load", append(strings.Fields(c.args), fmt.Sprintf("%s://%s/", scheme, address(port)))...)
			m := regexp.MustCompile(`requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded, 0 failed, 0 errored, 0 timeout\nstatus codes: (\d+) 2xx, 0 3xx`).FindStringSubmatch(out)
			if m == nil || m[1] != m[2] || m[1] != m[3] {
				t.Errorf("it says\n%s", out)
			}
			g.took(t, 0, 150)
			g.terminate()
		})
	}
}

// TestCurlHTTP2 has curl ask, by every way that it knows to HTTP/2.
func TestCurlHTTP2(t *testing.T) {
	need(t, "curl", "curl")
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/late": // 100 comes when the body is read
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%d", len(b))
		case "/nothing":
			w.WriteHeader(204)
		case "/trailers":
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, "body\n")
			w.Header().Set("X-Sum", "sum")
		default:
			tells(w, r)
		}
	}, bilingual)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, string(noise(3<<20)))
	sum := fmt.Sprintf("%d %s\n", 3<<20, sumOf(noise(3<<20)))
	for _, where := range []struct {
		name, versions, behind string
		tls, south             bool
	}{{"to HTTP/1.1", "http/1.1", `HTTP/1\.1`, false, false}, {"to HTTP/2", "h2", `HTTP/2\.0`, false, false}, {"TLS", "h2", `HTTP/2\.0`, true, false}} {
		t.Run(where.name, func(t *testing.T) {
			port := freePort(t)
			s := newStage(t)
			g := h2Gateway(t, port, setting{
				stage: s, tls: where.tls, client: speaks(where.versions), end: b.port,
				server: `routes: [ { when: [ { headers: { ":path": /echo } } ], exit: echo } ]` + "\nexit: out",
			})
			url, how := fmt.Sprintf("http://%s", address(port)), "--http2-prior-knowledge"
			if where.tls {
				url, how = fmt.Sprintf("https://localhost:%d", port), "--http2"
			}
			for _, c := range []struct {
				name string
				args string // separated by spaces; a + is one
				want string
			}{
				{"GET", "/ -w %{http_version}", `\AGET / ` + where.behind + `\n(.*\n)*0 e3b0c442.*\n2\z`},
				{"GET, a query", "/a%20b/..//c?d=%2F&e", `\AGET /a%20b/\.\.//c\?d=%2F&e HTTP`},
				{"POST", "/ -d Hello", `\APOST / HTTP(.*\r?\n)*5 185f8db3`},
				{"PUT", "/ -T FILE -H Expect:", `\APUT /file (.*\n)*` + sum + `\z`},
				{"PUT of unknown length", "/ -X PUT -T - -H Expect:", `\APUT / `},
				{"PUT that asks first", "/late -T FILE -H Expect:+100-continue --expect100-timeout 10 -v", `< HTTP/2 100 (.|\r|\n)*3145728`},
				{"PUT to the echo", "/echo -T FILE -H Expect: -o /dev/null -w %{size_upload}+%{size_download}", `\A3145728 3145728\z`},
				{"HEAD", "/ -I", `\AHTTP/2 200 \r\n(.*\r\n)+\r\n\z`},
				{"204", "/nothing -i", `\AHTTP/2 204 \r\n(.*\r\n)+\r\n\z`},
				{"trailers", "/trailers -i", `\AHTTP/2 200 \r\n(.*\r\n)*\r\nbody\n(x-sum: sum\r\n)?`},
				{"OPTIONS of the server", "/ -X OPTIONS --request-target * -w %{http_code}", `\A200\z`},
				{"an unknown method", "/ -X MAKE -w %{http_code}", `\A501\z`},
				{"a long header", "/ -H X-Long:+" + strings.Repeat("x", 30000), `X-Long: x{100}`},
				{"cookies", "/ -b a=1;b=2", `Cookie: a=1; ?b=2\r\n`},
				{"two requests", "/late " + url + "/late -w %{num_connects}+", `\A01 00 \z`},
				{"HTTP/1.1", "/ --http1.1 -w %{http_version}", `\AGET / ` + where.behind + `\n(.*\n)*1\.1\z`},
			} {
				if c.name == "two requests" && !where.tls {
					continue // curl 7.88 begins a connection anew that it has begun by prior knowledge
				}
				t.Run(c.name, func(t *testing.T) {
					args := []string{"--path-as-is", how, "--cacert", s.path("ca.crt")}
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
				})
			}
			if !where.tls {
				for _, c := range []struct{ args, want string }{
					{"/", `\AGET / ` + where.behind + `\n(.*\n)*2\z`},
					{"/late -d Hello", `\A52\z`},
					{"/late -T FILE -H Expect:+100-continue --expect100-timeout 10", `\A31457282\z|\A31457281\.1\z`},
				} {
					args := []string{"--http2", "-w", "%{http_version}"}
					for i, a := range strings.Fields(c.args) {
						if a = strings.ReplaceAll(strings.ReplaceAll(a, "+", " "), "FILE", file); i == 0 {
							a = url + a
						}
						args = append(args, a)
					}
					// A request with a body need not be upgraded (RFC 7540, section 3.2).
					want := c.want
					if strings.Contains(c.args, "-d") {
						want = `\A5(2|1\.1)\z`
					}
					if out, err := curl(t, args...); err != nil || !regexp.MustCompile(want).MatchString(out) {
						t.Errorf("upgrade, %s: %v, %q", c.args, err, out)
					}
				}
			}
			g.terminate()
		})
	}
}

// TestCurlHTTP2Large sends 50 MB up and down at once, to a server and to the echo.
func TestCurlHTTP2Large(t *testing.T) {
	t.Parallel()
	need(t, "curl", "curl")
	const size = 50 << 20
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		if r.ContentLength >= 0 {
			w.Header().Set("Content-Length", fmt.Sprint(r.ContentLength))
		}
		io.Copy(w, r.Body)
	}, bilingual)
	dir := t.TempDir()
	up, down := filepath.Join(dir, "up"), filepath.Join(dir, "down")
	what := noise(size)
	write(t, up, string(what))
	for _, versions := range behind() {
		port := freePort(t)
		g := h2Gateway(t, port, setting{server: `routes: [ { when: [ { headers: { ":path": /echo } } ], exit: echo } ]` + "\nexit: out", client: speaks(versions), end: b.port})
		for _, path := range []string{"/echo", "/server"} {
			for _, how := range []string{"--http2-prior-knowledge", "--http1.1"} {
				url := fmt.Sprintf("http://%s%s", address(port), path)
				if out, err := curl(t, "-T", up, "-H", "Expect:", how, "-o", down, url); err != nil {
					t.Errorf("%s, %s: %v: %s", path, how, err, out)
				}
				if got, err := os.ReadFile(down); err != nil || !bytes.Equal(got, what) {
					t.Errorf("%s, %s: %d bytes come back, and not the same, %v", path, how, len(got), err)
				}
				os.Remove(down)
			}
		}
		g.took(t, 0, 100)
		g.terminate()
	}
}
