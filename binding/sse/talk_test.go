package sse_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/telemetry"
)

// TestTalks has conversations: a zilla.yaml, what clients of the binding north ask for, and what they get. With "server"
// in it, there is a server by http, whose port is SERVER: the file says what it answers to one connection after the other,
// as a text in Go's quotes a line, and how that ends: fin, rst, or open. "asked" is what it was asked.
func TestTalks(t *testing.T) {
	gwtest.RunArchives(t, "testdata/talk/*.txtar", func(t *testing.T, a *gwtest.Archive) {
		s := serve(t, a.Text("server"))
		g := gwtest.Start(t, a.Text("zilla.yaml"), gwtest.Env("SERVER", s.port), gwtest.Habits(habitsOf(a.Text("habits"))))
		var events strings.Builder
		defer g.Host.Log.Handle(func(e *telemetry.Event) {
			if e.Namespace == "test" && !strings.HasPrefix(e.ID, "binding.http.") {
				fmt.Fprintf(&events, "%s:%s %s %s\n", e.Namespace, e.Name, e.ID, endpoint.ReplaceAllString(e.Message, "HOST:PORT"))
			}
		})()
		var records strings.Builder
		for _, f := range append([]gwtest.File(nil), a.Files...) {
			name, ok := strings.CutPrefix(f.Name, "request ")
			if !ok {
				continue
			}
			c := g.Dial("north")
			gwtest.Send(t, c, strings.ReplaceAll(strings.TrimRight(f.Text, "\n"), "\n", "\r\n")+"\r\n\r\n")
			c.SetReadDeadline(time.Now().Add(gwtest.Patience))
			method, _, _ := strings.Cut(f.Text, " ")
			r, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
			a.Expect(t, "response "+name, shown(t, r, err))
			c.Close()
			rec := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Status != 0 })
			fmt.Fprintf(&records, "%d %s %d events, last id %q: %s %s\n", rec.HTTP.Status, rec.PathText(), rec.SSE.Events, rec.SSE.LastID, rec.By, rec.Reason)
		}
		a.Expect(t, "records", records.String())
		a.Expect(t, "events", events.String())
		if a.Text("server") != "" {
			a.Expect(t, "asked", s.text())
		}
	})
}

func habitsOf(text string) (h stream.Habits) {
	for line := range strings.Lines(text) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), "="); key {
		case "comment":
			h.Comment = true
		case "challenge":
			h.Challenge = value
		}
	}
	return h
}

// A server answers each connection by a line of a script.
type server struct {
	port string

	mu    sync.Mutex
	asked strings.Builder
}

func serve(t *testing.T, script string) *server {
	s := &server{}
	if script == "" {
		return s
	}
	l := gwtest.Listen(t, "")
	s.port = l.Port()
	go func() { // ends with the script
		for line := range strings.Lines(script) {
			s.answer(t, l.Next(), strings.TrimSpace(line))
		}
	}()
	return s
}

// answer reads a request and answers it.
func (s *server) answer(t *testing.T, c *net.TCPConn, line string) {
	how, quoted, _ := strings.Cut(line, " ")
	text, err := strconv.Unquote(quoted)
	if err != nil {
		t.Errorf("%s: %v", line, err)
	}
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		t.Errorf("no request for %s: %v", line, err)
		return
	}
	s.mu.Lock()
	fmt.Fprintf(&s.asked, "%s %s accept: %s", r.Method, r.RequestURI, r.Header.Get("Accept"))
	if id, ok := r.Header["Last-Event-Id"]; ok {
		fmt.Fprintf(&s.asked, ", last-event-id: %q", id)
	}
	s.asked.WriteString("\n")
	s.mu.Unlock()
	io.WriteString(c, text)
	switch how {
	case "fin":
		c.CloseWrite()
	case "rst":
		time.Sleep(20 * time.Millisecond) // a reset overtakes what was sent before
		c.SetLinger(0)
		c.Close()
	}
}

func (s *server) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked.String()
}
