package http_test

import (
	"bufio"
	"fmt"
	"io"
	nethttp "net/http"
	"strings"
	"testing"
	"time"

	"gozilla/config"
	"gozilla/engine"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/telemetry"
)

const explaining = `name: test
guards:
  who: { type: inline }
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: inside }
  inside:
    type: http
    kind: server
    options:
      methods: [ PURGE ]
      access-control: { policy: cross-origin, allow: { origins: [ "https://page.example" ], methods: [ GET, PUT ] } }
      authorization: { who: { credentials: { headers: { authorization: "Bearer {credentials}" } } } }
      overrides: { x-from: gateway, ":authority": "127.0.0.1:SERVER" }
      requests:
        - { path: "/strict/{id}", params: { path: { id: int32 } }, content: int32 }
    routes:
      - { guarded: { who: [] }, when: [ { headers: { ":path": /mine* } } ], exit: echo }
      - { when: [ { headers: { ":path": "/on/{rest}", x-from: client } } ], with: { headers: { overrides: { ":path": "/${params.rest}" } } }, exit: outside }
      - { when: [ { headers: { ":path": /strict/*, ":method": POST } }, { headers: { ":method": PURGE } } ], exit: echo }
      - { when: [ { headers: { ":path": /open, ":scheme": http } } ], exit: echo }
  outside: { type: http, kind: client, routes: [ { when: [ { headers: { ":path": /yes* , x-from: gateway } } ], exit: dial } ] }
  dial: { type: tcp, kind: client }
  echo: { type: echo, kind: server }
`

// TestExplainAgrees sends requests, and compares what becomes of each with what is explained.
func TestExplainAgrees(t *testing.T) {
	behind := gwtest.Listen(t, "")
	server := &nethttp.Server{Handler: nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) { fmt.Fprint(w, r.URL.Path) })}
	go server.Serve(behind) // ends with the server
	t.Cleanup(func() { server.Close() })
	yaml := strings.ReplaceAll(explaining, "SERVER", behind.Port())
	g := gwtest.Start(t, yaml)
	x := engine.Load(t.Context(), config.Source{Name: "zilla.yaml", Text: []byte(yaml)}, engine.Options{}).Explainer()
	f := func(status int, path, text string) {
		t.Helper()
		lines := strings.Split(text, "; ")
		method, target, _ := strings.Cut(lines[0], " ")
		q := &engine.Query{Header: []stream.Field{{Name: ":method", Value: method}, {Name: ":path", Value: target}, {Name: ":authority", Value: "api.example"}}}
		request := lines[0] + " HTTP/1.1\r\nHost: api.example\r\n"
		for _, line := range lines[1:] {
			name, value, _ := strings.Cut(line, ": ")
			q.Header = append(q.Header, stream.Field{Name: name, Value: value})
			request += line + "\r\n"
		}
		if method == "POST" {
			request += "Transfer-Encoding: chunked\r\n"
		}
		r := requested(t, g, method, request)
		e := x.Explain(t.Context(), q)
		if r.HTTP.Status != status || e.Served != (status < 400) {
			t.Errorf("%s is answered by %d, not %d, and is explained as %s %s", text, r.HTTP.Status, status, e.Reason, e.Details)
		}
		var got, went []string
		for _, s := range e.Steps[1:] {
			got = append(got, strings.TrimSpace(s.Binding+" "+s.Took))
		}
		for _, s := range r.Path {
			went = append(went, strings.TrimSpace(strings.TrimPrefix(s.Binding, "test:")+" "+s.Route))
		}
		if got := strings.Join(got, ", "); got != path || !strings.HasPrefix(got, strings.Join(went, ", ")) {
			t.Errorf("%s is explained as %s, and goes %s, not %s", text, got, went, path)
		}
		if notes := strings.Join(e.Steps[len(e.Steps)-1].Notes, " "); !e.Served && len(got) == 1 && !strings.Contains(notes, fmt.Sprintf("answers with status %d", status)) {
			t.Errorf("%s: the notes are %s", text, notes)
		}
	}
	f(200, "inside routes[3], echo", "GET /open")
	f(200, "inside routes[3], echo", "GET /open?a=b")
	f(401, "inside", "GET /mine")
	f(200, "inside routes[0], echo", "GET /mine; authorization: bearer me")
	f(400, "inside", "GET /mine; authorization: Bearer me; authorization: Bearer you")
	f(400, "inside", "GET /open/../mine")
	f(401, "inside", "GET /closed")
	f(403, "inside", "GET /open; origin: https://other.example")
	f(200, "inside routes[3], echo", "GET /open; origin: https://page.example")
	f(204, "inside", "OPTIONS /mine; origin: https://page.example; access-control-request-method: PUT")
	f(403, "inside", "OPTIONS /mine; origin: https://page.example; access-control-request-method: POST")
	f(204, "inside", "POST /mine; content-type: application/x-challenge-response; content-length: 0")
	f(501, "inside", "BREW /open")
	f(200, "inside routes[2], echo", "PURGE /anything")
	f(400, "inside routes[2]", "POST /strict/seven")
	f(200, "inside routes[2], echo", "POST /strict/7") // with a body, of which nothing is known
	f(200, "inside routes[1], outside routes[0], dial", "GET /on/yes; x-from: client")
	f(404, "inside routes[1], outside", "GET /on/no; x-from: client")
	f(401, "inside", "GET /on/yes; x-from: nobody")
}

// requested is the record of a request.
func requested(t *testing.T, g *gwtest.Gateway, method, head string) telemetry.Record {
	t.Helper()
	c := g.Dial("north")
	defer c.Close()
	c.SetDeadline(time.Now().Add(gwtest.Patience))
	body := ""
	if strings.Contains(head, "chunked") && !strings.Contains(head, "content-length") {
		body = "2\r\n42\r\n0\r\n\r\n"
	} else {
		head = strings.ReplaceAll(head, "Transfer-Encoding: chunked\r\n", "")
	}
	io.WriteString(c, head+"\r\n"+body)
	answer, err := nethttp.ReadResponse(bufio.NewReader(c), &nethttp.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, answer.Body)
	return g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Method == method })
}

// TestExplainWhatIsNoRequest refuses what no client can send.
func TestExplainWhatIsNoRequest(t *testing.T) {
	x := engine.Load(t.Context(), config.Source{Name: "zilla.yaml", Text: []byte(strings.ReplaceAll(explaining, "SERVER", "1"))}, engine.Options{}).Explainer()
	f := func(name, value string) {
		t.Helper()
		e := x.Explain(t.Context(), &engine.Query{Header: []stream.Field{{Name: name, Value: value}}})
		if e.Served || e.Reason != string(stream.Invalid) {
			t.Errorf("%s %q is explained as %s %s", name, value, e.Reason, e.Details)
		}
	}
	f(":path", "/a b")
	f(":path", "a")
	f(":method", "GET /x")
	f(":authority", "a b")
	f("x y", "")
	f("x", "a\r\nb: c")
	f("content-length", "-1")
}

// TestExplainWaitsForNothing has a guard whose keys are not there: a real request would wait for them.
func TestExplainWaitsForNothing(t *testing.T) {
	x := engine.Load(t.Context(), config.Source{Name: "zilla.yaml", Text: []byte(`name: test
guards:
  issuer: { type: jwt, options: { issuer: https://auth.example, audience: api, keys: "http://127.0.0.1:1/keys" } }
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 80 }, exit: inside }
  inside:
    type: http
    kind: server
    options: { authorization: { issuer: { credentials: { headers: { authorization: "Bearer {credentials}" } } } } }
    routes: [ { guarded: { issuer: [] }, exit: echo } ]
  echo: { type: echo, kind: server }
`)}, engine.Options{}).Explainer()
	began := time.Now()
	e := x.Explain(t.Context(), &engine.Query{Port: 80, Header: []stream.Field{{Name: "authorization", Value: "Bearer " + token}}})
	last := e.Steps[len(e.Steps)-1]
	if e.Served || last.Routes[0].Why != "the guard test:issuer knows of no session" || len(last.Notes) != 2 || !strings.Contains(last.Notes[0], "keys") {
		t.Errorf("it is explained as %+v", e)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("that took %v", took)
	}
}

// token is {"alg":"RS256","kid":"a"}, {"iss":"https://auth.example","aud":"api"} and no signature to speak of.
const token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJodHRwczovL2F1dGguZXhhbXBsZSIsImF1ZCI6ImFwaSJ9.AAAA"
