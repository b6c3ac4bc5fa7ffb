package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	coder "github.com/coder/websocket"
)

// A wsPeer is a library of WebSockets of others: how its client and its server are run.
type wsPeer struct {
	name    string
	command func(t testing.TB, what string, args ...string) *exec.Cmd
}

// wsPeers are those that Debian has. Its packages are for the Python that it has, which need not be the first one of the path.
var wsPeers = []wsPeer{
	{"node", func(t testing.TB, what string, args ...string) *exec.Cmd {
		modules := "/usr/share/nodejs"
		debian(t, filepath.Join(modules, "ws"), "node-ws")
		cmd := exec.Command(need(t, "node", "nodejs"), append([]string{filepath.Join("testdata", "ws_"+what+".js")}, args...)...)
		cmd.Env = append(cmd.Environ(), "NODE_PATH="+modules)
		return cmd
	}},
	{"python", func(t testing.TB, what string, args ...string) *exec.Cmd {
		debian(t, "/usr/lib/python3/dist-packages/websockets", "python3-websockets")
		return exec.Command("/usr/bin/python3", append([]string{filepath.Join("testdata", "ws_"+what+".py")}, args...)...)
	}},
}

// debian skips a test for which a package of Debian is missing, in whose place something has to be.
func debian(t testing.TB, path, name string) {
	t.Helper()
	if _, err := os.Stat(path); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("there is no %s: install the Debian package %s", path, name)
	}
	t.Skipf("there is no %s: the Debian package %s has it", path, name)
}

// serve runs the server of a peer until the test ends, and gives its port and what it says.
func (p *wsPeer) serve(t testing.TB, deflate string) (port int, said *output) {
	t.Helper()
	port, said = freePort(t), newOutput()
	args := []string{fmt.Sprint(port)}
	if deflate != "" {
		args = append(args, deflate)
	}
	cmd := p.command(t, "server", args...)
	cmd.Stdout, cmd.Stderr = said, said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait() // its status is of no interest
		if t.Failed() {
			t.Logf("%s said %s", p.name, said)
		}
	})
	return port, said
}

// coderServer is the port of a server of coder/websocket.
func coderServer(t testing.TB, mode coder.CompressionMode) int {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, &coder.AcceptOptions{CompressionMode: mode, Subprotocols: []string{"two"}, InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		for {
			typ, b, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), typ, b) != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	var port int
	fmt.Sscanf(s.URL, "http://127.0.0.1:%d", &port)
	return port
}

// wsGateway is a gateway that sends back messages at /plain/echo and /deflate/echo, and has others do so, each at the name of
// its server behind /plain and /deflate.
func wsGateway(t *testing.T, s *stage) (port, secure int, said map[string]*output) {
	t.Helper()
	port, secure, said = freePort(t), freePort(t), map[string]*output{}
	var routes, bindings strings.Builder
	for kind, compression := range map[string]string{"plain": "none", "deflate": "permessage-deflate"} {
		mode, deflate := coder.CompressionDisabled, ""
		if kind == "deflate" {
			mode, deflate = coder.CompressionContextTakeover, "deflate"
		}
		ports := map[string]int{"coder": coderServer(t, mode)}
		for i := range wsPeers {
			p := &wsPeers[i]
			ports[p.name], said[kind+"/"+p.name] = p.serve(t, deflate)
		}
		fmt.Fprintf(&routes, "      - { when: [ { headers: { \":path\": /%s/* } } ], exit: %s }\n", kind, kind)
		fmt.Fprintf(&bindings, "  %s:\n    type: ws\n    kind: server\n    options: { compression: %s }\n    routes:\n", kind, compression)
		for name := range ports {
			fmt.Fprintf(&bindings, "      - { when: [ { path: /%s/%s } ], exit: %s_%s }\n", kind, name, kind, name)
		}
		fmt.Fprintf(&bindings, "    exit: echo\n")
		for name, to := range ports {
			at := kind + "_" + name
			fmt.Fprintf(&bindings, "  %s: { type: ws, kind: client, options: { compression: %s }, exit: %s_http }\n", at, compression, at)
			fmt.Fprintf(&bindings, "  %s_http: { type: http, kind: client, options: { versions: [ http/1.1 ] }, exit: %s_tcp }\n", at, at)
			fmt.Fprintf(&bindings, "  %s_tcp: { type: tcp, kind: client, options: { host: 127.0.0.1, port: %d } }\n", at, to)
		}
	}
	s.gateway(t, fmt.Sprintf(`name: example
vaults: { safe: { type: filesystem, options: { keys: { store: localhost.p12, password: `+password+` } } } }
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: in }
  secure: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: tls }
  tls: { type: tls, kind: server, vault: safe, options: { keys: [ localhost ], alpn: [ http/1.1 ] }, exit: in }
  echo: { type: echo, kind: server }
  in:
    type: http
    kind: server
    routes:
%s%s`, port, secure, &routes, &bindings))
	return port, secure, said
}

// TestWebSocketPeers has the clients of others talk to the servers of others, and to an echo, with a gateway between them.
func TestWebSocketPeers(t *testing.T) {
	s := newStage(t)
	port, secure, said := wsGateway(t, s)
	paths := []string{"/plain/echo", "/plain/coder", "/plain/node", "/plain/python", "/deflate/echo", "/deflate/coder", "/deflate/node", "/deflate/python"}
	var urls []string
	for _, path := range paths {
		urls = append(urls, fmt.Sprintf("ws://127.0.0.1:%d%s", port, path))
	}
	var all sync.WaitGroup
	for name, o := range said {
		eventually(t, "the server at "+name+" listens", func() bool { return strings.Contains(o.String(), "ready") })
	}
	for i := range wsPeers {
		all.Go(func() {
			cmd := wsPeers[i].command(t, "client", urls...)
			out, err := cmd.CombinedOutput()
			for _, url := range urls {
				if !strings.Contains(string(out), "ok "+url+"\n") {
					t.Errorf("%s, %s: not right", wsPeers[i].name, url)
				}
			}
			if err != nil {
				t.Errorf("%s: %v\n%s", wsPeers[i].name, err, out)
			}
		})
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: s.config()}}
	defer client.CloseIdleConnections()
	for _, path := range paths {
		coderTalks(t, fmt.Sprintf("ws://127.0.0.1:%d%s", port, path), nil)
		coderTalks(t, fmt.Sprintf("wss://localhost:%d%s", secure, path), client)
	}
	all.Wait()
	for name, o := range said { // two clients that say so, and two of coder
		eventually(t, "the server at "+name+" is told the goodbyes", func() bool { return strings.Count(o.String(), "closed 4001 that is all") == 4 })
	}
}

// coderTalks has a client of coder/websocket talk.
func coderTalks(t *testing.T, url string, client *http.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	mode := coder.CompressionDisabled
	if strings.Contains(url, "/deflate") {
		mode = coder.CompressionContextTakeover
	}
	c, resp, err := coder.Dial(ctx, url, &coder.DialOptions{HTTPClient: client, CompressionMode: mode, Subprotocols: []string{"two", "one"}})
	if err != nil {
		t.Fatal(url, err)
	}
	defer c.CloseNow()
	if packs := resp.Header.Get("Sec-WebSocket-Extensions") != ""; packs != (mode != coder.CompressionDisabled) || c.Subprotocol() != "two" {
		t.Errorf("%s: %q", url, resp.Header)
	}
	c.SetReadLimit(-1)
	talk := func(typ coder.MessageType, message []byte) {
		t.Helper()
		w, err := c.Writer(ctx, typ)
		if err == nil {
			_, err = io.Copy(w, bytes.NewReader(message))
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(url, err)
		}
		if got, back, err := c.Read(ctx); err != nil || got != typ || !bytes.Equal(back, message) {
			t.Fatalf("%s: %v, %d bytes, %v", url, got, len(back), err)
		}
	}
	for _, text := range []string{"", "hello", "grüße 日本語", strings.Repeat("x", 200000)} {
		talk(coder.MessageText, []byte(text))
		talk(coder.MessageBinary, []byte(text+"\xff"))
	}
	if err := c.Close(4001, "that is all"); err != nil {
		t.Errorf("%s: %v", url, err)
	}
}
