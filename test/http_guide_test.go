package test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGuideHTTP checks what docs/http.md says.
func TestGuideHTTP(t *testing.T) {
	text := string(mustRead(t, filepath.Join("..", "docs", "http.md")))
	block := regexp.MustCompile("(?s)```yaml\n(name: .*?)```").FindStringSubmatch(text)
	if block == nil {
		t.Fatal("there is no configuration")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "zilla.yaml"), block[1])
	if status, out, errs := run(t, dir, "check"); status != 0 || strings.Contains(out+errs, "warning") {
		t.Errorf("the configuration is refused: status %d\n%s%s", status, out, errs)
	}
	_, limits, _ := run(t, dir, "docs", "limits")
	_, table, _ := strings.Cut(text, "## How long, and how much")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+)").FindAllStringSubmatch(table, -1) {
		if !strings.Contains(limits, m[1]) || m[1] != "head" && !regexp.MustCompile(m[1]+`(?s).{1,60}`+strings.Replace(m[2], "75s", "1m15s", 1)).MatchString(limits) {
			t.Errorf("the limit %s is not %s", m[1], m[2])
		}
	}
	// Each route has a pattern of its own, and says so.
	port := freePort(t)
	routes := []struct{ name, header, pattern string }{
		{"items", ":path", "/items"}, {"star", ":path", "/star*"}, {"kept", ":path", "/kept/{id}"},
		{"named", ":authority", "example.com:80"}, {"tls", ":scheme", "https"}, {"ws", "upgrade", "websocket"},
	}
	var lines strings.Builder
	lines.WriteString("routes:\n")
	for _, r := range routes {
		with := ""
		if r.name == "kept" {
			with = `, ":path": "/${params.id}"`
		}
		fmt.Fprintf(&lines, "  - { when: [ { headers: { %q: %q } } ], with: { headers: { overrides: { x-route: %s%s } } }, exit: out }\n", r.header, r.pattern, r.name, with)
	}
	b := newBackend(t, tells)
	g := start(t, hosting(port, b.port, lines.String()))
	for _, c := range []struct{ host, path, field, route, asked string }{
		{"a", "/items", "", "items", "/items"}, {"a", "/items?a=b", "", "items", "/items?a=b"}, {"a", "/items/", "", "", ""}, {"a", "/items/1", "", "", ""},
		{"a", "/star", "", "star", "/star"}, {"a", "/star/1", "", "star", "/star/1"}, {"a", "/starsize", "", "star", "/starsize"}, {"a", "/Star", "", "", ""},
		{"a", "/kept/1", "", "kept", "/1"}, {"a", "/kept/1/2", "", "kept", "/1/2"}, {"a", "/kept/1?a=b", "", "kept", "/1?a=b"}, {"a", "/kept/", "", "", ""},
		{"Example.com", "/", "", "named", "/"}, {"example.com:80", "/", "", "named", "/"}, {"example.com:443", "/", "", "", ""},
		{"a", "/", "X-Forwarded-Proto: https\r\n", "", ""}, {"a", "/star/../x", "", "star", "/star/../x"}, {"a", "/%69tems", "", "", ""},
	} {
		conn := call(t, port)
		r, body := conn.says(fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", c.path, c.host, c.field)).hears("GET")
		if (r.StatusCode == 200) != (c.route != "") || c.route == "" && r.StatusCode != 404 {
			t.Errorf("%s%s gets %s", c.host, c.path, r.Status)
		}
		if c.route != "" && (!strings.Contains(body, "X-Route: "+c.route+"\r\n") || !strings.HasPrefix(body, "GET "+c.asked+" HTTP/1.1\n")) {
			t.Errorf("%s%s takes another route, or is passed on as another: %q", c.host, c.path, body)
		}
	}
	g.terminate()

	// Who is told what.
	ours := newIssuer(t, "example")
	port = freePort(t)
	g = start(t, strings.Replace(guarding(port, "["+ours.public()+"]"), "- { guarded:", `- { when: [ { headers: { ":path": /guarded } } ], guarded:`, 1))
	for _, c := range []struct {
		token  string
		status [3]int // no route, one that is guarded, one that is not
	}{
		{"", [3]int{401, 401, 200}},
		{"none", [3]int{403, 403, 200}},
		{ours.token(nil), [3]int{404, 404, 200}},
		{ours.token(map[string]any{"scope": "echo:stream"}), [3]int{404, 200, 200}},
	} {
		for i, path := range []string{"/none", "/guarded", "/public"} {
			ask := request(t, "POST", port, path, "Hello")
			if c.token != "" {
				ask.Header.Set("Authorization", "Bearer "+c.token)
			}
			if r, _ := fetch(t, ask); r.StatusCode != c.status[i] {
				t.Errorf("%.10q at %s gets %s, want %d", c.token, path, r.Status, c.status[i])
			}
		}
	}
	g.terminate()

	// What the server is told.
	port = freePort(t)
	g = start(t, hosting(port, b.port, "options: { forwarded: both, trusted: 127.0.0.2/32, via: gateway, server: gozilla }\nexit: out"))
	_, body := fetch(t, request(t, "GET", port, "/", "", "X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1"))
	for _, want := range []string{"Forwarded: for=127.0.0.1;proto=http;host=", "X-Forwarded-For: 127.0.0.1\r\n", fmt.Sprintf("X-Forwarded-Port: %d\r\n", port), "X-Forwarded-Proto: http\r\n", "Via: 1.1 gateway\r\n"} {
		if !strings.Contains(body, want) || strings.Contains(body, "10.0.0.1") {
			t.Errorf("the server is not told %q, or more: %s", want, body)
		}
	}
	g.terminate()

	// Clients that share a pool by an override.
	b = newBackend(t, tells)
	port = freePort(t)
	g = start(t, strings.Replace(hosting(port, b.port, "exit: out"), "type: http, kind: client, exit", `type: http, kind: client, options: { overrides: { ":authority": "items.internal:8080" } }, exit`, 1))
	for i := range 20 {
		call(t, port).asks(fmt.Sprintf("GET / HTTP/1.1\r\nHost: h%d.example\r\n\r\n", i), 200)
	}
	// One that has answered may not be back yet when the next request comes.
	if all, _ := b.connections(); all > 5 {
		t.Errorf("%d connections to the server", all)
	}
	g.terminate()
}
