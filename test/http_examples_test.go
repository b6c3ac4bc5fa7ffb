package test

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
)

// strict checks that zilla takes the example too.
func (m *manual) strict(file string) {
	m.t.Helper()
	if out, err := m.sh("gozilla check --strict -c " + file).CombinedOutput(); err != nil || strings.Contains(string(out), "warning") {
		m.t.Errorf("it does not run on zilla: %v\n%s", err, out)
	}
}

// get has a command of the README say something.
func (m *manual) get(want string, parts ...string) {
	m.t.Helper()
	if out, err := m.says(parts...); err != nil || out != want {
		m.t.Errorf("%q: it says %q, %v, want %q", parts, out, err, want)
	}
}

func TestExampleHTTPEcho(t *testing.T) {
	need(t, "curl", "curl")
	m := manualOf(t, "http.echo")
	m.strict("examples/http.echo/zilla.yaml")
	g := m.start("zilla.yaml")
	m.get("Hello", "curl -d")
	m.get(m.moved(string(mustRead(t, "../examples/http.echo/README.md")), false), "curl -T")
	m.get("404\n", "# 404")
	m.get("1.1\n", "--http2 ")
	m.get("Hello2\n", "--http2-prior-knowledge")
	for _, want := range []string{`POST / HTTP/1\.1" 200 5\n`, `"PUT /README\.md HTTP/1\.1" 200 \d+\n`, `"GET / HTTP/1\.1" 404 -\n`} {
		g.stdout.await(t, g, want)
	}
	g.terminate()
}

func TestExampleHTTPProxy(t *testing.T) {
	need(t, "curl", "curl")
	need(t, "nginx", "nginx")
	m := manualOf(t, "http.proxy")
	m.strict("examples/http.proxy/zilla.yaml")
	g := m.start("zilla.yaml", 8443)
	page := string(mustRead(t, "../examples/http.proxy/page.html"))
	m.get(page, "# the page")
	m.get(page, "/old/page.html")
	m.get(page, "?again")
	m.get("<!DOCTYPE html>", "?part")
	m.get("5 HTTP/2.0\n", "/requests", "# 5")
	m.get("6 HTTP/2.0\n", "/requests?old")
	g.stdout.await(t, g, `"GET /page\.html\?part HTTP/2(\.0)?" 206 15 "-" "curl/`)
	g.stdout.await(t, g, `"GET /requests\?old HTTP/1\.1" 200 11 "-" "curl/`)
	need(t, "nghttp", "nghttp2-client")
	out, err := m.says("nghttp ")
	if n := strings.Count(out, ".html"); err != nil || n != 1 || !regexp.MustCompile(` 200 +\d+ /pushed\.html\n`).MatchString(out) {
		t.Errorf("nghttp: %v, %d pages:\n%s", err, n, out)
	}
	g.terminate()
}

func TestExampleHTTPH2C(t *testing.T) {
	need(t, "curl", "curl")
	need(t, "nghttp", "nghttp2-client")
	need(t, "nghttpd", "nghttp2-server")
	m := manualOf(t, "http.h2c")
	m.strict("examples/http.h2c/zilla.yaml")
	g := m.start("zilla.yaml", 8080)
	m.get("Hello\n", "# Hello", "curl --http2")
	m.get("Hello\n2\n", "name=me")
	m.get("404\n", "# 404")
	if out, err := m.says("nghttp "); err != nil || !regexp.MustCompile(`:status: 200(.|\n)*grpc-status: 0`).MatchString(out) {
		t.Errorf("nghttp: %v\n%s", err, out)
	}
	if out, err := m.says("h2load "); err != nil || !strings.Contains(out, "1000 succeeded, 0 failed, 0 errored, 0 timeout") {
		t.Errorf("h2load: %v\n%s", err, out)
	}
	g.stdout.await(t, g, `"POST /example\.Greeter/SayHello HTTP/2(\.0)?" 200 6\n`)
	g.terminate()
}

func TestExampleHTTPProxyJWT(t *testing.T) {
	need(t, "curl", "curl")
	m := manualOf(t, "http.proxy.jwt")
	key, err := m.sh("sh examples/http.proxy.jwt/token.sh key").Output()
	if err != nil {
		t.Fatal(err)
	}
	m.env = append(m.env, "JWT_KEY="+string(key))
	m.strict("examples/http.proxy.jwt/zilla.yaml")
	g := m.start("zilla.yaml")
	m.get("Hello", "# Hello")
	m.get("404\n", "# 404")
	m.get("403\n", "# 403")
	m.get("401\n", "# 401")
	g.stdout.await(t, g, ` - alice \[.*"POST / HTTP/1\.1" 200 5\n`)
	g.stdout.await(t, g, ` - alice \[.*"POST / HTTP/1\.1" 404 -\n`)
	g.stderr.await(t, g, `guard\.jwt\.authorization\.failed`)
	g.terminate()
}

func TestExampleHTTPMetrics(t *testing.T) {
	need(t, "curl", "curl")
	m := manualOf(t, "http.metrics")
	m.strict("examples/http.metrics/zilla.yaml")
	g := m.start("zilla.yaml")
	m.get("Hello", "# Hello", "curl -d")
	m.get("Hello, again", "-X PUT")
	sum := `http_request_size_bytes_sum{namespace="example",binding="north_http_server",method="%s",path="/items/1"} %d` + "\n"
	m.get(fmt.Sprintf(sum+sum, "POST", 5, "PUT", 12), "curl -s")
	_, out, _ := run(t, g.dir, "metrics", "north_http_server")
	if want := regexp.MustCompile(`http\.request\.size\{method="PUT",path="/items/1"\} +1 +12B +12B\n`); !want.MatchString(out) {
		t.Errorf("gozilla metrics has no %q:\n%s", want, out)
	}
	g.terminate()
}

func TestExampleHTTPCORS(t *testing.T) {
	need(t, "curl", "curl")
	need(t, "python3", "python3")
	m := manualOf(t, "http.cors")
	m.strict("examples/http.cors/zilla.yaml")
	g := m.start("zilla.yaml", 8001, 8002)
	out, err := m.says("-X OPTIONS")
	for _, want := range []string{"HTTP/1.1 204 No Content\r\n", fmt.Sprintf("access-control-allow-origin: http://localhost:%d\r\n", m.port[8001]),
		"access-control-allow-methods: PUT\r\n", "access-control-allow-headers: content-type,x-reader\r\n", "access-control-max-age: 600\r\n",
		"access-control-allow-credentials: true\r\n", "vary: origin\r\n"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("the answer to a question in advance has no %q: %v\n%s", want, err, out)
		}
	}
	m.get("403\n", "# 403")
	m.get("200\n", "# 200")
	t.Run("in a browser", func(t *testing.T) {
		dom := visit(t, fmt.Sprintf("http://localhost:%d/", m.port[8001]))
		got := regexp.MustCompile(`(?s)<pre id="said">(.*?)</pre>`).FindStringSubmatch(dom)
		want := regexp.MustCompile("(?s)```\n(simple: .*?)```").FindStringSubmatch(string(mustRead(t, "../examples/http.cors/README.md")))
		if got == nil || want == nil || html.UnescapeString(got[1]) != want[1] {
			t.Errorf("the page shows %q, and in the README %q", got, want)
		}
	})
	g.terminate()
}
