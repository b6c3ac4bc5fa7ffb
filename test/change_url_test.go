package test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// An origin is an HTTP server that has a configuration.
type origin struct {
	*httptest.Server
	waits bool // it knows of waiting until there is something new

	mu     sync.Mutex
	text   string
	tag    int // counts what it had
	status int // to answer with, 0 for what it has
	news   chan struct{}
	asked  []string // what was said of waiting
}

func newOrigin(t testing.TB, waits bool, text string) *origin {
	t.Helper()
	o := &origin{waits: waits, text: text, news: make(chan struct{})}
	o.Server = httptest.NewServer(o)
	t.Cleanup(func() {
		o.CloseClientConnections()
		o.Close()
	})
	return o
}

// has is what it has from now on, or the status with which it answers.
func (o *origin) has(text string, status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text, o.status = text, status
	o.tag++
	close(o.news)
	o.news = make(chan struct{})
}

// ServeHTTP is part of http.Handler.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.asked = append(o.asked, r.Header.Get("Prefer"))
	for o.status == 0 && r.Header.Get("If-None-Match") == o.etag() {
		if !o.waits {
			o.mu.Unlock()
			w.WriteHeader(http.StatusNotModified)
			return
		}
		news := o.news
		o.mu.Unlock()
		select {
		case <-news:
		case <-r.Context().Done():
			return
		}
		o.mu.Lock()
	}
	defer o.mu.Unlock()
	if o.status != 0 {
		w.WriteHeader(o.status)
		return
	}
	w.Header().Set("ETag", o.etag())
	io.WriteString(w, o.text)
}

func (o *origin) etag() string { return fmt.Sprintf("%q", fmt.Sprint(o.tag)) }

// TestChangeAtAURL takes what a server has when it says that there is something new, or when it is asked again; at once
// for who sends SIGHUP. A fault changes nothing, and neither does a server that has none, or an error.
func TestChangeAtAURL(t *testing.T) {
	t.Parallel()
	for _, waits := range []bool{true, false} {
		t.Run(fmt.Sprintf("waits %v", waits), func(t *testing.T) {
			t.Parallel()
			a, b := freePort(t), freePort(t)
			o := newOrigin(t, waits, echo(a))
			at := o.URL + "/zilla.yaml"
			g := changeIn(t, t.TempDir(), "-c", at, "-P", "zilla.engine.config.poll.interval.seconds=1")
			c := converse(t, a)
			o.has(echo(b), 0)
			g.takes()
			converse(t, b).end()
			faulty, fault := unknown(a)
			fault = strings.Replace(fault, "zilla.yaml", at, 1)
			o.has(faulty, 0)
			g.refuses(fault)
			if text := g.stderr.String(); !strings.Contains(text, "\n"+fault+"\n") {
				t.Errorf("it is not told where the fault is:\n%s", text)
			}
			o.has(echo(a), 0)
			g.takes()
			o.has("", http.StatusNotFound)
			g.refusesFor("")
			o.has(echo(b), 0)
			g.signal(syscall.SIGHUP)
			g.takes()
			converse(t, b).end()
			o.has("", http.StatusInternalServerError)
			g.refusesFor("cannot read " + regexp.QuoteMeta(at) + ": the server answers 500 Internal Server Error")
			converse(t, b).end()
			o.has(echo(a), 0)
			g.takes()
			c.say("still there")
			c.end()
			g.counts()
			g.terminate()
			o.mu.Lock()
			defer o.mu.Unlock()
			if o.asked[0] != "" || o.asked[1] != "wait=300" {
				t.Errorf("it was asked with %q", o.asked)
			}
		})
	}
}

// A server that does not answer yet holds up neither the start nor the end, and nobody who asks how the gateway does.
func TestStallingURL(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	stall := make(chan bool)
	asked := make(chan bool, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- true
		select {
		case <-stall:
			io.WriteString(w, echo(port))
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer server.CloseClientConnections()
	g := launch(t, t.TempDir(), "start", "-c", server.URL, "-P", "zilla.engine.config.watch=false")
	<-asked
	stall <- true
	g.awaitStart()
	g.signal(syscall.SIGHUP)
	<-asked
	converse(t, port).end()
	if status, _, errs := run(t, g.dir, "status"); status != 0 {
		t.Errorf("status %d: %s", status, errs)
	}
	again := launch(t, g.dir, "reload") // waits for its turn
	planned := launch(t, g.dir, "plan", "-c", server.URL)
	<-asked // of plan
	g.terminate()
	for _, waits := range []*gateway{again, planned} {
		waits.signal(syscall.SIGINT)
		waits.end(patience)
	}
	if strings.Contains(g.stderr.String(), refusedEvent) {
		t.Errorf("what was given up was refused:\n%s", g.stderr)
	}
}
