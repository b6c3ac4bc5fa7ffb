package page

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gozilla/admin"
	"gozilla/engine"
	"gozilla/stream"
	"gozilla/telemetry"
)

// source is a gateway in a test.
type source struct {
	status admin.Status
	graph  engine.Graph
	host   *stream.Host
}

func newSource() *source {
	exit := func(to string) []engine.GraphExit { return []engine.GraphExit{{Route: "exit", To: to}} }
	return &source{
		status: admin.Status{PID: 4711, Version: "1.2.3", Config: "zilla.yaml", Ready: true, Capacity: 100, Generation: 1},
		host:   stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 100, false)),
		graph: engine.Graph{Bindings: []engine.GraphBinding{
			{Namespace: "example", Name: "north", Type: "tcp", Kind: "server", Entry: true, Listeners: []string{"127.0.0.1:1", "127.0.0.1:2"}, Exits: exit("example:south")},
			{Namespace: "example", Name: "south", Type: "echo", Kind: "server"},
		}},
	}
}

func (s *source) Status() admin.Status        { return s.status }
func (s *source) Graph() engine.Graph         { return s.graph }
func (s *source) Host() *stream.Host          { return s.host }
func (s *source) Metrics() *telemetry.Metrics { return nil }
func (s *source) Level() *slog.LevelVar       { return nil }

// show is the page of a gateway.
func show(t *testing.T, s admin.Source) string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = "127.0.0.1:9000"
	Handler(s, "127.0.0.1:9000").ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestWhoIsTrusted(t *testing.T) {
	s := newSource()
	for _, test := range []struct {
		at, method, host, origin, path string
		want                           int
	}{
		{"127.0.0.1:9000", "GET", "127.0.0.1:9000", "", "/", 200},
		{"127.0.0.1:9000", "GET", "localhost:9000", "", "/", 200},
		{"127.0.0.1:9000", "GET", "[::1]:9000", "", "/", 200},
		{"127.0.0.1:9000", "GET", "127.0.0.1:8000", "", "/", 200}, // a tunnel's port
		{"127.0.0.1:9000", "GET", "localhost", "", "/", 200},
		{"127.0.0.1:9000", "GET", "[::1]", "", "/", 200},
		{"127.0.0.1:9000", "HEAD", "localhost:9000", "", "/", 200},
		{"127.0.0.1:9000", "GET", "localhost:9000", "http://localhost:9000", "/", 200},
		{"127.0.0.1:9000", "GET", "localhost:9000", "", "/page.css", 200},
		{"127.0.0.1:9000", "GET", "localhost:9000", "", "/page.js", 200},
		{"127.0.0.1:9000", "GET", "localhost:9000", "", "/page.html", 404},
		{"127.0.0.1:9000", "GET", "localhost:9000", "", "/v1/status", 404},
		{"127.0.0.1:9000", "GET", "evil.example:9000", "", "/", 403}, // a name that was made to lead here
		{"127.0.0.1:9000", "GET", "evil.example", "", "/page.js", 403},
		{"127.0.0.1:9000", "GET", "localhost.evil.example:9000", "", "/", 403},
		{"127.0.0.1:9000", "GET", "10.0.0.1:9000", "", "/", 403},
		{"127.0.0.1:9000", "GET", "", "", "/", 403},
		{"127.0.0.1:9000", "GET", "localhost:9000", "http://evil.example", "/", 403},
		{"127.0.0.1:9000", "GET", "localhost:9000", "https://localhost:9000", "/", 403},
		{"127.0.0.1:9000", "GET", "localhost:9000", "http://localhost:8000", "/", 403},
		{"127.0.0.1:9000", "GET", "localhost:9000", "null", "/", 403},
		{"127.0.0.1:9000", "POST", "evil.example:9000", "", "/", 403},
		{"127.0.0.1:9000", "POST", "localhost:9000", "", "/", 405},
		{"127.0.0.1:9000", "DELETE", "localhost:9000", "", "/", 405},
		{"127.0.0.1:9000", "OPTIONS", "localhost:9000", "", "/", 405},
		{"127.0.0.7:9000", "GET", "127.0.0.7:9000", "", "/", 200},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(test.method, test.path, nil)
		r.Host = test.host
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		Handler(s, test.at).ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%+v: %d", test, w.Code)
		}
		h := w.Header()
		if h.Get("Content-Security-Policy") != policy || h.Get("Access-Control-Allow-Origin") != "" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%+v: the header is %v", test, h)
		}
		if empty := w.Body.Len() == 0; empty != (test.method == "HEAD") {
			t.Errorf("%+v: there is a body: %v", test, !empty)
		}
	}
}

func TestCheckAddress(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:9000": "", "[::1]:0": "", "localhost:65535": "", "127.1.2.3:80": "",
		"9000":             `the address of the page must be 127.0.0.1:PORT, not "9000"`,
		"":                 `the address of the page must be 127.0.0.1:PORT, not ""`,
		"localhost":        `the address of the page must be 127.0.0.1:PORT, not "localhost"`,
		":9000":            `the page is for browsers on this machine only: its address must be 127.0.0.1:PORT, not ":9000"`,
		"0.0.0.0:9000":     `the page is for browsers on this machine only: its address must be 127.0.0.1:PORT, not "0.0.0.0:9000"`,
		"[::]:9000":        `the page is for browsers on this machine only: its address must be 127.0.0.1:PORT, not "[::]:9000"`,
		"example.com:9000": `the page is for browsers on this machine only: its address must be 127.0.0.1:PORT, not "example.com:9000"`,
		"127.0.0.1:x":      `the port of the page must be a number, not "x"`,
		"127.0.0.1:65536":  `the port of the page must be a number, not "65536"`,
		"127.0.0.1:-1":     `the port of the page must be a number, not "-1"`,
	} {
		got := ""
		if err := CheckAddress(address); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s\nwant %s", address, got, want)
		}
	}
}

func TestPage(t *testing.T) {
	s := newSource()
	node := &stream.Node{Namespace: "example", Name: "north"}
	for i := range 103 {
		s.host.Arrive(t.Context(), node).SetRecord(func(r *telemetry.Record) {
			r.Source = netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(50_001+i))
		})
	}
	for i := range 60 {
		s.host.Log.Record(&telemetry.Record{ID: uint64(1000 + i), Reason: "fin", By: telemetry.Client})
	}
	s.host.Log.Record(&telemetry.Record{ID: 2000, Reason: "rst", By: telemetry.Server, Err: "connection reset",
		HTTP: telemetry.HTTP{Method: "GET", Path: "/x", Status: 502}, Path: []telemetry.Step{{Binding: "example:north", Route: "exit"}, {Binding: "example:south"}}})
	page := show(t, s)
	for _, want := range []string{
		`<noscript><meta http-equiv="refresh" content="5"></noscript>`, `<span class="state ready">ready</span>`, "the newest 100 of 103", ">10.0.0.1:50103<", ">10.0.0.1:50004<", "GET /x 502", ">north exit &gt; south<",
		`title="connection reset">server: rst`, ">tcp server · 127.0.0.1:1 &#43;1<", "example:north → example:south",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	for _, other := range []string{"10.0.0.1:50003", ">1010<", "not taken"} {
		if strings.Contains(page, other) {
			t.Errorf("the page has %s", other)
		}
	}
	if newest, older := strings.Index(page, ">2000<"), strings.Index(page, ">1059<"); newest < 0 || newest > older {
		t.Error("the newest record does not stand first")
	}
	if t.Failed() {
		t.Log(page)
	}
}

func TestRefusedConfiguration(t *testing.T) {
	s := newSource()
	s.status.Refused = &admin.Refusal{Time: time.Now(), Times: 3, Faults: []string{"zilla.yaml:7:11: there is no binding sout", "zilla.yaml:9:1: another"}}
	s.status.TurnedAway = 4
	page := show(t, s)
	for _, want := range []string{"the last of 3 since the start", "zilla.yaml:7:11: there is no binding sout\nzilla.yaml:9:1: another\n", "turned away</dt><dd>4<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s\n%s", want, page)
		}
	}
}

func TestNothingServed(t *testing.T) {
	s := newSource()
	s.graph = engine.Graph{}
	if page := show(t, s); !strings.Contains(page, "Nothing is served.") || strings.Contains(page, "<svg") {
		t.Error(page)
	}
	s.status.Draining = true
	if page := show(t, s); !strings.Contains(page, `<span class="state draining">draining</span>`) || !strings.Contains(page, "The ports are closed.") {
		t.Error(page)
	}
}

// Whatever names and clients say, it is text, and the policy would not let it be more.
func TestPageIsText(t *testing.T) {
	const evil = `"></title><script>alert(1)</script><img src=x onerror=alert(1)>'`
	s := newSource()
	s.status.Config, s.status.Version = evil, evil
	s.status.Refused = &admin.Refusal{Faults: []string{evil}}
	s.graph.Bindings[0].Name, s.graph.Bindings[1].Name, s.graph.Bindings[0].Listeners = evil, evil[2:], []string{evil}
	s.graph.Bindings[0].Exits = []engine.GraphExit{{Route: evil, When: evil, To: "example:" + evil[2:]}}
	s.host.Arrive(t.Context(), &stream.Node{Namespace: evil, Name: evil}).SetRecord(func(r *telemetry.Record) { r.Target, r.Identity = evil, evil })
	s.host.Log.Record(&telemetry.Record{Reason: evil, Err: evil, HTTP: telemetry.HTTP{Method: evil, Path: evil}})
	page := show(t, s)
	if strings.Contains(page, "<img") || strings.Count(page, "<script") != 1 || strings.Count(page, "alert(1)") < 10 {
		t.Error(page)
	}
	for _, inline := range []string{" style=", " onclick=", " onload=", "<style", "javascript:", "http://", "https://"} {
		if plain := show(t, newSource()); strings.Contains(plain, inline) {
			t.Errorf("the page has %s", inline)
		}
	}
}

func TestDraw(t *testing.T) {
	exits := func(to ...string) (all []engine.GraphExit) {
		for i, name := range to {
			all = append(all, engine.GraphExit{Route: fmt.Sprintf("routes[%d]", i), To: name})
		}
		return all
	}
	g := &engine.Graph{Bindings: []engine.GraphBinding{
		{Namespace: "a", Name: "north", Entry: true, Exits: exits("a:middle", "a:both", "a:middle", "a:gone")},
		{Namespace: "a", Name: "middle", Exits: exits("a:both")},
		{Namespace: "a", Name: "both", Type: "echo", Kind: "server", Streams: engine.GraphStreams{Open: 2, Opened: 1200, Errors: 1234}},
		{Namespace: "b", Name: "unused_and_with_a_name_for_which_there_is_no_room"},
	}}
	r := rate{streams: 2.5, received: 1024, sent: 1024 * 1023}
	d := draw(g, map[string]rate{"a:north": r, "a:middle": r, "a:both": {}, "b:unused_and_with_a_name_for_which_there_is_no_room": r})
	want := []struct{ role, name, rate, errors string }{
		{"entry", "north", "2.5/s · 1 MiB/s", ""}, {"middle", "middle", "", ""}, {"end", "both", "0/s · 0 B/s", "1.2k"}, {"unused", "unused_and_…is_no_room", "", ""},
	}
	for i, b := range d.Boxes {
		if w := want[i]; b.Role != w.role || b.Name != w.name || b.Rate != w.rate || b.Errors != w.errors {
			t.Errorf("box %d is %+v, want %+v", i, b, w)
		}
	}
	if d.Boxes[2].Kind != "a · echo server" || !strings.Contains(d.Boxes[2].Title, "2 streams are open, 1200 were opened, 1234 refused or cut") {
		t.Errorf("the box of both is %+v", d.Boxes[2])
	}
	if len(d.Lines) != 3 {
		t.Fatalf("%d lines, want one for each pair", len(d.Lines))
	}
	if l := d.Lines[0]; l.Way != "routes[0]\nroutes[2]" || l.Streams != "2.5/s" || l.Bytes != "1 MiB/s" || !l.Busy || l.Width != "4" {
		t.Errorf("the only line to middle is %+v", l)
	}
	for _, l := range d.Lines[1:] { // nobody knows what comes by which of two lines
		if l.Streams != "" || l.Bytes != "" || l.Busy {
			t.Errorf("a line to both tells %+v", l)
		}
	}
	if before := draw(g, nil); before.Boxes[0].Rate != "" || before.Lines[0].Streams != "" {
		t.Error("rates are told that are not known")
	}
}

func TestRates(t *testing.T) {
	var s sampler
	at := time.Unix(1000, 0)
	look := func(after time.Duration, opened, received int64) string {
		at = at.Add(after)
		r, ok := s.look(&engine.Graph{Bindings: []engine.GraphBinding{{Namespace: "a", Name: "b", Streams: engine.GraphStreams{Opened: opened, Received: received}}}}, at)["a:b"]
		if !ok {
			return "?"
		}
		return fmt.Sprint(r.streams, " ", r.received)
	}
	for i, test := range []struct {
		after            time.Duration
		opened, received int64
		want             string
	}{
		{0, 100, 1000, "?"},
		{500 * time.Millisecond, 200, 2000, "?"}, // too soon
		{500 * time.Millisecond, 110, 3000, "10 2000"},
		{500 * time.Millisecond, 500, 5000, "10 2000"}, // somebody else looks in between
		{1500 * time.Millisecond, 110, 3400, "0 200"},
		{5 * time.Second, 160, 3400, "10 0"},
		{time.Second, 3, 7, "3 7"},     // the binding was made anew
		{time.Minute, 1000, 1000, "?"}, // nobody has looked for long
		{time.Second, 1001, 1000, "1 0"},
	} {
		if got := look(test.after, test.opened, test.received); got != test.want {
			t.Errorf("look %d: %s, want %s", i, got, test.want)
		}
	}
	if rates := s.look(&engine.Graph{}, at.Add(time.Second)); len(rates) != 0 {
		t.Errorf("of nothing: %v", rates)
	}
}

func TestWords(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(count(0), "0")
	f(count(999), "999")
	f(count(1000), "1k")
	f(count(19_940), "19.9k")
	f(count(123_456_789), "123M")
	f(size(0), "0 B")
	f(size(1023.4), "1023 B")
	f(size(1023.6), "1 KiB")
	f(size(1536), "1.5 KiB")
	f(size(5<<40), "5 TiB")
	f(size(5<<50), "5120 TiB")
	f(perSecond(0.25), "0.2/s")
	f(perSecond(12.6), "13/s")
	f(short(-time.Second), "0s")
	f(short(1234567*time.Nanosecond), "1.23ms")
	f(short(12345*time.Millisecond), "12s")
	f(short(61*time.Second), "1m 1s")
	f(short(100*time.Minute), "1h 40m")
	f(short(49*time.Hour), "2d 1h")
	f(cut("größer", 6), "größer")
	f(cut("größeres", 6), "größe…")
	f(cutMiddle("abcdefgh", 8), "abcdefgh")
	f(cutMiddle("abcdefghi", 8), "abcd…ghi")
}
