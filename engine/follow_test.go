package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gozilla/engine"
	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
)

// A follower is an engine that follows an origin, and tells the test what has come of it.
type follower struct {
	*testing.T
	follower *engine.Follower
	e        *engine.Engine
	tried    chan *engine.Outcome
}

// Trying is part of engine.Teller.
func (f *follower) Trying() {}

// Tried is part of engine.Teller.
func (f *follower) Tried(o *engine.Outcome) { f.tried <- o }

// follow begins with what the origin has, and follows it until the test ends.
func follow(t *testing.T, name string) *follower {
	t.Helper()
	f := begin(t, name)
	f.run()
	return f
}

// begin begins with what the origin has.
func begin(t *testing.T, name string) *follower {
	t.Helper()
	leak.Check(t)
	f := &follower{T: t, tried: make(chan *engine.Outcome, 100)}
	f.e, _ = newEngine()
	f.follower = f.e.Follow(engine.Origin{Name: name, Poll: 20 * time.Millisecond}, f)
	if o := f.follower.Begin(t.Context()); o.Err != nil {
		t.Fatal(o.Err)
	}
	t.Cleanup(func() { end(f.e) })
	return f
}

// end stops an engine, and cuts off who may have come to its ports.
func end(e *engine.Engine) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	e.Stop(ctx)
}

// run follows the origin until the test ends.
func (f *follower) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		f.follower.Run(ctx)
		close(done)
	}()
	f.Cleanup(func() {
		cancel()
		<-done
	})
}

// becomes waits for what has come of a change: a fault, or "" and the number of the generation then.
func (f *follower) becomes(generation int64, want string) {
	f.Helper()
	select {
	case o := <-f.tried:
		got := strings.Join(o.Faults(), "\n")
		if want == "" && got != "" || !strings.Contains(got, want) || f.follower.State().Generation != generation || f.follower.State().Refusing != (want != "") {
			f.Fatalf("generation %d, %q, state %+v; not %d, %q", f.follower.State().Generation, got, f.follower.State(), generation, want)
		}
	case <-time.After(gwtest.Patience):
		f.Fatal("nothing was tried")
	}
}

// serves wants the bindings to be those.
func (f *follower) serves(names ...string) {
	f.Helper()
	var have []string
	for _, b := range f.e.Graph().Bindings {
		have = append(have, b.Name)
	}
	if strings.Join(have, " ") != strings.Join(names, " ") {
		f.Fatalf("in service are %q, not %q", have, names)
	}
}

// serving is a file with a server of that name.
func serving(name string) string {
	return fmt.Sprintf("name: test\nbindings:\n  %s: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: end }\n  end: { type: echo, kind: server }\n", name)
}

// TestRefusedOnce tells the fault of a file once that Reload has read before anybody has looked, and takes the next one.
func TestRefusedOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "zilla.yaml")
	write := writer(t, name)
	write(serving("one"))
	f := begin(t, name)
	write("bindings: 7\n")
	f.follower.Reload(t.Context())
	f.becomes(1, "zilla.yaml:1:1: a namespace needs name")
	f.run()
	select {
	case o := <-f.tried:
		t.Errorf("the same was tried again: %v", o.Err)
	case <-time.After(100 * time.Millisecond): // it has been looked at
	}
	write("bindings: 7\n") // which asks for another try
	f.becomes(1, "zilla.yaml:1:1: a namespace needs name")
	write(serving("two"))
	f.becomes(2, "")
	if n := f.e.Refusals(); n != 2 {
		t.Errorf("%d refusals are counted, not 2", n)
	}
}

// TestReloadThatIsGivenUp tries nothing, and refuses nothing.
func TestReloadThatIsGivenUp(t *testing.T) {
	name := filepath.Join(t.TempDir(), "zilla.yaml")
	write := writer(t, name)
	write(serving("one"))
	f := begin(t, name)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	write("bindings: 7\n")
	if o := f.follower.Reload(ctx); !errors.Is(o.Err, context.Canceled) || o != <-f.tried {
		t.Errorf("%v", o.Err)
	}
	write(serving("two"))
	f.e.Stop(ctx)
	if o := f.follower.Reload(t.Context()); o.Err != nil {
		t.Errorf("what has stopped begins anew: %v", o.Err)
	}
	<-f.tried
	if s := f.follower.State(); f.e.Refusals() != 0 || s.Refused != nil {
		t.Errorf("%d were refused, the state is %+v", f.e.Refusals(), s)
	}
}

// TestBeginWhileItIsWritten does not take the half that is there when it begins to look.
func TestBeginWhileItIsWritten(t *testing.T) {
	name := filepath.Join(t.TempDir(), "zilla.yaml")
	if err := os.WriteFile(name, []byte(serving("one")), 0o600); err != nil {
		t.Fatal(err)
	}
	f := begin(t, name)
	w, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.run()
	began := time.Now()
	time.Sleep(60 * time.Millisecond) // it is looked at once or twice
	_, err = w.WriteString(serving("two"))
	if late := time.Since(began) > 200*time.Millisecond; late || err != nil || w.Close() != nil {
		t.Skipf("this machine is too busy: %v, %v", time.Since(began), err)
	}
	f.becomes(2, "")
	f.serves("two", "end")
}

// writer writes the file of that name.
func writer(t *testing.T, name string) func(text string) {
	return func(text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFollowAFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "zilla.yaml")
	write := writer(t, name)
	f := follow(t, name) // which is not there
	f.serves()
	write(serving("one"))
	f.becomes(2, "")
	f.serves("one", "end")
	write("")
	f.becomes(2, "missing or empty")
	write("# nothing\n---\n")
	os.Remove(name)
	write(serving("one") + "  two: { type: ecko, kind: server }\n")
	f.becomes(2, `zilla.yaml:5:16: there is no binding type "ecko"`)
	f.serves("one", "end")
	write(serving("two"))
	f.becomes(3, "")
	f.serves("two", "end")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	f.becomes(3, "missing or empty")
	f.serves("two", "end")
	write(serving("three"))
	f.becomes(4, "")
	f.serves("three", "end")
	if o := f.follower.Reload(t.Context()); o.Err != nil || !o.Change.Nothing() {
		t.Errorf("the same again: %v", o.Err)
	}
	f.becomes(4, "")
}

// A site is an HTTP server that has a configuration.
type site struct {
	*httptest.Server
	waits bool // until there is another text

	mu     sync.Mutex
	text   string
	status int // in place of the text
	news   chan struct{}
	asked  int
}

func newSite(t *testing.T, waits bool) *site {
	s := &site{waits: waits, news: make(chan struct{})}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.set("", 500) // who waits goes
		s.Close()
	})
	return s
}

func (s *site) set(text string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text, s.status = text, status
	close(s.news)
	s.news = make(chan struct{})
}

// ServeHTTP answers as a server does that knows tags, and perhaps waiting.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked++
	tag := fmt.Sprintf("%q", fmt.Sprint(len(s.text), s.text[:min(len(s.text), 40)]))
	news, status := s.news, s.status
	s.mu.Unlock()
	if status == 0 && r.Header.Get("If-None-Match") == tag {
		if !s.waits || r.Header.Get("Prefer") == "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		select {
		case <-news:
			s.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
		return
	}
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("ETag", tag)
	fmt.Fprint(w, s.text)
}

// TestFollowAServer takes what it has at once if it waits for that, and soon if it does not; whatever else it says, what
// runs goes on.
func TestFollowAServer(t *testing.T) {
	for _, waits := range []bool{true, false} {
		t.Run(fmt.Sprintf("waits %v", waits), func(t *testing.T) {
			s := newSite(t, waits)
			s.set("", http.StatusNotFound)
			f := follow(t, s.URL+"/zilla.yaml")
			f.serves()
			s.set(serving("first"), 0)
			f.becomes(2, "")
			s.set(serving("another"), 0)
			f.becomes(3, "")
			f.serves("another", "end")
			if !waits {
				return // from here on it is the same
			}
			generation := int64(3)
			for status, want := range map[int]string{500: "500 Internal Server Error", 204: "204 No Content", 404: "404 Not Found"} {
				s.set("", status)
				f.becomes(generation, want)
				f.serves("another", "end")
				s.set(serving(fmt.Sprintf("after%d", status)), 0)
				generation++
				f.becomes(generation, "")
				f.serves(fmt.Sprintf("after%d", status), "end")
				s.set(serving("another"), 0)
				generation++
				f.becomes(generation, "")
			}
		})
	}
}

// TestFollowAServerThatIsGone says so once, and takes what it has when it is back.
func TestFollowAServerThatIsGone(t *testing.T) {
	s := newSite(t, true)
	s.set(serving("first"), 0)
	f := follow(t, s.URL+"/zilla.yaml")
	s.Listener.Close()
	s.CloseClientConnections()
	f.becomes(1, "cannot read http://")
	f.serves("first", "end")
}
