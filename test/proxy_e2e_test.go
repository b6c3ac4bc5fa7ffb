package test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// proxying is a configuration that has a proxy binding between a port and another one. The options are those of the
// binding.
func proxying(kind, options, host string, port, to int) string {
	return fmt.Sprintf(`name: example
bindings:
  north:
    type: tcp
    kind: server
    options:
      host: %q
      port: %d
    exit: mid
  mid:
    type: proxy
    kind: %s
    options: %s
    exit: south
  south:
    type: tcp
    kind: client
    options:
      host: 127.0.0.1
      port: %d
`, host, port, kind, options, to)
}

// server runs a program that serves until the test ends.
func server(t testing.TB, name string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", name, &out)
		}
	})
}

// haproxy runs HAProxy with these sections, and waits until it listens.
func haproxy(t testing.TB, sections string, port int) {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "haproxy.cfg")
	write(t, conf, "defaults\n    timeout connect 5s\n    timeout client 20s\n    timeout server 20s\n"+sections)
	server(t, need(t, "haproxy", "haproxy"), "-db", "-f", conf)
	awaitListener(t, port)
}

// nginxStream is where Debian has the module of nginx for streams.
const nginxStream = "/usr/lib/nginx/modules/ngx_stream_module.so"

// nginx runs nginx with this configuration, in a directory of its own, and waits until it listens.
func nginx(t testing.TB, conf string, port int) {
	t.Helper()
	path := need(t, "nginx", "nginx")
	if _, err := os.Stat(nginxStream); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("nginx has no streams: install the Debian package libnginx-mod-stream")
		}
		t.Skip("nginx has no streams: the Debian package libnginx-mod-stream has them")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "nginx.conf"), "load_module "+nginxStream+";\ndaemon off;\nmaster_process off;\npid nginx.pid;\nevents {}\n"+conf)
	server(t, path, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr")
	awaitListener(t, port)
}

// webServer is a server that answers hello.
func webServer(t testing.TB) (port int) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).Port
}

func TestCurlToProxyServer(t *testing.T) {
	curl := need(t, "curl", "curl")
	port := freePort(t)
	g := start(t, proxying("server", "{}", "127.0.0.1", port, webServer(t)), "--records")
	url := fmt.Sprintf("http://%s/", address(port))
	out, err := exec.Command(curl, "-sS", "--max-time", "10", "--haproxy-protocol", "-w", " %{local_port}", url).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "hello ") {
		t.Fatalf("curl: %s, %v", out, err)
	}
	g.stderr.await(t, g, fmt.Sprintf(`source=127\.0\.0\.1:%s dest=127\.0\.0\.1:%d .*by=client reason=fin`, strings.Fields(string(out))[1], port))
	if out, err := exec.Command(curl, "-sS", "--max-time", "10", "--haproxy-protocol", "--haproxy-clientip", "192.0.2.7", url).CombinedOutput(); err == nil {
		g.stderr.await(t, g, `source=192\.0\.2\.7:\d+ `)
	} else if !strings.Contains(string(out), "haproxy-clientip") { // curl of 8.2 and later knows it
		t.Errorf("curl: %s, %v", out, err)
	}
	// Without a header it is not answered.
	if out, err := exec.Command(curl, "-sS", "--max-time", "10", url).CombinedOutput(); err == nil {
		t.Errorf("curl: %s", out)
	}
	g.stderr.await(t, g, `Rejected the PROXY header of a connection from 127\.0\.0\.1:\d+: there is no header`)
	g.terminate()
}

// HAProxy tells the gateway who its clients are, and asks it how it is.
func TestHAProxyToProxyServer(t *testing.T) {
	for _, c := range []struct{ name, options string }{
		{"version 1", "send-proxy"},
		{"version 2", "send-proxy-v2"},
		{"version 2 with TLVs", "send-proxy-v2 proxy-v2-options unique-id,crc32c,authority"},
		{"version 2 with TLS", "send-proxy-v2-ssl-cn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			need(t, "haproxy", "haproxy")
			front, middle, end := freePort(t), freePort(t), freePort(t)
			echoing(t, end)
			g := start(t, proxying("server", "{ trusted: 127.0.0.0/8 }", "127.0.0.1", middle, end), "--records")
			haproxy(t, fmt.Sprintf(`listen front
    mode tcp
    unique-id-format %%[src]-%%[src_port]
    bind 127.0.0.1:%d
    server gateway 127.0.0.1:%d %s check check-send-proxy inter 50ms
`, front, middle, c.options), front)
			conn := dial(t, front)
			io.WriteString(conn, "hello")
			conn.CloseWrite()
			if got, err := io.ReadAll(conn); string(got) != "hello" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			g.stderr.await(t, g, fmt.Sprintf(`source=%s dest=127\.0\.0\.1:%d .*received=5 sent=5 .*reason=fin`, regexp.QuoteMeta(conn.LocalAddr().String()), front))
			// Its probes come with a header of their own.
			g.stderr.await(t, g, `path="example:north exit > example:mid exit > example:south" .*received=0 `)
			if strings.Contains(g.stderr.String(), "Rejected") {
				t.Error("a header was rejected")
			}
			g.terminate()
		})
	}
}

// TestProxyClient has HAProxy and nginx say who the client is that the gateway has told them of.
func TestProxyClient(t *testing.T) {
	request := "GET / HTTP/1.0\r\n\r\n"
	peers := []struct {
		name string
		run  func(t *testing.T, port int)
	}{
		{"HAProxy", func(t *testing.T, port int) {
			haproxy(t, fmt.Sprintf(`frontend end
    mode http
    bind 127.0.0.1:%d accept-proxy
    http-request return status 200 content-type text/plain lf-string "%%[src]|%%[src_port]|%%[dst]|%%[dst_port]|"
`, port), port)
		}},
		{"nginx http", func(t *testing.T, port int) {
			nginx(t, fmt.Sprintf(`http {
    access_log off;
    server {
        listen 127.0.0.1:%d proxy_protocol;
        return 200 "$proxy_protocol_addr|$proxy_protocol_port|$proxy_protocol_server_addr|$proxy_protocol_server_port|";
    }
}
`, port), port)
		}},
		{"nginx stream", func(t *testing.T, port int) {
			nginx(t, fmt.Sprintf(`stream {
    server {
        listen 127.0.0.1:%d proxy_protocol;
        return "$proxy_protocol_addr|$proxy_protocol_port|$proxy_protocol_server_addr|$proxy_protocol_server_port|";
    }
}
`, port), port)
		}},
	}
	for _, peer := range peers {
		t.Run(peer.name, func(t *testing.T) {
			end := freePort(t)
			peer.run(t, end)
			for _, host := range []string{"127.0.0.1", "::1"} {
				for _, options := range []string{"{ version: 1 }", "{ version: 2 }", "{ checksum: true }"} {
					port := freePort(t)
					g := start(t, proxying("client", options, host, port, end))
					conn, err := net.DialTimeout("tcp", net.JoinHostPort(host, fmt.Sprint(port)), patience)
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()
					conn.SetDeadline(time.Now().Add(patience))
					if !strings.Contains(peer.name, "stream") { // else it speaks first
						io.WriteString(conn, request)
					}
					answer, err := io.ReadAll(conn)
					from := conn.LocalAddr().(*net.TCPAddr)
					want := fmt.Sprintf("%s|%d|%s|%d|", from.IP, from.Port, host, port)
					if err != nil || !strings.HasSuffix(string(answer), want) {
						t.Errorf("%s, %s: got %q, %v, want %s", host, options, answer, err, want)
					}
					conn.Close()
					g.terminate()
				}
			}
		})
	}
}
