package test

import (
	"bufio"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestExampleSSEProxy(t *testing.T) {
	t.Parallel()
	need(t, "curl", "curl")
	need(t, "python3", "python3")
	m := manualOf(t, "sse.proxy")
	m.strict("examples/sse.proxy/zilla.yaml")
	g := m.start("zilla.yaml", 8001)
	ticks := func(n int) (text string) {
		for i := range n {
			text += fmt.Sprintf("data:%d\n", i+1)
		}
		return text
	}
	m.get(strings.ReplaceAll(ticks(3), ":", ": "), "# the server itself")
	m.get(ticks(8), "# by the gateway")
	m.get("data:42\n", "# 42")
	m.get("id:42\n", "lastEventId=41")
	m.get("405\n", "# 405")
	g.stderr.await(t, g, `binding\.sse\.stream\.lost`)
	g.stderr.await(t, g, `sse\.events=\d+ sse\.last_id=\d+`)
	g.terminate()
}

func TestExampleSSEProxyJWT(t *testing.T) {
	t.Parallel()
	need(t, "curl", "curl")
	need(t, "python3", "python3")
	m := manualOf(t, "sse.proxy.jwt")
	key, err := m.sh("sh examples/sse.proxy.jwt/token.sh key").Output()
	if err != nil {
		t.Fatal(err)
	}
	m.env = append(m.env, "JWT_KEY="+string(key))
	m.strict("examples/sse.proxy.jwt/zilla.yaml")
	g := m.start("zilla.yaml", 8001)
	m.get(string(mustRead(t, "../examples/sse.proxy.jwt/www/index.html")), "# the page")
	m.get("401\n", "# 401")
	m.get("404\n", "# 404")
	m.get("204\n", "# 204")
	for _, c := range []struct{ command, want string }{ // in this order: a token that lasts longer extends the session
		{"# a wish", `^event:challenge\ndata:{"method":"POST","headers":{"content-type":"application/x-challenge-response"}}\n$`},
		{"# the time", `^(data:\d\d:\d\d:\d\d\n){2}$`},
	} {
		if out, err := m.says(c.command); err != nil || !regexp.MustCompile(c.want).MatchString(out) {
			t.Errorf("%s: it says %q, %v", c.command, out, err)
		}
	}
	g.terminate()
}

// TestSSERenewed keeps a stream alive by a new token, which comes on another connection, and loses it without.
func TestSSERenewed(t *testing.T) {
	t.Parallel()
	port, back := freePort(t), freePort(t)
	ours := newIssuer(t, "example")
	server := &http.Server{Addr: fmt.Sprintf("127.0.0.1:%d", back), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-type", "text/event-stream")
		for r.Context().Err() == nil {
			fmt.Fprint(w, "data: tick\n\n")
			w.(http.Flusher).Flush()
			time.Sleep(200 * time.Millisecond)
		}
	})}
	go server.ListenAndServe() // ends with the server
	t.Cleanup(func() { server.Close() })
	g := start(t, fmt.Sprintf(`name: example
guards:
  tokens:
    type: jwt
    options: { issuer: "https://auth.example.com", audience: "https://api.example.com", challenge: 1, keys: [ %s ] }
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: in }
  in:
    type: http
    kind: server
    options: { authorization: { tokens: { credentials: { headers: { authorization: "Bearer {credentials}" } } } } }
    exit: events
  events: { type: sse, kind: server, routes: [ { guarded: { tokens: [] }, exit: source } ] }
  source: { type: sse, kind: client, exit: out }
  out: { type: http, kind: client, exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: %d } }
`, ours.public(), port, back), "--records")
	ask := func(method string, lasts time.Duration) *http.Response {
		t.Helper()
		r, _ := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("http://127.0.0.1:%d/events", port), nil)
		r.Header.Set("authorization", "Bearer "+ours.token(map[string]any{"exp": time.Now().Add(lasts).Unix()}))
		if method == "POST" {
			r.Header.Set("content-type", "application/x-challenge-response")
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	answer := ask("GET", 2*time.Second)
	defer answer.Body.Close()
	begun, renewed := time.Now(), false
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if lines.Text() == "event:challenge" && !renewed {
			renewed = true
			r := ask("POST", 4*time.Second)
			if r.Body.Close(); r.StatusCode != 204 {
				t.Errorf("new credentials are answered by %d", r.StatusCode)
			}
		}
	}
	if d := time.Since(begun); !renewed || d < 3*time.Second {
		t.Errorf("renewed is %v, and after %v it ends with %v", renewed, d, lines.Err())
	}
	g.stderr.await(t, g, `reason="session expired"`)
	g.terminate()
}

// TestSSEAtOnce has each event arrive before the next one is sent, whatever stands around it in the server's chunks.
func TestSSEAtOnce(t *testing.T) {
	t.Parallel()
	port, back := freePort(t), freePort(t)
	next := make(chan int)
	server := &http.Server{Addr: fmt.Sprintf("127.0.0.1:%d", back), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-type", "text/event-stream")
		w.(http.Flusher).Flush()
		for i := range next {
			fmt.Fprintf(w, "data:%d\n\n", i)
			w.(http.Flusher).Flush()
		}
	})}
	go server.ListenAndServe() // ends with the server
	t.Cleanup(func() { server.Close() })
	g := start(t, fmt.Sprintf(`name: example
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: in }
  in: { type: http, kind: server, exit: events }
  events: { type: sse, kind: server, exit: source }
  source: { type: sse, kind: client, exit: out }
  out: { type: http, kind: client, options: { versions: [http/1.1] }, exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: %d } }
`, port, back))
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	late := time.AfterFunc(10*time.Second, func() { answer.Body.Close() })
	defer late.Stop()
	lines := bufio.NewScanner(answer.Body)
	for i := range 3 {
		next <- i
		if want := fmt.Sprintf("data:%d", i); !lines.Scan() || lines.Text() != want {
			t.Fatalf("there is %q in place of %q: %v", lines.Text(), want, lines.Err())
		}
		lines.Scan()
	}
	close(next)
	g.terminate()
}
