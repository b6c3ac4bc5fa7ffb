package test

import (
	"fmt"
	"testing"
)

// What zilla's examples http.echo, http.metrics and http.proxy.jwt show is shown here too, by files of ours that have the
// same shape.

func TestUpstreamHTTPEcho(t *testing.T) {
	need(t, "curl", "curl")
	port := freePort(t)
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
              :authority: localhost:%d
        exit: north_echo_server
  north_echo_server:
    type: echo
    kind: server
telemetry:
  exporters:
    stdout_logs_exporter:
      type: stdout
`, port, port, port))
	for _, args := range [][]string{{}, {"--http2"}, {"--http1.0"}} {
		out, err := curl(t, append(args, "-d", "Hello, world", fmt.Sprintf("http://localhost:%d/", port))...)
		if err != nil || out != "Hello, world" {
			t.Errorf("%q: curl gets %q, %v", args, out, err)
		}
	}
	g.stdout.await(t, g, fmt.Sprintf(`example:north_http_server \[.*\] \[.*\] BINDING_HTTP_REQUEST_ACCEPTED - POST http://localhost:%d/\n`, port))
	// By another name there is no route.
	if out, err := curl(t, "-o", "/dev/null", "-w", "%{http_code}", "-d", "Hello, world", fmt.Sprintf("http://127.0.0.1:%d/", port)); err != nil || out != "404" {
		t.Errorf("curl gets %q, %v", out, err)
	}
	g.terminate()
}

func TestUpstreamHTTPMetrics(t *testing.T) {
	need(t, "curl", "curl")
	port, prom := freePort(t), freePort(t)
	g := start(t, fmt.Sprintf(`name: example
telemetry:
  metrics:
    - http.active.requests
    - http.request.size
    - http.response.size
    - http.duration
  exporters:
    prometheus_metrics_exporter:
      type: prometheus
      options:
        endpoints:
          - scheme: http
            path: /metrics
            port: %d
bindings:
  north_tcp_server:
    type: tcp
    kind: server
    options:
      host: 0.0.0.0
      port: [ %d ]
    exit: north_http_server
  north_http_server:
    type: http
    kind: server
    routes:
      - when:
          - headers:
              :scheme: http
        exit: north_echo_server
    telemetry:
      metrics:
        - http.*
      attributes:
        method: ${http.request.method}
        path: ${http.request.path}
  north_echo_server:
    type: echo
    kind: server
`, prom, port))
	if out, err := curl(t, "-f", "-d", "Hello, Zilla!", fmt.Sprintf("http://localhost:%d/items", port)); err != nil || out != "Hello, Zilla!" {
		t.Errorf("curl gets %q, %v", out, err)
	}
	if out, err := curl(t, "-f", "-o", "/dev/null", "-w", "%{http_code}", fmt.Sprintf("http://localhost:%d/metrics", prom)); err != nil || out != "200" {
		t.Errorf("curl gets %q, %v", out, err)
	}
	g.terminate()
}

func TestUpstreamHTTPProxyJWT(t *testing.T) {
	need(t, "curl", "curl")
	port := freePort(t)
	ours := newIssuer(t, "example")
	g := start(t, fmt.Sprintf(`name: example
guards:
  authn_jwt:
    type: jwt
    options:
      issuer: https://auth.example.com
      audience: https://api.example.com
      keys:
        - %s
bindings:
  north_tcp_server:
    type: tcp
    kind: server
    options:
      host: 0.0.0.0
      port: %d
    exit: north_http_server
  north_http_server:
    type: http
    kind: server
    options:
      authorization:
        authn_jwt:
          credentials:
            headers:
              authorization: Bearer {credentials}
    routes:
      - guarded:
          authn_jwt:
            - echo:stream
        exit: north_echo_server
  north_echo_server:
    type: echo
    kind: server
`, ours.public(), port))
	url := fmt.Sprintf("http://localhost:%d/", port)
	for _, c := range []struct {
		scope any
		want  string
	}{{nil, "404"}, {"echo:stream", "Hello, World200"}} {
		token := ours.token(map[string]any{"scope": c.scope})
		if out, err := curl(t, "-d", "Hello, World", "-H", "Authorization: Bearer "+token, "-w", "%{http_code}", url); err != nil || out != c.want {
			t.Errorf("with the scope %v curl gets %q, %v", c.scope, out, err)
		}
	}
	g.terminate()
}
