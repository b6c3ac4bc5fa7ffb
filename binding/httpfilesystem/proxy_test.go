package httpfilesystem_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gozilla/config"
	"gozilla/engine"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/telemetry"
)

const serving = `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: inside }
  inside: { type: http, kind: server, options: { access-control: { policy: cross-origin } }, exit: mapping }
  mapping:
    type: http-filesystem
    kind: proxy
    routes:
      - { when: [ { path: "/{path}" } ], with: { path: "${params.path}" }, exit: files }
      - { when: [ { path: /, method: GET } ], exit: files }
  files: { type: filesystem, kind: server, options: { location: "${{env.ROOT}}" } }
`

// rig is a gateway that serves a folder.
type rig struct {
	*testing.T
	*gwtest.Gateway
	root string
}

func start(t *testing.T) *rig {
	root := t.TempDir()
	return &rig{t, gwtest.Start(t, serving, gwtest.Env("ROOT", root)), root}
}

func (r *rig) write(name, text string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.root, name), []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
}

// old makes a file one that was written long ago.
func (r *rig) old(name string) {
	r.Helper()
	if err := os.Chtimes(filepath.Join(r.root, name), past, past); err != nil {
		r.Fatal(err)
	}
}

// An answer is what comes of a request.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // the body is not whole
}

// do sends a request and waits for the answer.
func (r *rig) do(method, path, body string, fields ...string) *answer {
	r.Helper()
	return r.sent(method, path, body, fields...)()
}

// sent sends a request, and gives how to wait for the answer.
func (r *rig) sent(method, path, body string, fields ...string) func() *answer {
	r.Helper()
	c := r.Dial("north")
	text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n", method, path, len(body))
	for i := 0; i+1 < len(fields); i += 2 {
		text += fields[i] + ": " + fields[i+1] + "\r\n"
	}
	gwtest.Send(r, c, text+"\r\n"+body)
	c.SetReadDeadline(time.Now().Add(gwtest.Patience))
	return func() *answer {
		defer c.Close()
		req, _ := http.NewRequestWithContext(r.Context(), method, "http://a/", nil)
		resp, err := http.ReadResponse(bufio.NewReader(c), req)
		if err != nil {
			return &answer{err: err}
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return &answer{resp.StatusCode, resp.Header, string(b), err}
	}
}

func (a *answer) String() string {
	return strings.Join(strings.Fields(fmt.Sprintf("%d %.40q %s %v", a.status, a.body, a.header.Get("preference-applied"), a.err)), " ")
}

func (r *rig) is(a *answer, want string) {
	r.Helper()
	if got := a.String(); got != want {
		r.Errorf("it is %s, not %s", got, want)
	}
}

// TestWait has clients wait for a change, which comes in many ways.
func TestWait(t *testing.T) {
	r, early := start(t), 0
	for name, change := range map[string]struct {
		do   func(name, tag string)
		want string
	}{
		"written": {func(name, _ string) { r.write(name, "two") }, `200 "two" wait=20 <nil>`},
		"renamed": {func(name, _ string) {
			r.write("other", "two")
			os.Rename(filepath.Join(r.root, "other"), filepath.Join(r.root, name))
		}, `200 "two" wait=20 <nil>`},
		"put":  {func(name, tag string) { r.is(r.do("PUT", "/"+name, "two", "if-match", tag), `204 "" <nil>`) }, `200 "two" wait=20 <nil>`},
		"gone": {func(name, tag string) { r.is(r.do("DELETE", "/"+name, "", "if-match", tag), `204 "" <nil>`) }, `404 "" <nil>`},
	} {
		t.Run(name, func(t *testing.T) {
			r.write(name, "one")
			tag := r.do("GET", "/"+name, "").header.Get("etag")
			var all []func() *answer
			opened := r.Metric("files", "stream.opens.received")
			for range 5 {
				all = append(all, r.sent("GET", "/"+name, "", "if-none-match", tag, "prefer", "wait=20"))
			}
			r.opens(opened + 5)
			change.do(name, tag)
			for _, answer := range all {
				a := answer()
				if a.status == 200 && a.header.Get("preference-applied") == "" { // it had not begun to wait yet
					early++
					a.header.Set("preference-applied", "wait=20")
				}
				r.is(a, change.want)
			}
		})
	}
	if early > 10 {
		t.Errorf("%d of 20 clients do not wait", early)
	}
	r.write("a", "one")
	tag := r.do("GET", "/a", "").header.Get("etag")
	r.is(r.do("GET", "/a", "", "if-none-match", tag, "prefer", "wait=1"), `304 "" wait=1 <nil>`)
}

// opens waits until the files were asked for n times.
func (r *rig) opens(n int64) {
	r.Helper()
	for until := time.Now().Add(gwtest.Patience); r.Metric("files", "stream.opens.received") < n; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			r.Fatal("the requests do not come")
		}
	}
}

// TestWaitEnds with the gateway, which does not wait for who waits; and when the client is gone.
func TestWaitEnds(t *testing.T) {
	r := start(t)
	r.write("a", "one")
	tag := r.do("GET", "/a", "").header.Get("etag")
	c := r.Dial("north")
	gwtest.Send(t, c, "GET /a HTTP/1.1\r\nHost: a\r\nPrefer: wait=3600\r\nIf-None-Match: "+tag+"\r\n\r\n")
	r.opens(2)
	c.SetLinger(0)
	c.Close()
	rec := r.RecordOf(func(rec *telemetry.Record) bool {
		return rec.HTTP.Method == "GET" && rec.By == "client" && rec.Reason == "rst"
	})
	if rec.HTTP.Path != "/a" {
		t.Errorf("the record is %+v", rec)
	}
	c = r.Dial("north")
	gwtest.Send(t, c, "GET /a HTTP/1.1\r\nHost: a\r\nPrefer: wait=3600\r\nIf-None-Match: "+tag+"\r\n\r\n")
	r.opens(3)
	c.Close()
	r.RecordOf(func(rec *telemetry.Record) bool { return rec.HTTP.Method == "GET" && rec.HTTP.Status == 304 })
	answer := r.sent("GET", "/a", "", "if-none-match", tag, "prefer", "wait=3600")
	r.opens(4)
	ctx, cancel := context.WithTimeout(t.Context(), gwtest.Patience)
	defer cancel()
	r.Drain(ctx)
	r.is(answer(), `304 "" wait=3600 <nil>`)
	if ctx.Err() != nil {
		t.Error("the gateway has waited")
	}
}

// TestChangeWhileSent changes a file of which a client has read the beginning.
func TestChangeWhileSent(t *testing.T) {
	const size = 12 << 20 // more than sockets hold
	r := start(t)
	before := bytes.Repeat([]byte("a"), size)
	for _, c := range []struct {
		name   string
		change func(path string) error
		whole  bool
	}{
		{"in place", func(path string) error { return at(path, size-1, "b") }, false},
		{"its beginning", func(path string) error { return at(path, 0, "b") }, false},
		{"appended", func(path string) error { return at(path, size, "b") }, false},
		{"cut", func(path string) error { return os.Truncate(path, size/2) }, false},
		{"written anew", func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("b"), size), 0o644) }, false},
		{"replaced", func(path string) error {
			return errors.Join(os.WriteFile(path+".new", bytes.Repeat([]byte("b"), size), 0o644), os.Rename(path+".new", path))
		}, true},
		{"deleted", os.Remove, true},
	} {
		for _, old := range []bool{true, false} {
			t.Run(fmt.Sprint(c.name, ", old: ", old), func(t *testing.T) {
				path := filepath.Join(r.root, "a")
				if err := os.WriteFile(path, before, 0o644); err != nil {
					t.Fatal(err)
				}
				if old {
					r.old("a")
				}
				conn := r.Dial("north")
				defer conn.Close()
				conn.SetReadBuffer(64 << 10)
				gwtest.Send(t, conn, "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
				conn.SetReadDeadline(time.Now().Add(gwtest.Patience))
				in := bufio.NewReader(conn)
				resp, err := http.ReadResponse(in, nil)
				if err != nil || resp.StatusCode != 200 || resp.ContentLength != size {
					t.Fatal(resp, err)
				}
				defer resp.Body.Close()
				if err := c.change(path); err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(resp.Body)
				switch {
				case c.whole && (err != nil || !bytes.Equal(b, before)):
					t.Errorf("%d bytes have come, %v", len(b), err)
				case !c.whole && err == nil:
					t.Errorf("%d bytes have come as a whole", len(b))
				}
			})
		}
	}
}

func at(path string, at int64, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), at)
	return errors.Join(err, f.Close())
}

// TestVersions has a file overwritten in place again and again while many read it: no answer is of two versions, and no
// tag stands for two contents.
func TestVersions(t *testing.T) {
	for _, size := range []int{1000, 100_000, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			r := start(t)
			r.write("a", strings.Repeat("a", size))
			r.do("HEAD", "/a", "") // takes a while, as the file is new
			r.write("a", strings.Repeat("a", size))
			var mu sync.Mutex
			contents := map[string]string{} // by tag
			ctx, cancel := context.WithCancel(t.Context())
			var readers sync.WaitGroup
			for range 4 {
				readers.Go(func() { // ends with ctx
					for ctx.Err() == nil {
						a := r.do("GET", "/a", "")
						if a.err != nil || a.status != 200 {
							continue // broken off, or refused
						}
						if len(a.body) != size || strings.Trim(a.body, a.body[:1]) != "" {
							t.Errorf("%d bytes, of two versions", len(a.body))
						}
						mu.Lock()
						if first, ok := contents[a.header.Get("etag")]; ok && first != a.body[:1] {
							t.Errorf("the tag %s is of two contents", a.header.Get("etag"))
						}
						contents[a.header.Get("etag")] = a.body[:1]
						mu.Unlock()
					}
				})
			}
			for i := range 12 {
				if err := at(filepath.Join(r.root, "a"), 0, strings.Repeat(string(rune('b'+i)), size)); err != nil {
					t.Error(err)
				}
				time.Sleep(40 * time.Millisecond) // the pace of who writes
			}
			cancel()
			readers.Wait()
			if len(contents) < 2 {
				t.Errorf("%d versions were read", len(contents))
			}
		})
	}
}

// TestUploads are seen as a whole or not at all.
func TestUploads(t *testing.T) {
	r := start(t)
	big := strings.Repeat("0123456789", 300_000)
	r.is(r.do("POST", "/big", big), `204 "" <nil>`)
	a := r.do("GET", "/big", "")
	if a.body != big {
		t.Errorf("%d bytes are read", len(a.body))
	}
	c := r.Dial("north")
	gwtest.Send(t, c, "PUT /big HTTP/1.1\r\nHost: a\r\nIf-Match: "+a.header.Get("etag")+"\r\nContent-Length: 3000000\r\n\r\n"+big[:100_000])
	c.SetLinger(0)
	c.Close()
	r.RecordOf(func(rec *telemetry.Record) bool { return rec.HTTP.Method == "PUT" })
	if got := tree(t, r.root); got != fmt.Sprintf("big: %q\n", big) {
		t.Errorf("there is %.200s", got)
	}
	c = r.Dial("north")
	gwtest.Send(t, c, "PUT /big HTTP/1.1\r\nHost: a\r\nIf-Match: \"x\"\r\nExpect: 100-continue\r\nContent-Length: 3000000\r\n\r\n")
	gwtest.Receive(t, c, "HTTP/1.1 412")
	gwtest.Send(t, r.Dial("north"), "PUT /big HTTP/1.1\r\nHost: a\r\nIf-Match: *\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
	r.RecordOf(func(rec *telemetry.Record) bool { return rec.HTTP.Method == "PUT" && rec.HTTP.Status == 204 })
	r.is(r.do("GET", "/big", ""), `200 "hello" <nil>`)
}

// TestOneOfManyWins wants one of many uploads that replace the same version to be told that it has.
func TestOneOfManyWins(t *testing.T) {
	r := start(t)
	r.write("a", "one")
	tag := r.do("HEAD", "/a", "").header.Get("etag")
	var all []func() *answer
	for i := range 20 {
		all = append(all, r.sent("PUT", "/a", fmt.Sprint("by ", i), "if-match", tag))
	}
	won := -1
	for i, a := range all {
		switch a := a(); a.status {
		case 204:
			if won >= 0 {
				t.Errorf("%d and %d have won", won, i)
			}
			won = i
		case 412:
		default:
			t.Error(a)
		}
	}
	r.is(r.do("GET", "/a", ""), fmt.Sprintf(`200 "by %d" <nil>`, won))
}

// TestExplainAgrees compares what becomes of requests with what is explained.
func TestExplainAgrees(t *testing.T) {
	r := start(t)
	env := func(string) (string, bool) { return r.root, true }
	x := engine.Load(t.Context(), config.Source{Name: "zilla.yaml", Text: []byte(serving), Env: env}, engine.Options{}).Explainer()
	for _, c := range [][2]string{{"GET", "/a"}, {"POST", "/a"}, {"GET", "/"}, {"PUT", "/"}, {"GET", "/.."}, {"GET", "/%00"}, {"PATCH", "/a"}, {"GET", "/a/?x"}} {
		r.do(c[0], c[1], "")
		rec := r.RecordOf(func(rec *telemetry.Record) bool { return rec.HTTP.Status != 0 })
		e := x.Explain(t.Context(), &engine.Query{Header: []stream.Field{{Name: ":method", Value: c[0]}, {Name: ":path", Value: c[1]}}})
		var told, went []string
		for _, s := range e.Steps[1:] {
			told = append(told, strings.TrimSpace(s.Binding+" "+s.Took))
		}
		for _, s := range rec.Path {
			went = append(went, strings.TrimSpace(strings.TrimPrefix(s.Binding, "test:")+" "+s.Route))
		}
		if refused := rec.By == telemetry.Gateway; e.Served == refused {
			t.Errorf("%s %s ended with %q, and is explained as served: %v", c[0], c[1], rec.Reason, e.Served)
		}
		if strings.Join(told, ", ") != strings.Join(went, ", ") {
			t.Errorf("%s %s goes %v, and is explained as %v", c[0], c[1], went, told)
		}
	}
}

// TestSlowReader gives up a client that takes nothing, and waits for one that takes a little.
func TestSlowReader(t *testing.T) {
	root := t.TempDir()
	r := &rig{t, gwtest.Start(t, serving, gwtest.Env("ROOT", root), gwtest.Limits(func(l *stream.Limits) { l.Body = 2 * time.Second })), root}
	r.write("a", strings.Repeat("a", 32<<20))
	r.old("a")
	c := r.Dial("north")
	c.SetReadBuffer(64 << 10)
	gwtest.Send(t, c, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
	rec := r.RecordOf(func(rec *telemetry.Record) bool { return rec.HTTP.Status == 200 })
	if rec.By != "gateway" || rec.Reason != "slow reader" || rec.Sent == 0 || rec.Sent >= 32<<20 {
		t.Errorf("the record is %+v", rec)
	}
	gwtest.Send(t, r.Dial("north"), "GET /a HTTP/1.1\r\nHost: a\r\n\r\n") // and is left to the end of the gateway
	r.opens(2)
}
